"""The sessions of one producer instance and topic, one per tenant: opened lazily, renewed, closed, chained.

A session lives 24 hours at most and never longer than the earliest of its audiences' keys. It is
acknowledged on the sessions topic before its first event goes out, and closed once every lane has listed
its last event (docs/envelope.md, "Trust" and "Producing").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from hub.envelope.times import to_ms
from hub.facts import Paused, SessionEnded, SessionStarted
from hub.producing.audience_keys import SealingKey
from hub.producing.errors import JournalUnavailable, ProducerClosed
from hub.producing.journal_rows import AddSession, RememberEpoch, SessionAnnounced
from hub.producing.lanes import OpenLane
from hub.producing.recovery import SESSIONS_PARTITION, Closer
from hub.producing.sealing import LiveSession
from hub.producing.worker import PartitionWorker
from hub.transport import Outgoing

MAX_SESSION: Final = timedelta(hours=24)
EXPIRY_CHECK_SECONDS: Final = 5.0


class AudienceKeys(Protocol):
    """Where the keys to seal to come from."""

    async def current(self, audiences: Sequence[str], now: datetime) -> tuple[SealingKey, ...]:
        """Return the key of each audience that is valid at `now`, trusted and not rolled back."""


@dataclass(slots=True)
class _Open:
    live: LiveSession
    lanes: list[OpenLane] = field(default_factory=list)
    unfinished: int = 0
    retiring: bool = False


class SessionKeeper:
    """Opens, renews and closes the sessions of one topic. `run` must be running for sessions to be closed."""

    def __init__(
        self,
        *,
        closer: Closer,
        audiences: Callable[[str], Sequence[str]],
        keys: AudienceKeys,
        monotonic: Callable[[], float],
        holds_back: Callable[[], bool] = lambda: False,
    ) -> None:
        """`audiences` names the audiences of a tenant's sections; the closer's tools are shared.

        While `holds_back`, open sessions are retired, as if they had expired.
        """
        self._holds_back = holds_back
        self._closer = closer
        self._topic = closer.topic
        self._sessions_topic = closer.sessions_topic
        self._journal = closer.journal
        self._delivery = closer.delivery
        self._signer = closer.signer
        self._observer = closer.observer
        self._wall = closer.wall
        self._audiences = audiences
        self._keys = keys
        self._monotonic = monotonic
        self._workers: Sequence[PartitionWorker] = ()
        self._open: dict[str, _Open] = {}
        self._retiring: dict[bytes, _Open] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    def serve(self, workers: Sequence[PartitionWorker]) -> None:
        """Name the workers that get the lanes of each new session."""
        self._workers = workers

    async def current(self, tenant: str) -> LiveSession:
        """Return the tenant's announced, unexpired session, opening or renewing it first if need be.

        Raises `AudienceKeyMissing`, `AudienceKeyRefused` or `JournalUnavailable`; waits while Kafka is away.
        """
        async with self._locks.setdefault(tenant, asyncio.Lock()):
            found = self._open.get(tenant)
            if found is not None and found.live.usable(self._wall()):
                return found.live
            if self._stopping:
                raise ProducerClosed
            opened = await self._announce(tenant)
            if found is not None:
                self._retire(tenant, found)
            self._open[tenant] = opened
            for worker, lane in zip(self._workers, opened.lanes, strict=True):
                worker.adopt(lane)
            return opened.live

    async def _announce(self, tenant: str) -> _Open:
        now = self._wall()
        keys = await self._keys.current(self._audiences(tenant), now)
        live = self._signer.open(
            topic=self._topic,
            tenant=tenant,
            keys=keys,
            created_at=now,
            expires_at=min(now + MAX_SESSION, *(found.key.not_after for found in keys)),
            previous=self._journal.latest_session(self._topic, tenant),
        )
        await self._journal.apply(
            *(RememberEpoch(found.key.audience, found.key.epoch, found.record_hash) for found in keys),
            AddSession(live.session, self._topic, tenant, live.record, to_ms(live.created_at)),
        )
        await self._delivery.send(
            self._sessions_topic, SESSIONS_PARTITION, [Outgoing(live.session.hex().encode(), live.record)]
        )
        await self._journal.apply(SessionAnnounced(live.session))
        self._observer(SessionStarted(self._topic, tenant, live.session.hex()))
        opened = _Open(live, unfinished=len(self._workers))
        at = self._monotonic()
        opened.lanes = [OpenLane(live, worker.partition, self._lane_finished, at) for worker in self._workers]
        return opened

    def _retire(self, tenant: str, found: _Open) -> None:
        self._open.pop(tenant, None)
        found.retiring = True
        self._retiring[found.live.session] = found
        for worker in self._workers:
            worker.retire(found.live.session)

    def _lane_finished(self, lane: OpenLane) -> None:
        self._retiring[lane.session.session].unfinished -= 1
        self._wake.set()

    def stop(self) -> None:
        """Retire every session; `run` ends when all are closed."""
        self._stopping = True
        for tenant, found in list(self._open.items()):
            self._retire(tenant, found)
        self._wake.set()

    async def run(self) -> None:
        """Close what has been retired, and retire what has expired or is held back with nobody asking for it."""
        while not (self._stopping and not self._retiring):
            self._wake.clear()
            for found in [found for found in self._retiring.values() if found.unfinished == 0]:
                await self._close(found)
            if self._stopping and not self._retiring:
                return
            try:
                async with asyncio.timeout(EXPIRY_CHECK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await self._retire_expired()

    async def _retire_expired(self) -> None:
        for tenant in list(self._open):
            async with self._locks[tenant]:
                found = self._open.get(tenant)
                if found is not None and (self._holds_back() or not found.live.usable(self._wall())):
                    self._retire(tenant, found)

    async def _close(self, found: _Open) -> None:
        """Close one session; a journal that is full for a while delays it and loses nothing."""
        session = found.live.session
        while True:
            stored = next(left for left in self._journal.open_sessions() if left.session == session)
            try:
                await self._closer.close(stored)
                break
            except JournalUnavailable as problem:
                self._observer(Paused("close", problem.code, True))
                await asyncio.sleep(1.0)
                self._observer(Paused("close", problem.code, False))
        del self._retiring[session]
        found.live.forget()
        self._observer(SessionEnded(self._topic, found.live.tenant, session.hex()))
