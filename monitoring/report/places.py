"""What one place holds of a period's submissions, in numbers that can be laid side by side.

An event belongs to the time in its id (UUIDv7, made once at the portal), so that all places count the same submissions
whatever their clocks say and whenever they stored them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from hub.envelope.event_ids import is_event_id
from hub.envelope.names import Kind
from hub.envelope.records import ReportEntry
from monitoring.report.model import CONFIRMED_WITHIN_MS, DELAY_EDGES_MS, WITHIN_MS, Delays, Period, Place
from monitoring.report.words import slot_of

_MODULUS: Final = 1 << 256
_HAVING: Final = frozenset({"held", "unconfirmed", "erased"})


def made_at_ms(event_id: str) -> int | None:
    """Return the time in an event id, milliseconds since 1970; None if it is no UUIDv7."""
    return int(event_id[:8] + event_id[9:13], 16) if is_event_id(event_id) else None


@dataclass(slots=True)
class _Sum:
    period: Period
    slots: int
    held: int = 0
    total: int = 0
    by_slot: Counter[int] = field(default_factory=Counter)

    def takes(self, event_id: str) -> int | None:
        at = made_at_ms(event_id)
        return at if at is not None and self.period.begin_ms <= at < self.period.end_ms else None

    def add(self, at_ms: int, leaf: bytes) -> None:
        self.held += 1
        self.total = (self.total + int.from_bytes(leaf, "big")) % _MODULUS
        self.by_slot[slot_of(at_ms, self.period.begin_ms, monthly=self.period.monthly)] += 1

    @property
    def digest(self) -> str:
        return f"{self.total:064x}"

    @property
    def counted(self) -> tuple[int, ...]:
        return tuple(self.by_slot[number] for number in range(self.slots))


def _new(period: Period) -> _Sum:
    last = slot_of(period.end_ms - 1, period.begin_ms, monthly=period.monthly)
    return _Sum(period, last + 1)


def portal(entries: Iterable[ReportEntry], tenant: str, period: Period) -> Place:
    """Count what the portal's journal says it sent to a tenant."""
    found, states = _new(period), Counter[str]()
    for entry in entries:
        at = found.takes(entry.event_id) if entry.tenant == tenant else None
        if at is None:
            continue
        states[entry.state] += 1
        if entry.state in _HAVING:
            found.add(at, entry.leaf)
    return Place(
        "portal",
        found.held,
        found.digest,
        pending=states["pending"],
        void=states["void"],
        by_slot=found.counted,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One stored submission of a desk; times in milliseconds since 1970."""

    event_id: str
    leaf: bytes
    procedure: str
    produced_at_ms: int
    stored_at_ms: int
    confirmed_at_ms: int | None


def desk(kind: str, rows: Iterable[Row], notices: Iterable[str], period: Period) -> Place:
    """Count what a desk holds: its rows of kind submission, and the event ids of notices of dead letters."""
    found, procedures = _new(period), Counter[str]()
    delays = array("q")
    unconfirmed = late = 0
    for row in rows:
        at = found.takes(row.event_id)
        if at is None:
            continue
        found.add(at, row.leaf)
        procedures[row.procedure] += 1
        delays.append(max(0, row.stored_at_ms - row.produced_at_ms))
        if row.confirmed_at_ms is None:
            unconfirmed += 1
        elif row.confirmed_at_ms - row.stored_at_ms > CONFIRMED_WITHIN_MS:
            late += 1
    return Place(
        kind,
        found.held,
        found.digest,
        unconfirmed=unconfirmed,
        confirmed_late=late,
        dead_letters=sum(1 for event_id in notices if found.takes(event_id) is not None),
        by_procedure=tuple(sorted(procedures.items())),
        by_slot=found.counted,
        delays=spread(delays) if kind == "review" else None,
    )


def spread(values: array[int]) -> Delays:
    """Return count, nearest-rank percentiles and counts by edge of delays in milliseconds."""
    ordered = array("q", sorted(values))
    size = len(ordered)

    def rank(percent: int) -> int:
        return ordered[-(-size * percent // 100) - 1] if size else 0

    edges = [bisect_left(ordered, edge + 1) for edge in DELAY_EDGES_MS]
    counts = [after - before for before, after in zip([0, *edges], [*edges, size], strict=True)]
    return Delays(
        size, rank(50), rank(99), ordered[-1] if size else 0, bisect_left(ordered, WITHIN_MS + 1), tuple(counts)
    )


SUBMISSION: Final = Kind.SUBMISSION.value
