"""The loop that every desk shares: poll, judge, one database transaction, then send.

    reader.poll ─> judge (thread) ─> store.commit (thread) ─> outbox ─> writer ─> store.sent
                     rows + place + what is to be sent            bytes as they are in the store

The place in each topic comes from the store; no consumer group exists, so a restart goes on exactly
where the last committed batch ended. A crash after the commit and before the acknowledgement sends
the same bytes again. What can heal (broker, disk, sessions topic) is waited for, everything else ends
the run. Knows neither Kafka's client nor SQL.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from consumers.judgement import Judge, Judgement
from consumers.patience import Patience, sleep
from consumers.sending import Sender, Writer
from consumers.store.model import Advance, Batch, Committed
from consumers.store.port import Store
from hub import crashpoints
from hub.facts import (
    Alarm,
    BacklogAge,
    DeadLettered,
    EventsConfirmed,
    EventsStored,
    Lag,
    LogExtended,
    Observer,
    Ready,
    Unconfirmed,
)
from hub.loop import TaskGroup
from hub.reading.backlog import Backlog
from hub.transport import KafkaRecord
from schemas.errors import HubError
from topics.names import in_generation

T = TypeVar("T")


class Reader(Protocol):
    """What the engine needs of `hub.transport.PartitionReader`."""

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        """Return records in order per partition, within a size, after a time at most."""

    async def end_offsets(self) -> Mapping[tuple[str, int], int]:
        """Return where each partition ends."""

    async def position(self, place: tuple[str, int]) -> int:
        """Return the offset that is read next, behind transaction markers too."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time as the desk is told it."""

    now_ms: Callable[[], int]
    """milliseconds since 1970 UTC"""
    monotonic: Callable[[], float]
    """seconds"""


def system_clocks() -> Clocks:
    """Return the clocks of this machine."""
    return Clocks(lambda: time.time_ns() // 1_000_000, time.monotonic)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a desk's work."""

    max_poll_bytes: int = 4 * 1024 * 1024
    poll_timeout_ms: int = 300
    max_send_rows: int = 500
    max_send_bytes: int = 1024 * 1024
    max_waiting_rows: int = 20_000
    """above this many unsent rows the desk reads no further"""
    watch_seconds: float = 5.0
    unconfirmed_after_ms: int = 60_000
    farewell_seconds: float = 10.0
    """how long a stopping desk goes on sending what waits"""


class Engine:
    """Runs one judge over one store. The caller opens and closes reader, writer and store."""

    def __init__(
        self,
        name: str,
        judge: Judge,
        store: Store,
        observer: Observer,
        clocks: Clocks,
        limits: Limits | None = None,
    ) -> None:
        """`name` is the principal; it labels facts and stages."""
        self._name = name
        self._judge = judge
        self._store = store
        self._observe = observer
        self._clocks = clocks
        self._limits = limits or Limits()
        self._places: dict[tuple[str, int], int] = {}
        self._backlog = Backlog()
        self._standing: dict[str, int] = {}
        self._patience = Patience(name, observer)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{name}-store")
        self._sender = Sender(
            name,
            store,
            self._in_thread,
            observer,
            max_rows=self._limits.max_send_rows,
            max_bytes=self._limits.max_send_bytes,
        )

    async def places(self) -> dict[tuple[str, int], int]:
        """Return the next offset of each partition that was read before, and get ready to go on there."""
        self._places = dict(await self._in_thread(self._store.positions))
        return dict(self._places)

    async def run(self, reader: Reader, writer: Writer, stop: asyncio.Event) -> None:
        """Work until `stop` is set and what waits is sent, or something cannot heal."""
        await self._in_thread(self._store.writable)
        self._observe(Ready("store", True))
        last, give_up = asyncio.Event(), asyncio.Event()
        try:
            async with TaskGroup() as tasks:
                tasks.create_task(self._read(reader, stop, last, give_up), name=f"{self._name}-read")
                tasks.create_task(self._sender.run(writer, last, give_up), name=f"{self._name}-send")
                tasks.create_task(self._watch(reader, stop), name=f"{self._name}-watch")
        finally:
            self._thread.shutdown(wait=True)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _read(self, reader: Reader, stop: asyncio.Event, last: asyncio.Event, give_up: asyncio.Event) -> None:
        while not stop.is_set():
            if self._sender.waiting > self._limits.max_waiting_rows:
                await sleep(stop, 0.1)
                continue
            records = await self._patience.until_done("broker", lambda: self._poll(reader), stop)
            if records:
                await self._take(records, stop)
        asyncio.get_running_loop().call_later(self._limits.farewell_seconds, give_up.set)
        last.set()
        self._sender.added(0)

    async def _poll(self, reader: Reader) -> Sequence[KafkaRecord]:
        return await reader.poll(self._limits.max_poll_bytes, self._limits.poll_timeout_ms)

    async def _take(self, records: Sequence[KafkaRecord], stop: asyncio.Event) -> None:
        started = self._clocks.monotonic()
        if await self._patience.until_done("sessions", lambda: self._prepared(records), stop) is None:
            return
        judged = await self._patience.until_done(
            "audiences", lambda: self._in_thread(self._judge.judge, records, self._clocks.now_ms()), stop
        )
        if judged is None:
            return
        batch = self._batch(records, judged)
        committed = await self._patience.until_done("store", lambda: self._in_thread(self._keep, batch, judged), stop)
        if committed is None:
            return
        crashpoints.reached("consumer.after-commit")
        self._places.update({(step.topic, step.partition): step.next_offset for step in batch.advances})
        self._sender.added(len(batch.outgoing))
        self._tell(batch, judged, committed, self._clocks.monotonic() - started)

    async def _prepared(self, records: Sequence[KafkaRecord]) -> bool:
        await self._judge.prepare(records)
        return True

    def _keep(self, batch: Batch, judged: Judgement) -> Committed:
        committed = self._store.commit(batch)
        self._judge.kept(judged)
        return committed

    def _batch(self, records: Sequence[KafkaRecord], judged: Judgement) -> Batch:
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            ends[record.topic, record.partition] = record.offset + 1
        return Batch(
            at_ms=self._clocks.now_ms(),
            advances=tuple(
                Advance(topic, partition, self._places.get((topic, partition)), end)
                for (topic, partition), end in sorted(ends.items())
            ),
            events=judged.events,
            checkpoints=judged.checkpoints,
            notices=judged.notices,
            resolutions=judged.resolutions,
            remarks=judged.remarks,
            outgoing=judged.outgoing,
            store_keys=judged.store_keys,
            log=judged.log,
        )

    def _tell(self, batch: Batch, judged: Judgement, committed: Committed, seconds: float) -> None:
        replays, conflicts = committed.replays, len(committed.conflicts)
        delays: dict[int, list[float]] = defaultdict(list)
        for event in batch.events:
            delays[event.partition].append((event.stored_at_ms - event.produced_at_ms) / 1_000)
        for partition in sorted(delays):
            self._observe(
                EventsStored(
                    self._name,
                    partition,
                    committed.stored.get(partition, {}),
                    replays,
                    conflicts,
                    seconds,
                    tuple(delays[partition]),
                )
            )
            replays = conflicts = 0
        if committed.confirmed:
            self._observe(EventsConfirmed(self._name, committed.confirmed_of))
        for conflict in committed.conflicts:
            self._observe(Alarm("second-leaf", f"{self._name} {conflict.event_id}"))
        if committed.contradictions:
            self._observe(Alarm("checkpoint-contradiction", self._name))
        if committed.unvoided:
            self._observe(Alarm("void-cancelled", self._name))
        for reason, count in judged.letters.items():
            self._observe(DeadLettered(self._name, reason, count))
        for code, about in judged.alarms:
            self._observe(Alarm(code, about))
        if batch.log is not None and batch.log.entries:
            tenant = self._name.rpartition("-")[2]
            self._observe(LogExtended(tenant, batch.log.expected_size + len(batch.log.entries)))

    async def _watch(self, reader: Reader, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await sleep(stop, self._limits.watch_seconds)
            try:
                troubles = await self._in_thread(self._troubles)
                ends = await reader.end_offsets()
                found = {place: (await reader.position(place), end) for place, end in ends.items()}
            except HubError as error:
                if not error.retriable:
                    raise
                continue  # whoever reads or stores next says so
            self._alarm(troubles)
            self._tell_lag(found)

    def _tell_lag(self, found: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """Tell how much of each topic waits, and since when: all generations of a topic are one backlog."""
        lags: dict[tuple[str, int], int] = defaultdict(int)
        for (topic, partition), (position, end) in found.items():
            lags[in_generation(topic, 1), partition] += max(0, end - position)
        for (topic, partition), lag in lags.items():
            self._observe(Lag(topic, partition, lag))
        ages: dict[str, float] = defaultdict(float)
        for topic, age in self._backlog.look(found, self._clocks.monotonic()).items():
            ages[in_generation(topic, 1)] = max(ages[in_generation(topic, 1)], age)
        for topic, age in ages.items():
            self._observe(BacklogAge(topic, age))

    def _troubles(self) -> dict[str, int]:
        now_ms = self._clocks.now_ms()
        overdue = self._store.overdue(now_ms - self._limits.unconfirmed_after_ms)
        oldest = 0.0 if overdue.oldest_ms is None else max(0, now_ms - overdue.oldest_ms) / 1_000
        self._observe(Unconfirmed(self._name, overdue.unconfirmed, overdue.missing, oldest))
        found = {"unconfirmed-event": overdue.unconfirmed, "missing-event": overdue.missing}
        return {code: count for code, count in found.items() if count} | {
            code: count for code, count in self._judge.troubles(now_ms).items() if count
        }

    def _alarm(self, troubles: Mapping[str, int]) -> None:
        """Alarm once when a count rises; an alarm that stands does not ring again."""
        for code, count in troubles.items():
            if count > self._standing.get(code, 0):
                self._observe(Alarm(code, self._name))
        self._standing = dict(troubles)
