"""A desk's own audience keys and the session secrets that they open. Secrets live in memory only, bounded.

A key that is neither loaded nor known to be destroyed asks for a pause: the record is kept for later, no
letter is written. A destroyed epoch is erased by law: its events are counted and skipped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from hub.crypto.audience import AudiencePrivateKey, seal
from hub.crypto.keystore import KeyStore
from hub.crypto.secret import Secret
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session
from hub.envelope.session import open_session
from schemas.errors import HubError

_MAX_SESSIONS: Final = 4_096


class OwnKeyMissing(HubError):
    """A session is sealed to an epoch whose own key is not loaded."""

    code = "own-key-missing"
    retriable = True
    hint = "Put the epoch's key file into keys/, or record that the epoch was destroyed."


class OwnKeys:
    """The keys of one audience, read from the role's key store when they are first needed."""

    def __init__(self, audience: str, store: KeyStore, destroyed: Callable[[int], bool] = lambda epoch: False) -> None:
        """`destroyed` says whether a signed KeyDestroyed is known for an epoch (YYYYMM)."""
        self._audience = audience
        self._store = store
        self._destroyed = destroyed
        self._held: dict[int, tuple[AudiencePrivateKey, ...]] = {}

    def of(self, epoch: int) -> tuple[AudiencePrivateKey, ...]:
        """Return the keys of an epoch; empty if none is there (any more)."""
        if not self._held.get(epoch):
            self._held[epoch] = tuple(
                self._store.load_audience(self._audience, epoch, entry.key_id)
                for entry in self._store.list()
                if (entry.audience, entry.epoch) == (self._audience, epoch)
            )
        return self._held[epoch]

    def destroyed(self, epoch: int) -> bool:
        """Say whether the epoch's key is known to be destroyed."""
        return self._destroyed(epoch)

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


class SessionSecretsCache:
    """The secrets of the sessions that were opened last. Implements `consumers.intake.Secrets`."""

    def __init__(self, keys: OwnKeys) -> None:
        """Open sessions with these keys."""
        self._keys = keys
        self._known: OrderedDict[bytes, Secret | Reason] = OrderedDict()

    def secret(self, session: Session, audience: str) -> Secret | Reason:
        """Return the secret, or SECRET, COMMITMENT, NOT_ADDRESSED or ERASED. Raises OwnKeyMissing."""
        known = self._known.get(session.id)
        if known is not None:
            self._known.move_to_end(session.id)
            return known
        opened = self._opened(session, audience)
        self._known[session.id] = opened
        if len(self._known) > _MAX_SESSIONS:
            self._known.popitem(last=False)
        return opened

    def _opened(self, session: Session, audience: str) -> Secret | Reason:
        sealed = session.audience(audience)
        if sealed is None:
            return Reason.NOT_ADDRESSED
        keys = self._keys.of(sealed.epoch)
        if not keys:
            if self._keys.destroyed(sealed.epoch):
                return Reason.ERASED
            raise OwnKeyMissing(f"{audience} {sealed.epoch}")
        refused = Reason.SECRET
        for key in keys:
            try:
                return open_session(session, audience, key)
            except EnvelopeError as problem:
                refused = problem.reason
        return refused

    def forget(self) -> None:
        """Drop all secrets from memory."""
        self._known.clear()
