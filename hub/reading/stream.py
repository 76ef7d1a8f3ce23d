"""Sealed events of a desk's topics, opened for one audience, in order: for readers that keep their own places.

    poll ─> sessions known? ─> judged and opened (in a thread) ─> the caller's reading ─> yielded
                                     refused ─> dead letter (if asked for), acknowledged, before anything behind it

What can heal (broker, sessions, keys) is waited for; everything else is raised. Used by the portal end for what
comes back, and by tax systems for what is handed over; the desks have `consumers.engine`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

from hub.crypto.keystore import KeyStore
from hub.envelope.names import parse_topic
from hub.envelope.reasons import Reason
from hub.envelope.trust import Trust
from hub.facts import Alarm, DeadLettered, Observer, Paused
from hub.reading.at_hand import SessionsAtHand
from hub.reading.audiences import AudienceDirectory
from hub.reading.deadletters import write_letter
from hub.reading.intake import Arrived, Expectation, Intake, Outcome, Refused, Skipped
from hub.reading.secrets import OwnSecrets
from hub.reading.sessions import SessionRegistry
from hub.transport import BatchWriter, BrokerUnavailable, Endpoint, KafkaRecord, OffsetGone, PartitionReader
from schemas.errors import HubError
from topics import names
from topics.layout import Topology

T = TypeVar("T")
U = TypeVar("U")
Place = tuple[str, int]
"""topic, partition"""

_POLL_BYTES: Final = 4 * 2**20
_POLL_MS: Final = 300
_PAUSE_SECONDS: Final = 1.0
_TRIES: Final = 30


def earlier_places(places: Iterable[Place]) -> list[frozenset[Place]]:
    """Group those of earlier generations than their last, in their order: what lies there comes first."""
    known = {place: name for place in places if (name := parse_topic(place[0])) is not None}
    newest: dict[tuple[str | None, str], int] = {}
    for name in known.values():
        key = (name.tenant, name.dataset)
        newest[key] = max(newest.get(key, 1), name.generation)
    groups: defaultdict[int, set[Place]] = defaultdict(set)
    for place, name in known.items():
        if name.generation < newest[name.tenant, name.dataset]:
            groups[name.generation].add(place)
    return [frozenset(group) for _, group in sorted(groups.items())]


class Stopped(Exception):
    """The reader was told to stop while it waited for something that can heal."""


class StreamRole(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def topology(self) -> Topology: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def keystore(self) -> KeyStore: ...
    async def catch_up(self) -> None: ...


class SealedStream(Generic[T]):
    """An async context manager; `events` yields what `read` made of each event, with its record."""

    def __init__(
        self,
        role: StreamRole,
        audience: str,
        expected: Mapping[str, Expectation],
        sessions: Sequence[str],
        starts: Mapping[Place, int],
        read: Callable[[KafkaRecord, Arrived], T | Reason | None],
        observer: Observer,
        *,
        letters: bool,
        wall: Callable[[], datetime],
        put_aside: Callable[[KafkaRecord], None] | None = None,
    ) -> None:
        """Nothing is connected before entering.

        `expected` says what each topic may hold, `sessions` are the topics of its sessions, `starts` the next
        offset of places read before (others begin at their oldest record). `read` returns what is yielded, None
        for what is not this reader's, or why the event is refused; it may run in a thread. `letters`: write dead
        letters for what is refused, which only a reader that keeps its places should; `put_aside` hears of each.
        """
        self._role = role
        self._topics = list(expected)
        self.places: dict[Place, int] = dict(starts)
        """the next offset of each place; moves past an event when the next one is asked for"""
        self.refused = 0
        self._read = read
        self._observer = observer
        self._letters = letters
        self._wall = wall
        self._put_aside = put_aside
        self._stop: asyncio.Event | None = None
        endpoint, trust = role.endpoint, lambda: role.trust
        self._directory = AudienceDirectory(endpoint, names.audiences(role.namespace), trust, wall)
        self._registry = SessionRegistry(
            endpoint, sessions, trust, wall, observer, audience_keys=self._directory.key, catch_up=role.catch_up
        )
        self._at_hand = SessionsAtHand(self._registry)
        secrets = OwnSecrets(
            audience,
            role.keystore,
            announced=lambda epoch: bool(self._directory.announced(audience, epoch)),
            destroyed=lambda epoch: self._directory.destroyed(audience, epoch),
        )
        partitions = role.topology.partitions_of
        self._intake = Intake(audience, expected.__getitem__, partitions.__getitem__, self._at_hand, secrets, trust)
        self._reader = PartitionReader(endpoint, self._starts(), first=earlier_places(self._starts()))
        self._writer = BatchWriter(endpoint)
        self._stack = AsyncExitStack()

    def _starts(self) -> dict[Place, int | None]:
        partitions = self._role.topology.partitions_of
        places = [(topic, number) for topic in self._topics for number in range(partitions[topic])]
        return {place: self.places.get(place) for place in places}

    async def connect(self, stop: asyncio.Event | None = None) -> None:
        """Connect as soon as brokers and keys are there, or give up when `stop` is set: then nothing is yielded.

        Raises what cannot heal. `close` ends it.
        """
        self._stop = stop
        with contextlib.suppress(Stopped):
            await self._patiently(self._connect)

    async def _connect(self) -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._registry.close)
            stack.push_async_callback(self._directory.close)
            await self._directory.refresh()
            await stack.enter_async_context(self._reader)
            if self._letters:
                await stack.enter_async_context(self._writer)
            self._stack = stack.pop_all()

    async def close(self) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        """Connect now. Raises BrokerUnavailable, AudiencesUnavailable, NotAuthorized."""
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.close()

    async def events(
        self, *, follow: bool, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[tuple[KafkaRecord, T], None]:
        """Yield up to where the topics end now, or (`follow`) until `stop`; what was yielded before counts as handled.

        Raises OffsetGone and what cannot heal.
        """
        self._stop = stop
        try:
            self._go_on()
            ends = {} if follow else await self._patiently(self._reader.end_offsets)
            while True:
                self._go_on()
                records = await self._patiently(lambda: self._reader.poll(_POLL_BYTES, _POLL_MS))
                outcomes = await self._patiently(partial(self._judged, records)) if records else []
                for record, outcome in zip(records, outcomes, strict=True):
                    self._go_on()
                    if isinstance(outcome, Refused):
                        await self.refuse(record, outcome)
                    elif outcome is not None:
                        yield record, outcome
                    self.places[record.topic, record.partition] = record.offset + 1
                if not follow and await self._patiently(partial(self._passed, ends)):
                    return
        except Stopped:
            return

    def _go_on(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Stopped

    async def _passed(self, ends: Mapping[Place, int]) -> bool:
        for place, end in ends.items():
            if await self._reader.position(place) < end:
                return False
        return True

    async def again(self, place: Place, offset: int) -> T | None:
        """Read and judge one record again; None if it is gone, or was refused. Waits for what can heal.

        Raises Stopped.
        """
        return await self._patiently(lambda: self._again(place, offset))

    async def _again(self, place: Place, offset: int) -> T | None:
        try:
            async with PartitionReader(self._role.endpoint, {place: offset}) as reader:
                for _ in range(_TRIES):
                    for record in await reader.poll(1, _POLL_MS):
                        if record.offset != offset:
                            return None
                        (outcome,) = await self._judged([record])
                        return None if isinstance(outcome, Refused) else outcome
                    if await reader.position(place) > offset:
                        return None
        except OffsetGone:
            return None
        raise BrokerUnavailable("no answer")  # a broker that goes away while it is read from says nothing

    async def _judged(self, records: Sequence[KafkaRecord]) -> list[T | Refused | None]:
        # Months go by while a reader runs: keys are announced and destroyed, and sessions sealed to them.
        await self._directory.refresh()
        await self._at_hand.prepare(records)
        return await asyncio.to_thread(lambda: [self._judge(record) for record in records])

    def _judge(self, record: KafkaRecord) -> T | Refused | None:
        outcome: Outcome = self._intake.take(record, self._wall())
        if isinstance(outcome, Arrived):
            read = self._read(record, outcome)
            if isinstance(read, Reason):
                return Refused(read, False, outcome.header.session, outcome.leaf)
            return read
        if isinstance(outcome, Skipped):
            self._observer(Alarm("erased-event", record.topic))
        return outcome if isinstance(outcome, Refused) else None

    async def refuse(self, record: KafkaRecord, refused: Refused) -> None:
        """Put a record aside as a dead letter, and go on; the caller may find more to refuse than `read` can."""
        self.refused += 1
        principal = self._role.principal
        self._observer(Alarm("event.refused", f"{record.topic}/{record.partition} {refused.reason.value}"))
        if not self._letters:
            return
        topic = names.dead_letters(self._role.namespace, principal, self._role.topology.generation)

        async def put_aside() -> bool:
            await self._directory.refresh()
            letter = write_letter(
                record,
                refused.reason,
                stage=principal,
                authentic=refused.authentic,
                session=refused.session,
                leaf=refused.leaf,
                key=self._directory.current,
                now=self._wall(),
            )
            await self._writer.write(topic, record.partition, [letter])
            return True

        await self._patiently(put_aside)
        if self._put_aside is not None:
            self._put_aside(record)
        self._observer(DeadLettered(principal, refused.reason.value))

    async def _patiently(self, work: Callable[[], Awaitable[U]]) -> U:
        paused = ""
        while True:
            try:
                done = await work()
            except HubError as problem:
                if not problem.retriable:
                    raise
                self._paused(paused, problem.code)
                paused = problem.code
                await self._pause()
            else:
                self._paused(paused, "")
                return done

    def _paused(self, before: str, now: str) -> None:
        """Tell of the end of one cause and the beginning of another; "" is none."""
        if before == now:
            return
        stage = f"{self._role.principal}-read"
        if before:
            self._observer(Paused(stage, before, False))
        if now:
            self._observer(Paused(stage, now, True))

    async def _pause(self) -> None:
        if self._stop is None:
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), _PAUSE_SECONDS)
        self._go_on()
