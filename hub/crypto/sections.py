"""What is derived from a session secret, and how one section is sealed with it (docs/envelope.md, "Keys").

    commitment = HKDF-Expand(secret, L("commit"), 32)
    mac key    = HKDF-Expand(secret, L("mac"), 32)
    event key  = HKDF-Expand(secret, L("section") ‖ SHA-256(header) ‖ UTF-8 audience, 32)
    ciphertext = AES-256-GCM(event key, nonce 0^12, plaintext, aad empty)

The event key is used once: it is bound to header and audience, and a header is sealed once. So the nonce
can be constant, and another header or audience simply has another key.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.errors import NotAuthentic
from hub.crypto.hkdf import expand, sha256
from hub.crypto.labels import label
from hub.crypto.secret import Secret

_COMMIT: Final = label("commit")
_MAC: Final = label("mac")
_SECTION: Final = label("section")
_NONCE: Final = bytes(12)
TAG_BYTES: Final = 16


def commitment(secret: Secret) -> bytes:
    """Return the 32 bytes that bind a session to one secret (AES-GCM alone does not commit to its key)."""
    return expand(secret.reveal(), _COMMIT)


def commitment_holds(secret: Secret, expected: bytes) -> bool:
    """Compare a secret's commitment with the announced one, in constant time."""
    return hmac.compare_digest(commitment(secret), expected)


def mac_key(router_secret: Secret) -> bytes:
    """Return the 32-byte key under which the router checks every event of a session."""
    return expand(router_secret.reveal(), _MAC)


def mac(key: bytes, leaf: bytes) -> bytes:
    """Return HMAC-SHA256(key, leaf), 32 bytes."""
    return hmac.digest(key, leaf, "sha256")


def event_key(secret: Secret, header: bytes, audience: str) -> bytes:
    """Return the 32-byte key of one audience's section under one header."""
    return expand(secret.reveal(), _SECTION + sha256(header) + audience.encode())


def seal_section(secret: Secret, header: bytes, audience: str, plaintext: bytes) -> bytes:
    """Encrypt a padded plaintext: 16 bytes longer. Call it once per secret, header and audience."""
    return AESGCM(event_key(secret, header, audience)).encrypt(_NONCE, plaintext, None)


def open_section(secret: Secret, header: bytes, audience: str, ciphertext: bytes) -> bytes:
    """Decrypt a section. Raises NotAuthentic if secret, header, audience or ciphertext is another."""
    try:
        return AESGCM(event_key(secret, header, audience)).decrypt(_NONCE, ciphertext, None)
    except InvalidTag as problem:
        raise NotAuthentic from problem
