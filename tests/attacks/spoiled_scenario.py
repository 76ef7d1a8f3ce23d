"""One run of the hub in which every byte of what lies on its topics was spoiled once, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.desks import opened
from consumers.audit import codec
from consumers.audit.consumer import verify_store
from consumers.audit.entries import CloseEntry
from consumers.audit.verify import Verification
from consumers.review.cases import Dossiers
from consumers.review.deciding import Reviewer
from consumers.store.model import StoredEvent
from consumers.store.port import Store
from hub.envelope.header import EventHeader, decode
from hub.envelope.letters import DeadLetter
from hub.envelope.reasons import EnvelopeError
from hub.envelope.records import ClosedPartition, SessionClose, StoredReceipt
from hub.envelope.records import StoredEvent as Listed
from hub.envelope.sealed import SCHEMA_ID, parse
from hub.envelope.signed import Signed, sign
from hub.envelope.times import to_ms
from hub.envelope.wire import frame
from hub.facts import Alarm, BatchRouted, Fact
from hub.producing.journal import read_events
from hub.producing.journal_rows import EventState
from hub.transport import BatchWriter, KafkaRecord, Outgoing
from portal.producer import JOURNAL
from portal.status import Message, status_stream
from schemas.decisions import Decision, Order
from tests.attacks.bytes_flow import PARTITION, Flow, flowing
from tests.attacks.spoiling import Sweep, flips, letters_told, sort_letters, spoil
from tests.broker.router_stage import TENANT, Event, Session, until
from tests.kafka import TestKafka
from topics import names

_PATIENCE = 1_500.0
"""seconds; the test's own limit is what ends a run that hangs"""


@dataclass
class Ran:
    """What the tests look at; everything is read when all had been consumed."""

    sweeps: dict[str, Sweep] = field(default_factory=dict)
    """`<reader> <record>`"""
    strange: list[DeadLetter] = field(default_factory=list)
    """letters of records that nobody spoiled"""
    good: list[str] = field(default_factory=list)
    """event ids that the portal accepted"""
    outputs: dict[str, list[KafkaRecord]] = field(default_factory=dict)
    rows: dict[str, list[StoredEvent]] = field(default_factory=dict)
    counts: dict[str, Mapping[str, int]] = field(default_factory=dict)
    alarms: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    recorded: Mapping[str, KafkaRecord] = field(default_factory=dict)
    journal_before_receipt: EventState | None = None
    journal_after_receipt: EventState | None = None
    session: Session | None = None
    session_refused: list[DeadLetter] = field(default_factory=list)
    session_events: list[Event] = field(default_factory=list)
    closes: int = 0
    decided: str = ""
    messages: list[Message] = field(default_factory=list)
    messages_refused: int = 0
    audit: Verification | None = None

    @property
    def victim(self) -> EventHeader:
        """The header of the event whose copies were spoiled."""
        return decode(parse(self.recorded["submissions"].value or b"").header)

    @property
    def session_id(self) -> bytes:
        """The session whose announcement was spoiled before it came."""
        assert self.session is not None
        return self.session.id

    @property
    def leaf(self) -> bytes:
        """Its leaf."""
        return parse(self.recorded["submissions"].value or b"").leaf()


def _routed(flow: Flow) -> int:
    return sum(sum(fact.dead_letters.values()) for fact in flow.router if isinstance(fact, BatchRouted))


async def _under_other_keys(flow: Flow) -> Sweep:
    """Write the recorded event under its Kafka key with one bit turned, every bit once."""
    found = flow.recorded["submissions"]
    key, value = found.key or b"", found.value or b""
    forms = list(flips(key, every_bit=True))
    async with BatchWriter(flow.stage.role("portal").endpoint) as writer:
        records = [Outgoing(each.value, value) for each in forms]
        offsets = await writer.write(found.topic, found.partition, records)
    return Sweep(found.topic, found.partition, key, dict(zip(offsets, forms, strict=True)))


async def _at_the_router(flow: Flow, ran: Ran, *, thorough: bool) -> None:
    """Spoil an event and a checkpoint, with good events in between, then a session before it is announced."""
    stage, submissions = flow.stage, names.submissions(flow.stage.namespace)
    for name in ("submissions", "checkpoint"):
        found = flow.recorded[name]
        ran.sweeps[f"router {name}"] = await spoil(
            stage,
            "portal",
            submissions,
            found.partition,
            found.key or b"",
            found.value or b"",
            thorough=thorough,
            midst=flow.submit,
        )
    ran.sweeps["router key"] = await _under_other_keys(flow)
    count = sum(sweep.count for sweep in ran.sweeps.values())
    await until(lambda: _routed(flow) >= count, _PATIENCE)
    session = ran.session = Session(stage)
    topic, key = names.sessions(stage.namespace), session.secrets.session.key.encode()
    ran.sweeps["registry session"] = await spoil(
        stage, "portal", topic, 0, key, session.secrets.signed, thorough=thorough
    )
    early = [event for event in session.seal_many(40, first=700) if event.partition == PARTITION]
    await stage.submit(*early)
    await until(lambda: _routed(flow) >= count + len(early), _PATIENCE)
    await session.announce()
    ran.session_events = [event for event in session.seal_many(40, first=800) if event.partition == PARTITION]
    checkpoint = session.checkpoint(PARTITION)
    await stage.submit(*ran.session_events, (PARTITION, checkpoint))
    await stage.write(submissions, PARTITION, [event.outgoing for event in early], principal="operator")
    ran.session_events += early
    last = ClosedPartition(PARTITION, len(ran.session_events) - 1, Signed.parse(checkpoint.value or b"").hash)
    body = SessionClose(session.id, (last,), datetime.now(UTC)).encode()
    close = sign(SessionClose.RECORD, body, stage.role("portal").identity)
    key = SessionClose.decode(body).key.encode()
    ran.sweeps["audit close"] = await spoil(stage, "portal", topic, 0, key, close, thorough=thorough)
    await stage.write(topic, 0, [Outgoing(key, close)])


async def _at_the_portal(flow: Flow, ran: Ran, *, thorough: bool) -> None:
    """Spoil a receipt, and look into the portal's journal before and after the good one."""
    stage, header = flow.stage, ran.victim
    entry = Listed(header.sequence, header.event_id, ran.leaf)
    now = datetime.now(UTC)
    receipt = StoredReceipt(header.session, header.partition, TENANT, f"review-{TENANT}", (entry,), now)
    value = sign(StoredReceipt.RECORD, receipt.encode(), stage.role(f"review-{TENANT}").identity)
    journal = stage.role("portal").state_directory / JOURNAL

    def state() -> EventState:
        return next(each.state for each in read_events(journal) if each.event_id == header.event_id)

    sweep = ran.sweeps["portal receipt"] = await spoil(
        stage,
        f"review-{TENANT}",
        flow.topics["status"],
        header.partition,
        receipt.key.encode(),
        value,
        thorough=thorough,
    )
    refused = sweep.count - len(for_others(sweep))
    await until(lambda: letters_told(flow.portal_facts, "portal") >= refused, _PATIENCE)
    ran.journal_before_receipt = state()
    await stage.write(
        flow.topics["status"], header.partition, [Outgoing(receipt.key.encode(), value)], f"review-{TENANT}"
    )
    await until(lambda: state() is EventState.STORED)
    ran.journal_after_receipt = state()
    for reader in ("helpdesk", "audit"):
        ran.sweeps[f"{reader} receipt"] = sweep.for_another()


def for_others(sweep: Sweep) -> set[int]:
    """Offsets of what a flip made a record of another kind by its schema id: not for the portal's receipts."""
    found = set()
    for offset, spoiled in sweep.written.items():
        with contextlib.suppress(EnvelopeError):
            if Signed.parse(spoiled.value).name != StoredReceipt.RECORD:
                found.add(offset)
    return found


async def _at_the_desks(flow: Flow, ran: Ran, *, thorough: bool) -> None:
    """Spoil each desk's copy, a notice and a checkpoint, and then what the review desk tells of a decision."""
    stage = flow.stage
    notice = next(r for r in await stage.read(flow.topics["review"]) if (r.key or b"").startswith(b"notice/"))
    work = [(name, name, flow.recorded[name]) for name in ("review", "helpdesk", "audit")]
    work += [("review", "checkpoint", flow.recorded["checkpoint"]), ("review", "notice", notice)]
    for desk, name, found in work:
        ran.sweeps[f"{desk} {'copy' if name == desk else name}"] = await spoil(
            stage,
            "router",
            flow.topics[desk],
            found.partition,
            found.key or b"",
            found.value or b"",
            thorough=thorough,
            midst=flow.submit if name == desk else None,
        )
    await flow.submit()
    for name in ("review", "helpdesk", "audit"):
        await _read_to_the_end(flow, name)


async def _read_to_the_end(flow: Flow, name: str) -> None:
    """Wait until a desk has stored what came last, and sent all its letters."""
    desk, last = flow.desks[name], flow.event_ids[-1]

    def done() -> bool:
        rows = desk.store.events(event_id=last)
        return any(row.confirmed_at_ms for row in rows) and not desk.store.waiting_count()

    await until(done, _PATIENCE)


def _decide(flow: Flow, event_id: str) -> str:
    """Return a submission to its filer, as a person at the desk does."""
    with opened(flow.stage.role(f"review-{TENANT}")) as (around, _, _):
        dossiers = Dossiers(around.store, around.vault(around.keys()))
        reviewer = Reviewer(around.store, dossiers, "artificial", lambda: to_ms(datetime.now(UTC)))
        return reviewer.decide(event_id, Order(Decision.RETURN, "item-missing", "架空の通知")).event_id


async def _told(flow: Flow, ran: Ran, *, thorough: bool) -> None:
    """Decide on the victim, whose rows are many by now, spoil what is told of it, and decide on another one."""
    stage, topic = flow.stage, flow.topics["status"]
    ran.decided = _decide(flow, ran.victim.event_id)
    found: KafkaRecord | None = None
    async with asyncio.timeout(60):
        while found is None:
            told = [record for record in await stage.read(topic) if (record.value or b"").startswith(frame(SCHEMA_ID))]
            found = next((record for record in told if record.partition == PARTITION), None)

    async def decide_on_another() -> None:
        _decide(flow, flow.event_ids[1])

    sweep = await spoil(
        stage,
        f"review-{TENANT}",
        topic,
        found.partition,
        found.key or b"",
        found.value or b"",
        thorough=thorough,
        midst=decide_on_another,
    )
    for reader in ("helpdesk", "audit", "portal"):
        ran.sweeps[f"{reader} status"] = sweep.for_another()
    end = max(sweep.written) + 1
    for reader in ("helpdesk", "audit"):
        store = flow.desks[reader].store
        await until(lambda store=store: store.positions().get((topic, PARTITION), 0) >= end, _PATIENCE)  # type: ignore[misc]
        await until(lambda store=store: not store.waiting_count(), _PATIENCE)  # type: ignore[misc]
        await until(lambda store=store: _confirmed(store) == 2, _PATIENCE)  # type: ignore[misc]
    alarms: list[str] = []

    def hear(fact: Fact) -> None:
        if isinstance(fact, Alarm):
            alarms.append(fact.about)

    async with status_stream(stage.role("portal"), {}, hear) as stream, aclosing(stream.events(follow=False)) as events:
        ran.messages = [message async for _, message in events]
        ran.messages_refused = stream.refused


def _confirmed(store: Store) -> int:
    """Count the confirmed status events of a store."""
    return sum(row.event.kind == "status" and row.confirmed_at_ms is not None for row in store.events(limit=100_000))


async def _collect(flow: Flow, ran: Ran) -> None:
    stage = flow.stage
    ran.good, ran.outputs = flow.event_ids, await stage.outputs()
    readers = {"router": "router", "portal": "portal"} | {name: desk.name for name, desk in flow.desks.items()}
    for reader, principal in readers.items():
        sweeps = [sweep for name, sweep in ran.sweeps.items() if name.startswith(f"{reader} ")]
        others = await sort_letters(stage, principal, sweeps)
        if reader == "router":
            ran.session_refused = [letter for letter in others if letter.session == ran.session_id]
        ran.strange += [letter for letter in others if letter.session != ran.session_id]
    for name, desk in flow.desks.items():
        ran.rows[name] = list(desk.store.events(limit=100_000))
        ran.counts[name] = desk.store.counts()
        ran.alarms[name] = [(fact.code, fact.about) for fact in desk.facts if isinstance(fact, Alarm)]
    ran.alarms["portal"] = [(fact.code, fact.about) for fact in flow.portal_facts if isinstance(fact, Alarm)]
    store = flow.desks["audit"].store
    later = to_ms(datetime.now(UTC) + timedelta(hours=1))
    role = stage.role(f"audit-{TENANT}")
    entries = (codec.decode(kind, framed)[0] for _, kind, framed in store.log_entries(kinds=[codec.STATEMENT]))
    ran.closes = sum(isinstance(each, CloseEntry) and each.session == ran.session_id for each in entries)
    ran.audit = await asyncio.to_thread(verify_store, role, store, later)


async def larger_event(kafka: TestKafka, home: Path) -> Sweep:
    """Spoil one larger event at the router alone, cut at every byte."""
    ran = Ran()
    async with flowing(kafka, home, large=True) as flow:
        found = flow.recorded["submissions"]
        sweep = ran.sweeps["router submissions"] = await spoil(
            flow.stage,
            "portal",
            found.topic,
            found.partition,
            found.key or b"",
            found.value or b"",
            thorough=True,
            midst=flow.submit,
        )
        await until(lambda: _routed(flow) >= sweep.count, _PATIENCE)
        assert await sort_letters(flow.stage, "router", [sweep]) == []
    return sweep


async def scenario(kafka: TestKafka, home: Path, *, thorough: bool) -> Ran:
    """Run it all; `thorough` turns every bit and cuts at every byte."""
    ran = Ran()
    async with flowing(kafka, home) as flow:
        ran.recorded = flow.recorded
        await _at_the_router(flow, ran, thorough=thorough)
        await _at_the_portal(flow, ran, thorough=thorough)
        async with AsyncExitStack() as stack:
            for kind in ("review", "helpdesk", "audit"):
                await stack.enter_async_context(flow.desk(kind))
            await _at_the_desks(flow, ran, thorough=thorough)
            await _told(flow, ran, thorough=thorough)
            await _collect(flow, ran)
    return ran
