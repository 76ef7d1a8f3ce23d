"""A desk's own audience keys, for its store: what its epoch keys seal and open at rest.

Session secrets are `hub.reading.secrets`; both read the same key store, and both are blind once a key is
destroyed.
"""

from __future__ import annotations

from collections.abc import Callable

from hub.crypto.audience import AudiencePrivateKey, seal
from hub.crypto.keystore import KeyStore

Used = Callable[[str, int], None]
"""takes an audience and an epoch (YYYYMM); what it raises keeps the key unread"""


class OwnKeys:
    """The keys of one audience, read when first needed. Implements `consumers.store.vault.EpochKeys`."""

    def __init__(self, audience: str, store: KeyStore, used: Used | None = None) -> None:
        """`store` is the role's own key store; `used` is told before keys of an epoch are read, and may forbid it."""
        self._audience = audience
        self._used = used
        self._store = store
        self._held: dict[int, tuple[AudiencePrivateKey, ...]] = {}

    def of(self, epoch: int) -> tuple[AudiencePrivateKey, ...]:
        """Return the keys of an epoch (YYYYMM); empty if none is there (any more)."""
        if not self._held.get(epoch):
            found = [each for each in self._store.list() if (each.audience, each.epoch) == (self._audience, epoch)]
            if found and self._used is not None:
                self._used(self._audience, epoch)
            self._held[epoch] = tuple(self._store.load_audience(self._audience, epoch, each.key_id) for each in found)
        return self._held[epoch]

    def seal(self, epoch: int, info: bytes, secret: bytes) -> tuple[bytes, bytes] | None:
        """Seal to a key of an epoch: (key id, sealed); None if none is held."""
        for key in self.of(epoch):
            return key.key_id, seal(key.suite, key.public, info, secret)
        return None

    def open(self, epoch: int, key_id: bytes, info: bytes, sealed: bytes) -> bytes | None:
        """Open what was sealed to that key; None if it is not held."""
        for key in self.of(epoch):
            if key.key_id == key_id:
                return key.open(sealed, info)
        return None

    def forget(self) -> None:
        """Drop all keys from memory; what is still in the key store is read again."""
        self._held.clear()
