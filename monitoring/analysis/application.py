"""The Faust application: lines to marks, marks to windows, windows to findings.

    <ns>.operations ─(lines)─> verified, marks ─> <ns>.analysis-marks ─(findings)─> windows ─> finding lines, store
                                 keyed by subject                        └─> <ns>.analysis-state, the table's changelog

What Faust does not do, the order of steps does. Each agent takes a batch, does everything with it, waits until Kafka
holds what came of it, and only then says that the batch is done. Whoever dies in between does the batch again: marks
that were taken are recognised, findings have the same ids. An agent that fails acknowledges nothing and ends the
process. Windows go by the time of the line; Faust's own expire by the clock on the wall, which a replay cannot use.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import faust

from hub.envelope.operations import CLASS_OF, OperationEvent
from hub.envelope.reasons import Reason
from hub.envelope.times import to_ms
from hub.facts import Observer
from hub.role import Role
from hub.transport import ssl_context
from monitoring.analysis.detector import marked
from monitoring.analysis.facts import AnalysedUntil, LinesAnalysed
from monitoring.analysis.findings import Finding
from monitoring.analysis.held import Changes, held
from monitoring.analysis.lines import read_lines
from monitoring.analysis.marks import Mark, Subject
from monitoring.analysis.progress import Arrived, Drained, Sources
from monitoring.analysis.rules.base import Conditions
from monitoring.analysis.settings import AnalysisSettings
from monitoring.analysis.silence import Heard, Span, limit_of, spans_of
from monitoring.analysis.windows import HOUR_MS, HourState, Windows
from schemas.errors import HubError

BATCH: Final = 1_000
"""lines that are worked on together"""
MARKS_BATCH: Final = 30
"""records of marks, each with the marks of a batch of lines"""
FUTURE_MS: Final = 24 * 3_600_000
"""a line from further ahead is no clock that runs fast; its hours would never be forgotten"""
WITHIN_SECONDS: Final = 0.2
SESSION_SECONDS: Final = 10.0
_LINE_KEY: Final = b"operation/"
_SILENCE: Final = "silence|"
_Tell = Callable[[Sequence[Finding]], None]


class Misdeclared(HubError):
    """The topics of marks and state do not belong together."""

    code: ClassVar[str] = "analysis.misdeclared"
    hint: ClassVar[str] = "analysis-marks and analysis-state are declared with the same number of partitions."


@dataclass(frozen=True, slots=True)
class Place:
    """Where the analysis reads and writes: full topic names, and how many partitions each pair shares."""

    operations: str
    marks: str
    state: str
    sources: int
    partitions: int

    @classmethod
    def of(cls, role: Role) -> Place:
        """Read it from the topology that holds; marks and state must have as many partitions.

        Raises Misdeclared.
        """
        found = {topic.key: topic for topic in role.topology.topics}
        operations, marks, state = (found[key] for key in ("operations", "analysis-marks", "analysis-state"))
        if marks.partitions != state.partitions:  # a table's changelog lies beside the stream that changes it
            raise Misdeclared(f"{marks.partitions} and {state.partitions} partitions")
        return cls(operations.name, marks.name, state.name, operations.partitions, marks.partitions)


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of marks and state that a subject or principal lies on."""
    return zlib.crc32(key.encode()) % partitions


class Work:
    """Both agents and what they share. `now` and `wall` give milliseconds, `now` not beyond the moment up
    to which is analysed; `tell` keeps findings and notes new ones, durable on
    return; `failed` is set to what ended an agent."""

    def __init__(
        self,
        role: Role,
        settings: AnalysisSettings,
        conditions: Callable[[], Conditions],
        observer: Observer,
        tell: _Tell,
        now: Callable[[], int],
        wall: Callable[[], int],
    ) -> None:
        """Make the application; nothing is connected before `app.start`. Call inside the running loop."""
        self.place = Place.of(role)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._role = role
        self._minutes = settings.silent_minutes
        self._conditions = conditions
        self._observer = observer
        self._tell = tell
        self._now = now
        self._wall = wall
        self._sources = Sources(settings.lateness_seconds * 1000)
        self._drained = Drained()
        self._arrived = Arrived(self.place.sources)
        self._windows = Windows()
        self._heard: dict[str, Heard] = {}
        self._loaded = False
        self._forgotten = 0
        self._changes = Changes()
        self.app = self._application()
        self.state = self.app.Table(
            "analysis-state",
            key_type=str,
            partitions=self.place.partitions,
            changelog_topic=self.app.topic(
                self.place.state, key_serializer="json", value_serializer="json", acks=False, internal=True,
                allow_empty=True, maxsize=131_072,
            ),
        )  # fmt: skip
        self.marks = self.app.topic(self.place.marks, key_serializer="raw", value_serializer="raw", internal=True)
        operations = self.app.topic(self.place.operations, key_serializer="raw", value_serializer="raw", internal=True)
        self.app.agent(operations, concurrency=1, name="lines")(self._guarded(self._lines, BATCH))
        self.app.agent(self.marks, concurrency=1, name="findings")(self._guarded(self._findings, MARKS_BATCH))
        self.app.on_partitions_revoked.connect(self._reassigned)
        self.app.on_partitions_assigned.connect(self._reassigned)

    def _application(self) -> Any:
        place, changes = self.place, self._changes

        class SubjectTable(faust.Table[str, Any]):
            """A table whose entries lie on the partition of their subject, whatever event is at hand."""

            def partition_for_key(self, key: str) -> int:
                return partition_of(_partitioned(key), place.partitions)

            def send_changelog(self, *args: Any, **options: Any) -> Any:
                sent = super().send_changelog(*args, **options)
                changes.add(sent)
                return sent

        return faust.App(
            f"{self._role.namespace}.analysis",
            broker=[f"kafka://{each}" for each in self._role.bootstrap.split(",")],
            broker_credentials=faust.SSLCredentials(context=ssl_context(self._role.tls)),
            broker_client_id=self._role.endpoint.client_id,
            consumer_group_instance_id=self._role.instance,
            broker_session_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=2.0,
            broker_rebalance_timeout=20.0,
            broker_commit_interval=1.0,
            broker_commit_every=100_000,
            broker_max_poll_records=2 * BATCH,
            stream_buffer_maxsize=2 * BATCH,
            stream_wait_empty=False,
            stream_recovery_delay=0.0,
            producer_acks=-1,
            producer_linger=0.005,
            producer_max_request_size=8 * 2**20,
            store="memory://",
            datadir=str(self._role.state_directory / "faust"),
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            autodiscover=False,
            key_serializer="raw",
            value_serializer="raw",
            Table=SubjectTable,
        )

    def _guarded(self, work: Callable[[Any], Any], most: int) -> Callable[[Any], Any]:
        """An agent that raised would be started again behind the batch it failed at; so it stops here for good."""

        async def agent(stream: Any) -> None:
            stream.enable_acks = False  # else noack_take switches it on at its end, and what still comes counts as done
            try:
                async for batch in stream.noack_take(most, within=WITHIN_SECONDS):
                    await work(batch)
                    for event in batch:
                        await stream.ack(event)
            except Exception as error:  # noqa: BLE001 - told to whoever runs us
                if not self.failed.done():
                    self.failed.set_exception(error)
                await asyncio.Event().wait()

        agent.__name__ = work.__name__
        return agent

    async def _reassigned(self, *_: Any, **__: Any) -> None:
        self._loaded = False
        self._drained = Drained()

    # lines ─> marks

    async def _lines(self, batch: Sequence[Any]) -> None:
        by_partition: dict[int, list[OperationEvent]] = defaultdict(list)
        refused: Counter[str] = Counter()
        future = self._wall() + FUTURE_MS
        lines = [event for event in batch if (event.message.key or b"").startswith(_LINE_KEY)]
        for event, found in zip(lines, await self._read([event.value for event in lines]), strict=True):
            if not isinstance(found, OperationEvent):
                refused[found.value] += 1
            elif found.key.encode() != event.message.key:  # it would come out of order with the rest of its log
                refused["key"] += 1
            elif to_ms(found.operation.occurred_at) > future:
                refused["future"] += 1
            else:
                by_partition[event.message.partition].append(found)
        now, late = self._now(), 0
        for partition, events in by_partition.items():
            # our own lines say when something was found, not how far the others are: a month that is analysed while it
            # is still being written would end with its first finding
            others = (each for each in events if each.principal != self._role.principal)
            late += self._sources.take(partition, (to_ms(each.operation.occurred_at) for each in others), now)
        every = [event for events in by_partition.values() for event in events]
        await self._send(every)
        for event in batch:
            self._drained.worked(event.message.partition, event.message.offset + 1)
        classes = Counter(CLASS_OF[event.operation.kind].value for event in every)
        self._observer(LinesAnalysed(classes, late, refused))

    async def _read(self, values: Sequence[bytes]) -> list[OperationEvent | Reason]:
        """Believe lines by the trust list; by the newest, if the one at hand does not know who wrote some of them."""
        found = read_lines(values, self._role.trust)
        if any(each in (Reason.UNTRUSTED, Reason.NOT_PERMITTED) for each in found):
            before = self._role.trust
            await self._role.catch_up()
            if self._role.trust is not before:
                return read_lines(values, self._role.trust)
        return found

    async def _send(self, events: Sequence[OperationEvent]) -> None:
        """One record per partition with marks for it, signs of life, and the watermarks as they are behind them."""
        marks: dict[int, list[Any]] = defaultdict(list)
        lives: dict[int, dict[str, list[Any]]] = defaultdict(dict)
        for subject, mark in marked(events):
            marks[partition_of(subject.key, self.place.partitions)].append([subject.key, mark.row()])
        for principal, spans in spans_of(events, self._minutes).items():
            lives[partition_of(_SILENCE + principal, self.place.partitions)][principal] = [span.row() for span in spans]
        watermarks, sent = self._sources.value(), []
        for partition in range(self.place.partitions):
            value = {"until": watermarks, "marks": marks[partition], "heard": lives[partition]}
            raw = json.dumps(value, separators=(",", ":")).encode()
            sent.append(await self.marks.send(value=raw, partition=partition))
        await held(sent)

    async def tick(self, *, final: bool = False) -> None:
        """Let time pass on partitions on which nothing waits: silence is found by nobody speaking."""
        for partition in await self._without_news():
            self._sources.idle(partition, self._now(), final=final)
        await self._send(())

    async def _without_news(self) -> set[int]:
        """Partitions of the operations log that hold nothing that we have not worked on; none while they move."""
        consumer, drained = self.app.consumer, self._drained
        ours = [tp for tp in consumer.assignment() if tp.topic == self.place.operations]
        ends = await consumer.highwaters(*ours)
        positions = {tp.partition: await consumer.position(tp) for tp in ours}
        at_work = any(each.tp.topic == self.place.operations and not each.acked for each in consumer.unacked)
        if self.app.rebalancing or drained is not self._drained or None in positions.values():
            return set()
        return drained.look(positions, {tp.partition: end for tp, end in ends.items()}, at_work=at_work)

    def watermark(self) -> int | None:
        """Up to when all windows of our partitions are complete; None while that is not known."""
        ours = [tp.partition for tp in self.app.consumer.assignment() if tp.topic == self.place.marks]
        return self._arrived.least(ours)

    # marks ─> findings

    async def _findings(self, batch: Sequence[Any]) -> None:
        if not self._loaded:
            self._load()
        marks: list[tuple[Subject, Mark]] = []
        heard: set[str] = set()
        for event in batch:
            value = json.loads(event.value)
            self._arrived.take(event.message.partition, value["until"])
            marks += [(Subject.of_key(key), Mark(*row)) for key, row in value["marks"]]
            for principal, spans in value["heard"].items():
                limit = limit_of(principal, self._minutes)
                if limit is not None:
                    self._heard.setdefault(principal, Heard()).take((Span(*row) for row in spans), limit)
                    heard.add(principal)
        touched = self._windows.take(marks)
        found = self._windows.find(touched, self._conditions()) + self._silences(heard)
        self._tell(found)  # before the state says that the marks were taken: who dies here finds again
        for subject, hours in touched.items():
            for hour in hours:
                self.state[f"{subject.key}|{hour}"] = self._windows.get(subject, hour).value()
        for principal in heard:
            self.state[_SILENCE + principal] = self._heard[principal].value()
        self._forget()
        await self._changes.held()

    def _silences(self, changed: set[str]) -> list[Finding]:
        found: list[Finding] = []
        for principal, heard in self._heard.items():
            limit = limit_of(principal, self._minutes)
            watermark = self._arrived.watermark(partition_of(_SILENCE + principal, self.place.partitions))
            if limit is not None and watermark is not None:
                silences = heard.silences(principal, limit, watermark)
                if silences:
                    changed.add(principal)
                    found += silences
        return found

    def _forget(self) -> None:
        watermark = self.watermark()
        if watermark is None:
            return
        self._observer(AnalysedUntil(watermark))
        if watermark - watermark % HOUR_MS > self._forgotten:
            self._forgotten = watermark - watermark % HOUR_MS
            for subject, hour in self._windows.forget(watermark):
                del self.state[f"{subject.key}|{hour}"]

    def _load(self) -> None:
        """Take the table's contents: after a start, and whenever partitions were given to us anew."""
        self._windows, self._heard = Windows(), {}
        for key, value in self.state.items():
            if key.startswith(_SILENCE):
                self._heard[key.removeprefix(_SILENCE)] = Heard.of_value(value)
            else:
                subject, _, hour = key.rpartition("|")
                self._windows.put(Subject.of_key(subject), int(hour), HourState.of_value(value))
        self._loaded = True


def _partitioned(key: str) -> str:
    """The part of a key of the state that says where it lies."""
    return key if key.startswith(_SILENCE) else key.rpartition("|")[0]
