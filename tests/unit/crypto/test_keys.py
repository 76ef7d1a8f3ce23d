"""Identities, audiences, sections: known answers, wrong keys, and secrets that stay in."""

from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto import sections
from hub.crypto.audience import AudiencePrivateKey, Suite, public_bytes, seal, sealed_bytes
from hub.crypto.errors import MalformedKey, NotAuthentic, NotOpened
from hub.crypto.hkdf import expand
from hub.crypto.identity import IdentityKey, key_id, verify
from hub.crypto.secret import Secret
from tests.vectors import reference

# RFC 8032, 7.1, test 2
RFC8032_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
RFC8032_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
RFC8032_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_identity_signs_as_rfc_8032_says() -> None:
    key = IdentityKey.from_seed(RFC8032_SEED)
    assert key.public == RFC8032_PUBLIC and key.sign(b"\x72") == RFC8032_SIGNATURE
    assert key.key_id == key_id(RFC8032_PUBLIC) and len(key.key_id) == 8


def test_signature_of_another_message_or_key_is_none() -> None:
    key = IdentityKey.generate()
    signature = key.sign(b"message")
    assert verify(key.public, signature, b"message")
    assert not verify(key.public, signature, b"messagf")
    assert not verify(IdentityKey.generate().public, signature, b"message")
    for bad in (b"", signature[:-1], bytes(64)):
        assert not verify(key.public, bad, b"message")
    assert not verify(b"short", signature, b"message")


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_expansion_is_hkdf(secret: bytes, info: bytes) -> None:
    assert expand(secret, info) == HKDFExpand(hashes.SHA256(), 32, info).derive(secret)


@pytest.mark.parametrize(("suite", "public", "sealed"), [(Suite.HYBRID, 1_216, 1_168), (Suite.X25519, 32, 80)])
def test_sizes_are_those_of_the_page(suite: Suite, public: int, sealed: int) -> None:
    key = AudiencePrivateKey.generate(suite)
    assert len(key.public) == public == public_bytes(suite)
    assert len(seal(suite, key.public, b"", bytes(32))) == sealed == sealed_bytes(suite)


@pytest.mark.parametrize("suite", Suite)
def test_sealed_secret_opens_with_its_key_and_info_only(suite: Suite) -> None:
    key = AudiencePrivateKey.generate(suite)
    message = seal(suite, key.public, b"info", b"secret")
    again = AudiencePrivateKey.from_seeds(suite, key.seeds())
    assert again.open(message, b"info") == b"secret" and again.key_id == key.key_id
    assert reference.hpke_open(suite.value, key.seeds(), b"info", message) == b"secret"
    attempts = [
        (key, message, b"inf0"),
        (key, message[:-1], b"info"),
        (key, b"", b"info"),
        (key, bytes([message[0] ^ 1]) + message[1:], b"info"),
        (key, message[:-1] + bytes([message[-1] ^ 1]), b"info"),
        (AudiencePrivateKey.generate(suite), message, b"info"),
    ]
    for other, content, info in attempts:
        with pytest.raises(NotOpened):
            other.open(content, info)


@pytest.mark.parametrize("suite", Suite)
def test_what_is_no_key_is_refused(suite: Suite) -> None:
    size = public_bytes(suite)
    for bad in (b"", bytes(size - 1), bytes(size), b"\xff" * size):
        if suite is Suite.X25519 and bad == b"\xff" * size:
            continue  # every other 32 bytes are an X25519 key
        with pytest.raises(MalformedKey):
            seal(suite, bad, b"", b"")
    with pytest.raises(MalformedKey):
        AudiencePrivateKey.from_seeds(suite, bytes(31))
    with pytest.raises(MalformedKey):
        IdentityKey.from_seed(bytes(31))


SECRET = Secret(bytes(range(32)))
OTHER = Secret(bytes(32))


def test_section_opens_under_its_secret_header_and_audience_only() -> None:
    content = sections.seal_section(SECRET, b"header", "review-131041", b"plaintext")
    assert sections.open_section(SECRET, b"header", "review-131041", content) == b"plaintext"
    flipped = bytes([content[0] ^ 1]) + content[1:]
    for secret, header, audience, ciphertext in (
        (OTHER, b"header", "review-131041", content),
        (SECRET, b"headeR", "review-131041", content),
        (SECRET, b"header", "review-999997", content),
        (SECRET, b"header", "review-131041", flipped),
        (SECRET, b"header", "review-131041", content[:-1]),
        (SECRET, b"header", "review-131041", b""),
    ):
        with pytest.raises(NotAuthentic):
            sections.open_section(secret, header, audience, ciphertext)


def test_commitment_holds_for_one_secret() -> None:
    commitment = sections.commitment(SECRET)
    assert sections.commitment_holds(SECRET, commitment)
    assert not sections.commitment_holds(OTHER, commitment)
    assert not sections.commitment_holds(SECRET, commitment[:-1])


@pytest.mark.parametrize(
    "holder",
    [
        SECRET,
        IdentityKey.from_seed(RFC8032_SEED),
        AudiencePrivateKey.generate(),
        AudiencePrivateKey.generate(Suite.X25519),
    ],
)
def test_key_material_is_not_shown_pickled_or_copied(holder: object) -> None:
    assert repr(holder) == str(holder) == f"<{type(holder).__name__}>"
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="does not leave"):
            travel(holder)


def test_secrets_compare_and_are_32_bytes() -> None:
    assert Secret(bytes(32)) == OTHER and OTHER != SECRET and bytes(32) != OTHER  # type: ignore[comparison-overlap]
    with pytest.raises(ValueError, match="32"):
        Secret(b"short")
    with pytest.raises(TypeError):
        hash(SECRET)
