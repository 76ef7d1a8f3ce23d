"""The own audience's session secrets: opened once per session with the role's keys, kept in memory only, bounded.

A key that should be here and is not asks for a pause; a session sealed to a key that nobody announced is the
session's fault, until the key is here after all; a destroyed epoch is erased by law.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from hub.crypto.audience import AudiencePrivateKey
from hub.crypto.keystore import KeyStore
from hub.crypto.secret import Secret
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session
from hub.envelope.session import open_session
from hub.reading.errors import KeyNotLoaded

_MAX_SESSIONS: Final = 4_096

OfEpoch = Callable[[int], bool]


class OwnSecrets:
    """Opens the secrets of one audience. Reading a key file takes long: call `unlock` in a thread."""

    def __init__(self, audience: str, store: KeyStore, *, announced: OfEpoch, destroyed: OfEpoch) -> None:
        """`announced` says whether a valid key of an epoch is published, `destroyed` whether its end is recorded."""
        self._audience = audience
        self._store = store
        self._announced = announced
        self._destroyed = destroyed
        self._keys: dict[int, tuple[AudiencePrivateKey, ...]] = {}
        self._known: OrderedDict[bytes, Secret | Reason] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, epoch: int) -> bool:
        """Read the keys of an epoch (YYYYMM) from the store; say whether there are any."""
        with self._lock:
            return bool(self._of(epoch))

    def unlock(self, session: Session) -> Secret | Reason:
        """Return the session's secret, or NOT_ADDRESSED, SECRET, COMMITMENT or ERASED. Raises KeyNotLoaded."""
        with self._lock:
            known = self._known.get(session.id)
            if known is None or not self._stands(known, session):
                known = self._known[session.id] = self._open(session)
                if len(self._known) > _MAX_SESSIONS:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(session.id)
            return known

    def _stands(self, known: Secret | Reason, session: Session) -> bool:
        """Say whether an answer still holds: SECRET and COMMITMENT only until another key of the epoch is here."""
        sealed = session.audience(self._audience)
        if sealed is None or isinstance(known, Secret) or known not in (Reason.SECRET, Reason.COMMITMENT):
            return True
        loaded = {key.key_id for key in self._keys.get(sealed.epoch, ())}
        return bool(loaded) and self._listed(sealed.epoch) <= loaded

    def _open(self, session: Session) -> Secret | Reason:
        sealed = session.audience(self._audience)
        if sealed is None:
            return Reason.NOT_ADDRESSED
        keys = self._of(sealed.epoch)
        if not keys:
            if self._destroyed(sealed.epoch):
                return Reason.ERASED
            if self._announced(sealed.epoch):
                raise KeyNotLoaded(f"{self._audience} {sealed.epoch}")
        refused = Reason.SECRET
        for key in keys:
            try:
                return open_session(session, self._audience, key)
            except EnvelopeError as problem:
                refused = problem.reason
        return refused

    def _of(self, epoch: int) -> tuple[AudiencePrivateKey, ...]:
        loaded = self._keys.get(epoch, ())
        listed = self._listed(epoch)
        if not listed <= {key.key_id for key in loaded}:
            new = listed - {key.key_id for key in loaded}
            loaded = (*loaded, *(self._store.load_audience(self._audience, epoch, each) for each in sorted(new)))
            self._keys[epoch] = loaded
        return loaded

    def _listed(self, epoch: int) -> set[bytes]:
        return {
            entry.key_id for entry in self._store.list() if (entry.audience, entry.epoch) == (self._audience, epoch)
        }
