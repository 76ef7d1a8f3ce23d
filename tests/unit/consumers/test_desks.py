"""Review and helpdesk with real sections: what goes in comes out, to whom it may, and to nobody else."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.desk import DeskJudge
from consumers.helpdesk.desk import HelpdeskDesk
from consumers.helpdesk.queries import HelpdeskQueries
from consumers.reporting import entries
from consumers.review.desk import Kept, ReviewDesk
from consumers.review.queries import NotFound, ReviewQueries, safe_name, save
from consumers.store.errors import ContentDamaged
from consumers.store.sql import SqlStore
from hub.envelope.header import Check
from hub.envelope.letters import DeadLetter
from hub.envelope.reasons import Reason
from hub.envelope.times import to_ms
from hub.envelope.validation import validate_receipt
from hub.facts import Alarm
from hub.reading.at_hand import SessionsAtHand
from schemas.generator import generate
from schemas.sections import helpdesk_section, review_section
from schemas.submission import parse
from schemas.submission_model import Attachment, Submission
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit.consumers.world import (
    EPOCH,
    HELPDESK,
    NAMESPACE,
    NOW,
    PARTITIONS,
    REVIEW,
    STATUS,
    TENANT,
    Event,
    ListWriter,
    Portal,
    World,
)
from topics import names
from topics.partition import partition_for

TOPIC = {REVIEW: names.review(NAMESPACE, TENANT), HELPDESK: names.helpdesk(NAMESPACE, TENANT)}
DOCUMENTS = list(generate(7, 36, (TENANT,)))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def stores(world: World) -> Iterator[Mapping[str, SqlStore]]:
    opened = {name: world.store(name) for name in (REVIEW, HELPDESK)}
    yield opened
    for store in opened.values():
        store.close()


def parsed(document: Mapping[str, Any]) -> Submission:
    found = parse(json.dumps(document, ensure_ascii=False).encode(), rehearsal=True)
    assert isinstance(found, Submission), found
    return found


def seal(portal: Portal, number: int, document: Mapping[str, Any], **header: object) -> Event:
    submission = parsed(document)
    fields: dict[str, object] = {
        "receipt_number": submission.receipt_number,
        "procedure": submission.procedure,
        "partition": partition_for(submission.receipt_number, PARTITIONS),
        "tax_item": submission.tax_item,
        "accepted_at_ms": to_ms(datetime.fromisoformat(submission.accepted_at)),
        "calculation_check": Check(submission.calculation_check),
        "signature_check": Check(submission.signature_check),
    }
    partition = partition_for(str((fields | header)["receipt_number"]), PARTITIONS)
    fields |= {"partition": partition, "sequence": portal.sequences[partition]}
    return portal.seal(number, review_section(submission), helpdesk_section(submission), **(fields | header))


def file_all(world: World, portal: Portal, documents: list[dict[str, Any]] = DOCUMENTS) -> list[Event]:
    events = [seal(portal, number, document) for number, document in enumerate(documents)]
    for desk, topic in TOPIC.items():
        world.route(topic, desk, *events)
    for partition in range(PARTITIONS):
        key, value = portal.checkpoint(partition)
        for topic in TOPIC.values():
            world.topics.append(topic, partition, key, value)
    return events


async def run(world: World, store: SqlStore, desk: str) -> None:
    sessions = SessionsAtHand(world.sessions)
    work = ReviewDesk(REVIEW, TENANT, world.identities[REVIEW], STATUS) if desk == REVIEW else HelpdeskDesk()
    judge = DeskJudge(
        desk,
        work,
        world.intake(desk, sessions=sessions),
        world.vault(desk, store),
        world.letters(desk),
        sessions.prepare,
    )
    engine = world.engine(desk, judge, store)
    reader = world.reader([TOPIC[desk]], await engine.places())
    stop = asyncio.Event()

    async def watch() -> None:
        async with asyncio.timeout(20):
            total = len(world.topics.all(TOPIC[desk]))
            while sum(store.positions().values()) < total or store.waiting_count():  # noqa: ASYNC110 - rows
                await asyncio.sleep(0.01)
        stop.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run(reader, ListWriter(world.topics), stop))
        tasks.create_task(watch())


def queries(world: World, store: SqlStore) -> ReviewQueries:
    return ReviewQueries(store, world.vault(REVIEW, store))


def lookup(world: World, store: SqlStore, receipt: str) -> list[dict[str, Any]]:
    return list(HelpdeskQueries(store, world.vault(HELPDESK, store)).lookup(receipt))


def letters(world: World, desk: str) -> list[DeadLetter]:
    topic = names.dead_letters(NAMESPACE, desk)
    return [DeadLetter.decode(record.value or b"") for record in world.topics.all(topic)]


async def test_every_procedure_is_shown_as_it_was_sent(world: World, stores: Mapping[str, SqlStore]) -> None:
    file_all(world, Portal(world))
    await run(world, stores[REVIEW], REVIEW)
    asked = queries(world, stores[REVIEW])
    assert len({document["procedure"] for document in DOCUMENTS}) > 8
    for document in DOCUMENTS:
        (shown,) = asked.show(document["receipt_number"])
        wanted = {key: value for key, value in document.items() if key != "attachments"}
        assert shown["submission"] == wanted
        assert shown["items"] == document.get("items")
        sent = document.get("attachments", [])
        assert [each["file_name"] for each in shown["attachments"]] == [each["file_name"] for each in sent]
        assert (shown["confirmed"], shown["status"], shown["erased"]) == (True, "stored", False)
        assert [entry["what"] for entry in shown["history"]] == ["stored", "confirmed"]
        assert asked.show(shown["event_id"]) == [shown]
    assert not world.told(Alarm)
    assert json.dumps(asked.show(DOCUMENTS[0]["receipt_number"]), ensure_ascii=False)


async def test_list_is_in_order_and_opens_nothing(world: World, stores: Mapping[str, SqlStore]) -> None:
    file_all(world, Portal(world))
    await run(world, stores[REVIEW], REVIEW)
    world.missing.add(REVIEW)
    listed = list(queries(world, stores[REVIEW]).listed())
    assert {each["receipt_number"] for each in listed} == {each["receipt_number"] for each in DOCUMENTS}
    assert [each["number"] for each in listed] == sorted(each["number"] for each in listed)
    assert [each["number"] for each in queries(world, stores[REVIEW]).listed(after=5, limit=3)] == [6, 7, 8]
    assert set(listed[0]) >= {"event_id", "receipt_number", "procedure", "status", "findings", "confirmed"}
    assert not any(each["repeated_receipt"] for each in listed)


async def test_repeated_receipt_number_is_shown(world: World, stores: Mapping[str, SqlStore], attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "files twice under one receipt number", Verdict.DETECTED)
    portal = Portal(world)
    first = DOCUMENTS[0]
    second = {**DOCUMENTS[1], "receipt_number": first["receipt_number"]}
    file_all(world, portal, [first, second, DOCUMENTS[2]])
    await run(world, stores[REVIEW], REVIEW)
    asked = queries(world, stores[REVIEW])
    assert [each["repeated_receipt"] for each in asked.listed()].count(True) == 2
    shown = asked.show(first["receipt_number"])
    assert [each["same_receipt"] for each in shown] == [[shown[1]["event_id"]], [shown[0]["event_id"]]]
    tried.detected(by="review desk", how="both are shown as `repeated_receipt`", within="its batch")


async def test_receipts_are_signed_and_name_every_event(world: World, stores: Mapping[str, SqlStore]) -> None:
    portal = Portal(world)
    events = file_all(world, portal)
    await run(world, stores[REVIEW], REVIEW)
    named: dict[bytes, tuple[str, int]] = {}
    for record in world.topics.all(STATUS):
        receipt = validate_receipt(
            record.value or b"", world.trust, NOW + timedelta(minutes=1), tenant=TENANT, partition=record.partition
        )
        assert not isinstance(receipt, Reason), receipt
        assert (receipt.session, receipt.key.encode()) == (portal.id, record.key)
        named.update({each.leaf: (each.event_id, each.sequence) for each in receipt.entries})
    assert named == {e.out.leaf: (e.out.event_id, e.header.sequence) for e in events}


async def test_replay_is_receipted_again(world: World, stores: Mapping[str, SqlStore]) -> None:
    events = file_all(world, Portal(world), DOCUMENTS[:3])
    await run(world, stores[REVIEW], REVIEW)
    before = len(world.topics.all(STATUS))
    world.route(TOPIC[REVIEW], REVIEW, events[1], events[1])
    await run(world, stores[REVIEW], REVIEW)
    assert len(world.topics.all(STATUS)) == before + 1
    assert stores[REVIEW].counts()["replays"] == 2


async def test_two_leaves_at_one_sequence_are_both_receipted(world: World, stores: Mapping[str, SqlStore]) -> None:
    portal = Portal(world)
    first = seal(portal, 1, DOCUMENTS[0])
    second = seal(portal, 1, {**DOCUMENTS[1], "receipt_number": DOCUMENTS[0]["receipt_number"]}, sequence=0)
    world.route(TOPIC[REVIEW], REVIEW, first, second)
    await run(world, stores[REVIEW], REVIEW)
    assert len(stores[REVIEW].events()) == 2
    (record,) = world.topics.all(STATUS)
    receipt = validate_receipt(record.value or b"", world.trust, NOW)
    assert not isinstance(receipt, Reason)
    assert {each.leaf for each in receipt.entries} == {first.out.leaf, second.out.leaf}


async def test_helpdesk_sees_masked_items_only(world: World, stores: Mapping[str, SqlStore]) -> None:
    file_all(world, Portal(world))
    await run(world, stores[HELPDESK], HELPDESK)
    for document in DOCUMENTS:
        (shown,) = lookup(world, stores[HELPDESK], document["receipt_number"])
        text = json.dumps(shown, ensure_ascii=False)
        for name, value in (document.get("items") or {}).items():
            if "name" in name and isinstance(value, str) and len(value) > 3:
                assert value not in text
            if name in ("individual_number", "my_number"):
                assert str(value) not in text
        assert shown["attachments"] == len(document.get("attachments", []))
        assert [entry["what"] for entry in shown["timeline"]][:1] == ["accepted-by-portal"]
        assert {"stored", "confirmed"} <= {entry["what"] for entry in shown["timeline"]}
        assert "findings" not in shown


async def test_helpdesk_cannot_open_review_section(
    world: World, stores: Mapping[str, SqlStore], attack: Attack
) -> None:
    tried = attack(Attacker.HELPDESK, "is given the review desk's copy by mistake and keeps it")
    events = file_all(world, Portal(world), DOCUMENTS[:2])
    world.route(TOPIC[HELPDESK], REVIEW, events[0])
    await run(world, stores[HELPDESK], HELPDESK)
    assert [letter.reason for letter in letters(world, HELPDESK)] == [Reason.STRIPPED_CIPHERTEXT]
    assert all(not letter.authentic for letter in letters(world, HELPDESK))
    tried.prevented(
        by="helpdesk's own process",
        how="dead letter `stripped-ciphertext`, sealed for the operator",
        within="its batch",
    )


async def test_nothing_personal_is_in_the_files(world: World, stores: Mapping[str, SqlStore]) -> None:
    file_all(world, Portal(world))
    for desk, store in stores.items():
        await run(world, store, desk)
    files = b"".join(file.read_bytes() for file in world.directory.iterdir())
    sought = {
        value
        for document in DOCUMENTS
        for value in (document.get("items") or {}).values()
        if isinstance(value, str) and len(value.encode()) >= 12
    }
    assert len(sought) > 30
    for value in sought:
        if value in {document["accepted_at"][:10] for document in DOCUMENTS}:
            continue
        if value in {document["receipt_number"] for document in DOCUMENTS}:  # in clear in the header, too
            continue
        spelled = (
            value.encode(),
            value.encode("utf-16-le"),
            value.encode("cp932", "ignore"),
            json.dumps(value)[1:-1].encode(),
            base64.b64encode(value.encode())[:-4],
        )
        assert not any(each in files for each in spelled if len(each) >= 8), value


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"procedure": "tobacco-tax"}, "procedure"),
        ({"receipt_number": "R7-99999-999999999"}, "receipt number"),
        ({"accepted_at_ms": to_ms(NOW - timedelta(days=400))}, "time of acceptance"),
        ({"tax_item": "bathing-tax"}, "tax item"),
        ({"calculation_check": Check.FAILED}, "check of the calculation"),
        ({"signature_check": Check.FAILED}, "check of the signature"),
    ],
)
@pytest.mark.parametrize("desk", [REVIEW, HELPDESK])
async def test_section_that_disagrees_with_its_header_is_refused(
    world: World, stores: Mapping[str, SqlStore], change: dict[str, object], about: str, desk: str, attack: Attack
) -> None:
    who = desk.rpartition("-")[0] + " desk"
    tried = attack(Attacker.PORTAL, f"tells everybody another {about} than the {who}")
    expected = Reason.SECTION_MISMATCH
    event = seal(Portal(world), 1, DOCUMENTS[0], **change)
    world.route(TOPIC[desk], desk, event)
    await run(world, stores[desk], desk)
    assert stores[desk].events() == []
    (letter,) = letters(world, desk)
    assert (letter.reason, letter.authentic, letter.leaf) == (expected, True, event.out.leaf)
    tried.prevented(by=who, how=f"dead letter `{letter.reason.value}`", within="its batch")


async def test_section_of_another_tenant_is_refused(world: World, stores: Mapping[str, SqlStore]) -> None:
    event = seal(Portal(world), 1, {**DOCUMENTS[0], "tenant": "131041"})
    world.route(TOPIC[REVIEW], REVIEW, event)
    await run(world, stores[REVIEW], REVIEW)
    assert [letter.reason for letter in letters(world, REVIEW)] == [Reason.SECTION_MISMATCH]


@pytest.mark.parametrize("desk", [REVIEW, HELPDESK])
async def test_section_that_is_no_record_is_refused(world: World, stores: Mapping[str, SqlStore], desk: str) -> None:
    submission = parsed(DOCUMENTS[0])
    swapped = {"review": helpdesk_section(submission), "helpdesk": review_section(submission)}
    world.route(TOPIC[desk], desk, Portal(world).seal(1, **swapped))  # type: ignore[arg-type]
    await run(world, stores[desk], desk)
    assert [letter.reason for letter in letters(world, desk)] == [Reason.PLAINTEXT_INVALID]


async def test_destroyed_epoch_key_leaves_the_row_and_nothing_to_read(
    world: World, stores: Mapping[str, SqlStore]
) -> None:
    file_all(world, Portal(world), DOCUMENTS[:2])
    for desk, store in stores.items():
        await run(world, store, desk)
    receipt = DOCUMENTS[0]["receipt_number"]
    world.missing |= {REVIEW, HELPDESK}
    world.destroyed.add(EPOCH)
    (shown,) = queries(world, stores[REVIEW]).show(receipt)
    assert (shown["erased"], shown["submission"], shown["items"]) == (True, None, None)
    (masked,) = lookup(world, stores[HELPDESK], receipt)
    assert (masked["erased"], masked["items"]) == (True, None)


async def test_dead_letter_notice_is_shown_at_the_helpdesk(world: World, stores: Mapping[str, SqlStore]) -> None:
    event = seal(Portal(world), 1, DOCUMENTS[0])
    world.notice(TOPIC[HELPDESK], event)
    await run(world, stores[HELPDESK], HELPDESK)
    (shown,) = lookup(world, stores[HELPDESK], DOCUMENTS[0]["receipt_number"])
    assert (shown["status"], shown["timeline"][0]["detail"]) == ("dead-letter", "tenant-not-ready")


async def test_unknown_receipt_is_named(world: World, stores: Mapping[str, SqlStore]) -> None:
    with pytest.raises(NotFound):
        queries(world, stores[REVIEW]).show("R7-nothing")
    with pytest.raises(NotFound):
        lookup(world, stores[HELPDESK], "R7-nothing")


async def test_report_says_what_is_held_and_what_is_not(world: World, stores: Mapping[str, SqlStore]) -> None:
    portal = Portal(world)
    events = [seal(portal, n, document) for n, document in enumerate(DOCUMENTS[:4])]
    world.route(TOPIC[REVIEW], REVIEW, *events[:3])
    world.notice(TOPIC[REVIEW], events[3])
    world.topics.append(TOPIC[REVIEW], events[0].header.partition, *portal.checkpoint(events[0].header.partition))
    await run(world, stores[REVIEW], REVIEW)
    said = {each.leaf: each.state for each in entries(stores[REVIEW])}
    confirmed = {e.out.leaf for e in events[:3] if e.header.partition == events[0].header.partition}
    assert said == {
        **{e.out.leaf: "held" if e.out.leaf in confirmed else "unconfirmed" for e in events[:3]},
        events[3].out.leaf: "dead-letter",
    }


async def test_attachments_are_saved_byte_for_byte(
    world: World, stores: Mapping[str, SqlStore], tmp_path: Path
) -> None:
    file_all(world, Portal(world))
    await run(world, stores[REVIEW], REVIEW)
    asked = queries(world, stores[REVIEW])
    document = next(each for each in DOCUMENTS if each.get("attachments"))
    (row,) = asked.find(document["receipt_number"])
    written = save(asked.attachments(row), tmp_path / "out")
    contents = [base64.b64decode(each["content_base64"]) for each in document["attachments"]]
    assert [path.read_bytes() for path in written] == contents
    with pytest.raises(FileExistsError):
        save(asked.attachments(row), tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("申告書.pdf", "申告書.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "unnamed"),
        ("a\x00b\nc", "a_b_c"),
        ("C:\\temp\\x.exe", "C__temp_x.exe"),
        ("", "unnamed"),
        ("\u202egpj.exe", "_gpj.exe"),
    ],
)
def test_file_names_of_strangers_stay_in_their_directory(name: str, kept: str) -> None:
    assert safe_name(name) == kept


def test_long_file_names_are_cut_between_characters(tmp_path: Path) -> None:
    name = "見" * 200 + ".pdf"
    assert len(safe_name(name).encode()) <= 150
    (path,) = save([Attachment(name, "application/pdf", b"x")], tmp_path)
    assert path.read_bytes() == b"x"


def test_kept_content_is_read_back_or_refused() -> None:
    kept = Kept(b"section", ())
    assert Kept.decode(kept.encode()) == kept
    with pytest.raises(ContentDamaged):
        Kept.decode(kept.encode()[:8])
    assert replace(kept, section=b"") != kept
