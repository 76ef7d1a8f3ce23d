"""A producer of sealed events for one topic: what `publish` accepts is journaled, then acknowledged, once.

It composes the parts: budget, one worker per partition, the keeper of sessions, recovery. It knows nothing
of submissions; the portal end and, later, desks hand it drafts with their sections already encoded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from hub.facts import Alarm, JournalDepth, Observer
from hub.loop import TaskGroup
from hub.producing.budget import Budget
from hub.producing.delivery import Delivery, NewWriter
from hub.producing.drafts import Draft, Job, Published
from hub.producing.errors import EventTooLarge, Growing, ProducerClosed
from hub.producing.journal import Journal
from hub.producing.recovery import Closer
from hub.producing.sealing import Signer, sealed_size
from hub.producing.sessions import AudienceKeys, SessionKeeper
from hub.producing.worker import PartitionWorker, Tally, Tools
from topics.partition import partition_for

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""Ingress limit of one sealed event (docs/envelope.md, "Limits")."""
MAX_IN_FLIGHT_BYTES: Final = 64 * 1024 * 1024
MAX_IN_FLIGHT_EVENTS: Final = 4_096


def now_utc() -> datetime:
    """Return the wall clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """What the producer writes to: `topic` with `partitions`, sessions announced on `sessions_topic`."""

    topic: str
    sessions_topic: str
    partitions: int


class SessionProducer:
    """Use as an async context manager; entering finishes what a crash left, leaving closes all sessions."""

    def __init__(
        self,
        place: Place,
        *,
        signer: Signer,
        journal: Journal,
        new_writer: NewWriter,
        keys: AudienceKeys,
        audiences: Callable[[str], Sequence[str]],
        observer: Observer,
        wall: Callable[[], datetime] = now_utc,
        monotonic: Callable[[], float] | None = None,
        max_in_flight_bytes: int = MAX_IN_FLIGHT_BYTES,
        close_seconds: float = 30.0,
        holds_back: Callable[[], bool] = lambda: False,
    ) -> None:
        """`audiences` names the audiences of a tenant's sections, ascending. Clocks may be injected.

        While `holds_back`, nothing is taken and every session is brought to its close.

        Leaving gives up waiting for Kafka after `close_seconds`; the next start then finishes the sessions.
        """
        clock = monotonic or asyncio.get_running_loop().time
        unconfirmed, unacknowledged = journal.depth()
        self._place = place
        self._observer = observer
        self._budget = Budget(max_in_flight_bytes, MAX_IN_FLIGHT_EVENTS)
        self._tally = Tally(unconfirmed, unacknowledged)
        self._telling = False
        self._delivery = Delivery(new_writer, observer)
        self._closer = Closer(place.topic, place.sessions_topic, journal, self._delivery, signer, observer, wall)
        self._holds_back = holds_back
        self._keeper = SessionKeeper(
            closer=self._closer, audiences=audiences, keys=keys, monotonic=clock, holds_back=holds_back
        )
        tools = Tools(
            place.topic,
            journal,
            self._delivery,
            signer,
            observer,
            wall,
            clock,
            self._tally,
            self._tallied,
        )
        self._workers = [PartitionWorker(partition, tools, self._keeper) for partition in range(place.partitions)]
        self._keeper.serve(self._workers)
        self._group: TaskGroup | None = None
        self._running: list[asyncio.Task[None]] = []
        self._close_seconds = close_seconds
        self._closing = False

    async def __aenter__(self) -> Self:
        """Finish the sessions that an earlier process left open, then start. Raises EarlierGeneration."""
        try:
            await self._closer.recover()
        except BaseException:
            await self._delivery.close()
            raise
        self._tally.unacknowledged = 0
        self._tallied()
        self._group = await TaskGroup().__aenter__()
        self._running = [
            self._group.create_task(worker.run(), name=f"produce {worker.partition}") for worker in self._workers
        ]
        self._running.append(self._group.create_task(self._keeper.run(), name="sessions"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take nothing more, finish what was taken, close every session."""
        assert self._group is not None
        self._closing = True
        try:
            if error is None or isinstance(error, Exception):
                await self._finish()
            for task in self._running:
                task.cancel()
            if kind is asyncio.CancelledError:
                await self._group.__aexit__(kind, error, trace)
            else:  # the caller's own exception is not wrapped in a group
                await self._group.__aexit__(None, None, None)
        finally:
            await self._delivery.close()

    async def _finish(self) -> None:
        """Answer every caller, then close the sessions; both within `close_seconds`."""
        try:
            async with asyncio.timeout(self._close_seconds):
                await self._budget.unused()
                self._keeper.stop()
                for worker in self._workers:
                    worker.stop()
                await asyncio.wait(self._running)
        except TimeoutError:
            self._observer(Alarm("produce.left-open", self._place.topic))

    async def publish(self, draft: Draft, journaled: Callable[[str], None] | None = None) -> Published:
        """Journal, send and return when all in-sync replicas have the event.

        `journaled` is called with the event id as soon as the sealed bytes have survived a power cut here.
        Waits while too much is under way, and tenants that wait go in turn. Raises `EventTooLarge`, `EventVoid` (both
        final) or, to be tried again, `JournalUnavailable`, `AudienceKeyMissing`, `ProducerClosed`, `Growing`; and
        `AudienceKeyRefused`.
        """
        if self._holds_back():
            raise Growing
        size = sealed_size(draft)
        if size > MAX_EVENT_BYTES:
            raise EventTooLarge(f"{MAX_EVENT_BYTES} bytes")
        self._tally.unacknowledged += 1
        self._tallied()
        try:
            await self._budget.take(size, draft.tenant)
            try:
                if self._closing or self._group is None:
                    raise ProducerClosed
                job = Job(draft, size, asyncio.get_running_loop().create_future(), journaled)
                self._workers[partition_for(draft.receipt_number, self._place.partitions)].put(job)
                return await job.result
            finally:
                self._budget.give_back(size)
        finally:
            self._tally.unacknowledged -= 1
            self._tallied()

    def confirmed(self, count: int) -> None:
        """Take note that receipts have trimmed `count` journal entries."""
        self._tally.unconfirmed -= count
        self._tallied()

    def _tallied(self) -> None:
        """Tell the numbers, once for all that changes in one turn of the loop: thousands of events a second do."""
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = False
        self._observer(JournalDepth(self._tally.unconfirmed, self._tally.unacknowledged))
