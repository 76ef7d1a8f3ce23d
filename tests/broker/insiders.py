"""For attacks by insiders on a real Kafka: filings that desks can read, and desks whose clock can be put forward."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cli.desks import opened
from consumers.assembly import Surroundings
from consumers.audit.consumer import AuditConsumer, verify_store
from consumers.audit.verify import Verification
from consumers.engine import Clocks, Limits
from consumers.helpdesk.consumer import HelpdeskConsumer
from consumers.review.consumer import ReviewConsumer
from consumers.store.model import StoredEvent
from hub.envelope.header import Check, EventHeader
from hub.envelope.letters import DeadLetter
from hub.envelope.reasons import Reason
from hub.envelope.sealed import build, parse
from hub.envelope.times import to_ms
from hub.facts import Alarm, Fact
from hub.transport import NotAuthorized, Outgoing, PartitionReader
from schemas.generator import generate
from schemas.judging import as_portal, judge
from schemas.parts import encode_section
from schemas.sections import helpdesk_section
from schemas.submission import parse as parse_submission
from schemas.submission_model import Submission
from tests.broker.router_stage import TENANT, Event, Session, Stage, until
from topics import names

MINUTE_MS = 61_000
Sections = list[tuple[str, bytes, bytes | None]]


def filing(number: int, tenant: str = TENANT) -> Submission:
    """An artificial filing under the receipt number that `Session.header` gives to this number."""
    (document,) = generate(number, 1, (tenant,))
    made = parse_submission(json.dumps(document, ensure_ascii=False).encode(), rehearsal=True)
    assert isinstance(made, Submission), made
    return replace(made, receipt_number=f"R8-13104-{number:09d}")


def sections_of(session: Session, made: Submission) -> dict[str, bytes]:
    """What a portal puts into the sections of a filing."""
    return {
        session.review: encode_section(made, as_portal(judge(made))),
        session.helpdesk: helpdesk_section(made),
    }


def header_of(session: Session, made: Submission, number: int, **changes: object) -> EventHeader:
    """The header that an honest portal gives to a filing."""
    said: dict[str, object] = {
        "procedure": made.procedure,
        "tax_item": made.tax_item,
        "accepted_at_ms": to_ms(datetime.fromisoformat(made.accepted_at)),
        "calculation_check": Check(made.calculation_check),
        "signature_check": Check(made.signature_check),
    }
    return session.header(number, **{**said, **changes})


def file(session: Session, number: int, **changes: object) -> Event:
    """Seal a filing as a portal does, perhaps with another header than it should have."""
    made = filing(number, session.tenant)
    header = header_of(session, made, number, **changes)
    out = session.secrets.seal(header, sections_of(session, made))
    session.sequences[header.partition] += 1
    session.leaves[header.partition].append(out.leaf)
    return Event(header, out)


def stripped(value: bytes, own: str | None, change: Callable[[Sections], object] = lambda _: None) -> bytes:
    """A routed copy of an event, as the router makes it, with `change` done to its sections before."""
    sealed = parse(value)
    sections: Sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
    change(sections)
    return build(sealed.header, [(a, d, c if a == own else None) for a, d, c in sections], sealed.mac)


@dataclass
class Desk:
    """A running desk: its parts, and what it said."""

    around: Surroundings
    facts: list[Fact] = field(default_factory=list)

    def alarms(self) -> Counter[str]:
        return Counter(fact.code for fact in self.facts if isinstance(fact, Alarm))

    def events(self) -> dict[bytes, StoredEvent]:
        """The stored events by leaf."""
        return {row.event.leaf: row for row in self.around.store.events(limit=10_000)}

    def verified(self, later_ms: int = 0) -> Verification:
        """What `audit verify` says of this desk's rows."""
        return verify_store(self.around.role, self.around.store, to_ms(datetime.now(UTC)) + later_ms)


@dataclass
class Desks:
    """The desks of an office, and the time by which their clocks are ahead."""

    stage: Stage
    ahead_ms: int = 0
    desks: dict[str, Desk] = field(default_factory=dict)

    def __getitem__(self, principal: str) -> Desk:
        return self.desks[principal]

    async def read_all(self) -> None:
        """Wait until each desk has kept what its topics hold now, and sent what follows from it."""
        ends = {principal: await self._ends(principal) for principal in self.desks}
        for principal, desk in self.desks.items():
            store, wanted = desk.around.store, ends[principal]
            await until(lambda store=store, wanted=wanted: _reached(store.positions(), wanted))  # type: ignore[misc]
            await until(lambda store=store: not store.waiting_count())  # type: ignore[misc]

    async def _ends(self, principal: str) -> dict[tuple[str, int], int]:
        """Behind the last record of each partition that a desk reads: markers of transactions are no records."""
        namespace, (kind, _, tenant) = self.stage.namespace, principal.rpartition("-")
        topics = [names.of_tenant(namespace, tenant, kind)]
        if kind == "audit":
            topics.append(names.sessions(namespace))
        found = [record for topic in topics for record in await self.stage.read(topic)]
        return {(record.topic, record.partition): record.offset + 1 for record in found}

    async def a_minute_later(self, done: Callable[[], object]) -> None:
        """Put the clocks forward by more than what events and checkpoints may take to find each other."""
        self.ahead_ms += MINUTE_MS
        await until(done)


@asynccontextmanager
async def working(stage: Stage, *principals: str) -> AsyncIterator[Desks]:
    """Run desks with their own role directories, certificates and keys."""
    made = Desks(stage)
    clocks = Clocks(lambda: to_ms(datetime.now(UTC)) + made.ahead_ms, asyncio.get_running_loop().time)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        for principal in principals:
            made.desks[principal] = await stack.enter_async_context(_desk(stage, principal, clocks))
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(_KINDS[principal.partition("-")[0]](desk.around).run(stop))
                for principal, desk in made.desks.items()
            ]
            try:
                yield made
            finally:
                stop.set()
                await asyncio.wait(running)


_KINDS = {"review": ReviewConsumer, "helpdesk": HelpdeskConsumer, "audit": AuditConsumer}


@asynccontextmanager
async def _desk(stage: Stage, principal: str, clocks: Clocks) -> AsyncIterator[Desk]:
    facts: list[Fact] = []
    with opened(stage.role(principal), facts.append) as (around, directory, registry):
        await directory.refresh()
        limits = Limits(watch_seconds=0.1, poll_timeout_ms=50)
        try:
            yield Desk(replace(around, clocks=clocks, limits=limits), facts)
        finally:
            await registry.close()
            await directory.close()


def _reached(positions: Mapping[tuple[str, int], int], ends: Mapping[tuple[str, int], int]) -> bool:
    return all(positions.get(place, 0) >= end for place, end in ends.items())


async def letters_of(stage: Stage, principal: str) -> dict[tuple[str, int, int], Reason]:
    """The dead letters of a principal: reason by topic, partition and offset of what was refused."""
    found = await stage.read(names.dead_letters(stage.namespace, principal))
    letters = [DeadLetter.decode(record.value or b"") for record in found]
    return {(each.place.topic, each.place.partition, each.place.offset): each.reason for each in letters}


async def refused_leaves(stage: Stage, principal: str) -> dict[bytes, Reason]:
    """What a principal put aside, by the leaf of the event that lies at the place that the letter names."""
    letters = await letters_of(stage, principal)
    found = {}
    for topic in sorted({topic for topic, _, _ in letters}):
        for record in await stage.read(topic):
            reason = letters.get((record.topic, record.partition, record.offset))
            if reason is not None and not (record.key or b"").startswith(b"checkpoint/"):
                found[parse(record.value or b"").leaf()] = reason
    return found


async def may_write(stage: Stage, principal: str, topic: str) -> bool:
    """Whether the broker takes a record from a principal."""
    try:
        await stage.write(topic, 0, [Outgoing(b"attack", b"attack")], principal=principal)
    except NotAuthorized:
        return False
    return True


async def may_read(stage: Stage, principal: str, topic: str) -> bool:
    """Whether the broker gives a topic to a principal."""
    try:
        async with PartitionReader(stage.role(principal).endpoint, {(topic, 0): None}) as reader:
            await reader.poll(1_000, 200)
    except NotAuthorized:
        return False
    return True
