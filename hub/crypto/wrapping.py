"""Encryption at rest: content under its own data key, the data key under a key that can be destroyed.

Knows nothing of stores or epochs. `place` names what the ciphertext belongs to; it is authenticated, so
a row's ciphertext or key that was moved to another row does not open.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.labels import label
from schemas.errors import HubError

DATA_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
WRAPPED_BYTES: Final = NONCE_BYTES + DATA_KEY_BYTES + 16

_ONCE: Final = bytes(NONCE_BYTES)
_WRAP: Final = label("wrap")
_CONTENT: Final = label("at-rest")


class WrappingError(HubError):
    """A stored ciphertext or its key is not what was written."""

    code = "at-rest-damaged"


def wrap(wrapping_key: bytes, data_key: bytes, place: bytes, nonce: bytes) -> bytes:
    """Encrypt a 32-byte data key; `nonce` is 12 fresh random bytes.

    wrapped (60 bytes) = nonce ‖ AES-256-GCM(wrapping key, nonce, data key, aad = L("wrap") ‖ place)
    """
    if len(data_key) != DATA_KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise WrappingError("lengths")
    return nonce + AESGCM(wrapping_key).encrypt(nonce, data_key, _WRAP + place)


def unwrap(wrapping_key: bytes, wrapped: bytes, place: bytes) -> bytes:
    """Return the data key. Raises WrappingError for another key, another place or changed bytes."""
    if len(wrapped) != WRAPPED_BYTES:
        raise WrappingError("lengths")
    try:
        return AESGCM(wrapping_key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _WRAP + place)
    except InvalidTag:
        raise WrappingError("key") from None


def encrypt_content(data_key: bytes, plaintext: bytes, place: bytes) -> bytes:
    """Encrypt under a data key that is used for this content alone, ever.

    ciphertext = AES-256-GCM(data key, 0^12, plaintext, aad = L("at-rest") ‖ place)
    """
    return AESGCM(data_key).encrypt(_ONCE, plaintext, _CONTENT + place)


def decrypt_content(data_key: bytes, ciphertext: bytes, place: bytes) -> bytes:
    """Return the plaintext. Raises WrappingError for another key, another place or changed bytes."""
    try:
        return AESGCM(data_key).decrypt(_ONCE, ciphertext, _CONTENT + place)
    except InvalidTag:
        raise WrappingError("content") from None
