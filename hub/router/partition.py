"""Works one input partition: judges what was read, and writes all of it in one transaction.

All waiting for anything outside the transaction (sessions, keys) is over before it begins. A transaction
that fails is thrown away whole: fence again, read the committed offset, go on from there.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.crypto.identity import IdentityKey
from hub.envelope.letters import DeadLetterNotice
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.facts import Alarm, BatchRouted, Observer, Paused, TransactionAborted
from hub.reading.deadletters import write_letter
from hub.router.lanes import Lanes
from hub.router.rules import Announce, Deliver, Place, Refuse, Unknown, Verdict, judge
from hub.transport import KafkaRecord, Outgoing, TransactionalWriter, TransactionFailed
from schemas.errors import HubError
from topics.layout import Route

MAX_EVENTS: Final = 5_000
MAX_BYTES: Final = 16 * 2**20
_MAX_SESSION_ROUNDS: Final = 4
_PAUSES: Final = (0.05, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all partitions of a router share."""

    topic: str
    partitions: int
    group: str
    letters_topic: str
    routes: Callable[[], dict[str, tuple[Route, ...]]]
    trust: Callable[[], Trust]
    identity: IdentityKey = field(repr=False)
    quarantine_key: Callable[[], AudienceKey | None]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    observer: Observer


@dataclass(slots=True)
class _Batch:
    """What one transaction will hold."""

    outputs: dict[tuple[str, int], list[Outgoing]] = field(default_factory=lambda: defaultdict(list))
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    produced_ms: list[int] = field(default_factory=list)
    checkpoints: int = 0


class PartitionRouter:
    """One partition's queue and its transactions. `put` from the poller, `run` as a task."""

    def __init__(self, partition: int, around: Surroundings, lanes: Lanes, writer: TransactionalWriter) -> None:
        """The writer must be fenced before the first `put`."""
        self.partition = partition
        self._around = around
        self._lanes = lanes
        self._writer = writer
        self._queue: deque[KafkaRecord] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._paused = ""
        self.queued_bytes = 0

    def put(self, records: Sequence[KafkaRecord]) -> None:
        """Queue records in their order."""
        self._queue.extend(records)
        self.queued_bytes += sum(record.size for record in records)
        self._arrived.set()

    def stop(self) -> None:
        """Finish the transaction under way and take no more."""
        self._stopping = True
        self._arrived.set()

    async def run(self) -> None:
        """Work until `stop`. Raises TransactionFailed (rewind and run again), ForeignProducer (end the process)."""
        while not self._stopping:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._transaction(self._take())

    def _take(self) -> list[KafkaRecord]:
        taken: list[KafkaRecord] = []
        size = 0
        while self._queue and len(taken) < MAX_EVENTS and (not taken or size < MAX_BYTES):
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
            await self._writer.commit(batch.outputs, {(around.topic, self.partition): offset}, around.group)
        except TransactionFailed as failed:
            around.observer(TransactionAborted(self.partition, failed.code))
            raise
        ended = to_ms(around.now())
        around.observer(
            BatchRouted(
                self.partition,
                dict(batch.events),
                batch.checkpoints,
                dict(batch.letters),
                around.monotonic() - started,
                tuple(max(0, ended - produced) / 1_000 for produced in batch.produced_ms),
            )
        )

    async def _prepared(self, records: list[KafkaRecord]) -> _Batch | None:
        """Judge everything; wait for what can heal. None if told to stop while waiting."""
        attempt = 0
        while not self._stopping:
            try:
                batch = self._collected(records, await self._judged(records))
            except HubError as error:
                if not error.retriable:
                    raise
                self._pause(error.code)
                await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
                attempt += 1
            else:
                self._pause("")
                return batch
        return None

    async def _judged(self, records: list[KafkaRecord]) -> list[Verdict]:
        around = self._around
        trust, now = around.trust(), around.now()
        place = Place(self.partition, around.partitions, around.routes())
        known = self._lanes.known()
        verdicts = [judge(record.key, record.value, known, place, trust, now) for record in records]
        refused: dict[bytes, Reason] = {}
        for _ in range(_MAX_SESSION_ROUNDS):
            named = {verdict.session for verdict in verdicts if isinstance(verdict, Unknown)}
            if not named:
                return verdicts
            refused |= await self._lanes.admit(named)
            known = self._lanes.known(refused)
            for at, verdict in enumerate(verdicts):
                if isinstance(verdict, Unknown):
                    verdicts[at] = judge(records[at].key, records[at].value, known, place, trust, now)
        return [Refuse(Reason.UNKNOWN_SESSION) if isinstance(each, Unknown) else each for each in verdicts]

    def _collected(self, records: list[KafkaRecord], verdicts: list[Verdict]) -> _Batch:
        batch = _Batch()
        outputs, events, partition = batch.outputs, batch.events, self.partition
        for record, verdict in zip(records, verdicts, strict=True):
            if isinstance(verdict, Deliver):
                header = verdict.header
                for topic, copy in verdict.copies:
                    outputs[topic, partition].append(Outgoing(record.key, copy))
                events[header.tenant, header.procedure] += 1
                batch.produced_ms.append(header.produced_at_ms)
            elif isinstance(verdict, Announce):
                for topic in verdict.topics:
                    outputs[topic, partition].append(Outgoing(record.key, record.value))
                batch.checkpoints += 1
            elif isinstance(verdict, Refuse):
                self._refuse(record, verdict, batch)
        return batch

    def _refuse(self, record: KafkaRecord, refuse: Refuse, batch: _Batch) -> None:
        around = self._around
        now = around.now()
        letter = write_letter(
            record,
            refuse.reason,
            stage="router",
            authentic=refuse.authentic,
            session=refuse.session,
            leaf=refuse.leaf,
            key=around.quarantine_key,
            now=now,
        )
        batch.outputs[around.letters_topic, self.partition].append(letter)
        batch.letters[refuse.reason.value] += 1
        if refuse.reason in (Reason.UNKNOWN_SESSION, Reason.TENANT_NOT_READY):
            around.observer(Alarm(refuse.reason.value, record.topic))
        if refuse.tenant is None or refuse.sealed is None or refuse.leaf is None:
            return
        notice = DeadLetterNotice(
            refuse.tenant, refuse.sealed.header, refuse.sealed.digests, refuse.reason, now
        )
        value = sign(DeadLetterNotice.RECORD, notice.encode(), around.identity)
        for route in around.routes().get(refuse.tenant, ()):
            batch.outputs[route.topic, self.partition].append(Outgoing(b"notice/" + refuse.leaf.hex().encode(), value))

    def _pause(self, code: str) -> None:
        if code == self._paused:
            return
        stage = f"router.{self.partition}"
        if self._paused:
            self._around.observer(Paused(stage, self._paused, False))
        if code:
            self._around.observer(Paused(stage, code, True))
            self._around.observer(Alarm(code, stage))
        self._paused = code
