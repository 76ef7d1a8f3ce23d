"""The store's part in exports, and a store of the version before that comes to this one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from consumers.store import tables
from consumers.store.errors import StoreTooNew
from consumers.store.exporting import ExportFile, NewCopy, NewRun, RunState, What
from consumers.store.sql import open_sqlite
from tests.unit.consumers.exporting import OWNER, Bench, document

VERSION_2 = Path(__file__).with_name("store-version-2.sql")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def new(series: str = "tax", at_ms: int = 1) -> NewRun:
    return NewRun(series, "utf-8", None, 1, "exporter", at_ms, "/somewhere")


def numbers(bench: Bench, series: str = "tax") -> list[int]:
    return [each.decision for each in bench.store.exports.candidates(series)]


def test_a_claim_takes_candidates_once_and_others_not_at_all(bench: Bench) -> None:
    rows = bench.accepted(*(document(n) for n in range(1, 4)))
    (waiting,) = bench.stored([document(4)])
    exports = bench.store.exports
    wanted = numbers(bench)
    run = exports.claim(new(), [*wanted[:2], 99])
    assert run is not None
    assert (run.run, run.rows, run.withdrawn, run.state, run.previous) == (1, 2, 0, RunState.CLAIMED, None)
    assert numbers(bench) == wanted[2:]
    assert exports.claim(new(), wanted[:2]) is None
    assert exports.claim(new(), []) is None
    assert numbers(bench, "another") == wanted
    assert [entry.row.number for entry in exports.entries(1, What.ROW)] == rows[:2]
    assert waiting not in rows


def test_of_a_submission_accepted_twice_only_the_acceptance_that_stands_is_a_candidate(bench: Bench) -> None:
    (row,) = bench.accepted(document(1))
    bench.decide(row, "revoke", "resident-tax")
    assert numbers(bench) == []
    standing = bench.decide(row, "accept", "tobacco-tax")
    assert numbers(bench) == [standing]
    run = bench.store.exports.claim(new(), [standing - 2, standing])
    assert run is not None
    assert run.rows == 1


def test_an_erased_submission_is_no_candidate(bench: Bench) -> None:
    bench.accepted(document(1), document(2))
    with bench.store._writing() as db:
        db.execute(update(tables.event).where(tables.event.c.number == 1).values(status="erased"))
    assert [each.number for each in bench.store.exports.candidates("tax")] == [2]


def test_a_released_run_gives_its_rows_back_and_its_number_is_not_used_again(bench: Bench) -> None:
    rows = bench.accepted(document(1), document(2))
    exports = bench.store.exports
    exports.claim(new(), numbers(bench))
    bench.decide(rows[0], "revoke", "resident-tax")
    exports.release(1, 5)
    assert len(numbers(bench)) == 1
    assert exports.withdrawable("tax") == 0  # nobody has it
    run = exports.claim(new(), numbers(bench))
    assert run is not None
    assert (run.run, run.rows) == (2, 1)
    exports.finish(NewCopy(1, "late", 6, 1, 0, 0), [])  # the word of a process that was away
    assert [(each.run, each.state) for each in exports.runs()] == [(1, RunState.RELEASED), (2, RunState.CLAIMED)]
    assert exports.copies(1) == []


def test_a_run_is_finished_once_and_never_released_then(bench: Bench) -> None:
    bench.accepted(document(1))
    exports = bench.store.exports
    exports.claim(new(), numbers(bench))
    files = [ExportFile("b.csv", 1, 10, bytes(32)), ExportFile("a.csv", 2, 20, bytes(32))]
    exports.finish(NewCopy(1, "exporter", 7, 1, 0, 0), files)
    exports.finish(NewCopy(1, "another", 8, 1, 0, 0), files)
    exports.release(1, 9)
    exports.moved(1, "/elsewhere", 9)
    run = exports.run(1)
    assert run is not None
    assert (run.state, run.ended_at_ms) == (RunState.DONE, 7)
    assert (run.directory, run.columns_version) == ("/somewhere", 1)
    assert [each.name for each in run.files] == ["a.csv", "b.csv"]
    assert [(copy.by, copy.again) for copy in exports.copies(1)] == [("exporter", False)]
    assert exports.unfinished("tax") == []
    assert numbers(bench) == []
    assert exports.run(2) is None


def test_a_withdrawal_is_claimed_once_and_knows_what_it_withdraws(bench: Bench) -> None:
    (row,) = bench.accepted(document(1))
    exports = bench.store.exports
    exports.claim(new(), numbers(bench))
    revocation = bench.decide(row, "revoke", "resident-tax")
    assert (exports.withdrawable("tax"), exports.withdrawable("another")) == (1, 0)
    run = exports.claim(new(), [])
    assert run is not None
    (entry,) = exports.entries(run.run, What.WITHDRAWN)
    assert entry.revocation is not None
    assert (entry.revocation.decision, entry.handed_over_in, entry.row.number) == (revocation, 1, row)
    assert exports.claim(new(), []) is None
    assert exports.procedures(run.run) == []


def test_runs_of_a_series_name_the_one_before(bench: Bench) -> None:
    exports = bench.store.exports
    previous = []
    for number, series in enumerate(("tax", "ledger", "tax", "tax"), 1):
        bench.accepted(document(number))
        run = exports.claim(new(series), numbers(bench, series))
        assert run is not None
        previous.append(run.previous)
        if number != 3:
            exports.finish(NewCopy(run.run, "exporter", 1, 1, 0, 0), [ExportFile("a.csv", 1, 1, bytes(32))])
    assert previous == [None, None, 1, 1]  # the third was never finished
    assert [run.run for run in exports.unfinished("tax")] == [3]


def test_rows_of_a_run_are_read_in_pages_and_by_procedure(bench: Bench) -> None:
    bench.accepted(document(1), document(2, "advance-payment-offer", fiscal_year=2026), document(3))
    exports = bench.store.exports
    exports.claim(new(), numbers(bench))
    assert exports.procedures(1) == ["advance-payment-offer", "seizure-release-under-grace"]
    first = exports.entries(1, What.ROW, limit=2)
    rest = exports.entries(1, What.ROW, after=first[-1].position)
    assert [entry.row.number for entry in (*first, *rest)] == [1, 2, 3]
    only = exports.entries(1, What.ROW, procedure="advance-payment-offer")
    assert [entry.row.number for entry in only] == [2]


def test_copies_are_told_once(bench: Bench) -> None:
    bench.accepted(document(1))
    exports = bench.store.exports
    exports.claim(new(), numbers(bench))
    exports.finish(NewCopy(1, "exporter", 7, 1, 0, 0), [ExportFile("a.csv", 1, 1, bytes(32))])
    exports.copied(NewCopy(1, "another", 8, 1, 0, 0))
    found = exports.untold()
    assert [(copy.run, copy.again, series) for copy, series in found] == [(1, False, "tax"), (1, True, "tax")]
    exports.told([found[0][0].copy], 9)
    assert [copy.again for copy, _ in exports.untold()] == [True]


def schema(path: Path) -> set[str]:
    with sqlite3.connect(path) as db:
        found = {" ".join(row[0].split()) for row in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    db.close()
    return found


def test_a_store_of_version_2_comes_to_this_version_and_keeps_what_it_has(tmp_path: Path) -> None:
    old, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    with sqlite3.connect(old) as db:
        db.executescript(VERSION_2.read_text())
    db.close()
    for _ in range(2):
        store = open_sqlite(old, OWNER)
        assert [row.event.status.value for row in store.events()] == ["accepted", "stored"]
        assert [each.tax_items for each in store.cases.decisions(1)] == [("resident-tax",)]
        assert [each.number for each in store.exports.candidates("tax")] == [1]
        store.close()
    open_sqlite(fresh, OWNER).close()
    assert schema(old) == schema(fresh)
    store = open_sqlite(old, OWNER)
    run = store.exports.claim(new(), [1])
    assert run is not None
    store.close()


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "store.db", OWNER).close()
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("UPDATE owner SET schema_version = ?", (tables.SCHEMA_VERSION + 1,))
    db.close()
    with pytest.raises(StoreTooNew):
        open_sqlite(tmp_path / "store.db", OWNER)
