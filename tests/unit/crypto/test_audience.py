"""Keys of another length and messages of another form are refused by name."""

from __future__ import annotations

import pytest

from hub.crypto.audience import AudiencePrivateKey, Suite, public_bytes, seal, sealed_bytes
from hub.crypto.errors import MalformedKey, NotOpened
from hub.crypto.secret import Secret


@pytest.mark.parametrize(("suite", "public", "sealed"), [(Suite.HYBRID, 1_216, 1_168), (Suite.X25519, 32, 80)])
def test_lengths_are_the_suites(suite: Suite, public: int, sealed: int) -> None:
    key = AudiencePrivateKey.generate(suite)
    message = seal(suite, key.public, b"info", bytes(32))
    assert (len(key.public), public_bytes(suite)) == (public, public)
    assert (len(message), sealed_bytes(suite), sealed_bytes(suite, 40)) == (sealed, sealed, sealed + 8)
    assert key.open(message, b"info") == bytes(32)
    for bad in (key.public[:-1], key.public + b"x", b"x" + key.public, b""):
        with pytest.raises(MalformedKey) as refused:
            seal(suite, bad, b"info", bytes(32))
        assert refused.value.detail == suite.value


@pytest.mark.parametrize("suite", list(Suite))
def test_message_of_another_form_does_not_open(suite: Suite) -> None:
    key = AudiencePrivateKey.generate(suite)
    message = seal(suite, key.public, b"info", bytes(32))
    for bad in (b"", message[:-1], message + b"x", bytes(len(message)), bytes(31)):
        with pytest.raises(NotOpened):
            key.open(bad, b"info")
    with pytest.raises(NotOpened):
        key.open(message, b"other")


@pytest.mark.parametrize(("suite", "length"), [(Suite.HYBRID, 96), (Suite.X25519, 32)])
def test_seeds_have_their_suites_length(suite: Suite, length: int) -> None:
    assert AudiencePrivateKey.from_seeds(suite, bytes(length)).seeds() == bytes(length)
    for bad in (length - 1, length + 1):
        with pytest.raises(MalformedKey):
            AudiencePrivateKey.from_seeds(suite, bytes(bad))


def test_point_that_gives_everybody_the_same_secret_is_no_key() -> None:
    with pytest.raises(MalformedKey):
        seal(Suite.X25519, bytes(32), b"", bytes(32))


def test_secrets_are_compared_by_value() -> None:
    assert Secret(b"a" * 32) == Secret(b"a" * 32) != Secret(b"b" * 32)
    assert Secret(b"a" * 32) != b"a" * 32
