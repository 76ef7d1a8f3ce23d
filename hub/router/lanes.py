"""Sessions as the router needs them: opened once for their mac key, then a lane per partition, bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final

from hub.crypto.keystore import KeyStore
from hub.crypto.sections import mac_key
from hub.envelope.inspection import Lane, lane
from hub.envelope.names import ROUTER
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session
from hub.envelope.session import open_session
from hub.envelope.trust import Trust
from hub.reading.errors import KeyNotLoaded
from hub.reading.sessions import SessionRegistry
from hub.router.rules import Known

_MAX_KEYS: Final = 8_192
_MAX_LANES: Final = 4_096


class MacKeys:
    """The router's mac key of each session, opened with the router's own audience key (HPKE, commitment)."""

    def __init__(self, keystore: KeyStore) -> None:
        """Keys are read from the store when they are first needed."""
        self._keystore = keystore
        self._known: OrderedDict[bytes, bytes | Reason] = OrderedDict()

    def ready(self, epoch: int) -> bool:
        """Say whether an own key of this epoch (YYYYMM) is there."""
        return any((each.audience, each.epoch) == (ROUTER, epoch) for each in self._keystore.list())

    def of(self, session: Session) -> bytes | Reason:
        """Return the 32-byte mac key, or why the session cannot be opened. Raises KeyNotLoaded."""
        known = self._known.get(session.id)
        if known is None:
            known = self._known[session.id] = self._opened(session)
            if len(self._known) > _MAX_KEYS:
                self._known.popitem(last=False)
        return known

    def _opened(self, session: Session) -> bytes | Reason:
        sealed = session.audience(ROUTER)
        if sealed is None:
            return Reason.NOT_ADDRESSED
        held = [each for each in self._keystore.list() if (each.audience, each.epoch) == (ROUTER, sealed.epoch)]
        if not held:
            raise KeyNotLoaded(f"{ROUTER} {sealed.epoch}")
        reason = Reason.SECRET
        for each in held:
            key = self._keystore.load_audience(ROUTER, sealed.epoch, each.key_id)
            try:
                return mac_key(open_session(session, ROUTER, key))
            except EnvelopeError as problem:
                reason = problem.reason
        return reason


class Lanes:
    """What one partition knows of its sessions. `admit` before judging what `rules` called unknown."""

    def __init__(
        self, partition: int, topic: str, registry: SessionRegistry, keys: MacKeys, trust: Callable[[], Trust]
    ) -> None:
        """`topic` is the input topic that the sessions must have been made for."""
        self._partition = partition
        self._topic = topic
        self._registry = registry
        self._keys = keys
        self._trust = trust
        self._lanes: dict[bytes, Lane] = {}
        self._sessions: dict[bytes, Session] = {}

    def known(self, refused: dict[bytes, Reason] | None = None) -> Known:
        """What is at hand now; `refused` holds for one poll only: a session may be announced later."""
        return Known(self._lanes, self._sessions, refused or {})

    async def admit(self, named: Collection[bytes]) -> dict[bytes, Reason]:
        """Look for sessions, at most one reading to the end; return those that are not valid here, and why.

        Raises SessionsUnavailable, KeyNotLoaded: then nothing may be judged.
        """
        await self._registry.ensure(named)
        refused: dict[bytes, Reason] = {}
        for name in named:
            reason = self._admit(name)
            if reason is not None:
                refused[name] = reason
        return refused

    def _admit(self, name: bytes) -> Reason | None:
        session = self._registry.find(name)
        if isinstance(session, Reason):
            return session
        if session.topic != self._topic:
            return Reason.WRONG_TOPIC
        key = self._keys.of(session)
        if isinstance(key, Reason):
            return key
        made = lane(session, self._partition, self._trust(), topic=self._topic, mac_key=key)
        if isinstance(made, Reason):
            return made
        if len(self._lanes) >= _MAX_LANES:
            self._lanes.clear()
            self._sessions.clear()
        self._lanes[name] = made
        self._sessions[name] = session
        return None
