"""Encryption at rest. Above the store: what the store gets is sealed already.

    audience key of the epoch (role's key directory, destroyed with the epoch)
      opens  store key of the epoch (HPKE-sealed in table store_key)
        unwraps  data key of one submission (table data_key)
          decrypts  its content (table content)

So destroying one private key makes every row of its epoch unreadable, in the store as in Kafka, and
deleting one data key erases one receipt (docs/decisions/0030-encryption-at-rest.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from consumers.store.errors import ContentDamaged, ContentErased
from consumers.store.model import Content, StoreKey
from hub.crypto.errors import NotOpened
from hub.crypto.labels import label
from hub.crypto.wrapping import (
    DATA_KEY_BYTES,
    NONCE_BYTES,
    WrappingError,
    decrypt_content,
    encrypt_content,
    unwrap,
    wrap,
)

_STORE_INFO: Final = label("store")


class EpochKeys(Protocol):
    """The role's own audience keys, as far as a vault needs them."""

    def seal(self, epoch: int, info: bytes, secret: bytes) -> tuple[bytes, bytes] | None:
        """Seal to the newest key of an epoch: (key id, sealed); None if no key of the epoch is held."""

    def open(self, epoch: int, key_id: bytes, info: bytes, sealed: bytes) -> bytes | None:
        """Open; None if that key is not held (any more)."""

    def forget(self) -> None:
        """Drop from memory what can be read again."""


def _framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Vault:
    """Seals and opens the contents of one role's store. Used by one thread at a time."""

    def __init__(
        self,
        owner: str,
        keys: EpochKeys,
        stored: Callable[[int], StoreKey | None],
        random: Callable[[int], bytes],
    ) -> None:
        """`owner` as the store's; `stored` reads a sealed store key; `random(n)` gives n secret bytes."""
        self._owner = owner.encode()
        self._keys = keys
        self._stored = stored
        self._random = random
        self._open: dict[int, bytes] = {}
        self._new: dict[int, StoreKey] = {}

    def seal(self, epoch: int, tenant: str, event_id: str, leaf: bytes, plaintext: bytes) -> Content:
        """Encrypt one content under a fresh data key. Raises ContentErased without the epoch's key."""
        place = self._place(tenant, event_id, leaf)
        data_key = self._random(DATA_KEY_BYTES)
        return Content(
            epoch,
            encrypt_content(data_key, plaintext, place),
            wrap(self._store_key(epoch, make=True), data_key, place, self._random(NONCE_BYTES)),
        )

    def open(self, tenant: str, event_id: str, leaf: bytes, content: Content) -> bytes:
        """Decrypt one content.

        Raises ContentErased if the epoch's key is gone, ContentDamaged if bytes or rows were changed.
        """
        place = self._place(tenant, event_id, leaf)
        key = self._store_key(content.epoch, make=False)
        try:
            return decrypt_content(unwrap(key, content.wrapped_key, place), content.ciphertext, place)
        except WrappingError:
            raise ContentDamaged(f"epoch {content.epoch}") from None

    def new_keys(self) -> tuple[StoreKey, ...]:
        """Return store keys that no committed batch holds yet; every batch must carry them."""
        return tuple(self._new.values())

    def committed(self, keys: tuple[StoreKey, ...]) -> None:
        """Take note that these keys are in the store now."""
        for key in keys:
            self._new.pop(key.epoch, None)

    def forget(self) -> None:
        """Drop opened keys from memory, as after an epoch key was destroyed."""
        self._keys.forget()
        self._open = {epoch: key for epoch, key in self._open.items() if epoch in self._new}

    def _place(self, tenant: str, event_id: str, leaf: bytes) -> bytes:
        return _framed(self._owner, tenant.encode(), event_id.encode(), leaf)

    def _store_key(self, epoch: int, *, make: bool) -> bytes:
        known = self._open.get(epoch)
        if known is not None:
            return known
        info = _STORE_INFO + _framed(self._owner, str(epoch).encode())
        stored = self._stored(epoch)
        if stored is not None:
            try:
                key = self._keys.open(epoch, stored.key_id, info, stored.sealed)
            except NotOpened:
                raise ContentDamaged(f"store key of epoch {epoch}") from None
            if key is None:
                raise ContentErased(f"epoch {epoch}")
        elif make:
            key = self._random(DATA_KEY_BYTES)
            sealed = self._keys.seal(epoch, info, key)
            if sealed is None:
                raise ContentErased(f"epoch {epoch}")
            self._new[epoch] = StoreKey(epoch, *sealed)
        else:
            raise ContentErased(f"epoch {epoch}")
        self._open[epoch] = key
        return key
