"""Each decision and each hand-over stands on its topic once, in order, whatever dies or fails: read from records."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from consumers.review import outbox as outbox_module
from consumers.review.cases import Dossiers
from consumers.store import tables
from consumers.store.casework import KeptDecision, NewDecision
from consumers.store.model import Status
from hub.envelope.names import Kind
from hub.facts import Alarm, DecisionsTold
from hub.producing import producer as producer_module
from hub.producing.journal import Journal
from hub.producing.journal_rows import EventState
from schemas.decisions import AcceptedRecord, DecisionRecord, Order
from schemas.parts import ATTACHMENT_PART, PartName, join, read_part
from schemas.sections import review_section
from tests.unit import forked
from tests.unit.consumers.office import (
    ACCEPT,
    ACCEPT_BOTH,
    ACCEPTED,
    EPOCH,
    HOLD,
    ITEM,
    NAMESPACE,
    OTHER_ITEM,
    OTHER_TEAM,
    PDF,
    RETURN,
    REVIEW,
    REVOKE,
    STATUS,
    TEAM,
    TENANT,
    Office,
    Sent,
    receipt,
    submission,
)
from tests.unit.producing.wire import assert_whole

TELL = """
import asyncio, sys
from pathlib import Path
from tests.unit.consumers.office import Office

office = Office(Path(sys.argv[1]))
asyncio.run(office.tell())
office.close()
"""

DECIDE = """
import sys
from pathlib import Path
from tests.unit.consumers.office import ACCEPT_BOTH, Office, receipt

office = Office(Path(sys.argv[1]))
office.reviewer().decide(receipt(1), ACCEPT_BOTH)
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def first_copies(records: Sequence[Sent]) -> list[Sent]:
    """Leave out what repeats an earlier record; `Office.seen` fails unless it does so byte for byte."""
    known: dict[str, Sent] = {}
    for each in records:
        known.setdefault(each.header.event_id, each)
    return list(known.values())


def assert_told_once(office: Office) -> None:
    """Hold the records on both topics against what was decided; nothing may be missing, double or out of order."""
    decisions = {each.decision: each for each in office.store.cases.all_decisions()}
    _assert_statuses(office, [each for each in decisions.values() if each.failed is None])
    wanted = Counter()
    told = {}
    for each in office.store.cases.handovers(list(decisions)):
        if each.failed is None:
            of = decisions[each.decision]
            place = (office.row(of.number).event.event_id, of.revision, each.tax_item)
            wanted[place] += 1
            told[place] = (each.event_id, each.leaf)
            assert each.told_at_ms is not None
    sent = [each for each in first_copies(office.raw(ACCEPTED)) if each.header.procedure != ATTACHMENT_PART]
    found = Counter()
    order = defaultdict(list)
    for each in sent:
        item = each.header.tax_item
        assert set(each.sections) == {f"tax-{item}-{TENANT}"}  # this team's and nobody else's
        record = AcceptedRecord.decode(each.sections[f"tax-{item}-{TENANT}"])
        assert each.header.cause is not None and each.header.kind is Kind.ACCEPTED
        place = (each.header.cause.event_id, record.revision, record.tax_item)
        found[place] += 1
        assert told[place] == (each.header.event_id, each.leaf)
        assert (record.submission is None) == (record.decision == "revoke")
        order[each.header.receipt_number, item].append(record.revision)
    assert found == wanted
    assert max(found.values(), default=1) == 1
    assert all(revisions == sorted(revisions) for revisions in order.values())
    for topic in (STATUS, ACCEPTED):
        assert_whole(office.seen(topic))


def _assert_statuses(office: Office, decisions: Sequence[KeptDecision]) -> None:
    sent = first_copies(office.raw(STATUS))
    order = defaultdict(list)
    by_place = {}
    for each in sent:
        assert each.header.kind is Kind.STATUS and each.header.cause is not None
        assert set(each.sections) == {"portal", f"helpdesk-{TENANT}"}
        record = DecisionRecord.decode(each.sections["portal"])
        assert DecisionRecord.decode(each.sections[f"helpdesk-{TENANT}"]) == replace(record, message=None)
        place = (each.header.cause.event_id, record.revision)
        assert place not in by_place, "one decision, two events"
        by_place[place] = (each, record)
        order[each.header.receipt_number].append(record.revision)
    assert all(revisions == sorted(revisions) for revisions in order.values())
    for kept in decisions:
        row = office.row(kept.number)
        each, record = by_place.pop((row.event.event_id, kept.revision))
        assert (kept.event_id, kept.leaf) == (each.header.event_id, each.leaf)
        assert kept.told_at_ms is not None
        assert record == DecisionRecord(
            row.event.receipt_number,
            TENANT,
            row.event.procedure,
            kept.revision,
            kept.what,
            kept.reason,
            office.dossiers.message(row, kept),
            kept.tax_items,
            kept.answer_by,
            kept.decided_at_ms,
        )
        assert each.header.cause is not None
        assert each.header.cause.leaf == row.event.leaf
    assert by_place == {}


def work(office: Office, count: int = 4) -> None:
    """Decide on some submissions, on some of them more than once."""
    office.stored(*(submission(n) for n in range(1, count + 1)))
    reviewer = office.reviewer()
    for number in range(1, count + 1):
        orders: list[Order] = [[RETURN], [ACCEPT_BOTH, REVOKE, ACCEPT], [HOLD, ACCEPT], [ACCEPT, REVOKE, RETURN]][
            number % 4
        ]
        for order in orders:
            reviewer.decide(receipt(number), order)


async def test_everything_is_told_once_and_in_order(office: Office) -> None:
    work(office, 12)
    await office.tell()
    assert_told_once(office)
    assert len(office.raw(STATUS)) == len(office.store.cases.all_decisions()) == 27
    assert sum(each.count for each in office.facts if isinstance(each, DecisionsTold)) == 27


async def test_an_outbox_that_starts_again_says_nothing_again(office: Office) -> None:
    work(office)
    await office.tell()
    before = (office.raw(STATUS), office.raw(ACCEPTED))
    await office.tell()
    assert (office.raw(STATUS), office.raw(ACCEPTED)) == before
    office.reviewer().decide(receipt(4), REVOKE)
    await office.tell()
    assert len(office.raw(STATUS)) == len(before[0]) + 1
    assert_told_once(office)


async def test_a_team_gets_the_whole_submission_and_then_only_that_it_is_revoked(office: Office) -> None:
    made = submission(1, PDF)
    office.stored(made)
    office.reviewer().decide(receipt(1), ACCEPT_BOTH)
    office.reviewer().decide(receipt(1), REVOKE)
    await office.tell()
    sent = office.raw(ACCEPTED)
    assert sorted((each.header.tax_item or "", tuple(each.sections)) for each in sent) == sorted(
        [(ITEM, (TEAM,)), (ITEM, (TEAM,)), (OTHER_ITEM, (OTHER_TEAM,)), (OTHER_ITEM, (OTHER_TEAM,))]
    )
    records = [AcceptedRecord.decode(each.sections[TEAM]) for each in sent if TEAM in each.sections]
    assert [each.decision for each in records] == ["accept", "revoke"]
    assert records[0].submission is not None
    assert review_section(records[0].submission) == review_section(made)


async def test_attachments_in_parts_are_handed_over_in_parts_ahead_of_their_submission(office: Office) -> None:
    pieces = (PDF.content[:5], PDF.content[5:9], PDF.content[9:])
    made, large = office.in_parts(submission(1, PDF, PDF), 1, *pieces)
    office.stored(made, large=[large])
    office.reviewer().decide(receipt(1), ACCEPT_BOTH)
    await office.tell()
    assert_told_once(office)
    for team in (TEAM, OTHER_TEAM):
        mine = [each for each in office.raw(ACCEPTED) if team in each.sections]
        *parts, whole = mine
        assert [each.header.procedure for each in parts] == [ATTACHMENT_PART] * 3
        record = AcceptedRecord.decode(whole.sections[team])
        (named,) = record.large
        assert named.parts == tuple(PartName(each.header.event_id, each.leaf) for each in parts)
        assert record.submission is not None
        read = [read_part(each.sections[team]) for each in parts]
        assert join(record.submission, named, read) == PDF.content


# --- kill -9


def killed(code: str, directory: Path, point: str) -> bool:
    """Run code in a process that dies at a point; say whether it got there."""
    mark = directory / "mark"
    mark.unlink(missing_ok=True)
    process = forked.run(code, directory, {"HUB_CRASH_POINT": point, "HUB_CRASH_MARK": str(mark)})
    if not mark.exists():
        assert process.returncode == 0, process.stderr[-2_000:]
        return False
    assert process.returncode == -signal.SIGKILL
    assert mark.read_text() == point.partition(":")[0]
    return True


def test_killed_before_the_commit_nothing_is_decided(office: Office) -> None:
    office.stored(submission(1))
    assert killed(DECIDE, office.directory, "review.before-decision-commit")
    assert office.store.cases.all_decisions() == []
    assert office.store.cases.untold_count() == 0
    assert (office.status(1), office.store.cases.case(1).revision) == ("stored", 0)
    office.reviewer().decide(receipt(1), ACCEPT_BOTH, revision=0)
    asyncio.run(office.tell())
    assert_told_once(office)
    assert (len(office.raw(STATUS)), len(office.raw(ACCEPTED))) == (1, 2)


def test_killed_between_decision_and_outbox_everything_is_told_later(office: Office) -> None:
    office.stored(submission(1))
    assert killed(DECIDE, office.directory, "review.after-decision")
    assert office.status(1) == "accepted"
    assert (office.raw(STATUS), office.raw(ACCEPTED)) == ([], [])
    asyncio.run(office.tell())
    assert_told_once(office)
    assert (len(office.raw(STATUS)), len(office.raw(ACCEPTED))) == (1, 2)


@pytest.mark.parametrize(
    "point",
    [
        *(f"review.after-telling:{n}" for n in (1, 2, 5, 9)),
        "portal.before-journal",
        "portal.after-journal",
        "portal.after-journal:3",
        "portal.after-send",
        "portal.after-send:2",
        "portal.before-close",
    ],
)
def test_killed_at_any_point_of_telling_each_is_told_once(office: Office, point: str) -> None:
    work(office)
    made, large = office.in_parts(submission(9, PDF), 0, PDF.content[:5], PDF.content[5:])
    office.stored(made, large=[large])
    office.reviewer().decide(receipt(9), ACCEPT_BOTH)
    assert killed(TELL, office.directory, point)
    if point != "portal.before-close":
        assert office.store.cases.untold_count() > 0
    asyncio.run(office.tell())
    assert_told_once(office)
    parts = [each for each in first_copies(office.raw(ACCEPTED)) if each.header.procedure == ATTACHMENT_PART]
    assert sorted(each.header.tax_item or "" for each in parts) == sorted([ITEM, OTHER_ITEM] * 2)


def test_killed_again_and_again_it_gets_to_the_end(office: Office) -> None:
    work(office, 2)
    deaths = 0
    while killed(TELL, office.directory, "review.after-telling:4"):
        deaths += 1
        assert deaths < 12
    assert deaths > 1
    assert_told_once(office)


# --- what cannot be told


def failures(office: Office) -> list[str]:
    return sorted(each.about for each in office.facts if isinstance(each, Alarm) and each.code == "decision-not-told")


async def test_a_decision_that_kafka_refuses_for_good_is_noted_and_the_others_go_on(office: Office) -> None:
    office.stored(submission(1), submission(2), submission(3))
    office.reviewer().decide(receipt(1), ACCEPT)
    office.reviewer().decide(receipt(2), replace(RETURN, message="長" * 2_000))
    office.reviewer().decide(receipt(3), RETURN)
    office.topics.max_bytes = 6_000
    await office.tell()
    assert [each.failed for each in office.store.cases.all_decisions()] == [None, "event.void", None]
    assert failures(office) == [f"{REVIEW} event.void"]
    assert_told_once(office)
    assert len(office.raw(STATUS)) == 2
    office.reviewer().decide(receipt(2), REVOKE)  # and the same submission goes on
    office.topics.max_bytes = 1 << 30
    await office.tell()
    assert [each.failed for each in office.store.cases.all_decisions()] == [None, "event.void", None, None]
    assert len(office.raw(STATUS)) == 3
    assert failures(office) == [f"{REVIEW} event.void"]  # it is not tried again


async def test_a_void_event_is_void_after_a_crash_too(office: Office) -> None:
    """The journal knows that it is void; the store does not, yet."""
    office.stored(submission(1))
    office.reviewer().decide(receipt(1), RETURN)
    office.topics.max_bytes = 600
    await office.tell()
    with office.store._writing() as db:
        db.execute(update(tables.decision).values(failed=None))
    office.topics.max_bytes = 1 << 30
    await office.tell()
    assert [each.failed for each in office.store.cases.all_decisions()] == ["event.void"]
    assert office.raw(STATUS) == []


async def test_what_is_over_the_limit_is_noted_and_the_others_go_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_module, "MAX_EVENT_BYTES", 9_000)
    office.stored(submission(1, replace(PDF, content=PDF.content + bytes(20_000))), submission(2))
    office.reviewer().decide(receipt(1), ACCEPT_BOTH)
    office.reviewer().decide(receipt(2), ACCEPT)
    await office.tell()
    assert [each.failed for each in office.store.cases.handovers([1, 2])] == ["limit.event", "limit.event", None]
    assert [each.failed for each in office.store.cases.all_decisions()] == [None, None]  # the filer was told
    assert failures(office) == [f"{REVIEW} limit.event"] * 2
    assert_told_once(office)


async def test_a_team_that_can_never_be_told_is_not_told_when_the_other_is(office: Office) -> None:
    office.stored(submission(1))
    office.reviewer().decide(receipt(1), ACCEPT_BOTH)
    first, second = office.store.cases.handovers([1])
    office.store.cases.cannot_tell("event.void", handover=first.handover)
    await office.tell()
    assert [each.header.tax_item for each in office.raw(ACCEPTED)] == [second.tax_item]
    assert_told_once(office)


@pytest.mark.parametrize("how", ["erased", "damaged", "message damaged"])
async def test_what_cannot_be_opened_is_noted_and_the_others_go_on(office: Office, how: str) -> None:
    office.stored(*(submission(n) for n in range(1, 4)))
    for number in range(1, 4):
        office.reviewer().decide(receipt(number), replace(ACCEPT, message="見本"))
    if how == "erased":
        office.erase(2)
    else:
        table = tables.content if how == "damaged" else tables.decision_message
        where = tables.content.c.event == 2 if how == "damaged" else tables.decision_message.c.decision == 2
        with office.store._writing() as db:
            db.execute(update(table).where(where).values(ciphertext=bytes(100)))
    await office.tell()
    code = "content-erased" if how == "erased" else "content-damaged"
    assert [each.failed for each in office.store.cases.all_decisions()] == [None, code, None]
    assert [each.failed for each in office.store.cases.handovers([1, 2, 3])] == [None, code, None]
    assert failures(office) == [f"{REVIEW} {code}"] * 2
    assert_told_once(office)


async def test_a_part_that_is_gone_keeps_nobody_else_waiting(office: Office) -> None:
    made, large = office.in_parts(submission(1, PDF), 0, PDF.content[:5], PDF.content[5:])
    office.stored(made, large=[large])
    office.stored(submission(2))
    office.reviewer().decide(receipt(1), ACCEPT)
    office.reviewer().decide(receipt(2), ACCEPT)
    office.erase(2)  # the second part
    await office.tell()
    assert [each.failed for each in office.store.cases.handovers([1, 2])] == ["content-erased", None]
    assert [each.failed for each in office.store.cases.all_decisions()] == [None, None]
    assert failures(office) == [f"{REVIEW} content-erased"]


async def test_filers_do_not_wait_for_a_team_without_a_key(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_MAX_ROWS", 3)
    office.stored(*(submission(n) for n in range(1, 9)))
    for number in range(1, 8):
        office.reviewer().decide(receipt(number), ACCEPT)
    office.reviewer().decide(receipt(8), RETURN)
    office.reviewer().decide(receipt(1), REVOKE)
    office.published.missing.add(OTHER_TEAM)
    await office.tell(until=lambda: not office.store.cases.untold(1))
    assert len(office.raw(STATUS)) == 9
    assert office.raw(ACCEPTED) == []
    assert office.store.cases.untold_count() == 8
    assert any(isinstance(each, Alarm) and each.code == "audience.missing" for each in office.facts)
    office.published.missing.clear()
    await office.tell()
    assert_told_once(office)
    assert len(office.raw(ACCEPTED)) == 8


async def test_a_key_that_was_destroyed_meanwhile_opens_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_FORGET_SECONDS", 0.0)
    office.stored(submission(1), submission(2))
    office.reviewer().decide(receipt(1), RETURN)
    vault = office.another_vault()
    sealed = Dossiers(office.store, vault).seal_message(office.row(2), 1, "見本")
    later = NewDecision(2, 0, "return", Status.RETURNED, "item-missing", "reviewer-a", office.clock(), message=sealed)
    stop = asyncio.Event()
    async with office.outbox() as outbox, asyncio.timeout(60):
        running = asyncio.create_task(outbox.run(stop))
        while office.store.cases.untold_count():  # noqa: ASYNC110 - what is waited for is in a database
            await asyncio.sleep(0.01)
        office.keys.gone.add(EPOCH)
        await asyncio.sleep(3 * outbox_module._LOOK_SECONDS)
        office.store.cases.decide(later)
        while office.store.cases.untold_count():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert [each.failed for each in office.store.cases.all_decisions()] == [None, "content-erased"]
    assert len(office.raw(STATUS)) == 1


# --- a store from a backup


def copy_store(office: Office, to: str) -> None:
    office.close()
    for path in office.directory.glob("store.db*"):
        shutil.copy(path, office.directory / path.name.replace("store.db", to))


def restore_store(directory: Path) -> None:
    for path in directory.glob("store.db*"):
        path.unlink()
    (directory / "backup.db").rename(directory / "store.db")


async def test_a_restored_store_that_uses_row_numbers_again_tells_the_new_decision(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.stored(submission(1), submission(2))
    copy_store(office, "backup.db")
    office = Office(tmp_path)
    office.reviewer().decide(receipt(1), ACCEPT)
    await office.tell()
    (before,) = office.raw(STATUS)
    office.close()
    restore_store(tmp_path)
    office = Office(tmp_path)
    office.now += 3_600_000
    done = office.reviewer().decide(receipt(1), ACCEPT)
    assert (done.decision, done.revision) == (1, 1)
    await office.tell()
    first, second = office.raw(STATUS)
    assert first == before
    assert second.header.event_id != first.header.event_id
    (kept,) = office.store.cases.all_decisions()
    assert kept.event_id == second.header.event_id
    assert len(office.raw(ACCEPTED)) == 2
    office.close()


async def test_a_restored_store_does_not_tell_again_what_its_journal_knows(tmp_path: Path) -> None:
    office = Office(tmp_path)
    work(office)
    copy_store(office, "backup.db")
    office = Office(tmp_path)
    await office.tell()
    before = (office.raw(STATUS), office.raw(ACCEPTED))
    office.close()
    restore_store(tmp_path)
    office = Office(tmp_path)
    assert office.store.cases.untold_count() > 0
    await office.tell()
    assert (office.raw(STATUS), office.raw(ACCEPTED)) == before
    assert_told_once(office)
    office.close()


# --- sealed bytes that nobody needs any more


async def test_what_a_checkpoint_lists_is_forgotten_and_still_known(office: Office) -> None:
    work(office)
    await office.tell()
    owner = f"{REVIEW}/desk/{NAMESPACE}/status"
    assert {each.state for each in _events(office, owner)} == {EventState.ACKNOWLEDGED}
    async with office.lane(STATUS) as lane:
        await lane.forget()
    assert {each.state for each in _events(office, owner)} == {EventState.STORED}
    with office.store._writing() as db:  # as if it had died before it took note
        db.execute(update(tables.decision).values(told_at_ms=None, event_id=None, leaf=None))
    before = office.raw(STATUS)
    await office.tell()
    assert office.raw(STATUS) == before
    assert_told_once(office)


def _events(office: Office, owner: str) -> list:  # type: ignore[type-arg]
    journal = Journal.open(office.directory / "status.db", owner=owner)
    try:
        return list(journal.events())
    finally:
        journal.close()
