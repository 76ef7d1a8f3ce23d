"""One task per partition: sequence, seal, journal, send, acknowledge, answer, checkpoint.

One batch at a time is what keeps order: concurrent sends under backpressure inverted events of one receipt
(docs/envelope.md, "Producing" 1). Checkpoints ride in front of the next batch and share its fsync.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from hub import crashpoints
from hub.facts import CheckpointWritten, EventsAcknowledged, Observer, Paused
from hub.producing.delivery import MAX_PAUSE_SECONDS, Delivery
from hub.producing.drafts import Job, Published
from hub.producing.errors import EventVoid, JournalUnavailable, ProducerClosed
from hub.producing.journal import Journal
from hub.producing.journal_rows import (
    Acknowledge,
    AddCheckpoint,
    Append,
    CheckpointSent,
    Confirmed,
    MarkVoid,
    SealedEntry,
    Settled,
    Step,
)
from hub.producing.lanes import OpenLane
from hub.producing.sealing import LiveSession, Signer
from hub.producing.turns import Turns
from hub.transport import Outgoing
from schemas.errors import HubError

MAX_BATCH_EVENTS: Final = 256
MAX_BATCH_BYTES: Final = 900_000
"""Sealed bytes of one batch; one event alone may be larger."""


class Sessions(Protocol):
    """Where a worker gets the session to seal under."""

    async def current(self, tenant: str) -> LiveSession:
        """Return the tenant's announced, unexpired session, opening or renewing it first if need be."""


@dataclass(slots=True)
class Tally:
    """Events that wait for the desk's receipt, and events that wait for Kafka, in the journal yet or not."""

    unconfirmed: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class Tools:
    """What all workers of one producer share. `wall` gives aware UTC times, `monotonic` seconds."""

    topic: str
    journal: Journal
    delivery: Delivery
    signer: Signer
    observer: Observer
    wall: Callable[[], datetime]
    monotonic: Callable[[], float]
    tally: Tally
    tallied: Callable[[], None]


@dataclass(slots=True)
class _Sealed:
    job: Job
    lane: OpenLane
    entry: SealedEntry


@dataclass(slots=True)
class _Checkpoint:
    lane: OpenLane
    step: AddCheckpoint


class PartitionWorker:
    """Produces to one partition. `put` and `adopt` may be called from any task of the loop."""

    def __init__(self, partition: int, tools: Tools, sessions: Sessions) -> None:
        """Nothing happens before `run`."""
        self.partition = partition
        self._tools = tools
        self._sessions = sessions
        self._inbox: Turns[Job] = Turns()
        """tenants in turn: one city's flood holds up nobody else's filing"""
        self._lanes: dict[bytes, OpenLane] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._marks: list[Step] = []
        """what Kafka has acknowledged and the journal may not know yet"""
        self._marking: asyncio.Task[tuple[Confirmed | None, ...]] | None = None

    def put(self, job: Job) -> None:
        """Queue a job; the producer bounds how many there are."""
        self._inbox.put(job.draft.tenant, job)
        self._wake.set()

    def adopt(self, lane: OpenLane) -> None:
        """Take the lane of a newly announced session."""
        self._lanes[lane.session.session] = lane
        self._wake.set()

    def retire(self, session: bytes) -> None:
        """List what is left of a session as soon as the batch in flight is through, then be done with it."""
        lane = self._lanes.get(session)
        if lane is not None:
            lane.retiring = True
            self._wake.set()

    def stop(self) -> None:
        """End `run` once the inbox is empty and every lane is done."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`; whatever ends it, no caller is left waiting."""
        try:
            while True:
                await self._until_due()
                await self._round()
                self._finish_lanes()
                if self._stopping and not self._inbox and not self._lanes:
                    return
        finally:
            for job in self._inbox:
                _fail(job, ProducerClosed())
            self._inbox.clear()
            await self._marked()

    async def _until_due(self) -> None:
        if self._inbox or (self._stopping and not self._lanes):
            return
        due = min((lane.due_at() for lane in self._lanes.values()), default=float("inf"))
        wait = due - self._tools.monotonic()
        if wait <= 0:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(min(wait, 3_600.0)):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _round(self) -> None:
        jobs = self._take()
        try:
            sealed = await self._seal(jobs)
            checkpoints = self._due_checkpoints()
            if sealed or checkpoints:
                await self._write(sealed, checkpoints)
        except BaseException:
            for job in jobs:
                _fail(job, ProducerClosed())
            raise

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        size = 0
        while self._inbox and len(jobs) < MAX_BATCH_EVENTS:
            size += self._inbox.first().size_bytes
            if jobs and size > MAX_BATCH_BYTES:
                break
            job = self._inbox.take()
            if not job.result.done():  # its caller may have been cancelled while it waited here
                jobs.append(job)
        return jobs

    async def _seal(self, jobs: list[Job]) -> list[_Sealed]:
        """Give each job its place and seal it. Numbers are taken from the lanes only after the journal."""
        sessions, now = await self._usable({job.draft.tenant for job in jobs})
        following: dict[bytes, int] = {}
        sealed: list[_Sealed] = []
        for job in jobs:
            session = sessions[job.draft.tenant]
            if isinstance(session, HubError):
                _fail(job, session)
                continue
            lane = self._lanes[session.session]
            sequence = following.get(session.session, lane.next_sequence)
            following[session.session] = sequence + 1
            sealed.append(_Sealed(job, lane, session.seal(job.draft, self.partition, sequence, now)))
        return sealed

    async def _usable(self, tenants: set[str]) -> tuple[dict[str, LiveSession | HubError], datetime]:
        """Return each tenant's session, or why there is none; all of them unexpired at one moment."""
        while True:
            # together: each that has to be opened waits for the disk and for Kafka twice
            found = await asyncio.gather(*(self._session(tenant) for tenant in tenants))
            sessions = dict(zip(tenants, found, strict=True))
            now = self._tools.wall()
            live = [session for session in sessions.values() if isinstance(session, LiveSession)]
            if all(session.usable(now) and not self._lanes[session.session].retiring for session in live):
                return sessions, now

    async def _session(self, tenant: str) -> LiveSession | HubError:
        try:
            return await self._sessions.current(tenant)
        except HubError as problem:
            return problem

    def _due_checkpoints(self) -> list[_Checkpoint]:
        now = self._tools.monotonic()
        made: list[_Checkpoint] = []
        for lane in self._lanes.values():
            if lane.due_at() <= now:
                first = lane.checkpointed_through + 1
                step = self._tools.signer.checkpoint(
                    lane.session.session,
                    self.partition,
                    first,
                    lane.next_entries(),
                    lane.checkpoint_hash,
                    max(self._tools.wall(), lane.session.created_at),
                )
                made.append(_Checkpoint(lane, step))
        return made

    async def _write(self, sealed: list[_Sealed], checkpoints: list[_Checkpoint]) -> None:
        tools = self._tools
        steps: list[Step] = [checkpoint.step for checkpoint in checkpoints]
        if sealed:
            steps.append(Append(tuple(item.entry for item in sealed)))
            crashpoints.reached("portal.before-journal")
        try:
            await self._marked()
            await tools.journal.apply(*self._marks, *steps)
            self._marks.clear()
        except JournalUnavailable as problem:
            await self._journal_failed(sealed, problem)
            return
        started = tools.monotonic()
        for checkpoint in checkpoints:
            checkpoint.lane.checkpointed(checkpoint.step.entries, checkpoint.step.hash, started)
        for item in sealed:
            item.lane.next_sequence = item.entry.sequence + 1
            if item.job.journaled is not None:
                item.job.journaled(item.entry.event_id)
        self._count(len(sealed))
        if sealed:
            crashpoints.reached("portal.after-journal")
        records = [Outgoing(checkpoint.step.key, checkpoint.step.record) for checkpoint in checkpoints]
        records += [Outgoing(item.entry.event_id.encode(), item.entry.value) for item in sealed]
        refused = await tools.delivery.send(tools.topic, self.partition, records)
        if sealed:
            # Kafka has the batch, the journal does not know: a crash before the mark sends it again.
            crashpoints.reached("portal.after-send")
        await self._acknowledged(sealed, checkpoints, refused, started)

    async def _journal_failed(self, sealed: list[_Sealed], problem: JournalUnavailable) -> None:
        """Nothing was written, no number was taken: tell the callers; a checkpoint tries again later."""
        tools = self._tools
        for item in sealed:
            _fail(item.job, problem)
        tools.observer(Paused("journal", problem.code, True))
        if not sealed:
            await asyncio.sleep(min(1.0, MAX_PAUSE_SECONDS))
        tools.observer(Paused("journal", problem.code, False))

    async def _acknowledged(
        self,
        sealed: list[_Sealed],
        checkpoints: list[_Checkpoint],
        refused: frozenset[int],
        started: float,
    ) -> None:
        tools = self._tools
        now = tools.monotonic()
        steps: list[Step] = []
        for place, checkpoint in enumerate(checkpoints):
            step = checkpoint.step
            if place in refused:  # stays in the journal as not sent; `Delivery` has raised the alarm
                continue
            steps.append(CheckpointSent(step.session, step.partition, step.hash))
            tools.observer(CheckpointWritten(tools.topic, self.partition, step.entries))
        through: dict[bytes, int] = {}
        settled: dict[bytes, list[Settled]] = {}
        for place, item in enumerate(sealed, start=len(checkpoints)):
            entry = item.entry
            void = place in refused
            if void:
                steps.append(MarkVoid(entry.session, self.partition, entry.sequence))
            through[entry.session] = entry.sequence
            settled.setdefault(entry.session, []).append(Settled(entry.sequence, entry.leaf, void))
        steps += [Acknowledge(session, self.partition, last) for session, last in through.items()]
        if steps:
            # Not awaited: lost in a crash, the same bytes go out again and are known as replays.
            self._marks = steps
            self._marking = asyncio.create_task(tools.journal.apply(*steps), name=f"mark {self.partition}")
        voids = sum(event.void for events in settled.values() for event in events)
        if voids:  # whoever submits a void input again must find it void
            await self._marked()
        for session, events in settled.items():
            self._lanes[session].settle(events, now)
        for place, item in enumerate(sealed, start=len(checkpoints)):
            if place in refused:
                _fail(item.job, EventVoid())
            elif not item.job.result.done():
                item.job.result.set_result(Published(item.entry.event_id, item.entry.leaf))
        self._count(-voids)
        if len(sealed) > voids:
            count = len(sealed) - voids
            tools.observer(EventsAcknowledged(tools.topic, self.partition, count, now - started))

    async def _marked(self) -> None:
        """Wait for the last round's mark. If the journal could not take it, the next write carries it."""
        if self._marking is not None:
            try:
                await self._marking
                self._marks.clear()
            except JournalUnavailable as problem:
                self._tools.observer(Paused("journal", problem.code, True))
            self._marking = None

    def _finish_lanes(self) -> None:
        for lane in list(self._lanes.values()):
            lane.finish_if_done()
            if lane.done:
                del self._lanes[lane.session.session]

    def _count(self, unconfirmed: int) -> None:
        self._tools.tally.unconfirmed += unconfirmed
        self._tools.tallied()


def _fail(job: Job, problem: HubError) -> None:
    if not job.result.done():
        job.result.set_exception(problem)
