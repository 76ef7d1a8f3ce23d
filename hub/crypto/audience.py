"""Audience keys: HPKE (RFC 9180) key pairs to which session secrets are sealed.

Suites: KEM MLKEM768_X25519 (hybrid: what is recorded today must not be readable later) or X25519,
always with HKDF-SHA256 and AES-256-GCM, base mode, one message per encapsulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
)
from cryptography.hazmat.primitives.hpke import Suite as _Hpke

from hub.crypto.errors import MalformedKey, NotOpened
from hub.crypto.identity import key_id
from hub.crypto.random import Randomness, system_random
from hub.crypto.secret import Unprintable

_X25519_BYTES: Final = 32
_MLKEM_PUBLIC_BYTES: Final = 1_184
_MLKEM_SEED_BYTES: Final = 64
_TAG_BYTES: Final = 16


class Suite(StrEnum):
    """How to seal to an audience; the value is the symbol in records and trust file."""

    HYBRID = "MLKEM768_X25519"
    X25519 = "X25519"


@dataclass(frozen=True, slots=True)
class _Sizes:
    public: int
    seeds: int
    encapsulated: int


_SIZES: Final = {
    Suite.HYBRID: _Sizes(_MLKEM_PUBLIC_BYTES + _X25519_BYTES, _MLKEM_SEED_BYTES + _X25519_BYTES, 1_088 + 32),
    Suite.X25519: _Sizes(_X25519_BYTES, _X25519_BYTES, 32),
}
_HPKE: Final = {
    Suite.HYBRID: _Hpke(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
    Suite.X25519: _Hpke(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
}


def sealed_bytes(suite: Suite, plaintext_bytes: int = 32) -> int:
    """Return the length of a sealed message; a 32-byte secret: 1,168 bytes (hybrid), 80 (X25519)."""
    return _SIZES[suite].encapsulated + plaintext_bytes + _TAG_BYTES


def public_bytes(suite: Suite) -> int:
    """Return the length of a public key: 1,216 bytes in the hybrid suite, 32 in X25519."""
    return _SIZES[suite].public


def seal(suite: Suite, public: bytes, info: bytes, secret: bytes) -> bytes:
    """Seal `secret` to a public key: HPKE enc ‖ ciphertext. `info` must be given again to open it.

    Raises MalformedKey if `public` is not a key of the suite.
    """
    try:
        return _HPKE[suite].encrypt(secret, _public_key(suite, public), info)
    except ValueError as problem:  # an all-zero shared secret, a non-canonical ML-KEM key
        raise MalformedKey(suite.value) from problem


def _public_key(suite: Suite, public: bytes) -> MLKEM768X25519PublicKey | X25519PublicKey:
    if len(public) != _SIZES[suite].public:
        raise MalformedKey(suite.value)
    x25519 = X25519PublicKey.from_public_bytes(public[-_X25519_BYTES:])
    if suite is Suite.X25519:
        return x25519
    mlkem = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES])
    return MLKEM768X25519PublicKey(mlkem, x25519)


class AudiencePrivateKey(Unprintable):
    """The private half. Made of two seeds (hybrid: ML-KEM 64 ‖ X25519 32) or one (X25519: 32)."""

    __slots__ = ("_private", "_seeds", "key_id", "public", "suite")

    def __init__(self, suite: Suite, seeds: bytes) -> None:
        """Make the key of its seeds, 96 bytes in the hybrid suite, 32 in X25519."""
        if len(seeds) != _SIZES[suite].seeds:
            raise MalformedKey(suite.value)
        self.suite = suite
        self._seeds = seeds
        x25519 = X25519PrivateKey.from_private_bytes(seeds[-_X25519_BYTES:])
        self._private: X25519PrivateKey | MLKEM768X25519PrivateKey = x25519
        self.public: bytes = x25519.public_key().public_bytes_raw()
        if suite is Suite.HYBRID:
            mlkem = MLKEM768PrivateKey.from_seed_bytes(seeds[:_MLKEM_SEED_BYTES])
            self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
            self.public = mlkem.public_key().public_bytes_raw() + self.public
        self.key_id: bytes = key_id(self.public)

    @classmethod
    def generate(cls, suite: Suite = Suite.HYBRID, random: Randomness = system_random) -> AudiencePrivateKey:
        """Make a new key pair."""
        return cls(suite, random(_SIZES[suite].seeds))

    @classmethod
    def from_seeds(cls, suite: Suite, seeds: bytes) -> AudiencePrivateKey:
        """Make the key pair of its seeds."""
        return cls(suite, seeds)

    def seeds(self) -> bytes:
        """Return the seeds, for a key store."""
        return self._seeds

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Open what `seal` made with this key and `info`.

        Raises NotOpened if the key or info is another, or the bytes were altered.
        """
        try:
            return _HPKE[self.suite].decrypt(sealed, self._private, info)
        except (InvalidTag, ValueError) as problem:
            raise NotOpened from problem
