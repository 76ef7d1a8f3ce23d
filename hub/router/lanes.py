"""Sessions as the router needs them: opened once for their mac key, then a lane per partition, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from hub.crypto.secret import Secret
from hub.crypto.sections import mac_key
from hub.envelope.inspection import Lane, lane
from hub.envelope.reasons import Reason
from hub.envelope.records import Session
from hub.envelope.trust import Trust
from hub.reading.secrets import OwnSecrets
from hub.reading.sessions import SessionRegistry
from hub.router.rules import Known

_MAX_LANES: Final = 8_192
"""above the number of events in one transaction: all that it names is at hand together"""


class Lanes:
    """What one partition knows of its sessions. `admit` before judging what `rules` called unknown."""

    def __init__(
        self, partition: int, topic: str, registry: SessionRegistry, secrets: OwnSecrets, trust: Callable[[], Trust]
    ) -> None:
        """`topic` is the input topic that the sessions must have been made for."""
        self._partition = partition
        self._topic = topic
        self._registry = registry
        self._secrets = secrets
        self._trust = trust
        self._judged_by = trust()
        self._lanes: dict[bytes, Lane] = {}
        self._sessions: dict[bytes, Session] = {}

    def known(self, refused: dict[bytes, Reason] | None = None) -> Known:
        """What is at hand now; `refused` holds for one poll only: a session may be announced later.

        Under a new trust list nothing is at hand: every session is judged again, for its key may be revoked.
        """
        if self._trust() is not self._judged_by:
            self._judged_by = self._trust()
            self._lanes.clear()
            self._sessions.clear()
        return Known(self._lanes, self._sessions, refused or {})

    async def admit(self, named: Collection[bytes]) -> dict[bytes, Reason]:
        """Look for sessions, at most one reading to the end; return those that are not valid here, and why.

        Raises SessionsUnavailable, KeyNotLoaded: then nothing may be judged.
        """
        await self._registry.ensure(named)
        if len(self._lanes) + len(named) > _MAX_LANES:
            self._lanes.clear()
            self._sessions.clear()
        refused: dict[bytes, Reason] = {}
        for name in named:
            reason = await self._admit(name)
            if reason is not None:
                refused[name] = reason
        return refused

    async def _admit(self, name: bytes) -> Reason | None:
        session = self._registry.find(name)
        if isinstance(session, Reason):
            return session
        if session.topic != self._topic:
            return Reason.WRONG_TOPIC
        secret = await asyncio.to_thread(self._secrets.unlock, session)  # a key file takes half a second to open
        if not isinstance(secret, Secret):
            return secret
        made = lane(session, self._partition, self._trust(), topic=self._topic, mac_key=mac_key(secret))
        if isinstance(made, Reason):
            return made
        self._lanes[name] = made
        self._sessions[name] = session
        return None
