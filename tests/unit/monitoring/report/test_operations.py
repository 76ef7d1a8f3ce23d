"""The collected operations log as a source of the report: what was changed does not count, what is missing is said."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.store.errors import StoreUnavailable
from hub.envelope.operations import Class, Kind
from hub.envelope.times import in_japan
from monitoring.operations.retention import DEFAULT_DAYS
from monitoring.report.operations import Operations, read, take, write
from monitoring.report.sources import parsed
from tests.unit.monitoring.operations.world import DESK, MONITOR, NOW, NS, PORTAL, TENANT, TRUST, Keeper, Log, Monitor

DAY = parsed(in_japan(NOW).date().isoformat(), None)
OTHER = "999997"


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    """A store with two cities' desks and the portal; one line is missing, one belongs to the day before."""
    made = Monitor(tmp_path)
    with made.open() as store:
        keeper = Keeper(store)
        desk, other = Log(), Log(f"review-{OTHER}", id=b"o" * 16)
        portal = Log(PORTAL, id=b"p" * 16)
        keeper.keep(desk.write(Kind.STARTED, at=NOW - timedelta(days=1)))
        for _ in range(3):
            keeper.keep(desk.write(actor="sato", tenant=TENANT, count=2), other.write(actor="foreign", tenant=OTHER))
        portal.write(Kind.ALARM, code="never-came")
        keeper.keep(portal.write(Kind.ALARM, code="lag"))
        keeper.keep(b"no line at all", at=NOW, key=b"x")
    return made


def taken(monitor: Monitor, tenant: str = TENANT) -> Operations:
    """What the report would say."""
    found = take(monitor.file, f"{NS}/{MONITOR}", TRUST, MONITOR, (tenant,), DAY, DEFAULT_DAYS)
    assert read(write(found)) == found
    return found[0]


def changed(monitor: Monitor, statement: str) -> None:
    """What somebody with the file could do."""
    db = sqlite3.connect(monitor.file)
    with db:
        db.execute(statement)
    db.close()


def test_a_day_of_one_city(monitor: Monitor) -> None:
    found = taken(monitor)
    assert found.use.lines == 4
    assert [(each.name, each.about, each.count) for each in found.use.access] == [("sato", "viewed", 6)]
    assert [each.name for each in found.use.alarms] == ["lag"]
    assert [each.principal for each in found.use.processes] == [PORTAL, DESK]
    assert found.log.verified
    assert found.log.checkpoint is not None
    assert found.log.checkpoint.size == 8
    assert [(each.principal, each.first, each.last) for each in found.log.gaps] == [(PORTAL, 0, 0)]
    assert found.log.missing == 1
    assert sum(count for _, count in found.log.refused) == 1
    assert len(found.retention) == len(Class)
    assert "foreign" in str(taken(monitor, OTHER))
    assert "foreign" not in str(found)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE line SET value = (SELECT value FROM line WHERE number = 1) WHERE number = 3",
        "UPDATE line SET value = substr(value, 1, length(value) - 1) || x'00' WHERE number = 3",
        "UPDATE leaf SET hash = zeroblob(32) WHERE number = 3",
    ],
)
def test_a_line_that_was_changed_does_not_count_and_is_no_verified_log(monitor: Monitor, statement: str) -> None:
    before = taken(monitor).use.lines
    changed(monitor, statement)
    found = taken(monitor)
    assert not found.log.verified
    assert found.use.lines < before


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM leaf WHERE number = (SELECT max(number) FROM leaf)",
        "UPDATE tree SET root = zeroblob(32)",
        "UPDATE tree SET size = size - 1",
        "UPDATE tree SET head = zeroblob(200)",
        "DELETE FROM tree",
        "UPDATE leaf SET collected_at_ms = collected_at_ms + 1 WHERE number = 0",
    ],
)
def test_a_tree_that_was_changed_is_no_verified_log(monitor: Monitor, statement: str) -> None:
    changed(monitor, statement)
    assert not taken(monitor).log.verified


def test_runs_of_missing_lines(monitor: Monitor) -> None:
    with monitor.open() as store:
        keeper = Keeper(store, store.places()[(f"{NS}.operations", 1)])
        log = Log("router", id=b"r" * 16)
        values = [log.write(Kind.STARTED), *(log.write(Kind.ALARM, code="x") for _ in range(9))]
        keeper.keep(values[2], values[3], values[7])
    runs = [(each.first, each.last) for each in taken(monitor).log.gaps if each.principal == "router"]
    assert runs == [(0, 1), (4, 6)]


def test_no_store_is_no_source_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        taken(Monitor(tmp_path))
    assert list(tmp_path.iterdir()) == []
