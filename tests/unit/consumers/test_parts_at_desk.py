"""Large attachments from the portal's document to the reviewer's file, in whatever order their parts arrive."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from consumers.helpdesk.queries import HelpdeskQueries
from consumers.review.cases import Dossiers
from consumers.review.deciding import Reviewer
from consumers.review.desk import ReviewDesk
from consumers.review.queries import ReviewQueries
from consumers.store.errors import NotFound
from consumers.store.sql import SqlStore
from hub.envelope.header import EventHeader
from hub.envelope.reasons import Reason
from hub.envelope.records import Session
from hub.envelope.sealed import outputs, parse
from hub.envelope.signed import Signed
from hub.envelope.times import MAX_TIME_MS, from_ms, to_ms
from hub.producing import producer as producer_module
from hub.producing.audience_keys import SealingKey
from hub.producing.journal import Journal
from hub.producing.producer import MAX_EVENT_BYTES, Place, SessionProducer
from hub.producing.sealing import Signer
from portal import submitting
from portal.results import Status
from portal.submitting import Submitter
from schemas import parts as parts_module
from schemas.catalogue import TAX_ITEMS
from schemas.decisions import Decision, Order
from schemas.judging import as_portal, judge
from schemas.parts import (
    ATTACHMENT_PART,
    AttachmentIncomplete,
    LargeAttachment,
    Part,
    PartName,
    encode_section,
    read_section,
)
from schemas.sections import review_section
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit.consumers.office import ITEMS, PROCEDURE, submission
from tests.unit.consumers.test_desks import TOPIC, run
from tests.unit.consumers.world import HELPDESK, NOW, PARTITIONS, REVIEW, TENANT, Portal, World
from tests.unit.producing.memory import SESSIONS, Memory
from tests.unit.producing.memory import TOPIC as SUBMISSIONS
from tests.unit.producing.support import open_journal
from tests.unit.producing.wire import assert_whole

RECEIPT = "R12-99999-000000001"
ACCEPT = Order(Decision.ACCEPT, "complete", None, (TAX_ITEMS[0],))


def document(*contents: bytes, **changes: Any) -> bytes:
    value = {
        "procedure": PROCEDURE,
        "receipt_number": RECEIPT,
        "tenant": TENANT,
        "tax_item": None,
        "accepted_at": "2027-01-15T12:00:00+09:00",
        "checks": {"calculation": "passed", "signature": "not_performed"},
        "rehearsal": True,
        "items": ITEMS,
        "attachments": [
            {
                "file_name": f"見本{n}.pdf",
                "media_type": "application/pdf",
                "content_base64": base64.b64encode(content).decode(),
            }
            for n, content in enumerate(contents)
        ],
    }
    return json.dumps(value | changes).encode()


def pdf(size: int, seed: int = 1) -> bytes:
    return (b"%PDF-1.7 artificial\n" + random.Random(seed).randbytes(size))[:size]


async def nothing_new() -> None:
    """No tenant was declared meanwhile."""


@dataclass
class WorldKeys:
    world: World

    async def current(self, audiences: Sequence[str], now: object) -> tuple[SealingKey, ...]:
        return tuple(SealingKey(self.world.audience_keys[name], bytes(32)) for name in audiences)


class Hub:
    """Portal, topics in memory, routing by hand, and the two desks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.world = World(directory)
        self.memory = Memory()
        self.stores = {name: self.world.store(name) for name in (REVIEW, HELPDESK)}
        self.queries = ReviewQueries(self.stores[REVIEW], self.world.vault(REVIEW, self.stores[REVIEW]))

    @asynccontextmanager
    async def portal(self) -> AsyncIterator[tuple[Submitter, Journal]]:
        journal = open_journal(self.directory)
        async with SessionProducer(
            Place(SUBMISSIONS, SESSIONS, PARTITIONS),
            signer=Signer("portal", "portal-1", self.world.identities["portal"]),
            journal=journal,
            new_writer=self.memory.new_writer,
            keys=WorldKeys(self.world),
            audiences=lambda tenant: ("router", f"review-{tenant}", f"helpdesk-{tenant}"),
            observer=self.world.facts.append,
            wall=lambda: NOW,
        ) as producer:
            yield (
                Submitter(
                    producer,
                    journal,
                    bytes(32),
                    rehearsal=True,
                    tenants=lambda: (TENANT,),
                    catch_up=nothing_new,
                    observer=self.world.facts.append,
                    wall=lambda: NOW,
                ),
                journal,
            )
        journal.close()

    async def submit(self, sent: bytes) -> Any:
        async with self.portal() as (submitter, _):
            return await submitter.submit(sent)

    def events(self) -> list[tuple[int, bytes, bytes]]:
        """Return (partition, key, value) of the events on the portal's topic, in order."""
        for _, value in self.memory.records[SESSIONS, 0]:
            signed = Signed.parse(value)
            if signed.name == Session.RECORD:
                session = Session.decode(signed.body)
                self.world.sessions.known[session.id] = session
        return [
            (partition, key, value)
            for partition in range(PARTITIONS)
            for key, value in self.memory.records[SUBMISSIONS, partition]
            if not key.startswith(b"checkpoint/")
        ]

    async def arrive(self, *events: tuple[int, bytes, bytes]) -> None:
        """Route events to both desks in this order, and let the desks work."""
        for desk, topic in TOPIC.items():
            for partition, key, value in events:
                self.world.topics.append(topic, partition, key, outputs(parse(value), [desk])[0])
            await run(self.world, self.stores[desk], desk)

    def reviewer(self) -> Reviewer:
        store: SqlStore = self.stores[REVIEW]
        return Reviewer(
            store, Dossiers(store, self.world.vault(REVIEW, store)), "reviewer-a", lambda: self.world.now_ms
        )


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    for store in made.stores.values():
        store.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut where it costs little."""
    monkeypatch.setattr(parts_module, "PART_BYTES", 40_000)
    monkeypatch.setattr(parts_module, "MAX_WHOLE_BYTES", 60_000)


async def test_50_mebibytes_come_through_byte_for_byte(hub: Hub) -> None:
    content, beside = pdf(50 * 2**20), pdf(100_000, seed=2)
    result = await hub.submit(document(beside, content))
    assert (result.status, result.findings) == (Status.ACCEPTED, ())
    assert_whole(hub.memory.seen())
    events = hub.events()
    assert len(events) == 13 + 1
    assert len({partition for partition, _, _ in events}) == 1
    assert events[-1][1].decode() == result.event_id
    assert all(len(value) <= MAX_EVENT_BYTES for _, _, value in events)
    await hub.arrive(*events)
    (row,) = hub.queries.find(RECEIPT)
    assert [each.content for each in hub.queries.attachments(row)] == [beside, content]
    (shown,) = hub.queries.show(RECEIPT)
    assert shown["findings"] == []
    assert [(each["parts"], each["complete"], each["bytes"]) for each in shown["attachments"]] == [
        (0, True, 100_000),
        (13, True, 50 * 2**20),
    ]
    assert shown["attachments"][1]["sha256"] == sha256(content).hexdigest()
    assert hub.reviewer().decide(RECEIPT, ACCEPT).status == "accepted"
    helpdesk = HelpdeskQueries(hub.stores[HELPDESK], hub.world.vault(HELPDESK, hub.stores[HELPDESK]))
    (masked,) = helpdesk.lookup(RECEIPT)
    assert masked["attachments"] == 2
    for record in hub.world.topics.all(TOPIC[HELPDESK]):
        assert record.value is not None and len(record.value) < 8_192  # no byte of any attachment


ORDERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "as sent": lambda events: events,
    "submission first": lambda events: [events[-1], *events[:-1]],
    "backwards": lambda events: events[::-1],
    "in between": lambda events: [*events[1::2], *events[::2]],
    "some twice": lambda events: [*events, *events[:2], events[-1]],
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("order", ORDERS)
async def test_parts_are_put_together_in_whatever_order_they_come(hub: Hub, order: str) -> None:
    contents = [pdf(90_000, 1), pdf(10, 2), pdf(130_000, 3)]
    await hub.submit(document(*contents))
    events = hub.events()
    assert len(events) == 3 + 4 + 1
    ordered = ORDERS[order](events)
    for at, event in enumerate(ordered, 1):
        await hub.arrive(event)
        arrived = {each[1] for each in ordered[:at]}
        if events[-1][1] not in arrived:
            with pytest.raises(NotFound):
                hub.queries.find(RECEIPT)
            continue
        (row,) = hub.queries.find(RECEIPT)
        (shown,) = hub.queries.show(RECEIPT)
        if len(arrived) < len(events):
            assert {each["rule"] for each in shown["findings"]} == {"attachment.incomplete"}
            with pytest.raises(AttachmentIncomplete):
                hub.queries.attachments(row)
            with pytest.raises(AttachmentIncomplete):
                hub.reviewer().decide(RECEIPT, ACCEPT)
        else:
            assert shown["findings"] == []
            assert [each.content for each in hub.queries.attachments(row)] == contents
    assert hub.reviewer().decide(RECEIPT, ACCEPT).status == "accepted"


@pytest.mark.usefixtures("small")
async def test_the_same_input_again_sends_no_part_again(hub: Hub) -> None:
    sent = document(pdf(90_000))
    first = await hub.submit(sent)
    before = hub.events()
    again = await hub.submit(sent)
    assert (again.status, again.event_id) == (Status.DUPLICATE, first.event_id)
    assert hub.events() == before
    other = await hub.submit(document(pdf(90_000), receipt_number="R12-99999-000000002"))
    assert other.status is Status.ACCEPTED  # the same bytes in another filing are parts of their own
    assert len(hub.events()) == 2 * len(before)


@pytest.mark.usefixtures("small")
async def test_a_submission_that_can_never_be_sent_leaves_no_part_behind(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty small attachments never travel alone, and are too large together."""
    for module in (submitting, producer_module):
        monkeypatch.setattr(module, "MAX_EVENT_BYTES", 70_000)
    async with hub.portal() as (submitter, journal):
        result = await submitter.submit(document(pdf(90_000), *(pdf(4_000, n) for n in range(20))))
        assert result.status is Status.REFUSED
        assert [each.rule for each in result.errors] == ["limit.event"]
        assert journal.refusals() == [(int(NOW.timestamp()), ("limit.event",), 1)]
        assert list(journal.events()) == []
    assert hub.events() == []


@pytest.mark.usefixtures("small")
async def test_a_part_that_kafka_refuses_for_good_makes_the_submission_void(hub: Hub) -> None:
    hub.memory.max_bytes = 20_000
    sent = document(pdf(90_000))
    for _ in range(2):
        result = await hub.submit(sent)
        assert (result.status, [each.rule for each in result.errors]) == (Status.REFUSED, ["event.void"])
    assert hub.events() == []
    hub.memory.max_bytes = 1 << 30
    assert (await hub.submit(sent)).status is Status.REFUSED  # for good: a checkpoint has said so
    assert (await hub.submit(document(pdf(90_000, 2)))).status is Status.ACCEPTED
    assert_whole(hub.memory.seen())


async def test_a_lying_media_type_of_a_large_attachment_is_found_at_both_ends(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "MAX_WHOLE_BYTES", 60_000)
    lie = b"MZ\x90\x00" + bytes(70_000)
    result = await hub.submit(document(lie))
    assert {each.rule for each in result.findings} == {
        "attachment.program",
        "attachment.media-type",
        "attachment.file-name",
    }
    await hub.arrive(*hub.events())
    (shown,) = hub.queries.show(RECEIPT)
    assert {each["rule"] for each in shown["findings"]} == {each.rule for each in result.findings}


# --- what a portal that was taken over might seal


def desk(world: World) -> ReviewDesk:
    return ReviewDesk(REVIEW, TENANT, world.identities[REVIEW], TOPIC[REVIEW])


@pytest.fixture
def header(tmp_path: Path) -> EventHeader:
    made = submission(1)
    at_ms = to_ms(datetime.fromisoformat(made.accepted_at))
    return Portal(World(tmp_path)).header(
        1, receipt_number=made.receipt_number, procedure=made.procedure, accepted_at_ms=at_ms
    )


def part(**changes: Any) -> bytes:
    return replace(Part(submission(1).receipt_number, TENANT, 0, 0, 1, b"x"), **changes).encode()


def test_a_part_is_read_under_its_own_procedure_only(tmp_path: Path, header: EventHeader) -> None:
    reader = desk(World(tmp_path / "other"))
    as_part = header._replace(procedure=ATTACHMENT_PART)
    assert not isinstance(reader.read(as_part, part()), Reason)
    assert not isinstance(reader.read(header, review_section(submission(1))), Reason)
    assert reader.read(header, part()) is Reason.PLAINTEXT_INVALID
    assert reader.read(as_part, review_section(submission(1))) is Reason.PLAINTEXT_INVALID
    assert reader.read(as_part, part(receipt_number="R12-99999-000000009")) is Reason.SECTION_MISMATCH
    assert reader.read(as_part, part(tenant="131041")) is Reason.SECTION_MISMATCH
    assert reader.read(as_part, part(parts=0)) is Reason.PLAINTEXT_INVALID
    assert reader.read(as_part, part(content=b"")) is Reason.PLAINTEXT_INVALID
    assert reader.read(as_part, part()[:-1]) is Reason.PLAINTEXT_INVALID


def test_a_part_has_no_case_and_a_submission_has_one(tmp_path: Path, header: EventHeader) -> None:
    reader = desk(World(tmp_path / "other"))
    read = reader.read(header._replace(procedure=ATTACHMENT_PART), part())
    assert not isinstance(read, Reason) and read.case is None
    linked = submission(1, replaces="R12-99999-000000007")
    filed = reader.read(header, review_section(linked))
    assert not isinstance(filed, Reason) and filed.case is not None
    assert (filed.case.replaces, filed.case.withdraws) == ("R12-99999-000000007", None)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59", "2026-01-01"])
def test_a_time_that_is_none_ends_no_desk(tmp_path: Path, header: EventHeader, text: str) -> None:
    made = replace(submission(1), accepted_at=text)
    read = desk(World(tmp_path / "other")).read(header, encode_section(made, as_portal(judge(made))))
    assert read is Reason.SECTION_MISMATCH, "it is not the header's time"


@pytest.mark.parametrize("at_ms", [0, MAX_TIME_MS - 1])
def test_the_ends_of_time_end_no_desk(tmp_path: Path, header: EventHeader, at_ms: int) -> None:
    made = replace(submission(1), accepted_at=from_ms(at_ms).isoformat())
    read = desk(World(tmp_path / "other")).read(header._replace(accepted_at_ms=at_ms), review_section(made))
    assert not isinstance(read, Reason) and read.case is not None


def test_a_bomb_is_a_dead_letter_and_not_a_case(tmp_path: Path, header: EventHeader) -> None:
    made = submission(1, *submission(1).attachments)
    made = replace(made, attachments=submission(1).attachments)
    empty = [replace(each, content=b"") for each in (pdf_attachment(),)]
    made = replace(made, attachments=tuple(empty))
    tiny = tuple(PartName(f"event {n}", sha256(b"%d" % n).digest()) for n in range(257))
    for large in (
        LargeAttachment(0, 1_000, bytes(32), tiny),
        LargeAttachment(0, 2**40, bytes(32), tiny[:200]),
        LargeAttachment(0, 57 * 2**20, bytes(32), tiny[:200]),
    ):
        section = encode_section(made, as_portal(judge(made)), [large])
        assert desk(World(tmp_path / "other")).read(header, section) is Reason.PLAINTEXT_INVALID
    good = encode_section(made, as_portal(judge(made, unseen=[0])), [LargeAttachment(0, 1_000, bytes(32), tiny[:200])])
    read = desk(World(tmp_path / "other")).read(header, good)
    assert not isinstance(read, Reason)
    assert read_section(good).unseen == {0}


def test_a_portal_that_hides_a_finding_is_found_out(tmp_path: Path, header: EventHeader, attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "hides from the reviewer what the rules find", Verdict.DETECTED)
    lie = replace(pdf_attachment(), content=b"just a text")
    made = submission(1, lie)
    honest = desk(World(tmp_path / "other")).read(header, encode_section(made, as_portal(judge(made))))
    hidden = desk(World(tmp_path / "other")).read(header, encode_section(made, as_portal(())))
    assert not isinstance(honest, Reason) and not isinstance(hidden, Reason)
    assert honest.findings == 2
    assert hidden.findings == 4
    assert b"findings.differ" in hidden.plaintext
    assert b"findings.differ" not in honest.plaintext
    tried.detected(
        by="review desk", how="finding `findings.differ`: the desk runs the rules itself", within="its batch"
    )


def pdf_attachment() -> Any:
    from schemas.submission_model import Attachment

    return Attachment("a.pdf", "application/pdf", pdf(100))
