"""What every store promises of people's work, run against each implementation named in `stores`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import update

from consumers.store import tables
from consumers.store.casework import Case, NewDecision, Told
from consumers.store.errors import DecisionConflict, EventErased, NotFound, StoreError, StoreMismatch, StorePositionLost
from consumers.store.model import Content, NewCase, Status
from consumers.store.sql import SqlStore, open_sqlite
from tests.unit.consumers.making import KEY, NOW, batch, event_id, leaf, new_event, notice, with_content

OWNER = "rehearsal/review-999997"
VERSION_1 = Path(__file__).with_name("store-version-1.sql")
MESSAGE = Content(KEY.epoch, b"sealed message", b"wrapped")


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    assert request.param == "sqlite"
    made = open_sqlite(tmp_path / "store.db", OWNER)
    with_case = [
        replace(with_content(new_event(n)), case=NewCase(date(2027, 2, 15), *links))
        for n, links in enumerate([(None, None), ("R7-99999-000000000", None), (None, "R7-99999-000000000")])
    ]
    made.commit(batch(None, 5, *with_case, new_event(3), new_event(4), store_keys=(KEY,)))
    yield made
    made.close()


def new(row: int, revision: int = 0, decision: str = "return", *items: str, at_ms: int = NOW) -> NewDecision:
    after = {"accept": Status.ACCEPTED, "return": Status.RETURNED, "hold": Status.HELD, "revoke": Status.REVOKED}
    return NewDecision(row, revision, decision, after[decision], "item-missing", "reviewer-a", at_ms, items)


def told(row: int, at_ms: int = NOW) -> Told:
    return Told(row, event_id(1_000 + row), leaf(1_000 + row), at_ms)


def test_an_event_begins_at_revision_0_with_what_its_desk_said(store: SqlStore) -> None:
    assert store.cases.case(1) == Case(1, 0, date(2027, 2, 15))
    assert store.cases.case(2) == Case(2, 0, date(2027, 2, 15), replaces="R7-99999-000000000")
    assert store.cases.cases([4, 3]) == {4: Case(4, 0), 3: Case(3, 0, date(2027, 2, 15), None, "R7-99999-000000000")}
    assert store.cases.cases([]) == {}


def test_a_decision_moves_status_and_revision_in_one_step(store: SqlStore) -> None:
    row = store.cases.decide(replace(new(1), message=MESSAGE, answer_by=date(2027, 2, 1)))
    (kept,) = store.cases.decisions(1)
    assert (kept.decision, kept.number, kept.revision, kept.what) == (row, 1, 1, "return")
    assert (kept.answer_by, kept.has_message, kept.event_id, kept.leaf) == ("2027-02-01", True, None, None)
    assert store.cases.message(row) == MESSAGE
    assert store.cases.case(1).revision == 1
    assert [each.event.status for each in store.events()][:2] == [Status.RETURNED, Status.STORED]


def test_an_event_without_a_case_can_be_decided_and_assigned(store: SqlStore) -> None:
    store.cases.assign(4, 0, "reviewer-a", NOW)
    store.cases.decide(new(4, 1))
    store.cases.decide(new(5))
    assert store.cases.case(4) == Case(4, 2, assignee="reviewer-a")
    assert store.cases.case(5) == Case(5, 1)


@pytest.mark.parametrize("revision", [-1, 1, 2**31])
def test_another_revision_changes_nothing(store: SqlStore, revision: int) -> None:
    for work in (
        lambda: store.cases.decide(new(1, revision)),
        lambda: store.cases.decide(new(4, revision)),  # one without a case
        lambda: store.cases.assign(1, revision, "reviewer-b", NOW),
    ):
        with pytest.raises(DecisionConflict):
            work()
    assert store.cases.all_decisions() == []
    assert store.cases.cases([1, 4]) == {1: Case(1, 0, date(2027, 2, 15)), 4: Case(4, 0)}
    assert {each.event.status for each in store.events()} == {Status.STORED}


def test_nothing_is_decided_on_what_is_erased_or_unknown(store: SqlStore) -> None:
    with store._writing() as db:
        db.execute(update(tables.event).where(tables.event.c.number == 1).values(status="erased"))
    with pytest.raises(EventErased):
        store.cases.decide(new(1))
    with pytest.raises(NotFound):
        store.cases.decide(new(99))
    with pytest.raises(StoreError):
        store.cases.assign(99, 0, "reviewer-a", NOW)
    assert store.cases.all_decisions() == []
    assert store.events()[0].event.status is Status.ERASED


def test_a_decision_is_kept_with_all_its_hand_overs_or_not_at_all(store: SqlStore) -> None:
    with pytest.raises(StoreError):
        store.cases.decide(new(1, 0, "accept", "resident-tax", "resident-tax"))
    with pytest.raises(StorePositionLost):  # a store key that is there is never replaced
        store.cases.decide(replace(new(1), store_keys=(replace(KEY, sealed=b"another"),)))
    with pytest.raises(StoreError):  # a message under an epoch without a store key could never be opened
        store.cases.decide(replace(new(1), message=replace(MESSAGE, epoch=203002)))
    assert store.cases.all_decisions() == []
    assert store.cases.case(1).revision == 0
    assert store.events()[0].event.status is Status.STORED
    row = store.cases.decide(new(1, 0, "accept", "resident-tax", "inhabitant-tax"))
    assert [each.tax_item for each in store.cases.handovers([row])] == ["resident-tax", "inhabitant-tax"]


def test_what_waits_is_told_oldest_first_and_until_it_is_told(store: SqlStore) -> None:
    cases = store.cases
    accepted = cases.decide(new(1, 0, "accept", "resident-tax", "other-tax"))
    returned = cases.decide(new(2))
    revoked = cases.decide(new(1, 1, "revoke", "resident-tax", "other-tax"))
    assert [each.decision for each in cases.untold(9)] == [accepted, returned, revoked]
    assert [each.decision for each in cases.untold(2)] == [accepted, returned]
    assert [each.decision for each in cases.unhanded(9)] == [accepted, revoked]
    assert [each.decision for each in cases.unhanded(1)] == [accepted]
    assert cases.untold_count() == 3
    handovers = cases.handovers([accepted, returned, revoked])
    assert [(each.decision, each.tax_item) for each in handovers] == [
        (accepted, "resident-tax"),
        (accepted, "other-tax"),
        (revoked, "resident-tax"),
        (revoked, "other-tax"),
    ]
    cases.told([told(accepted), told(returned)], [told(handovers[0].handover)])
    assert [each.decision for each in cases.untold(9)] == [revoked]
    assert [each.decision for each in cases.unhanded(9)] == [accepted, revoked]
    assert cases.untold_count() == 2
    cases.told([told(revoked)], [told(each.handover) for each in handovers[1:]])
    assert (list(cases.untold(9)), list(cases.unhanded(9)), cases.untold_count()) == ([], [], 0)


def test_what_was_told_stays_as_it_was_told(store: SqlStore) -> None:
    row = store.cases.decide(new(1, 0, "accept", "resident-tax"))
    (handover,) = store.cases.handovers([row])
    store.cases.told([told(row, 5)], [told(handover.handover, 6)])
    before = (store.cases.decisions(1), store.cases.handovers([row]))
    store.cases.told([replace(told(row, 7), leaf=bytes(32))], [replace(told(handover.handover, 8), leaf=bytes(32))])
    store.cases.cannot_tell("event.void", decision=row)
    store.cases.cannot_tell("event.void", handover=handover.handover)
    assert (store.cases.decisions(1), store.cases.handovers([row])) == before
    assert before[0][0].told_at_ms == 5


def test_what_can_never_be_told_waits_no_more_and_says_why(store: SqlStore) -> None:
    row = store.cases.decide(new(1, 0, "accept", "resident-tax", "other-tax"))
    other = store.cases.decide(new(2))
    first, second = store.cases.handovers([row])
    store.cases.cannot_tell("event.void", decision=row)
    assert [each.decision for each in store.cases.untold(9)] == [other]
    assert [each.decision for each in store.cases.unhanded(9)] == [row]
    store.cases.cannot_tell("limit.event", handover=first.handover)
    assert [each.failed for each in store.cases.handovers([row])] == ["limit.event", None]
    store.cases.told([], [told(second.handover)])
    assert list(store.cases.unhanded(9)) == []
    assert store.cases.decisions(1)[0].failed == "event.void"


def test_decisions_are_read_in_pages(store: SqlStore) -> None:
    rows = [store.cases.decide(new(n)) for n in (3, 1, 2)]
    assert [each.number for each in store.cases.all_decisions()] == [3, 1, 2]
    assert [each.decision for each in store.cases.all_decisions(after=rows[0], limit=1)] == [rows[1]]
    assert store.cases.message(rows[0]) is None
    assert store.cases.message(99) is None


def test_who_refers_to_a_receipt_is_found(store: SqlStore) -> None:
    assert store.cases.referring("R7-99999-000000000") == [(2, "replaces"), (3, "withdraws")]
    assert store.cases.referring("R7-99999-000000001") == []


def test_thousands_of_cases_are_read_at_once(store: SqlStore) -> None:
    store.commit(batch(5, 3_005, *(new_event(n) for n in range(5, 3_005))))
    assert len(store.cases.cases(list(range(1, 3_006)))) == 3_005
    assert store.cases.handovers(list(range(1, 3_006))) == []


@pytest.mark.parametrize("round_", range(4))
def test_of_many_at_one_revision_one_is_kept(store: SqlStore, tmp_path: Path, round_: int) -> None:
    barrier = threading.Barrier(6)
    outcomes: list[str] = []

    def work(name: str, do: Callable[[SqlStore], object]) -> None:
        mine = open_sqlite(tmp_path / "store.db", OWNER)
        barrier.wait()
        try:
            do(mine)
            outcomes.append(name)
        except DecisionConflict:
            outcomes.append("conflict")
        finally:
            mine.close()

    def orders(n: int) -> Callable[[SqlStore], object]:
        kinds: list[Callable[[SqlStore], object]] = [
            lambda mine: mine.cases.decide(new(1, 0, "accept", "resident-tax")),
            lambda mine: mine.cases.decide(new(1, 0, "return")),
            lambda mine: mine.cases.assign(1, 0, "reviewer-b", NOW),
        ]
        return kinds[(n + round_) % 3]

    threads = [threading.Thread(target=work, args=(str(n), orders(n))) for n in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes)[1:] == ["conflict"] * 5
    assert outcomes.count("conflict") == 5
    assert store.cases.case(1).revision == 1
    assert len(store.cases.all_decisions()) <= 1


# --- an older file


def version_1(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.executescript(VERSION_1.read_text())
    db.close()
    return path


def schema(path: Path) -> set[str]:
    with sqlite3.connect(path) as db:
        found = {" ".join(row[0].split()) for row in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    db.close()
    return found


def test_a_store_of_version_1_comes_to_this_version_and_keeps_what_it_has(tmp_path: Path) -> None:
    old = version_1(tmp_path / "store.db")
    open_sqlite(tmp_path / "fresh.db", OWNER).close()
    assert schema(old) < schema(tmp_path / "fresh.db")
    for _ in range(2):
        store = open_sqlite(old, OWNER)
        assert [each.event.event_id for each in store.events()] == [event_id(0), event_id(1)]
        assert store.content(1) == Content(KEY.epoch, b"sealed", b"wrapped")
        assert store.store_key(KEY.epoch) == KEY
        assert store.positions() == {(new_event(0).topic, 0): 3}
        assert [each.confirmed_at_ms for each in store.events()] == [NOW + 1_000] * 2
        assert [each.outgoing.value for each in store.waiting(9, 10**6)] == [b"w"]
        assert [(each.what) for each in store.history(1)] == ["stored", "review-stored", "confirmed"]
        assert store.notices() == [notice(2)]
        assert [entry for _, _, entry in store.log_entries()] == [b"a"]
        assert store.cases.cases([1, 2]) == {1: Case(1, 0), 2: Case(2, 0)}
        assert store.cases.untold_count() == 0
        store.close()
    assert schema(old) == schema(tmp_path / "fresh.db")
    with sqlite3.connect(old) as db:
        assert db.execute("SELECT name, schema_version FROM owner").fetchall() == [(OWNER, tables.SCHEMA_VERSION)]
    db.close()


def test_work_goes_on_in_a_store_of_version_1(tmp_path: Path) -> None:
    store = open_sqlite(version_1(tmp_path / "store.db"), OWNER)
    row = store.cases.decide(replace(new(1, 0, "accept", "resident-tax"), message=MESSAGE))
    assert row == 1
    store.cases.assign(2, 0, "reviewer-a", NOW)
    store.commit(batch(3, 4, replace(with_content(new_event(2)), case=NewCase(date(2027, 2, 15)))))
    assert store.events(after=2)[0].confirmed_at_ms is not None  # its promise was kept in the old file
    assert store.cases.case(3).due_on == date(2027, 2, 15)
    with pytest.raises(StoreError), store._writing() as db:
        db.execute(tables.log.delete())  # the database still refuses
    store.close()


def test_a_store_of_version_1_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    old = version_1(tmp_path / "store.db")
    before = schema(old)
    with pytest.raises(StoreMismatch):
        open_sqlite(old, "rehearsal/review-131041")
    assert schema(old) == before


def test_many_that_open_an_old_store_at_once_all_find_it_new(tmp_path: Path) -> None:
    old = version_1(tmp_path / "store.db")
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        barrier.wait()
        try:
            store = open_sqlite(old, OWNER)
            store.cases.untold_count()
            store.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    store = open_sqlite(old, OWNER)
    assert len(store.events()) == 2
    store.close()


def test_a_migration_that_dies_half_way_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from consumers.store import sql

    old = version_1(tmp_path / "store.db")
    before = schema(old)

    def dies(db: object) -> None:
        raise MemoryError

    monkeypatch.setattr(sql, "MIGRATIONS", (sql.MIGRATIONS[0], dies, *sql.MIGRATIONS[2:]))
    with pytest.raises(MemoryError):
        open_sqlite(old, OWNER)
    assert schema(old) == before
    monkeypatch.undo()
    open_sqlite(old, OWNER).close()
    assert schema(old) > before
