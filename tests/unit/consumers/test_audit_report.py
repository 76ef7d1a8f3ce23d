"""The report of a day or month: what it counts, where it puts an entry, and that it never changes afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.audit_report import lines
from consumers.audit import codec
from consumers.audit.codec import EVENT, NOTICE, REFUSAL, STATEMENT
from consumers.audit.report import NoPeriod, Period, Report, day, month, report
from consumers.audit.tree import Tree
from consumers.store.errors import StoreDamaged
from consumers.store.sql import SqlStore
from hub.crypto.hkdf import sha256
from hub.envelope.records import Checkpoint, CheckpointEntry, ClosedPartition, Session, SessionClose
from hub.envelope.resolutions import RefusedEvent
from hub.envelope.signed import sign
from hub.envelope.times import JST, to_ms
from tests.unit.consumers.making import TENANT, batch, leaf
from tests.unit.consumers.published import DESK, head_holds, open_store, receipt_entry
from tests.unit.consumers.test_audit_log import MOMENT, PORTAL, SESSION, SESSION_RECORD, header, place, uuid7
from tests.unit.envelope.test_resolutions import DISCARDED


def at(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=JST))


TODAY = day("2027-01-15")


def test_days_and_months_are_those_of_japan() -> None:
    assert day("2026-11-26") == Period("2026-11-26", at("2026-11-26"), at("2026-11-27"))
    assert datetime.fromtimestamp(day("2026-11-26").begin_ms / 1_000, UTC).hour == 15
    assert month("2026-12") == Period("2026-12", at("2026-12-01"), at("2027-01-01"))
    assert month("2028-02").end_ms - month("2028-02").begin_ms == 29 * 86_400_000
    for bad in ("2026-13", "2026-00", "2026-1", "2026-02-30", "", "x", "２０２６-０１", "9999-12-31", "0000-01-01"):
        with pytest.raises(NoPeriod):
            day(bad)
        with pytest.raises(NoPeriod):
            month(bad)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def enter(store: SqlStore, when: str, *entries: tuple[str, bytes]) -> None:
    """Append a batch whose head is signed at a time."""
    tree = Tree.load(TENANT, DESK, store)
    expected = next(iter(store.positions().values()), None)
    step = tree.extend(entries, at(when))
    store.commit(replace(batch(expected, (expected or 0) + 1), log=step))


def event(number: int) -> tuple[str, bytes]:
    return EVENT, codec.encode_event(
        replace(place(number), appended_at_ms=TODAY.begin_ms), header(number), leaf(number)
    )


def session() -> tuple[str, bytes]:
    return STATEMENT, codec.encode_statement(place(0), "Session", SESSION_RECORD)


def checkpoint(first: int, count: int, previous: bytes | None, *voids: int) -> tuple[tuple[str, bytes], bytes]:
    entries = tuple(CheckpointEntry(leaf(n), n in voids) for n in range(first, first + count))
    body = Checkpoint(SESSION, 0, first, entries, previous, MOMENT).encode()
    framed = codec.encode_statement(place(first), "Checkpoint", sign("Checkpoint", body, PORTAL))
    return (STATEMENT, framed), Checkpoint.decode(body).hash


def close(last: int, hashed: bytes) -> tuple[str, bytes]:
    body = SessionClose(SESSION, (ClosedPartition(0, last, hashed),), MOMENT).encode()
    return STATEMENT, codec.encode_statement(place(last), "SessionClose", sign("SessionClose", body, PORTAL))


def made(store: SqlStore, period: Period = TODAY) -> Report:
    return report(store, TENANT, period, head_holds)


def test_a_day_is_counted(store: SqlStore) -> None:
    enter(store, "2027-01-14T23:59:59.999", session(), event(0))
    first, _ = checkpoint(0, 8, None, 7)
    notice = codec.encode_notice(place(5), header(5), leaf(5), "bad-mac")
    refusal = codec.encode_refusal(place(9), "not-framed", sha256(b""))
    enter(store, "2027-01-15T00:00", event(1), event(2), event(2))
    enter(store, "2027-01-15T12:00", first, (NOTICE, notice), (REFUSAL, refusal), receipt_entry(range(3)))
    enter(store, "2027-01-15T23:59:59.999", event(6))
    enter(store, "2027-01-16T00:00", event(4))
    found = made(store)
    said = found.as_json()
    assert (said["tree_at_begin"]["size"], said["tree_at_end"]["size"], said["entries"]) == (2, 10, 8)
    assert (said["begin"], said["end"]) == ("2027-01-15T00:00:00.000+09:00", "2027-01-16T00:00:00.000+09:00")
    assert said["tree_heads_signed"] == 3
    assert said["events"] == {"submission": {"heir-representative-designation": 3}}
    assert said["events_repeated"] == 1
    assert said["statements"] == {"Checkpoint": 1, "StoredReceipt": 1}
    assert (said["leaves_in_checkpoints"], said["events_in_receipts"]) == (8, 3)
    assert (said["dead_letters"], said["refused_records"]) == ({"bad-mac": 1}, {"not-framed": 1})
    # 3 and 4 were promised; 5 became a dead letter, 7 is void. 4 came a day too late.
    assert (said["sequences_missing"], [(gap.first, gap.last) for gap in found.gaps]) == (2, [(3, 4)])
    assert said["alarms_at_end"]["missing-event"] == 2
    assert said["alarms_at_begin"] == {}
    assert said["closed"]
    roots = {size: root.hex() for size, root, _ in store.tree_heads()}
    assert (said["tree_at_begin"]["root"], said["tree_at_end"]["root"]) == (roots[2], roots[10])
    assert made(store, day("2027-01-16")).as_json()["sequences_missing"] == 1


def test_days_add_up_to_their_month(store: SqlStore) -> None:
    enter(store, "2026-12-31T23:59", session())
    for number in range(1, 32):
        enter(store, f"2027-01-{number:02}T08:00", event(number), event(number + 100))
    enter(store, "2027-02-01T00:00", event(300))
    whole = made(store, month("2027-01"))
    days = [made(store, day(f"2027-01-{number:02}")) for number in range(1, 32)]
    assert sum((each.counts.events for each in days[1:]), days[0].counts.events) == whole.counts.events
    assert whole.counts.events.total() == 62
    assert [each.begin for each in days[1:]] == [each.end for each in days[:-1]]
    assert (days[0].begin, days[-1].end) == (whole.begin, whole.end)


def test_a_report_never_changes_once_its_period_is_over(store: SqlStore) -> None:
    first, hashed = checkpoint(0, 3, None)
    enter(store, "2027-01-15T09:00", session(), event(0), first)
    open_report = made(store)
    assert not open_report.closed
    enter(store, "2027-01-16T09:00", event(1))
    before = json.dumps(made(store).as_json()), lines(made(store))
    enter(store, "2027-01-17T09:00", event(2), close(2, hashed))
    assert (json.dumps(made(store).as_json()), lines(made(store))) == before
    assert made(store).as_json() == open_report.as_json() | {"closed": True}


def test_an_entry_stays_in_one_period_when_the_clock_goes_back(store: SqlStore) -> None:
    enter(store, "2027-01-15T09:00", event(0))
    enter(store, "2027-01-16T09:00", event(1))
    enter(store, "2027-01-15T10:00", event(2))
    assert made(store).counts.events.total() == 1
    assert made(store, day("2027-01-16")).counts.events.total() == 2


def test_a_session_without_end_is_listed(store: SqlStore) -> None:
    moment = datetime.fromtimestamp(at("2027-01-15T08:00") / 1_000, UTC)
    body = Session(
        salt=bytes(16), producer="portal", instance="a", topic="rehearsal.submissions", tenant=TENANT,
        created_at=moment, expires_at=moment + timedelta(hours=12), previous=None, audiences=(),
    ).encode()  # fmt: skip
    enter(
        store,
        "2027-01-15T08:00",
        (STATEMENT, codec.encode_statement(place(0), "Session", sign("Session", body, PORTAL))),
    )
    said = made(store).as_json()
    assert [each["session"] for each in said["sessions_without_end"]] == [Session.decode(body).id.hex()]
    assert said["alarms_at_end"] == {"missing-close": 1}
    assert made(store, day("2027-01-14")).as_json()["sessions_without_end"] == []


def test_what_the_operator_discarded_is_no_gap(store: SqlStore) -> None:
    first, _ = checkpoint(0, 3, None)
    said = replace(DISCARDED.withheld, event=RefusedEvent(uuid7(1), leaf(1)))
    word = codec.encode_statement(place(1), "LetterResolved", sign("LetterResolved", said.encode(), PORTAL))
    enter(store, "2027-01-15T09:00", session(), event(0), event(2), first)
    enter(store, "2027-01-16T09:00", (STATEMENT, word))
    assert [(gap.first, gap.last) for gap in made(store).gaps] == [(1, 1)]
    after = made(store, day("2027-01-16"))
    assert (after.gaps, after.as_json()["letters_resolved"]) == ((), {"discarded": 1})


def test_an_empty_log_and_an_empty_day_have_reports(store: SqlStore) -> None:
    said = made(store).as_json()
    assert (said["entries"], said["tree_at_end"]["size"], said["closed"]) == (0, 0, False)
    assert said["tree_at_end"]["root"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    enter(store, "2027-01-10T08:00", event(0))
    enter(store, "2027-01-20T08:00", event(1))
    empty = made(store)
    assert (empty.begin, empty.as_json()["entries"]) == (empty.end, 0)
    assert empty.begin.size == 1


def test_the_text_says_what_the_json_says(store: SqlStore) -> None:
    first, _ = checkpoint(0, 4, None)
    enter(store, "2027-01-15T09:00", session(), event(0), first)
    text = "\n".join(lines(made(store)))
    assert "2027-01-15 (Asia/Tokyo)" in text
    assert "submission: 1" in text
    assert "partition 0: 1 to 3" in text
    assert "more may still enter it" in text


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE log SET entry = x'00' WHERE number = 1",
        "DELETE FROM log WHERE number = 1",
        "UPDATE tree_head SET root = zeroblob(32)",
        "UPDATE log SET entry = (SELECT entry FROM log WHERE number = 0) WHERE number = 1",
    ],
)
def test_no_report_is_made_of_a_log_that_was_changed(store: SqlStore, tmp_path: Path, change: str) -> None:
    enter(store, "2027-01-15T09:00", event(0), event(1), event(2))
    store.close()
    with sqlite3.connect(tmp_path / "audit.db") as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(change)
    changed = open_store(tmp_path)
    with pytest.raises(StoreDamaged):
        made(changed)
    changed.close()


def test_no_report_is_made_from_heads_that_the_desk_did_not_sign(store: SqlStore) -> None:
    enter(store, "2027-01-15T09:00", event(0))
    with pytest.raises(StoreDamaged):
        report(store, TENANT, TODAY, lambda signed, at_ms: False)
