"""ML-DSA-44: made of a seed, kept by it, and nothing malformed is a signature."""

from __future__ import annotations

import pickle

import pytest

from hub.crypto.errors import MalformedKey
from hub.crypto.lattice import PUBLIC_BYTES, SEED_BYTES, SIGNATURE_BYTES, LatticeKey, verify


def test_key_is_its_seed_and_signs_what_it_is_given() -> None:
    key = LatticeKey.generate(lambda count: b"\x07" * count)
    assert key.seed() == b"\x07" * 32 and LatticeKey(key.seed()).public == key.public
    signature = key.sign(b"message")
    assert (len(key.public), len(signature), SEED_BYTES) == (PUBLIC_BYTES, SIGNATURE_BYTES, 32)
    assert verify(key.public, signature, b"message")
    assert not verify(key.public, signature, b"other")
    assert not verify(LatticeKey(bytes(32)).public, signature, b"message")


def test_malformed_key_or_signature_is_simply_none() -> None:
    key = LatticeKey(bytes(32))
    assert not verify(b"", key.sign(b"x"), b"x") and not verify(key.public[:-1], key.sign(b"x"), b"x")
    assert not verify(key.public, b"", b"x") and not verify(key.public, key.sign(b"x")[:-1], b"x")


def test_seed_of_another_length_is_refused() -> None:
    for bad in (b"", bytes(31), bytes(33)):
        with pytest.raises(MalformedKey, match="ML-DSA-44 seed"):
            LatticeKey(bad)


def test_key_does_not_travel() -> None:
    assert repr(LatticeKey(bytes(32))) == "<LatticeKey>"
    with pytest.raises(TypeError):
        pickle.dumps(LatticeKey(bytes(32)))
