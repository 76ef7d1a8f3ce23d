"""Makes a home ready to go on at a disaster copy: same topics, same records, other offsets.

    desks, tax systems: the rows stay, the places go; everything is read again and what is known is known
    producers: journals are set aside, for they tell of acknowledgements of a Kafka that is gone
    monitor, analysis: begin anew from the copied log

A router has no place but its group's, and the copy has no groups: it routes everything on the copy again, so that
what the mirror had of a submission and not of its outputs is not lost. Desks know repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from assurance.backup.contents import JOURNALS
from assurance.backup.restoring import set_aside
from consumers.store.sql import open_sqlite
from consumers.tax.store import TaxStore
from hub.producing.journal import read_events
from hub.producing.journal_rows import EventState

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


def _unconfirmed(home: Path) -> tuple[str, ...]:
    """Receipt numbers that the portal's journals have without a desk's receipt, also of journals set aside before."""
    done = {EventState.STORED, EventState.VOID}
    found: dict[str, bool] = {}
    for path in sorted(home.glob(f"roles/portal/state/{_JOURNAL}*")):
        if path.name.endswith(("-wal", "-shm", ".lock")):
            continue
        for event in read_events(path):
            found[event.receipt_number] = found.get(event.receipt_number, False) or event.state in done
    return tuple(number for number, stored in found.items() if not stored)
