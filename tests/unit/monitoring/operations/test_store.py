"""Lines are kept once, in place, with the offset; what does not count is kept whole, within a bound."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.store.errors import StoreDamaged, StoreMismatch, StorePositionLost, StoreTooNew
from hub.crypto.merkle import Frontier, leaf_hash
from hub.envelope.operations import Class, Kind
from hub.envelope.times import from_ms
from monitoring.operations import keeping
from monitoring.operations.chains import Trouble
from monitoring.operations.keeping import Batch
from monitoring.operations.store import OperationsStore
from monitoring.operations.tables import connect_reading
from tests.unit.monitoring.operations.world import DESK, MONITOR, NOW, NS, OPERATIONS, PORTAL, Keeper, Log, Monitor

DAY = timedelta(days=1)


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    return Monitor(tmp_path)


@pytest.fixture
def store(monitor: Monitor) -> Iterator[OperationsStore]:
    with monitor.open() as opened:
        yield opened


def rows(monitor: Monitor, query: str) -> list[tuple[object, ...]]:
    db = connect_reading(monitor.file, f"{NS}/{MONITOR}")
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def test_lines_leaves_head_and_offset_are_kept_together(monitor: Monitor, store: OperationsStore) -> None:
    log, other = Log(), Log(PORTAL, id=b"p" * 16)
    values = [log.write(Kind.STARTED), other.write(Kind.STARTED), log.write(actor="sato"), log.write(Kind.STOPPED)]
    kept = Keeper(store).keep(*values)
    assert kept.lines == {Class.SYSTEM: 3, Class.ACCESS: 1}
    assert (kept.known, kept.refused, kept.troubles, kept.leaves) == (0, {}, [], 4)
    assert store.places() == {(OPERATIONS, 1): 4}
    head = store.log_head()
    assert head is not None
    leaves = Frontier(leaf_hash(entry) for _, _, entry in store.log_entries())
    assert (head.size, head.root) == (4, leaves.root())
    assert [value for (value,) in rows(monitor, "SELECT value FROM line ORDER BY number")] == values
    assert stat.S_IMODE(monitor.file.stat().st_mode) == 0o600


def test_a_line_that_comes_again_is_one_line(store: OperationsStore) -> None:
    log, keeper = Log(), Keeper(store)
    value = log.write()
    assert keeper.keep(value, value).known == 1
    again = keeper.keep(value)
    assert (again.known, again.lines, again.leaves) == (1, {}, 1)
    assert store.places() == {(OPERATIONS, 1): 3}


def test_a_gap_rings_and_closes_when_the_lines_come(store: OperationsStore) -> None:
    log, keeper = Log(), Keeper(store)
    values = [log.write() for _ in range(5)]
    keeper.keep(values[0])
    assert keeper.keep(values[4]).troubles == [(Trouble.GAP, DESK)]
    assert store.missing() == 3
    assert keeper.keep(values[2], values[1]).troubles == []
    assert store.missing() == 1
    keeper.keep(values[3])
    assert store.missing() == 0


def test_a_log_whose_beginning_never_came_has_a_gap(store: OperationsStore) -> None:
    log = Log()
    values = [log.write() for _ in range(3)]
    assert Keeper(store).keep(values[2]).troubles == [(Trouble.GAP, DESK)]
    assert store.missing() == 2


def test_a_fork_rings_and_the_second_line_is_evidence_not_a_line(monitor: Monitor, store: OperationsStore) -> None:
    log = Log()
    first = log.write()
    copy = log.branch()
    kept = Keeper(store).keep(first, log.write(actor="sato"), copy.write(actor="suzuki"))
    assert kept.troubles == [(Trouble.FORK, DESK)]
    assert kept.refused == {"fork": 1}
    assert rows(monitor, "SELECT actor FROM line WHERE number = 1") == [("sato",)]
    assert rows(monitor, "SELECT reason, value FROM refused") == [("fork", copy.values[1])]


def test_a_branch_that_goes_on_beyond_the_other_is_a_broken_link(store: OperationsStore) -> None:
    log = Log()
    first = log.write()
    copy = log.branch()
    copy.write(actor="suzuki")
    kept = Keeper(store).keep(first, log.write(actor="sato"), copy.write(actor="suzuki"))
    assert kept.troubles == [(Trouble.BROKEN, DESK)]
    assert kept.leaves == 3


def test_a_late_line_must_fit_both_neighbours(store: OperationsStore) -> None:
    log = Log()
    values = [log.write() for _ in range(2)]
    copy = log.branch()
    copy.write(actor="suzuki")
    keeper = Keeper(store)
    keeper.keep(*values, (log.write(), log.write())[1])
    assert keeper.keep(copy.values[2]).troubles == [(Trouble.BROKEN, DESK)], "line 3 names another line 2"


def test_another_roles_log_is_not_gone_on_with(store: OperationsStore) -> None:
    mine, theirs = Log(), Log(PORTAL)
    theirs.at, theirs.previous = 1, b"x" * 32
    kept = Keeper(store).keep(mine.write(), theirs.write())
    assert kept.troubles == [(Trouble.FOREIGN, PORTAL)]
    assert kept.refused == {"foreign-log": 1}


@pytest.mark.parametrize(("last", "troubles"), [(Kind.STOPPED, []), (Kind.VIEWED, [(Trouble.NOT_ENDED, DESK)])])
def test_a_new_log_after_one_that_breaks_off_rings(
    store: OperationsStore, last: Kind, troubles: list[tuple[Trouble, str]]
) -> None:
    old, new = Log(), Log(id=b"n" * 16)
    keeper = Keeper(store)
    keeper.keep(old.write(Kind.STARTED), old.write(last))
    assert keeper.keep(new.write(Kind.STARTED)).troubles == troubles
    elsewhere = Log(instance="b", id=b"b" * 16)
    assert keeper.keep(elsewhere.write(Kind.STARTED)).troubles == [], "another machine's log is its own"


def test_what_does_not_count_is_kept_whole_and_moves_the_place(monitor: Monitor, store: OperationsStore) -> None:
    kept = Keeper(store).keep(b"garbage", None, key=b"k")
    assert kept.refused == {"not-framed": 1, "malformed": 1}
    assert rows(monitor, "SELECT offset, reason, key, value FROM refused") == [
        (0, "not-framed", b"k", b"garbage"),
        (1, "malformed", b"k", None),
    ]
    assert store.places() == {(OPERATIONS, 1): 2}
    assert store.log_head() is None


def test_a_flood_of_refused_records_is_bounded_by_its_reason(
    monitor: Monitor, store: OperationsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MAX_REFUSED_BYTES", 1_000)
    keeper = Keeper(store)
    keeper.keep(*[b"x" * 99] * 50, key=b"k")
    keeper.keep(None, key=b"k")
    assert rows(monitor, "SELECT * FROM refused_count ORDER BY reason") == [
        ("malformed", 1, 1, 1),
        ("not-framed", 50, 10, 1_000),
    ]
    assert rows(monitor, "SELECT count(*) FROM refused") == [(11,)]


def test_two_processes_cannot_both_go_on(monitor: Monitor, store: OperationsStore) -> None:
    log = Log()
    values = [log.write(), log.write()]
    with monitor.open() as other:
        Keeper(other).keep(values[0])
        with pytest.raises(StorePositionLost):
            Keeper(store).keep(*values)
        Keeper(store, 1).keep(values[1])
        assert store.missing() == 0


def test_nothing_of_a_batch_stays_if_it_fails(monitor: Monitor, store: OperationsStore) -> None:
    log, keeper = Log(), Keeper(store)
    keeper.keep(log.write())
    moves = (((OPERATIONS, 1), 1, 2), ((OPERATIONS, 2), 7, 9))
    with pytest.raises(StorePositionLost):
        store.keep(Batch(0, moves, ()))
    assert store.places() == {(OPERATIONS, 1): 1}


def test_an_offset_that_is_gone_is_written_down(monitor: Monitor, store: OperationsStore) -> None:
    Keeper(store).keep(Log().write())
    store.lose((OPERATIONS, 1), 1, 40, 5)
    assert store.places() == {(OPERATIONS, 1): 40}
    assert rows(monitor, "SELECT topic, partition, first_offset, next_offset FROM lost") == [(OPERATIONS, 1, 1, 40)]


def test_a_file_of_somebody_else_is_left_alone(monitor: Monitor, tmp_path: Path) -> None:
    with sqlite3.connect(monitor.file) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(StoreMismatch):
        monitor.open()


def test_a_newer_version_and_another_role_are_refused(monitor: Monitor) -> None:
    monitor.open().close()
    with pytest.raises(StoreMismatch):
        connect_reading(monitor.file, f"{NS}/portal")
    with sqlite3.connect(monitor.file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreTooNew):
        monitor.open()


def test_a_file_that_is_no_database_is_damaged(monitor: Monitor) -> None:
    monitor.file.write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreDamaged):
        monitor.open()


# retention


def test_bodies_go_by_a_line_and_hashes_stay(monitor: Monitor) -> None:
    days = {Class.SYSTEM: 30, Class.NETWORK: 60, Class.ACCESS: 90, Class.ADMINISTRATION: 60}
    with monitor.open(days) as store:
        log, keeper, ours = Log(), Keeper(store), Log(MONITOR, "m", b"m" * 16)
        keeper.keep(log.write(Kind.STARTED), log.write(), log.write(Kind.DENIED))
        keeper.keep(log.write(Kind.PAUSED), at=NOW + 20 * DAY)
        later = NOW + 40 * DAY
        for day in range(40):  # one sweep goes a day beyond the last at most
            due = store.due(NOW + timedelta(days=day + 1))
            assert bool(due) == (day >= 30)
        assert [(each.kind, each.before, each.lines) for each in due] == [(Class.SYSTEM, 1, 1)]
        kept = keeper.keep(ours.say(due[0].operation(later)), at=later)
        assert kept.deleted == {Class.SYSTEM: 1}
        assert rows(monitor, "SELECT number FROM line ORDER BY number") == [(1,), (2,), (3,), (4,)]
        assert rows(monitor, "SELECT count(*) FROM leaf") == [(5,)]
        assert store.due(later) == []


@pytest.mark.parametrize(
    ("principal", "code", "deleted", "refused"),
    [
        (MONITOR, "access.90d.before-1", 1, 0),
        (MONITOR, "access.89d.before-1", 0, 1),  # less than is configured
        (MONITOR, "access.91d.before-1", 0, 0),  # none is so old
        (MONITOR, "access.90d.before-0", 0, 0),
        (MONITOR, "system.90d.before-1", 0, 0),
        (MONITOR, "everything", 0, 0),
        (DESK, "access.90d.before-1", 0, 0),  # somebody else's word
    ],
)
def test_a_line_deletes_only_what_is_due(
    monitor: Monitor, principal: str, code: str, deleted: int, refused: int
) -> None:
    days = dict.fromkeys(Class, 90)
    with monitor.open(days) as store:
        keeper, at = Keeper(store), NOW + 90 * DAY + timedelta(seconds=1)
        keeper.keep(Log().write())
        ours = Log(principal, "m", b"m" * 16)
        kept = keeper.keep(ours.write(Kind.COMMANDED, at=at, about="retention", code=code), at=at)
        assert sum(kept.deleted.values()) == deleted
        assert kept.not_deleted == refused


def test_a_clock_that_jumps_ahead_deletes_a_day_at_most(store: OperationsStore) -> None:
    keeper = Keeper(store)
    keeper.keep(Log().write())
    assert store.due(NOW + 10_000 * DAY) == []
    assert store.due(NOW - 10_000 * DAY) == []
    assert store.due(NOW + 10_000 * DAY) == []


def test_a_clock_that_jumps_back_does_not_mix_numbers_and_times(monitor: Monitor, store: OperationsStore) -> None:
    log, keeper = Log(), Keeper(store)
    keeper.keep(log.write(), at=NOW + DAY)
    keeper.keep(log.write(), at=NOW - DAY)
    times = [from_ms(int(str(at))) for (at,) in rows(monitor, "SELECT collected_at_ms FROM leaf ORDER BY number")]
    assert times == [NOW + DAY, NOW + DAY]


def test_lines_that_deleted_are_never_deleted(monitor: Monitor) -> None:
    with monitor.open(dict.fromkeys(Class, 30)) as store:
        keeper, ours = Keeper(store), Log(MONITOR, "m", b"m" * 16)
        code = "administration.30d.before-{}"
        keeper.keep(ours.write(Kind.COMMANDED, about="retention", code=code.format(0)), ours.write(Kind.FINDING))
        later = NOW + timedelta(days=31)
        kept = keeper.keep(ours.write(Kind.COMMANDED, at=later, about="retention", code=code.format(2)), at=later)
        assert kept.deleted == {Class.ADMINISTRATION: 1}
        assert rows(monitor, "SELECT number FROM line ORDER BY number") == [(0,), (2,)]
        for day in range(90):
            due = store.due(NOW + timedelta(days=day))
        assert due == []
