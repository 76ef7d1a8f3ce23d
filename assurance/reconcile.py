"""Reconciliation: sent = routed = stored, event by event, leaf by leaf. Pure.

| flow | from | to |
|---|---|---|
| submissions | the portal | review, helpdesk and audit desks, through the router |
| decisions | each review desk | the portal, which opens them, helpdesk and audit |
| hand-overs | each review desk | the one tax team each is sealed for, and audit |

An event is (tenant, event id, leaf). The same id with another leaf is another event, so swapped content
shows as one loss and one addition, and as a conflict besides.

| state | said by | means | so the event |
|---|---|---|---|
| held | all | has it; who sent it: all in-sync replicas have it | must be at every end of its flow |
| unconfirmed | desks, audit | has it, has seen no checkpoint that lists it | counts as had, and is listed |
| pending | portal, review | journaled or decided, not acknowledged yet | may be anywhere |
| void | portal, review | finally refused, never sent | may be nowhere; seen anywhere, the void is cancelled |
| dead-letter | router, desks, audit | put aside, not stored | counts as not had, and is listed |
| erased | all | had it and lawfully erased it | counts as had |
| discarded | audit | the operator signed that nobody will get it, and why | need not be anywhere, and is listed |
| discarded-audit, -review, -helpdesk, -portal, -tax | audit | the same, for this reader alone | need not be there |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
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
    DECIDED = "decided"
    """what a review desk told of its decisions"""
    ANSWERED = "answered"
    """decisions that the portal can open, as often as they stand on the topic"""
    TOLD = "told"
    """decisions that a helpdesk has"""
    DECISION_LOG = "decision-log"
    """decisions in an audit desk's log"""
    HANDED = "handed-over"
    """what a review desk handed over to tax teams"""
    TAKEN = "taken-over"
    """what a tax team has opened and kept"""
    HANDOVER_LOG = "hand-over-log"
    """hand-overs in an audit desk's log"""


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
    DISCARDED_PORTAL = "discarded-portal"
    DISCARDED_TAX = "discarded-tax"


@dataclass(frozen=True, slots=True)
class Flow:
    """Where events come from and where each must arrive; at the `exclusive` places with one of the principals only."""

    source: Kind
    destinations: tuple[Kind, ...]
    exclusive: frozenset[Kind] = frozenset()


DESTINATIONS: Final = (Kind.AUDIT, Kind.REVIEW, Kind.HELPDESK)
SUBMISSIONS: Final = Flow(Kind.PORTAL, DESTINATIONS)
"""to the router's outputs too once somebody reports on them"""
DECISIONS: Final = Flow(Kind.DECIDED, (Kind.ANSWERED, Kind.TOLD, Kind.DECISION_LOG))
HANDOVERS: Final = Flow(Kind.HANDED, (Kind.TAKEN, Kind.HANDOVER_LOG), frozenset({Kind.TAKEN}))

_EXCUSED: Final = {
    State.DISCARDED_AUDIT: (Kind.AUDIT, Kind.DECISION_LOG, Kind.HANDOVER_LOG),
    State.DISCARDED_REVIEW: (Kind.REVIEW,),
    State.DISCARDED_HELPDESK: (Kind.HELPDESK, Kind.TOLD),
    State.DISCARDED_PORTAL: (Kind.ANSWERED,),
    State.DISCARDED_TAX: (Kind.TAKEN,),
}
"""where an event that the operator discarded need not be; State.DISCARDED: nowhere"""
LOGS: Final = frozenset({Kind.AUDIT, Kind.DECISION_LOG, Kind.HANDOVER_LOG})
"""whose word on what was discarded counts, for it has the signature"""

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
class Comparison:
    """The outcome; `agreed` iff no report is missing and nothing is lost, extra, double or in conflict."""

    agreed: bool
    counts: Mapping[Kind, int]
    """events by place, each counted once"""
    counts_by_tenant: Mapping[str, Mapping[Kind, int]]
    lost: Found
    """sent, but not at a place where it must be: one per event and place"""
    extra: Found
    """at a place although nobody sent it"""
    duplicates: Found
    """named more than once in one report, or by two where one may have it: one per surplus line"""
    conflicts: Found
    """an id that one place has with more than one leaf: one per leaf beyond the first"""
    unconfirmed: Found
    """had, without a signed checkpoint that lists it; lawful for a moment while the hub runs"""
    dead_letters: Found
    """put aside; those that were sent are lost besides, until they are replayed or discarded"""
    discarded: Found
    """discarded by the operator's signed word, and not had: one per event and place"""
    foreign: int
    """lines in which a report spoke for another municipality than its own; ignored, but not agreed"""
    pending: int
    void: int
    erased: int
    missing_reports: tuple[tuple[str, Kind], ...]
    """(tenant, place) that nobody reported on; the tenant is empty where the one source of all is missing"""


@dataclass(frozen=True, slots=True)
class Reconciliation(Comparison):
    """The outcome for submissions."""

    @property
    def totals(self) -> Totals:
        """Submissions by place."""
        return _totals(self.counts)

    @property
    def by_tenant(self) -> Mapping[str, Totals]:
        """The same for each municipality."""
        return {tenant: _totals(counts) for tenant, counts in self.counts_by_tenant.items()}


def reconcile(
    reports: Sequence[Report], *, later: Sequence[Report] = (), tenants: Iterable[str] = ()
) -> Reconciliation:
    """Compare what the portal sent with what was routed and stored, per municipality; see `compare`."""
    routed = any(report.kind is Kind.ROUTER for report in reports)
    flow = replace(SUBMISSIONS, destinations=(Kind.ROUTER, *DESTINATIONS)) if routed else SUBMISSIONS
    outcome = compare(flow, reports, later=later, tenants=tenants)
    return Reconciliation(**{each.name: getattr(outcome, each.name) for each in fields(Comparison)})


def compare(
    flow: Flow, reports: Sequence[Report], *, later: Sequence[Report] = (), tenants: Iterable[str] = ()
) -> Comparison:
    """Compare what was sent with what arrived at each place of a flow; reports of other kinds are passed over.

    `tenants` are the declared ones: each needs a report of every place even if nothing was sent for it.
    While the hub runs, take the source's reports twice: before all others (in `reports`), which says what
    must have arrived by now if the places have caught up, and after them (`later`), which says what may have.
    Reports of one kind are taken together (portal instances); the same report handed in twice counts once.
    """
    kinds = (flow.source, *flow.destinations)
    once = tuple(report for report in dict.fromkeys(reports) if report.kind in kinds)
    lines = {kind: [e for r in once if r.kind is kind for e in r.admissible()] for kind in kinds}
    afterwards = [e for r in dict.fromkeys(later) if r.kind is flow.source for e in r.admissible()]
    named = sorted({*tenants, *(e.tenant for entries in lines.values() for e in entries if e.tenant)})

    held = {kind: {e.event for e in lines[kind] if e.state in _HAVING} for kind in kinds}
    void = {e.event for e in lines[flow.source] if e.state is State.VOID} - held[flow.source]
    cancelled = {event for event in void if any(event in held[kind] for kind in flow.destinations)}
    must = held[flow.source] | cancelled
    may = must | {e.event for e in [*lines[flow.source], *afterwards]}

    excused = {
        (e.event, kind)
        for log in LOGS.intersection(kinds)
        for e in lines[log]
        for kind in (flow.destinations if e.state is State.DISCARDED else _EXCUSED.get(e.state, ()))
    }
    missed = {(event, kind) for kind in flow.destinations for event in must - held[kind]}
    lost = _found(missed - excused)
    extra = _found((event, kind) for kind in flow.destinations for event in held[kind] - may)
    duplicates = _found(_surpluses(flow, once))
    conflicts = _found(second for kind in kinds for second in _second_leaves(kind, held[kind]))
    foreign = sum(len(report.entries) - len(report.admissible()) for report in once)
    missing = _missing(flow, once, named)
    had = {**held, flow.source: must}
    return Comparison(
        agreed=not (missing or foreign or lost or extra or duplicates or conflicts),
        counts={kind: len(events) for kind, events in had.items()},
        counts_by_tenant={
            tenant: {kind: sum(event.tenant == tenant for event in events) for kind, events in had.items()}
            for tenant in named
        },
        lost=lost,
        extra=extra,
        duplicates=duplicates,
        conflicts=conflicts,
        unconfirmed=_found(_in_state(lines, State.UNCONFIRMED)),
        dead_letters=_found(_in_state(lines, State.DEAD_LETTER)),
        discarded=_found(missed & excused),
        foreign=foreign,
        pending=len({e.event for e in lines[flow.source] if e.state is State.PENDING} - must),
        void=len(void - cancelled),
        erased=len({e.event for entries in lines.values() for e in entries if e.state is State.ERASED}),
        missing_reports=missing,
    )


def _missing(flow: Flow, reports: Iterable[Report], tenants: Sequence[str]) -> tuple[tuple[str, Kind], ...]:
    reported = {(report.tenant, report.kind) for report in reports}
    shared = flow.source is Kind.PORTAL
    missing = [("", flow.source)] if shared and not any(kind is flow.source for _, kind in reported) else []
    places = flow.destinations if shared else (flow.source, *flow.destinations)
    for tenant in tenants:
        missing += [(tenant, at) for at in places if not {(tenant, at), (None, at)} & reported]
    return tuple(missing)


def _surpluses(flow: Flow, reports: Iterable[Report]) -> Iterable[tuple[Event, Kind]]:
    """Yield each event as often as a report names it as had beyond the first time, or a second principal does."""
    owners: dict[tuple[Event, Kind], str] = {}
    for report in reports:
        counted = Counter(entry.event for entry in report.admissible() if entry.state in _HAVING)
        for event, count in counted.items():
            yield from ((event, report.kind) for _ in range(count - 1))
            if report.kind in flow.exclusive and owners.setdefault((event, report.kind), report.principal) != (
                report.principal
            ):
                yield event, report.kind


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


def _totals(counts: Mapping[Kind, int]) -> Totals:
    return Totals(
        submitted=counts[Kind.PORTAL],
        routed=counts.get(Kind.ROUTER, counts[Kind.AUDIT]),
        review=counts[Kind.REVIEW],
        helpdesk=counts[Kind.HELPDESK],
        audit=counts[Kind.AUDIT],
    )
