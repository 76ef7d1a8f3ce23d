"""Makes a home ready to go on at a disaster copy: same topics, same records, other offsets.

    desks, tax systems: the rows stay, the places go; everything is read again and what is known is known
    producers: journals are set aside, for they tell of acknowledgements of a Kafka that is gone
    monitor, analysis: begin anew from the copied log

A router has no place but its group's, and the copy has no groups: it routes everything on the copy again, so that
what the mirror had of a submission and not of its outputs is not lost. Desks know repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from assurance.backup.contents import JOURNALS
from assurance.backup.restoring import set_aside
from consumers.store.sql import SqlStore, open_sqlite
from consumers.tax.store import TaxStore
from hub.producing.journal import read_events
from hub.producing.journal_rows import EventState, JournaledEvent

_STORE: Final = "store.db"
_JOURNAL: Final = "journal.db"
_ANEW: Final = frozenset({"operations.db", "faust"})


@dataclass(frozen=True, slots=True)
class MadeReady:
    """`places` that were forgotten, by principal; `aside` are files of the home; `unconfirmed` are receipt numbers."""

    places: dict[str, int]
    aside: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    """of filings that a journal has and no desk has confirmed: on the copy or not, they are to be looked for"""


def make_ready(home: Path, namespace: str) -> MadeReady:
    """Forget every place in a Kafka that is gone. Nothing of the home may run; may be done again.

    Raises StoreError, JournalUnavailable.
    """
    places: dict[str, int] = {}
    for path in sorted(home.glob(f"roles/*/state/{_STORE}")):
        principal = path.parent.parent.name
        owner = f"{namespace}/{principal}"
        if principal.startswith("tax-"):
            table = TaxStore(path, owner)
            try:
                places[principal] = table.forget_places()
            finally:
                table.close()
        else:
            store = open_sqlite(path, owner)
            try:
                places[principal] = store.forget_positions()
            finally:
                store.close()
    waiting = _unconfirmed(home)
    return MadeReady(places, set_aside(home, JOURNALS | _ANEW), waiting)


def nowhere(home: Path, namespace: str) -> tuple[str, ...]:
    """Receipt numbers that a journal has, set aside or not, no desk has confirmed, and no review desk's store knows.

    By receipt number and not by event: what is filed again is another event, and then it is there.

    Raises StoreError, JournalUnavailable.
    """
    found: dict[str, None] = {}
    stores: dict[str, SqlStore | None] = {}
    try:
        for event in _waiting(home):
            if event.tenant not in stores:
                principal = f"review-{event.tenant}"
                path = home / "roles" / principal / "state" / _STORE
                stores[event.tenant] = open_sqlite(path, f"{namespace}/{principal}") if path.exists() else None
            store = stores[event.tenant]
            if store is None or not store.events(receipt_number=event.receipt_number, limit=1):
                found[event.receipt_number] = None
    finally:
        for each in stores.values():
            if each is not None:
                each.close()
    return tuple(found)


def _unconfirmed(home: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.receipt_number for event in _waiting(home)))


def _waiting(home: Path) -> Iterator[JournaledEvent]:
    """What the portal's journals have without a desk's receipt."""
    for path in sorted(home.glob(f"roles/portal/state/{_JOURNAL}*")):
        if path.name.endswith(("-wal", "-shm", ".lock")):
            continue
        yield from (each for each in read_events(path) if each.state in (EventState.JOURNALED, EventState.ACKNOWLEDGED))
