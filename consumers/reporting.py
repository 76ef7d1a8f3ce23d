"""What a desk says it holds, for reconciliation: one entry for each event and each notice it knows of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from consumers.store.model import Status
from consumers.store.port import Store
from hub.envelope.names import Kind
from hub.envelope.records import ReportEntry

HELD: Final = "held"
UNCONFIRMED: Final = "unconfirmed"
ERASED: Final = "erased"
DEAD_LETTER: Final = "dead-letter"
DISCARDED: Final = "discarded"
_PAGE: Final = 2_000


def entries(store: Store, *, discards: bool = False) -> Iterator[ReportEntry]:
    """Yield (tenant, event id, leaf, state) of submissions in the order of storing, then of dead letters.

    A submission that a notice spoke of and that came after all counts as held. With `discards` (audit) follow the
    submissions that the operator discarded, and at which desk: `discarded` is before all of them.
    """
    held: set[bytes] = set()
    after = 0
    while page := store.events(after=after, limit=_PAGE):
        for row in page:
            if row.event.kind != Kind.SUBMISSION.value:
                continue
            state = HELD if row.confirmed_at_ms is not None else UNCONFIRMED
            if row.event.status is Status.ERASED:
                state = ERASED
            held.add(row.event.leaf)
            yield ReportEntry(row.event.tenant, row.event.event_id, row.event.leaf, state)
        after = page[-1].number
    for notice in store.notices(limit=1_000_000):
        if notice.leaf not in held:
            yield ReportEntry(notice.tenant, notice.event_id, notice.leaf, DEAD_LETTER)
    for said in store.resolutions(discarded=True) if discards else ():
        where = _STATES.get(said.origin.rpartition(".")[2])
        if where is not None and said.tenant and said.event_id and said.leaf:
            yield ReportEntry(said.tenant, said.event_id, said.leaf, where)


_STATES: Final = {"submissions": DISCARDED} | {desk: f"{DISCARDED}-{desk}" for desk in ("audit", "review", "helpdesk")}
