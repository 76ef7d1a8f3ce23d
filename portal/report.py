"""What the portal end says it sent, for the signed reconciliation report: ids, digests and states only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from hub.envelope.records import ReportEntry
from hub.producing.journal import read_events
from hub.producing.journal_rows import EventState
from hub.reading.stream import StreamRole
from portal.status import status_stream

_STATES: Final = {
    EventState.JOURNALED: "pending",
    EventState.ACKNOWLEDGED: "held",
    EventState.STORED: "held",
    EventState.VOID: "void",
}
"""The words of reconciliation: pending may be anywhere, held was acknowledged, void may be nowhere."""


def report_entries(journal: Path) -> Iterator[ReportEntry]:
    """Yield every event that the journal at this path has ever taken, oldest first.

    A portal may be running on it meanwhile. Raises `JournalUnavailable`.
    """
    for event in read_events(journal):
        yield ReportEntry(event.tenant, event.event_id, event.leaf, _STATES[event.state])


async def answered_entries(role: StreamRole) -> list[ReportEntry]:
    """Return every decision that stands on the status topics now and opens for the portal, as often as it stands there.

    Raises what `SealedStream` raises.
    """
    async with status_stream(role, {}) as stream, aclosing(stream.events(follow=False)) as events:
        return [ReportEntry(each.tenant, each.event_id, each.leaf, "held") async for _, each in events]
