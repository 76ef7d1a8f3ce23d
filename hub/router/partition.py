"""Works one input partition: judges what was read, and writes all of it in one transaction.

    queue ─> judge (sessions and keys are waited for here) ─> one transaction: outputs, letters, offset

A transaction takes what is there, up to a bound, and is closed at once: under load the queue fills while the
one before commits, so transactions grow by themselves; when idle nobody waits. One that fails is thrown away
whole: fence again, read the committed offset, go on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hub.envelope.reasons import Reason
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.facts import Alarm, BatchRouted, Observer, Paused, TransactionAborted
from hub.router.batch import Batch, Clerk, collect
from hub.router.lanes import Lanes
from hub.router.rules import Known, Place, Refuse, Unknown, Verdict, judge
from hub.transport import KafkaRecord, TransactionalWriter, TransactionFailed, TransactionRefused
from schemas.errors import HubError
from topics.layout import Route

MAX_EVENTS: Final = 5_000
MAX_BYTES: Final = 8 * 2**20
"""of the queue, and of the input of one transaction (but one record at least)"""
_BREATH: Final = 256
"""records judged before other partitions and the heartbeat get a turn"""
_MAY_BE_NEW: Final = frozenset({Reason.TENANT_UNKNOWN, Reason.TENANT_NOT_READY})
_PAUSES: Final = (0.05, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all partitions of a router share."""

    topic: str
    partitions: int
    group: str
    routes: Callable[[], Mapping[str, tuple[Route, ...]]]
    """all routes of each tenant that is ready"""
    declared: Callable[[], Collection[str]]
    """the tenants that there are, ready or not"""
    catch_up: Callable[[], Awaitable[bool]]
    """learns what was declared meanwhile; whether it was something. Raises retriable errors"""
    clerk: Clerk
    trust: Callable[[], Trust]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    observer: Observer


@dataclass(slots=True)
class Caution:
    """What a partition remembers when the broker refused a transaction for good: one record of it is poison."""

    one_by_one_until: int = -1
    """up to this offset each record gets a transaction of its own"""
    poison: int = -1
    """the offset of the record that was refused alone: it becomes a dead letter"""


class PartitionRouter:
    """One partition's queue and its transactions. `put` from the poller, `run` as a task."""

    def __init__(
        self,
        partition: int,
        around: Surroundings,
        lanes: Lanes,
        writer: TransactionalWriter,
        caution: Caution,
        position: int = 0,
    ) -> None:
        """The writer must be fenced before the first `put`; `position` is the offset that was committed then."""
        self._partition = partition
        self._around = around
        self._lanes = lanes
        self._writer = writer
        self._caution = caution
        self._queue: deque[KafkaRecord] = deque()
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()
        self._paused = ""
        self.queued_bytes = 0
        self.position = position
        """behind the last record that was routed"""
        self._under_way = False
        self.committed = False
        """whether a transaction has succeeded since the fence"""

    def put(self, records: Sequence[KafkaRecord]) -> None:
        """Queue records in their order."""
        self._queue.extend(records)
        self.queued_bytes += sum(record.size for record in records)
        self._arrived.set()

    @property
    def busy(self) -> bool:
        """Whether records wait here, or are being routed."""
        return self._under_way or bool(self._queue)

    def stop(self) -> None:
        """Finish the transaction under way and take no more."""
        self._stopping.set()
        self._arrived.set()

    async def run(self) -> None:
        """Work until `stop`. Raises TransactionFailed (rewind and run again), ForeignProducer (end the process)."""
        try:
            while not self._stopping.is_set():
                if not self._queue:
                    self._arrived.clear()
                    await self._arrived.wait()
                    continue
                self._under_way = True
                await self._transaction(self._take())
                self._under_way = False
        finally:
            self._pause("")

    def _take(self) -> list[KafkaRecord]:
        taken: list[KafkaRecord] = []
        size = 0
        most = 1 if self._queue[0].offset <= self._caution.one_by_one_until else MAX_EVENTS
        while self._queue and len(taken) < most and (not taken or size + self._queue[0].size <= MAX_BYTES):
            record = self._queue.popleft()
            taken.append(record)
            size += record.size
        self.queued_bytes -= size
        return taken

    async def _transaction(self, records: list[KafkaRecord]) -> None:
        around = self._around
        started = around.monotonic()
        batch = await self._prepared(records)
        if batch is None:
            return
        offset = records[-1].offset + 1
        try:
            await self._writer.commit(batch.outputs, {(around.topic, self._partition): offset}, around.group)
        except TransactionFailed as failed:
            if isinstance(failed, TransactionRefused):
                self._narrow(records)
            around.observer(TransactionAborted(self._partition, failed.code, failed.cause))
            raise
        self.committed = True
        self.position = offset
        ended = to_ms(around.now())
        around.observer(
            BatchRouted(
                self._partition,
                dict(batch.events),
                batch.checkpoints,
                dict(batch.letters),
                around.monotonic() - started,
                tuple([(ended - produced) / 1_000 for produced in batch.produced_ms]),
            )
        )
        for code, about in sorted(batch.alarms):
            around.observer(Alarm(code, about))

    def _narrow(self, records: list[KafkaRecord]) -> None:
        """Find the record that the broker will not take: first one by one, then it is known."""
        if len(records) == 1:
            self._caution.poison = records[0].offset
        else:
            self._caution.one_by_one_until = records[-1].offset

    async def _prepared(self, records: list[KafkaRecord]) -> Batch | None:
        """Judge everything; wait for what can heal. None if told to stop while waiting."""
        attempt = 0
        while not self._stopping.is_set():
            try:
                verdicts = await self._judged(records)
                batch = collect(self._partition, records, verdicts, self._around.clerk, self._around.now())
            except HubError as error:
                if not error.retriable:
                    raise
                self._pause(error.code)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _PAUSES[min(attempt, len(_PAUSES) - 1)])
                attempt += 1
            else:
                self._pause("")
                return batch
        return None

    async def _judged(self, records: list[KafkaRecord]) -> list[Verdict]:
        """Judge; before a tenant is called unknown, see whether it was declared meanwhile."""
        verdicts = await self._judged_so_far(records)
        unknown = any(isinstance(each, Refuse) and each.reason in _MAY_BE_NEW for each in verdicts)
        if unknown and await self._around.catch_up():
            return await self._judged_so_far(records)
        return verdicts

    async def _judged_so_far(self, records: list[KafkaRecord]) -> list[Verdict]:
        around = self._around
        trust, now = around.trust(), around.now()
        place = Place(self._partition, around.partitions, around.routes(), around.declared(), to_ms(now))
        known = self._lanes.known()
        verdicts: list[Verdict] = []
        for start in range(0, len(records), _BREATH):
            some = records[start : start + _BREATH]
            verdicts += [judge(record, known, place, trust, now) for record in some]
            if start == 0:  # a new session is mostly new to the whole batch: find it before judging all of it
                known = await self._found(records, verdicts, place, known)
            await asyncio.sleep(0)
        while any(isinstance(verdict, Unknown) for verdict in verdicts):  # twice if the trust list changed meanwhile
            known = await self._found(records, verdicts, place, known)
        if records[0].offset == self._caution.poison:
            verdicts = [self._poisonous(records[0], known)]
        return verdicts

    async def _found(self, records: list[KafkaRecord], verdicts: list[Verdict], place: Place, known: Known) -> Known:
        """Look for the sessions that were unknown and judge their records again; return what is known now."""
        named = {verdict.session for verdict in verdicts if isinstance(verdict, Unknown)}
        if not named:
            return known
        around = self._around
        known = self._lanes.known({**known.refused, **await self._lanes.admit(named)})
        for at, verdict in enumerate(verdicts):
            if isinstance(verdict, Unknown):
                verdicts[at] = judge(records[at], known, place, around.trust(), around.now())
        return known

    def _poisonous(self, record: KafkaRecord, known: Known) -> Verdict:
        """Judge a record that some output does not take as if it had none: whole, with a notice, under its own code."""
        around = self._around
        nowhere = Place(self._partition, around.partitions, {}, (), 0)
        verdict = judge(record, known, nowhere, around.trust(), around.now())
        if isinstance(verdict, Refuse) and verdict.reason is Reason.TENANT_UNKNOWN:
            return replace(verdict, reason=Reason.REFUSED_BY_BROKER)
        return verdict

    def _pause(self, code: str) -> None:
        if code == self._paused:
            return
        stage = f"router.{self._partition}"
        if self._paused:
            self._around.observer(Paused(stage, self._paused, False))
        if code:
            self._around.observer(Paused(stage, code, True))
            self._around.observer(Alarm(code, stage))
        self._paused = code
