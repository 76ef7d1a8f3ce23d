"""A home that goes on at a copy: places are forgotten, rows stay, journals are aside, and what is nowhere is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assurance.taking_over import make_ready, nowhere
from consumers.store.sql import open_sqlite
from consumers.tax.store import TaxStore
from hub.producing.journal import Journal
from hub.producing.journal_rows import Acknowledge, Append, Confirm, Receipt
from tests.unit.consumers.making import batch, new_event
from tests.unit.producing.support import OWNER, entry, session

NAMESPACE, DESK, TEAM = "rehearsal", "review-999997", "tax-resident-tax-999997"
STORED, CONFIRMED, LOST, UNSENT = (
    new_event(0).receipt_number,
    "R7-99999-000000701",
    "R7-99999-000000702",
    "R7-99999-703",
)
S = session(tenant="999997").session


def state(home: Path, principal: str) -> Path:
    path = home / "roles" / principal / "state"
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    journal = Journal.open(state(tmp_path, "portal") / "journal.db", owner=OWNER)
    entries = [
        replace(entry(S, 0, at), tenant="999997", receipt_number=receipt)
        for at, receipt in enumerate((STORED, CONFIRMED, LOST, UNSENT))
    ]
    await journal.apply(session(tenant="999997"), Append(tuple(entries)), Acknowledge(S, 0, 2))
    receipt = Receipt(S, 0, 1, entries[1].event_id, entries[1].leaf)
    await journal.apply(Confirm("rehearsal.999997.status", 0, 7, (receipt,)))
    journal.close()
    store = open_sqlite(state(tmp_path, DESK) / "store.db", f"{NAMESPACE}/{DESK}")
    store.commit(batch(None, 9, new_event(0)))
    store.close()
    table = TaxStore(state(tmp_path, TEAM) / "store.db", f"{NAMESPACE}/{TEAM}")
    table.passed(0, "5")
    table.close()
    (state(tmp_path, "monitor") / "operations.db").write_bytes(b"rows")
    return tmp_path


async def test_places_go_and_rows_stay(home: Path) -> None:
    done = make_ready(home, NAMESPACE)
    assert done.places == {DESK: 1, TEAM: 1}
    store = open_sqlite(state(home, DESK) / "store.db", f"{NAMESPACE}/{DESK}")
    assert (store.positions(), len(store.events())) == ({}, 1)
    store.close()
    table = TaxStore(state(home, TEAM) / "store.db", f"{NAMESPACE}/{TEAM}")
    assert table.places() == {}
    table.close()


async def test_journals_and_collected_rows_are_set_aside_and_a_second_time_is_no_harm(home: Path) -> None:
    assert make_ready(home, NAMESPACE).aside == (
        "roles/monitor/state/operations.db",
        "roles/portal/state/journal.db",
    )
    assert not (state(home, "portal") / "journal.db").exists()
    assert make_ready(home, NAMESPACE).aside == ()
    (state(home, "monitor") / "operations.db").write_bytes(b"newer")
    assert make_ready(home, NAMESPACE).aside == ("roles/monitor/state/operations.db",)
    aside = {path.name: path.read_bytes() for path in state(home, "monitor").iterdir()}
    assert aside == {"operations.db.set-aside": b"rows", "operations.db.set-aside-2": b"newer"}


async def test_what_is_nowhere_is_named_before_and_after_the_journal_is_aside(home: Path) -> None:
    assert nowhere(home, NAMESPACE) == (LOST, UNSENT)
    assert make_ready(home, NAMESPACE).unconfirmed == (STORED, LOST, UNSENT)
    assert nowhere(home, NAMESPACE) == (LOST, UNSENT)
    store = open_sqlite(state(home, DESK) / "store.db", f"{NAMESPACE}/{DESK}")
    store.commit(batch(None, 2, replace(new_event(3), receipt_number=LOST)))  # filed again, as another event
    store.close()
    assert nowhere(home, NAMESPACE) == (UNSENT,)


async def test_without_a_desks_store_everything_unconfirmed_is_nowhere(home: Path) -> None:
    (state(home, DESK) / "store.db").unlink()
    assert nowhere(home, NAMESPACE) == (STORED, LOST, UNSENT)
