"""One block of HKDF-Expand, which is all that the envelope needs."""

from __future__ import annotations

import hashlib
import hmac


def expand(secret: bytes, info: bytes) -> bytes:
    """Return HKDF-Expand-SHA256(secret, info, 32) = HMAC-SHA256(secret, info ‖ 0x01) (RFC 5869).

    The secrets here are uniformly random, so HKDF's extract step is not needed. Four times as fast through
    the standard library as through a class of `cryptography` (2.6 µs against 10 µs).
    """
    return hmac.digest(secret, info + b"\x01", "sha256")


def sha256(data: bytes) -> bytes:
    """Return SHA-256(data), 32 bytes."""
    return hashlib.sha256(data).digest()
