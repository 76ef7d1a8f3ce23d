"""Identity keys: Ed25519, one per principal and machine. Signs what the principal says."""

from __future__ import annotations

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
    """Say whether `signature` is `public`'s over `message`; anything malformed is simply not."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
