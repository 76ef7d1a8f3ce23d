"""Reconciliation: portal = routed = stored, event by event, leaf by leaf. Pure.

An event is (tenant, event id, leaf). The same id with another leaf is another event, so swapped content
shows as one loss and one addition, and as a conflict besides.

| state | said by | means | so the event |
|---|---|---|---|
| held | all | has it; portal: all in-sync replicas have it | must be at audit, review and helpdesk |
| unconfirmed | desks, audit | has it, has seen no checkpoint that lists it | counts as had, and is listed |
| pending | portal | journaled, not acknowledged yet | may be anywhere |
| void | portal | finally refused by the broker | may be nowhere; seen anywhere, the void is cancelled |
| dead-letter | router, desks, audit | put aside, not stored | counts as not had, and is listed |
| erased | all | had it and lawfully erased it | counts as had |
| discarded | audit | the operator signed that nobody will get it, and why | need not be anywhere, and is listed |
| discarded-audit, -review, -helpdesk | audit | the same, for this desk alone | need not be there, and is listed |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final

MAX_LISTED: Final = 100
"""discrepancies listed one by one for each sort; the counts are exact"""


class Kind(StrEnum):
    """Which place on the way a report speaks for."""

    PORTAL = "portal"
    ROUTER = "router"
    AUDIT = "audit"
    REVIEW = "review"
    HELPDESK = "helpdesk"


class State(StrEnum):
    """What a role says of one event; see the table in the module's docstring."""

    HELD = "held"
    UNCONFIRMED = "unconfirmed"
    PENDING = "pending"
    VOID = "void"
    DEAD_LETTER = "dead-letter"
    ERASED = "erased"
    DISCARDED = "discarded"
    DISCARDED_AUDIT = "discarded-audit"
    DISCARDED_REVIEW = "discarded-review"
    DISCARDED_HELPDESK = "discarded-helpdesk"


DESTINATIONS: Final = (Kind.AUDIT, Kind.REVIEW, Kind.HELPDESK)
"""where every event of the portal must arrive; the router's outputs too once somebody reports on them"""

_EXCUSED: Final = {
    State.DISCARDED: (Kind.ROUTER, *DESTINATIONS),
    State.DISCARDED_AUDIT: (Kind.AUDIT,),
    State.DISCARDED_REVIEW: (Kind.REVIEW,),
    State.DISCARDED_HELPDESK: (Kind.HELPDESK,),
}
"""where an event that the operator discarded need not be; only audit's word counts, for it has the signature"""

_HAVING: Final = frozenset({State.HELD, State.UNCONFIRMED, State.ERASED})


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """What stands for one submission everywhere: municipality, event id (UUIDv7 text), leaf (32 bytes)."""

    tenant: str
    event_id: str
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a role's report."""

    tenant: str
    event_id: str
    leaf: bytes
    state: State = State.HELD

    @property
    def event(self) -> Event:
        """The event that this line is about."""
        return Event(self.tenant, self.event_id, self.leaf)


@dataclass(frozen=True, slots=True)
class Report:
    """What one principal says it has; `tenant` is None where it serves all of them (portal, router)."""

    principal: str
    tenant: str | None
    kind: Kind
    created_at: datetime
    entries: tuple[Entry, ...]

    def admissible(self) -> tuple[Entry, ...]:
        """Return the lines that this report may speak for: those of its own municipality."""
        if self.tenant is None:
            return self.entries
        return tuple(entry for entry in self.entries if entry.tenant == self.tenant)


@dataclass(frozen=True, slots=True, order=True)
class Discrepancy:
    """One event and the place where it is missing, or is and should not be."""

    tenant: str
    event_id: str
    leaf: bytes
    at: Kind


@dataclass(frozen=True, slots=True)
class Found:
    """Discrepancies of one sort: the exact number, and the first MAX_LISTED of them in order."""

    count: int
    listed: tuple[Discrepancy, ...]

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return self.count > 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Events by place, each counted once. `routed` is the router's outputs, or the audit log without them."""

    submitted: int
    routed: int
    review: int
    helpdesk: int
    audit: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The outcome; `agreed` iff no report is missing and nothing is lost, extra, double or in conflict."""

    agreed: bool
    totals: Totals
    by_tenant: Mapping[str, Totals]
    lost: Found
    """acknowledged to the portal, but not at a place where it must be: one per event and place"""
    extra: Found
    """at a place although no portal sent it"""
    duplicates: Found
    """named more than once in one report: one per surplus line"""
    conflicts: Found
    """an id that one place has with more than one leaf: one per leaf beyond the first"""
    unconfirmed: Found
    """had, without a signed checkpoint that lists it; lawful for a moment while the hub runs"""
    dead_letters: Found
    """put aside; those that the portal sent are lost besides, until they are replayed or discarded"""
    discarded: Found
    """discarded by the operator's signed word, and not had: one per event and place"""
    foreign: int
    """lines in which a report spoke for another municipality than its own; ignored, but not agreed"""
    pending: int
    void: int
    erased: int
    missing_reports: tuple[tuple[str, Kind], ...]
    """(tenant, place) that nobody reported on; the tenant is empty where the portal's is missing"""


def reconcile(
    reports: Sequence[Report], *, later: Sequence[Report] = (), tenants: Iterable[str] = ()
) -> Reconciliation:
    """Compare what was sent with what was routed and stored, per municipality.

    `tenants` are the declared ones: each needs a report of every desk even if nothing was sent for it.
    While the hub runs, take the portals' reports twice: before all others (in `reports`), which says what
    must have arrived by now if the desks have caught up, and after them (`later`), which says what may have.
    Reports of one kind are taken together (portal instances); the same report handed in twice counts once.
    """
    once = tuple(dict.fromkeys(reports))
    lines = {kind: [e for r in once if r.kind is kind for e in r.admissible()] for kind in Kind}
    afterwards = [e for r in dict.fromkeys(later) if r.kind is Kind.PORTAL for e in r.admissible()]
    named = sorted({*tenants, *(e.tenant for entries in lines.values() for e in entries if e.tenant)})
    places = _places(once)

    held = {kind: {e.event for e in lines[kind] if e.state in _HAVING} for kind in Kind}
    void = {e.event for e in lines[Kind.PORTAL] if e.state is State.VOID} - held[Kind.PORTAL]
    cancelled = {event for event in void if any(event in held[kind] for kind in places)}
    must = held[Kind.PORTAL] | cancelled
    may = must | {e.event for e in [*lines[Kind.PORTAL], *afterwards]}

    excused = {(e.event, kind) for e in lines[Kind.AUDIT] for kind in _EXCUSED.get(e.state, ())}
    missed = {(event, kind) for kind in places for event in must - held[kind]}
    lost = _found(missed - excused)
    extra = _found((event, kind) for kind in places for event in held[kind] - may)
    duplicates = _found(surplus for report in once for surplus in _surplus(report))
    conflicts = _found(second for kind in Kind for second in _second_leaves(kind, held[kind]))
    foreign = sum(len(report.entries) - len(report.admissible()) for report in once)
    missing = _missing(once, named, places)
    by_tenant = {tenant: _totals(tenant, must, held, routed=Kind.ROUTER in places) for tenant in named}
    return Reconciliation(
        agreed=not (missing or foreign or lost or extra or duplicates or conflicts),
        totals=_totals(None, must, held, routed=Kind.ROUTER in places),
        by_tenant=by_tenant,
        lost=lost,
        extra=extra,
        duplicates=duplicates,
        conflicts=conflicts,
        unconfirmed=_found(_in_state(lines, State.UNCONFIRMED)),
        dead_letters=_found(_in_state(lines, State.DEAD_LETTER)),
        discarded=_found(missed & excused),
        foreign=foreign,
        pending=len({e.event for e in lines[Kind.PORTAL] if e.state is State.PENDING} - must),
        void=len(void - cancelled),
        erased=len({e.event for entries in lines.values() for e in entries if e.state is State.ERASED}),
        missing_reports=missing,
    )


def _places(reports: Iterable[Report]) -> tuple[Kind, ...]:
    routed = any(report.kind is Kind.ROUTER for report in reports)
    return (Kind.ROUTER, *DESTINATIONS) if routed else DESTINATIONS


def _missing(reports: Iterable[Report], tenants: Sequence[str], places: Iterable[Kind]) -> tuple[tuple[str, Kind], ...]:
    reported = {(report.tenant, report.kind) for report in reports}
    missing = [] if any(kind is Kind.PORTAL for _, kind in reported) else [("", Kind.PORTAL)]
    for tenant in tenants:
        missing += [(tenant, at) for at in places if not {(tenant, at), (None, at)} & reported]
    return tuple(missing)


def _surplus(report: Report) -> Iterable[tuple[Event, Kind]]:
    """Yield each event as often as the report names it as had beyond the first time."""
    counted = Counter(entry.event for entry in report.admissible() if entry.state in _HAVING)
    for event, count in counted.items():
        yield from ((event, report.kind) for _ in range(count - 1))


def _second_leaves(kind: Kind, events: Iterable[Event]) -> Iterable[tuple[Event, Kind]]:
    seen: set[tuple[str, str]] = set()
    for event in sorted(events):
        if (event.tenant, event.event_id) in seen:
            yield event, kind
        seen.add((event.tenant, event.event_id))


def _in_state(lines: Mapping[Kind, Iterable[Entry]], state: State) -> Iterable[tuple[Event, Kind]]:
    return {(entry.event, kind) for kind, entries in lines.items() for entry in entries if entry.state is state}


def _found(pairs: Iterable[tuple[Event, Kind]]) -> Found:
    all_of_them = sorted(Discrepancy(event.tenant, event.event_id, event.leaf, kind) for event, kind in pairs)
    return Found(len(all_of_them), tuple(islice(all_of_them, MAX_LISTED)))


def _totals(tenant: str | None, sent: Iterable[Event], held: Mapping[Kind, Iterable[Event]], *, routed: bool) -> Totals:
    def count(events: Iterable[Event]) -> int:
        return sum(1 for event in events if tenant in (None, event.tenant))

    return Totals(
        submitted=count(sent),
        routed=count(held[Kind.ROUTER if routed else Kind.AUDIT]),
        review=count(held[Kind.REVIEW]),
        helpdesk=count(held[Kind.HELPDESK]),
        audit=count(held[Kind.AUDIT]),
    )
