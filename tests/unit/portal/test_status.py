"""What comes back to the filer's side: each decision once, opened, about the filing that it names; nothing else."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.status import _read, _write
from hub.envelope.reasons import Reason
from hub.envelope.records import StoredEvent, StoredReceipt
from hub.envelope.sealed import build, parse
from hub.envelope.signed import Signed
from hub.reading.stream import Place
from portal.report import answered_entries
from portal.status import Message, status_stream
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.returning import (
    HELPDESK,
    NOW,
    PORTAL,
    STATUS,
    TENANT,
    Cluster,
    Desk,
    World,
    cluster,
    leaf,
    submission,
    uuid7,
)

__all__ = ["cluster"]
FILED = [submission(number) for number in range(4)]


@pytest.fixture
def world(cluster: Cluster) -> World:
    return World(cluster)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world, STATUS)


async def messages(world: World, starts: dict[Place, int] | None = None) -> list[Message]:
    """Everything on the status topics; `starts` is kept up to date."""
    places = {} if starts is None else starts
    stream = status_stream(world.role(PORTAL), places, world.facts.append, letters=True, wall=lambda: world.wall)
    async with asyncio.timeout(20), stream, aclosing(stream.events(follow=False)) as events:
        found = [message async for _, message in events]
    places.update(stream.places)
    return found


def reasons(world: World) -> list[Reason]:
    return [letter.reason for letter, _ in world.letters(PORTAL)]


async def test_a_decision_is_shown_with_its_message_and_the_event_that_submit_answered_with(
    world: World, desk: Desk
) -> None:
    record = desk.status(
        FILED[0],
        decision="return",
        reason="number-invalid",
        message="架空の通知文\n二行目",
        answer_by="2099-03-31",
        cause=5,
    )
    (message,) = await messages(world)
    assert message.as_json() == {
        "receipt_number": FILED[0].receipt_number,
        "tenant": TENANT,
        "procedure": FILED[0].procedure,
        "submission_event_id": uuid7(5),
        "event_id": desk.name(record).event_id,
        "decision": "return",
        "status": "returned",
        "revision": 1,
        "reason": "number-invalid",
        "reason_ja": "個人番号・法人番号の誤り",
        "message": "架空の通知文\n二行目",
        "tax_items": ["resident-tax"],
        "answer_by": "2099-03-31",
        "decided_at": "2030-01-15T03:00:00.000+00:00",
    }
    assert "架空の通知文" not in repr(message)


async def test_a_decision_whose_other_section_was_exchanged_is_the_same_decision(
    world: World, desk: Desk, attack: Attack
) -> None:
    tried = attack(Attacker.BROKER, "exchanges the helpdesk's section of a decision, digest and all", Verdict.CONTAINED)
    record = desk.status(FILED[0], decision="return", reason="number-invalid", message="架空の通知文")
    event = parse(record.value or b"")
    garbage = b"garbage" * 40
    sections = [
        (each.audience, sha256(garbage).digest(), garbage)
        if each.audience == HELPDESK
        else (each.audience, each.digest, each.ciphertext)
        for each in event.sections
    ]
    world.cluster.append(record.topic, record.partition, record.key, build(event.header, sections, event.mac))
    first, second = await messages(world)
    assert first.as_json() == second.as_json(), "the header and the own section are what the desk has sealed"
    assert first.leaf == event.leaf() != second.leaf
    tried.contained(
        by="portal",
        how="the same decision under the same event id; the audit desk alarms `second-leaf`, `unconfirmed-event`",
        within="its batch, and 60 s",
    )


@pytest.mark.parametrize(
    ("decision", "status"), [("accept", "accepted"), ("return", "returned"), ("hold", "held"), ("revoke", "revoked")]
)
async def test_each_decision_has_its_status(world: World, desk: Desk, decision: str, status: str) -> None:
    desk.status(FILED[0], decision=decision)
    assert [message.as_json()["status"] for message in await messages(world)] == [status]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param({"receipt_number": "R12-99999-000000777"}, Reason.SECTION_MISMATCH, id="another receipt number"),
        pytest.param({"tenant": "131041"}, Reason.SECTION_MISMATCH, id="another tenant"),
        pytest.param({"procedure": "another"}, Reason.SECTION_MISMATCH, id="another procedure"),
        pytest.param({"decision": "nonsense"}, Reason.PLAINTEXT_INVALID, id="no decision"),
        pytest.param({"revision": 0}, Reason.PLAINTEXT_INVALID, id="no revision"),
        pytest.param({"decided_at": 2**60}, Reason.PLAINTEXT_INVALID, id="no time"),
        pytest.param({"message": "\x1b[2J"}, Reason.PLAINTEXT_INVALID, id="commands to a terminal"),
        pytest.param({"message": "長" * 2_001}, Reason.PLAINTEXT_INVALID, id="a message over the limit"),
    ],
)
async def test_a_decision_that_disagrees_with_its_header_or_its_contract_is_not_shown(
    world: World, desk: Desk, wrong: dict[str, Any], reason: Reason
) -> None:
    desk.status(FILED[0], **wrong)
    desk.status(FILED[1])
    assert [message.record.receipt_number for message in await messages(world)] == [FILED[1].receipt_number]
    assert reasons(world) == [reason]


async def test_a_decision_that_is_not_addressed_to_the_portal_is_refused(world: World, desk: Desk) -> None:
    record = desk.decide(FILED[0])
    desk.send(FILED[0], {HELPDESK: record.encode(with_message=False)})
    assert await messages(world) == []
    assert reasons(world) == [Reason.NOT_ADDRESSED]


async def test_receipts_and_checkpoints_between_the_decisions_are_no_messages(world: World, desk: Desk) -> None:
    receipt = desk.receipt(StoredEvent(0, uuid7(1), leaf(1)))
    world.cluster.append(STATUS, 0, StoredReceipt.decode(Signed.parse(receipt).body).key.encode(), receipt)
    desk.checkpoint()
    desk.status(FILED[0])
    assert len(await messages(world)) == 1
    assert reasons(world) == []


async def test_what_was_shown_is_not_shown_again_from_the_places(world: World, desk: Desk) -> None:
    places: dict[Place, int] = {}
    for each in FILED[:2]:
        desk.status(each)
    assert len(await messages(world, places)) == 2
    desk.status(FILED[2])
    assert [each.record.receipt_number for each in await messages(world, places)] == [FILED[2].receipt_number]


async def test_the_report_counts_what_opens_as_often_as_it_stands_there(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "portal.report.status_stream", lambda role, starts: status_stream(role, starts, wall=lambda: NOW)
    )
    record = desk.status(FILED[0])
    desk.again(record)
    desk.status(FILED[1], revision=0)
    found = await answered_entries(world.role(PORTAL))
    name = desk.name(record)
    assert [(e.tenant, e.event_id, e.leaf, e.state) for e in found] == [(TENANT, name.event_id, name.leaf, "held")] * 2
    assert reasons(world) == []  # a report changes nothing


# --- the places of `portal status --resume`


def test_places_come_back_as_they_were_written(tmp_path: Path) -> None:
    cursor = tmp_path / "places.json"
    assert _read(cursor) == {}
    _write(cursor, {(STATUS, 1): 7, (STATUS, 0): 3})
    assert _read(cursor) == {(STATUS, 0): 3, (STATUS, 1): 7}
    _write(cursor, {(STATUS, 0): 4})
    assert _read(cursor) == {(STATUS, 0): 4}
    assert [path.name for path in tmp_path.iterdir()] == ["places.json"]


@pytest.mark.parametrize(
    "text", ["", "x", "null", "5", '{"a": 1}', "[[1, 2]]", '[["t", 0, -1]]', '[["t", 0, "3"]]', '[["t", 0, true]]']
)
def test_damaged_places_are_said_to_be_so_and_not_taken_for_none(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cursor = tmp_path / "places.json"
    cursor.write_text(text)
    with pytest.raises(typer.Exit) as ended:
        _read(cursor)
    assert ended.value.exit_code == 1
    assert "damaged" in "".join(capsys.readouterr().err.split())
    assert cursor.read_text() == text


def test_a_message_is_json_that_any_program_can_read() -> None:
    from schemas.decisions import DecisionRecord

    record = DecisionRecord("R", TENANT, "p", 1, "hold", "no-such-reason", None, (), None, 0)
    shown = Message(TENANT, uuid7(1), leaf(1), uuid7(2), record).as_json()
    assert json.loads(json.dumps(shown)) == shown
    assert shown["reason_ja"] == ""
