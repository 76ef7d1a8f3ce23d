"""What a desk or tax team says it holds, for reconciliation: one entry for each event and each notice it knows of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from consumers.store.casework import Handover, KeptDecision
from consumers.store.model import Status, StoredEvent
from consumers.store.port import Store
from consumers.tax.store import TaxStore
from hub.envelope.names import Kind
from hub.envelope.records import ReportEntry
from schemas.parts import ATTACHMENT_PART
from topics.names import in_generation

HELD: Final = "held"
UNCONFIRMED: Final = "unconfirmed"
ERASED: Final = "erased"
DEAD_LETTER: Final = "dead-letter"
PENDING: Final = "pending"
VOID: Final = "void"
DISCARDED: Final = "discarded"
_PAGE: Final = 2_000


def entries(store: Store, *, discards: bool = False) -> Iterator[ReportEntry]:
    """Yield (tenant, event id, leaf, state) of submissions in the order of storing, then of dead letters.

    A submission that a notice spoke of and that came after all counts as held. With `discards` (audit) follow the
    submissions that the operator discarded, and at which desk: `discarded` is before all of them.
    """
    held: set[bytes] = set()
    for row in _rows(store, Kind.SUBMISSION):
        held.add(row.event.leaf)
        yield _entry(row)
    for notice in store.notices(limit=1_000_000):
        if notice.leaf not in held:
            yield ReportEntry(notice.tenant, notice.event_id, notice.leaf, DEAD_LETTER)
    if discards:
        yield from _discarded(store, _OF_SUBMISSIONS)


def decisions_seen(store: Store, *, discards: bool = False) -> Iterator[ReportEntry]:
    """Yield the same of decisions that a helpdesk or audit desk has read."""
    yield from map(_entry, _rows(store, Kind.STATUS))
    if discards:
        yield from _discarded(store, _OF_DECISIONS)


def handovers_seen(store: Store, *, discards: bool = False) -> Iterator[ReportEntry]:
    """Yield the same of hand-overs in an audit desk's log; parts of attachments are not hand-overs."""
    for row in _rows(store, Kind.ACCEPTED):
        if row.event.procedure != ATTACHMENT_PART:
            yield _entry(row)
    if discards:
        yield from _discarded(store, _OF_HANDOVERS)


def decided(store: Store) -> Iterator[ReportEntry]:
    """Yield a review desk's decisions: told ones by their status event, others by the submission they are about."""
    for decision in _decisions(store):
        yield _sent(store, decision, decision)


def handed_over(store: Store) -> Iterator[ReportEntry]:
    """Yield the same of what it handed over, one entry for each tax item."""
    page: list[KeptDecision] = []
    for decision in _decisions(store):
        page.append(decision)
        if len(page) == _PAGE:
            yield from _handovers(store, page)
            page = []
    yield from _handovers(store, page)


def taken_over(store: TaxStore) -> Iterator[ReportEntry]:
    """Yield what a tax team has taken over."""
    for tenant, event_id, leaf in store.names():
        yield ReportEntry(tenant, event_id, leaf, HELD)


def _discarded(store: Store, states: Mapping[tuple[str, str], str]) -> Iterator[ReportEntry]:
    """Yield what was discarded, by (kind of topic, hop that refused it): another hop's refusal excuses nobody."""
    for said in store.resolutions(discarded=True):
        hop = in_generation(said.letter.partition("/")[0], 1).rpartition(".")[2].partition("-")[0]
        state = states.get((in_generation(said.origin, 1).rpartition(".")[2], hop))
        if state is not None and said.tenant and said.event_id and said.leaf:
            yield ReportEntry(said.tenant, said.event_id, said.leaf, state)


_OF_SUBMISSIONS: Final = {("submissions", "router"): DISCARDED} | {
    (desk, desk): f"{DISCARDED}-{desk}" for desk in ("audit", "review", "helpdesk")
}
_OF_DECISIONS: Final = {("status", hop): f"{DISCARDED}-{hop}" for hop in ("audit", "helpdesk", "portal")}
_OF_HANDOVERS: Final = {("accepted", hop): f"{DISCARDED}-{hop}" for hop in ("audit", "tax")}


def _rows(store: Store, kind: Kind) -> Iterator[StoredEvent]:
    after = 0
    while page := store.events(after=after, limit=_PAGE):
        for row in page:
            if row.event.kind == kind.value:
                yield row
        after = page[-1].number


def _entry(row: StoredEvent) -> ReportEntry:
    state = HELD if row.confirmed_at_ms is not None else UNCONFIRMED
    if row.event.status is Status.ERASED:
        state = ERASED
    return ReportEntry(row.event.tenant, row.event.event_id, row.event.leaf, state)


def _decisions(store: Store) -> Iterator[KeptDecision]:
    after = 0
    while page := store.cases.all_decisions(after=after, limit=_PAGE):
        yield from page
        after = page[-1].decision


def _handovers(store: Store, page: list[KeptDecision]) -> Iterator[ReportEntry]:
    by_row = {decision.decision: decision for decision in page}
    for handover in store.cases.handovers(list(by_row)):
        yield _sent(store, by_row[handover.decision], handover)


def _sent(store: Store, decision: KeptDecision, sent: KeptDecision | Handover) -> ReportEntry:
    (about,) = store.events(after=decision.number - 1, limit=1)
    if sent.event_id is not None and sent.leaf is not None:
        return ReportEntry(about.event.tenant, sent.event_id, sent.leaf, HELD)
    state = PENDING if sent.failed is None else VOID
    return ReportEntry(about.event.tenant, about.event.event_id, about.event.leaf, state)
