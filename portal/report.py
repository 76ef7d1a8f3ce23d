"""What the portal end says it sent, for the signed reconciliation report: ids, digests and states only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hub.producing.journal import Journal
from hub.producing.journal_rows import EventState

_STATES: Final = {
    EventState.JOURNALED: "pending",
    EventState.ACKNOWLEDGED: "held",
    EventState.STORED: "held",
    EventState.VOID: "void",
}
"""The words of reconciliation: pending may be anywhere, held was acknowledged, void may be nowhere."""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One event as the portal end knows it."""

    tenant: str
    event_id: str
    leaf: bytes
    state: str


def report_entries(journal: Journal) -> Iterator[ReportEntry]:
    """Yield every event the journal has ever taken, oldest first."""
    for event in journal.events():
        yield ReportEntry(event.tenant, event.event_id, event.leaf, _STATES[event.state])
