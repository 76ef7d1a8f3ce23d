"""ML-DSA-44 (FIPS 204), pure, with an empty context: for cosignatures that must outlive Ed25519."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from hub.crypto.errors import MalformedKey
from hub.crypto.random import Randomness, system_random
from hub.crypto.secret import Unprintable

PUBLIC_BYTES: Final = 1_312
SEED_BYTES: Final = 32
SIGNATURE_BYTES: Final = 2_420


class LatticeKey(Unprintable):
    """An ML-DSA-44 private key. Never printed, pickled or copied; a key file keeps its seed."""

    __slots__ = ("_private", "_seed", "public")

    def __init__(self, seed: bytes) -> None:
        """Make the key of a 32-byte seed (FIPS 204, KeyGen_internal)."""
        if len(seed) != SEED_BYTES:
            raise MalformedKey("ML-DSA-44 seed")
        self._seed = seed
        self._private = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.public: bytes = self._private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, random: Randomness = system_random) -> LatticeKey:
        """Make a new key."""
        return cls(random(SEED_BYTES))

    def seed(self) -> bytes:
        """Return the 32-byte seed, for a key file."""
        return self._seed

    def sign(self, message: bytes) -> bytes:
        """Return a 2,420-byte signature; another each time (hedged)."""
        return self._private.sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether `signature` is `public`'s over `message`; anything malformed is simply not."""
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
