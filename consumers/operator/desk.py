"""The operator at work: read everything, decide, and write record and statement in one Kafka transaction.

    fence ─> read letters and statements ─> rules ─> begin ─> records ─> offsets ─> statements ─> commit

The fence comes first: another operator's open transaction is aborted by it, and ours by his, so that what was
read is still true when the commit succeeds. A crash leaves record and statement, or neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from consumers.operator.book import Book, Filter, Known
from consumers.operator.errors import DeskAway, LetterError, LetterUnknown
from consumers.operator.letters import Keys, Quarantine
from consumers.operator.reading import LetterReader, contents
from consumers.operator.rules import (
    Ways,
    check_actor,
    check_discard,
    check_replay,
    statement,
    timestamp_for,
    ways_of,
)
from hub.crashpoints import reached
from hub.crypto.identity import IdentityKey
from hub.envelope.letters import Content, Place
from hub.envelope.records import Discard, LetterResolved
from hub.envelope.signed import sign
from hub.envelope.times import from_ms, to_ms
from hub.envelope.trust import Trust
from hub.transport import Endpoint, Hooks, Outgoing, TransactionalWriter
from hub.transport.survey import Surveyor
from topics import names
from topics.layout import Topology

MAX_LETTERS: Final = 100
MAX_BYTES: Final = 8 * 2**20
"""of one transaction (but one letter at least)"""
_TRANSACTION_MS: Final = 10_000
"""how long a dead operator's transaction can keep the readers of a partition waiting"""
_HOOKS: Final = Hooks(
    lambda: reached("operator.before-send"),
    lambda: reached("operator.after-statement"),
    lambda: reached("operator.after-commit"),
)
Outputs = Mapping[tuple[str, int], Sequence[Outgoing]]


class OperatorRole(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def identity(self) -> IdentityKey: ...
    @property
    def keystore(self) -> Keys: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def topology(self) -> Topology: ...


@dataclass(frozen=True, slots=True)
class Many:
    """All letters that a filter takes; `returned`: also those that came back for the same reason."""

    filter: Filter
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, and what was left alone: the letter's name and the code of the reason why."""

    done: tuple[LetterResolved, ...]
    skipped: tuple[tuple[str, str], ...] = ()


class LetterDesk:
    """The operator's desk; every call connects for itself."""

    def __init__(self, role: OperatorRole, now: Callable[[], datetime]) -> None:
        """Nothing is connected yet. `now` gives aware times."""
        self._role = role
        self._clock = now
        self.quarantine = Quarantine(role.keystore)

    def _now(self) -> datetime:
        """The time in whole milliseconds, as it will be read again."""
        return from_ms(to_ms(self._clock()))

    async def read(self) -> Book:
        """Read all letters and statements. Raises TransportError."""
        book = Book()
        async with LetterReader(self._role, self.quarantine.open, self._now) as reader:
            await reader.catch_up(book)
        return book

    async def content(self, known: Known) -> Content:
        """Return a letter's record. Raises LetterGone, TransportError."""
        async for _, found in contents(self._role, self.quarantine.open, {known.letter.place: known}):
            return found
        raise LetterUnknown(known.letter.name)

    async def replay(self, wanted: Sequence[Place] | Many, *, actor: str, again: bool = False) -> Outcome:
        """Send the records of letters back to where they were refused.

        Letters that are named are all sent or none is begun: raises LetterUnknown, LetterResolved, LetterSealed,
        LetterHopeless, LetterAstray, LetterGone, DeskAway, TransportError. Of `Many`, what cannot be sent is skipped.
        """
        actor = check_actor(actor)
        writer = self._writer()
        try:
            await writer.fence()
            ways = ways_of(self._role.topology)
            chosen, skipped = self._chosen(await self.read(), wanted, ways, again=again)
            told = await self._told(chosen)
            done: list[LetterResolved] = []
            by_place = {known.letter.place: known for known in chosen}
            batch: list[tuple[Known, Content]] = []
            size = 0
            async for place, content in contents(self._role, self.quarantine.open, by_place):
                bytes_ = len(content.key or b"") + len(content.value or b"")
                if batch and (len(batch) == MAX_LETTERS or size + bytes_ > MAX_BYTES):
                    done += await self._send_back(writer, batch, ways, told, actor)
                    batch, size = [], 0
                batch.append((by_place[place], content))
                size += bytes_
            if batch:
                done += await self._send_back(writer, batch, ways, told, actor)
        finally:
            await writer.close()
        return Outcome(tuple(done), tuple(skipped))

    async def discard(self, wanted: Sequence[Place], discard: Discard, *, actor: str) -> Outcome:
        """State that letters are not wanted any more, and why.

        Raises LetterUnknown, LetterResolved, DeskAway, ActorRefused before anything is stated; TransportError.
        """
        actor = check_actor(actor)
        writer = self._writer()
        try:
            await writer.fence()
            book = await self.read()
            chosen = [_found(book, place) for place in dict.fromkeys(wanted)]
            for known in chosen:
                check_discard(known)
            told = await self._told(chosen)
            now = self._now()
            said = [statement(known, actor=actor, now=now, discard=discard) for known in chosen]
            for start in range(0, len(said), MAX_LETTERS):
                await writer.commit(self._outputs(said[start : start + MAX_LETTERS], told), {}, "")
        finally:
            await writer.close()
        return Outcome(tuple(said))

    def _writer(self) -> TransactionalWriter:
        prefix = self._role.topology.principal(self._role.principal).transactional_ids
        assert prefix is not None
        return TransactionalWriter(self._role.endpoint, f"{prefix}letters", hooks=_HOOKS, timeout_ms=_TRANSACTION_MS)

    def _chosen(
        self, book: Book, wanted: Sequence[Place] | Many, ways: Ways, *, again: bool
    ) -> tuple[list[Known], list[tuple[str, str]]]:
        if not isinstance(wanted, Many):
            named = [_found(book, place) for place in dict.fromkeys(wanted)]
            for known in named:
                check_replay(known, ways, again=again)
            return named, []
        chosen, skipped, now = [], [], self._now()
        for known in book.all():
            if not wanted.filter.takes(known, now):
                continue
            if known.returned and not wanted.returned:
                skipped.append((known.letter.name, "letter.returned"))
                continue
            try:
                check_replay(known, ways, again=again)
            except LetterError as refused:
                skipped.append((known.letter.name, refused.code))
            else:
                chosen.append(known)
        return chosen, skipped

    async def _told(self, chosen: Sequence[Known]) -> Mapping[str | None, tuple[str, ...]]:
        """By tenant (None: nobody's) the topics on which its desks hear of it. Raises DeskAway."""
        topology = self._role.topology
        audits = [route.topic for route in topology.routes if route.audience is None]
        tenants = {known.letter.tenant for known in chosen}
        if not tenants:
            return {}
        surveyor = Surveyor(self._role.endpoint)
        try:
            there = await surveyor.survey([route.topic for route in topology.routes])
        finally:
            await surveyor.close()
        usable = {name for name, found in there.items() if found.writable and found.partitions == topology.partitions}
        told: dict[str | None, tuple[str, ...]] = {}
        for tenant in tenants:
            if tenant is None:  # whose it is nobody knows: every audit desk that is there hears of it
                told[None] = tuple(topic for topic in audits if topic in usable)
            else:
                told[tenant] = tuple(route.topic for route in topology.routes_of(tenant))
            if not told[tenant] or not set(told[tenant]) <= usable:
                raise DeskAway(tenant or "")
        return told

    async def _send_back(
        self,
        writer: TransactionalWriter,
        batch: Sequence[tuple[Known, Content]],
        ways: Ways,
        told: Mapping[str | None, tuple[str, ...]],
        actor: str,
    ) -> list[LetterResolved]:
        now = self._now()
        outputs: defaultdict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        order: defaultdict[tuple[str, int], list[Known]] = defaultdict(list)
        for known, content in batch:
            origin = known.letter.origin
            stamp = timestamp_for(known.letter.appended_at, now, ways.retention.get(origin.topic))
            outputs[origin.topic, origin.partition].append(Outgoing(content.key, content.value, to_ms(stamp)))
            order[origin.topic, origin.partition].append(known)
        said: list[LetterResolved] = []

        def stated(offsets: Mapping[tuple[str, int], Sequence[int]]) -> Outputs:
            reached("operator.after-replay")
            for place, at in offsets.items():
                for known, offset in zip(order[place], at, strict=True):
                    said.append(statement(known, actor=actor, now=now, replayed_to=offset))
            return self._outputs(said, told)

        await writer.commit(outputs, {}, "", then=stated)
        return said

    def _outputs(self, said: Sequence[LetterResolved], told: Mapping[str | None, tuple[str, ...]]) -> Outputs:
        """Sign statements for their own topic and the desks that hear of them; what audit desks get is published."""
        published = {route.topic for route in self._role.topology.routes if route.audience is None}
        outputs: defaultdict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        for each in said:
            key, identity = each.key.encode(), self._role.identity
            whole = Outgoing(key, sign(each.TOLD, each.tell(), identity))
            bare = Outgoing(key, sign(each.RECORD, each.encode(), identity))
            outputs[names.resolutions(self._role.namespace), 0].append(whole)
            for topic in told[each.tenant]:
                partition = each.origin.partition % self._role.topology.partitions
                outputs[topic, partition].append(bare if topic in published else whole)
        return outputs


def _found(book: Book, place: Place) -> Known:
    known = book.find(place)
    if known is None:
        raise LetterUnknown(f"{place.topic}/{place.partition}/{place.offset}")
    return known
