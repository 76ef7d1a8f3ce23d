"""What cryptography can refuse. No error says which byte was wrong, and none carries key material."""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import HubError


class CryptoError(HubError):
    """A cryptographic operation was refused."""

    code: ClassVar[str] = "crypto"


class MalformedKey(CryptoError):
    """A key has the wrong length, or is not a key of its suite."""

    code: ClassVar[str] = "crypto.malformed-key"


class NotOpened(CryptoError):
    """A sealed secret did not open with this key: wrong key, wrong context, or altered."""

    code: ClassVar[str] = "crypto.not-opened"


class NotAuthentic(CryptoError):
    """A ciphertext failed authentication: wrong key or altered."""

    code: ClassVar[str] = "crypto.not-authentic"


class KeyStoreError(CryptoError):
    """The key store could not do what was asked."""

    code: ClassVar[str] = "keystore"


class KeyExists(KeyStoreError):
    """A key file of that name exists already; keys are never overwritten."""

    code: ClassVar[str] = "keystore.exists"


class KeyMissing(KeyStoreError):
    """The key is not in this key store."""

    code: ClassVar[str] = "keystore.missing"
    hint: ClassVar[str] = "List what is there with `eltax-hub keys list`; a destroyed key does not come back."


class KeyFileDamaged(KeyStoreError):
    """A key file does not open: wrong passphrase, altered, or not a key file."""

    code: ClassVar[str] = "keystore.damaged"
    hint: ClassVar[str] = "Check the role's passphrase file first."


class KeyFileExposed(KeyStoreError):
    """A key file may be read by other users of this machine."""

    code: ClassVar[str] = "keystore.exposed"
    hint: ClassVar[str] = "Treat the key as disclosed, or, if only the mode slipped: chmod 600."


class WeakKeyFile(KeyStoreError):
    """A key file's passphrase hashing is outside the accepted costs."""

    code: ClassVar[str] = "keystore.weak"
