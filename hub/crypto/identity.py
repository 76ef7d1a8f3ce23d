"""Identity keys: Ed25519, one per principal and machine. Signs what the principal says."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.crypto.errors import MalformedKey
from hub.crypto.hkdf import sha256
from hub.crypto.random import Randomness, system_random
from hub.crypto.secret import Unprintable

PUBLIC_BYTES = 32
SEED_BYTES = 32
SIGNATURE_BYTES = 64
KEY_ID_BYTES = 8


_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""one of the two y of points of order 8, with its other form 2^255 - 19 - y; RFC 8032's curve"""
_PRIME: Final = 2**255 - 19
_WEAK: Final = frozenset(
    (y | sign << 255).to_bytes(PUBLIC_BYTES, "little")
    for y in (0, 1, _PRIME - 1, _Y, _PRIME - _Y, _PRIME, _PRIME + 1)
    for sign in (0, 1)
)
"""All encodings, allowed or not, of the eight points whose order divides 8: under such a key one signature fits many
messages, so nobody has signed anything with it."""


def is_weak(public: bytes) -> bool:
    """Say whether a public key is a point of small order, which nobody gets by making a key."""
    return public in _WEAK


def key_id(public: bytes) -> bytes:
    """Return the 8 bytes by which records name a public key: SHA-256(public)[:8]."""
    return sha256(public)[:KEY_ID_BYTES]


class IdentityKey(Unprintable):
    """An Ed25519 private key. Never printed, pickled or copied; the key store keeps its seed."""

    __slots__ = ("_private", "_seed", "key_id", "public")

    def __init__(self, seed: bytes) -> None:
        """Make the key of a 32-byte seed."""
        if len(seed) != SEED_BYTES:
            raise MalformedKey("identity seed")
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._private.public_key().public_bytes_raw()
        self.key_id: bytes = key_id(self.public)

    @classmethod
    def generate(cls, random: Randomness = system_random) -> IdentityKey:
        """Make a new key."""
        return cls(random(SEED_BYTES))

    @classmethod
    def from_seed(cls, seed: bytes) -> IdentityKey:
        """Make the key of a 32-byte seed."""
        return cls(seed)

    def seed(self) -> bytes:
        """Return the 32-byte seed, for a key store."""
        return self._seed

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature; deterministic (RFC 8032)."""
        return self._private.sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether `signature` is `public`'s over `message`; anything malformed, or under a weak key, is simply not."""
    if public in _WEAK:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
