"""A journal of an older version becomes one of this version, whole; what proves delivery is kept, and only that."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.envelope.records import StoredEvent
from hub.facts import Paused
from hub.producing import journal_store
from hub.producing.errors import JournalForeign, JournalUnavailable
from hub.producing.journal import Journal, read_events, read_receipt
from hub.producing.journal_rows import Acknowledge, Append, Confirm, EventState, Receipt
from hub.transport import BrokerUnavailable, KafkaRecord, NotAuthorized
from schemas.errors import HubError
from tests.unit.producing.support import OWNER, append, digest, entry, open_journal, session
from tests.unit.producing.test_receipts import Desk, three_events, uuid7

S = session().session
VERSION_1 = """
CREATE TABLE owner (name TEXT NOT NULL);
CREATE TABLE session (
  number INTEGER PRIMARY KEY, session BLOB NOT NULL UNIQUE, topic TEXT NOT NULL, tenant TEXT NOT NULL,
  record BLOB NOT NULL, created_at_ms INTEGER NOT NULL, state INTEGER NOT NULL, close BLOB);
CREATE INDEX session_open ON session (state) WHERE state < 3;
CREATE TABLE lane (
  session INTEGER NOT NULL REFERENCES session, partition INTEGER NOT NULL, next_sequence INTEGER NOT NULL,
  acknowledged_through INTEGER NOT NULL, checkpointed_through INTEGER NOT NULL, checkpoint_hash BLOB,
  PRIMARY KEY (session, partition)) WITHOUT ROWID;
CREATE TABLE event (
  number INTEGER PRIMARY KEY, index_key BLOB NOT NULL UNIQUE, session INTEGER NOT NULL REFERENCES session,
  partition INTEGER NOT NULL, sequence INTEGER NOT NULL, event_id TEXT NOT NULL, leaf BLOB NOT NULL,
  tenant TEXT NOT NULL, receipt_number TEXT NOT NULL, state INTEGER NOT NULL);
CREATE UNIQUE INDEX event_place ON event (session, partition, sequence);
CREATE TABLE sealed (number INTEGER PRIMARY KEY REFERENCES event, value BLOB NOT NULL);
CREATE TABLE checkpoint (
  number INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES session, partition INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL, hash BLOB NOT NULL, key BLOB NOT NULL, record BLOB NOT NULL);
CREATE INDEX checkpoint_place ON checkpoint (session, partition);
CREATE TABLE position (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE refusal (
  at INTEGER NOT NULL, rules TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (at, rules)) WITHOUT ROWID;
CREATE TABLE epoch (audience TEXT PRIMARY KEY, epoch INTEGER NOT NULL, key_hash BLOB NOT NULL) WITHOUT ROWID;
"""
"""as the first version wrote it"""
SECOND = (
    "ALTER TABLE event ADD COLUMN receipt INTEGER",
    "CREATE TABLE receipt (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, record BLOB NOT NULL)",
)
"""what the second version added"""


def old_journal(directory: Path, version: int = 1, owner: str = OWNER) -> Path:
    """A journal of an older version: one event journaled, one acknowledged, one confirmed."""
    path = directory / "journal.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA page_size = 16384")
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(VERSION_1)
    for statement in SECOND[: 2 * (version - 1)]:
        db.execute(statement)
    db.execute("INSERT INTO owner VALUES (?)", (owner,))
    db.execute(
        "INSERT INTO session VALUES (1, ?, 'rehearsal.submissions', '131041', ?, 1000, 1, NULL)", (S, b"record-0")
    )
    db.execute("INSERT INTO lane VALUES (1, 0, 3, 1, 0, ?)", (digest("checkpoint"),))
    for at, state in enumerate((EventState.STORED, EventState.ACKNOWLEDGED, EventState.JOURNALED)):
        each = entry(S, 0, at)
        db.execute(
            "INSERT INTO event (number, index_key, session, partition, sequence, event_id, leaf, tenant,"
            " receipt_number, state) VALUES (?, ?, 1, 0, ?, ?, ?, ?, ?, ?)",
            (at + 1, each.index_key, at, each.event_id, each.leaf, each.tenant, each.receipt_number, int(state)),
        )
        if state is not EventState.STORED:
            db.execute("INSERT INTO sealed VALUES (?, ?)", (at + 1, each.value))
    if version == 2:
        db.execute("INSERT INTO receipt VALUES (1, ?, ?)", (digest("receipt"), b"signed receipt"))
        db.execute("UPDATE event SET receipt = 1 WHERE number = 1")
    db.execute("INSERT INTO position VALUES ('status', 0, 7)")
    db.execute("INSERT INTO refusal VALUES (5, 'json.syntax', 2)")
    db.execute("INSERT INTO epoch VALUES ('router', 202611, ?)", (digest("key"),))
    db.execute(f"PRAGMA application_id = {0x656C6A31}")
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    return path


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


def tables(path: Path) -> list[tuple[str, str]]:
    """Names and columns of everything in a file; what was added later stands last in both."""
    db = sqlite3.connect(path)
    try:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master ORDER BY name")]
        return [(name, repr(db.execute(f"PRAGMA table_info({name})").fetchall())) for name in names]
    finally:
        db.close()


@pytest.mark.parametrize("version", [1, 2])
async def test_a_journal_of_an_older_version_is_whole_in_this_one(tmp_path: Path, version: int) -> None:
    path = old_journal(tmp_path, version)
    journal = open_journal(tmp_path)
    assert version_of(path) == journal_store.VERSION
    assert [event.state for event in journal.events()] == [
        EventState.STORED,
        EventState.ACKNOWLEDGED,
        EventState.JOURNALED,
    ]
    assert [journal.find(entry(S, 0, at).index_key) is not None for at in range(4)] == [True, True, True, False]
    (lane,) = journal.lanes(S)
    assert (lane.next_sequence, lane.acknowledged_through, lane.checkpointed_through) == (3, 1, 0)
    assert [(each.sequence, each.value) for each in journal.pending(lane, 10, 10_000)] == [(2, bytes(100))]
    assert journal.positions("status") == {0: 7}
    assert journal.refusals() == [(5, ("json.syntax",), 2)]
    assert journal.highest_epoch("router") == (202611, digest("key"))
    # and it goes on
    await journal.apply(append(S, 0, 3, 1), Acknowledge(S, 0, 3))
    await journal.apply(Confirm("status", 0, 8, (_receipt(1),), (b"a signed receipt",)))
    kept = read_receipt(path, entry(S, 0, 1).event_id)
    assert kept is not None and kept.record == b"a signed receipt"
    assert (read_receipt(path, entry(S, 0, 0).event_id) is not None) == (version == 2)
    journal.close()


def _receipt(at: int, record: int | None = 0) -> Receipt:
    each = entry(S, 0, at)
    return Receipt(S, 0, at, each.event_id, each.leaf, record)


@pytest.mark.parametrize("version", [1, 2])
def test_an_upgraded_journal_has_the_tables_of_a_new_one(tmp_path: Path, version: int) -> None:
    (tmp_path / "old").mkdir()
    old_journal(tmp_path / "old", version)
    for directory in (tmp_path / "old", tmp_path / "new"):
        open_journal(directory).close()
    assert tables(tmp_path / "old" / "journal.db") == tables(tmp_path / "new" / "journal.db")


def test_a_journal_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    path = old_journal(tmp_path, owner="portal/portal-2/rehearsal")
    before = tables(path)
    with pytest.raises(JournalForeign):
        open_journal(tmp_path)
    assert version_of(path) == 1
    assert tables(path) == before


@pytest.mark.parametrize("version", [0, journal_store.VERSION + 1, 99])
def test_a_journal_of_an_unknown_version_is_not_touched(tmp_path: Path, version: int) -> None:
    path = old_journal(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with pytest.raises(JournalForeign):
        open_journal(tmp_path)
    assert version_of(path) == version


def test_an_upgrade_that_is_broken_off_leaves_the_old_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_journal(tmp_path)
    before = tables(path)
    good = journal_store.UPGRADES[1]
    monkeypatch.setitem(journal_store.UPGRADES, 1, (*good, "INSERT INTO no_such_table VALUES (1)"))
    with pytest.raises(JournalUnavailable):
        open_journal(tmp_path)
    assert version_of(path) == 1
    assert tables(path) == before
    monkeypatch.setitem(journal_store.UPGRADES, 1, good)
    open_journal(tmp_path).close()
    assert version_of(path) == journal_store.VERSION


@pytest.mark.parametrize("version", [1, 2])
def test_a_reader_of_a_journal_that_was_not_upgraded_yet_finds_events_and_no_receipts(
    tmp_path: Path, version: int
) -> None:
    path = old_journal(tmp_path, version)
    assert len(list(read_events(path))) == 3
    assert read_receipt(path, entry(S, 0, 0).event_id) is None
    assert version_of(path) == version  # only its owner upgrades it


def test_a_reader_of_no_journal_finds_nothing_and_of_a_damaged_one_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert read_receipt(path, uuid7(0)) is None
    path.write_bytes(b"no database at all" * 1_000)
    with pytest.raises(JournalUnavailable):
        read_receipt(path, uuid7(0))


# --- which receipts are kept


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


async def test_the_desks_signed_words_are_kept_as_they_came_once_for_all_events_in_them(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    record = desk.world.receipt(S, 0, events[:2])
    desk.say(record)
    await desk.listen()
    assert [_record(journal, n) for n in range(3)] == [record, record, None]
    db = sqlite3.connect(journal.path)
    assert db.execute("SELECT count(*) FROM receipt").fetchone() == (1,)
    db.close()


def _record(journal: Journal, number: int) -> bytes | None:
    kept = read_receipt(journal.path, uuid7(number))
    return None if kept is None else kept.record


@pytest.mark.parametrize(
    "who",
    [
        pytest.param({"signer": "helpdesk-131041"}, id="signed by the helpdesk"),
        pytest.param({"signer": "review-999997"}, id="signed by another tenant's desk"),
        pytest.param({"signer": "review-999997", "desk": "review-999997", "tenant": "999997"}, id="another tenant"),
        pytest.param({"signer": "portal", "desk": "portal"}, id="by the portal itself"),
    ],
)
async def test_a_forged_receipt_is_not_kept(journal: Journal, who: dict[str, str]) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.say(desk.world.receipt(S, 0, events, **who))
    good = desk.world.receipt(S, 0, events[:1])
    desk.say(good)
    await desk.listen()
    assert [_record(journal, n) for n in range(3)] == [good, None, None]


async def test_a_receipt_for_another_leaf_session_or_place_is_not_kept(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.say(desk.world.receipt(S, 0, [dataclasses.replace(events[0], leaf=digest("other"))]))
    desk.say(desk.world.receipt(digest("their session"), 0, events))
    desk.say(desk.world.receipt(S, 0, [StoredEvent(1, events[0].event_id, events[0].leaf)]))
    desk.say(desk.world.receipt(S, 1, events), partition=1)
    await desk.listen()
    assert [_record(journal, n) for n in range(3)] == [None, None, None]
    db = sqlite3.connect(journal.path)
    assert db.execute("SELECT count(*) FROM receipt").fetchone() == (0,)
    db.close()


async def test_a_receipt_that_lies_on_another_partition_than_it_says_is_not_kept(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.say(desk.world.receipt(S, 0, events), partition=1)
    await desk.listen()
    assert [_record(journal, n) for n in range(3)] == [None, None, None]


async def test_a_damaged_receipt_is_not_kept(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    record = desk.world.receipt(S, 0, events)
    for at in (0, 4, 5, 40, len(record) - 1):
        desk.say(record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :])
    desk.say(record[:-1])
    desk.say(record + b"\0")
    await desk.listen()
    assert [_record(journal, n) for n in range(3)] == [None, None, None]
    assert len(desk.put_aside()) == 7


async def test_receipts_are_there_after_opening_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.apply(session(), Append((entry(S, 0, 0),)), Acknowledge(S, 0, 0))
    await journal.apply(Confirm("status", 0, 1, (_receipt(0),), (b"signed",)))
    journal.close()
    again = open_journal(tmp_path)
    kept = read_receipt(again.path, entry(S, 0, 0).event_id)
    assert kept is not None and kept.record == b"signed"
    assert kept.stripped is None  # these bytes were no event
    again.close()


async def test_of_two_causes_of_waiting_the_first_ends_when_the_second_begins(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    troubles: list[HubError] = [BrokerUnavailable(), NotAuthorized(), BrokerUnavailable()]
    poll = desk.poll

    async def troubled(max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        if troubles:
            raise troubles.pop(0)
        return await poll(max_bytes, timeout_ms)

    monkeypatch.setattr("hub.producing.receipts.PAUSE_SECONDS", 0.01)
    desk.poll = troubled  # type: ignore[method-assign]
    desk.say(desk.world.receipt(S, 0, events))
    await desk.listen()
    paused = [(fact.code, fact.paused) for fact in desk.facts if isinstance(fact, Paused)]
    codes = ["kafka.unavailable", "kafka.not-authorized", "kafka.unavailable"]
    assert paused == [(code, begins) for code in codes for begins in (True, False)]
