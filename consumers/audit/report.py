"""`audit report`: what entered the log in a day or month of Japan, and what did not hold at its end.

Derived from rows and signed heads alone, so that the same log gives the same report, byte for byte, whenever
and by whom it is asked. An entry belongs to the time of the head that its batch ended with: the desk's clock,
and where that went back, the latest time it had named before. What did not hold is judged as of the last
millisecond of the period, from the entries up to then; a report of an earlier period does not change when
missing things come later.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from consumers.audit import codec
from consumers.audit.codec import STATEMENT
from consumers.audit.entries import (
    CheckpointEntry,
    CloseEntry,
    Entry,
    EventEntry,
    NoticeEntry,
    ReceiptEntry,
    RefusalEntry,
    ResolutionEntry,
)
from consumers.audit.ledger import UNCONFIRMED_AFTER_MS, Ledger
from consumers.audit.tree import read_head
from consumers.store.errors import StoreDamaged
from consumers.store.port import Store
from hub.crypto.merkle import EMPTY_ROOT, Frontier, leaf_hash
from hub.envelope.reasons import EnvelopeError
from hub.envelope.signed import Signed
from hub.envelope.times import JST, from_ms, in_japan, to_ms
from schemas.codec import CodecError
from schemas.errors import HubError

MAX_LISTED: Final = 1_000
"""how many gaps and sessions are listed; all are counted"""
_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


class NoPeriod(HubError):
    """This is no day or month."""

    code: ClassVar[str] = "audit.no-period"
    hint: ClassVar[str] = "A day is written YYYY-MM-DD, a month YYYY-MM."


@dataclass(frozen=True, slots=True)
class Period:
    """A day or month in Japan Standard Time: from `begin_ms` to before `end_ms`."""

    name: str
    begin_ms: int
    end_ms: int


def day(text: str) -> Period:
    """Return a day, YYYY-MM-DD. Raises NoPeriod."""
    return _period(text, _DAY, lambda begin: begin + timedelta(days=1))


def month(text: str) -> Period:
    """Return a calendar month, YYYY-MM. Raises NoPeriod."""
    return _period(text, _MONTH, lambda begin: (begin + timedelta(days=31)).replace(day=1))


def _period(text: str, form: re.Pattern[str], following: Callable[[datetime], datetime]) -> Period:
    found = form.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, *rest = (int(part) for part in found.groups())
        begin = datetime(year, rest[0], rest[1] if len(rest) > 1 else 1, tzinfo=JST)
        return Period(text, to_ms(begin), to_ms(following(begin)))
    except (ValueError, OverflowError):
        raise NoPeriod(text if text.isascii() and len(text) < 20 else "") from None


@dataclass(frozen=True, slots=True)
class TreeState:
    """The tree at a moment: its size and root, and when the head was signed that says so (None: empty)."""

    size: int
    root: bytes
    signed_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequences of one session and partition that were promised, and neither came nor were explained."""

    session: bytes
    producer: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Unended:
    """A session that should have been closed and was not."""

    session: bytes
    producer: str
    expires_at_ms: int


@dataclass(slots=True)
class Counts:
    """What entered in the period."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """by kind and procedure"""
    repeated: int = 0
    statements: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)
    """dead letters by what the operator did with them: replayed, discarded"""
    leaves_listed: int = 0
    """leaves in producers' checkpoints"""
    stored: int = 0
    """events in the review desk's receipts"""


@dataclass(frozen=True, slots=True)
class Report:
    """The report of one tenant's log."""

    tenant: str
    period: Period
    closed: bool
    """whether the log has a head from after the period; else more may still enter it"""
    begin: TreeState
    end: TreeState
    heads: int
    counts: Counts
    alarms_before: Mapping[str, int]
    alarms: Mapping[str, int]
    gaps: tuple[Gap, ...]
    unended: tuple[Unended, ...]
    sequences_missing: int

    def as_json(self) -> dict[str, Any]:
        """Return the documented object; keys and lists are in a fixed order."""
        counts = self.counts
        events: dict[str, dict[str, int]] = {}
        for (kind, procedure), count in sorted(counts.events.items()):
            events.setdefault(kind, {})[procedure] = count
        return {
            "tenant": self.tenant,
            "period": self.period.name,
            "time_zone": "Asia/Tokyo",
            "begin": _moment(self.period.begin_ms),
            "end": _moment(self.period.end_ms),
            "closed": self.closed,
            "tree_at_begin": _state(self.begin),
            "tree_at_end": _state(self.end),
            "entries": self.end.size - self.begin.size,
            "tree_heads_signed": self.heads,
            "events": events,
            "events_repeated": counts.repeated,
            "statements": dict(sorted(counts.statements.items())),
            "leaves_in_checkpoints": counts.leaves_listed,
            "events_in_receipts": counts.stored,
            "dead_letters": dict(sorted(counts.dead_letters.items())),
            "refused_records": dict(sorted(counts.refused.items())),
            "letters_resolved": dict(sorted(counts.resolved.items())),
            "alarms_at_begin": dict(sorted(self.alarms_before.items())),
            "alarms_at_end": dict(sorted(self.alarms.items())),
            "sequences_missing": self.sequences_missing,
            "gaps": [
                {
                    "session": gap.session.hex(),
                    "producer": gap.producer,
                    "partition": gap.partition,
                    "first": gap.first,
                    "last": gap.last,
                }
                for gap in self.gaps[:MAX_LISTED]
            ],
            "gaps_not_listed": max(0, len(self.gaps) - MAX_LISTED),
            "sessions_without_end": [
                {
                    "session": each.session.hex(),
                    "producer": each.producer,
                    "expired_at": _moment(each.expires_at_ms),
                }
                for each in self.unended[:MAX_LISTED]
            ],
            "sessions_without_end_not_listed": max(0, len(self.unended) - MAX_LISTED),
        }


def _moment(ms: int) -> str:
    return in_japan(from_ms(ms)).isoformat(timespec="milliseconds")


def _state(state: TreeState) -> dict[str, Any]:
    return {
        "size": state.size,
        "root": state.root.hex(),
        "signed_at": None if state.signed_at_ms is None else _moment(state.signed_at_ms),
    }


HeadHolds = Callable[[Signed, int], bool]


def report(store: Store, tenant: str, period: Period, head_holds: HeadHolds) -> Report:
    """Make the report; time and memory grow with the log up to the period's end.

    Raises StoreDamaged if a row cannot be read, or the rows do not give the signed heads at begin and end.
    """
    begin, end, heads, closed = _states(store, period, head_holds)
    walk = _Walk(begin, end)
    walk.run(store, period)
    gaps = tuple(walk.gaps())
    return Report(
        tenant,
        period,
        closed,
        begin,
        end,
        heads,
        walk.counts,
        walk.before,
        {trouble.value: count for trouble, count in walk.ledger.troubles(period.end_ms).items()},
        gaps,
        tuple(walk.unended(period.end_ms)),
        sum(gap.last - gap.first + 1 for gap in gaps),
    )


def _states(store: Store, period: Period, head_holds: HeadHolds) -> tuple[TreeState, TreeState, int, bool]:
    """Find the tree at begin and end, how many heads lie between, and whether one lies behind."""
    begin = end = TreeState(0, EMPTY_ROOT, None)
    heads = latest = 0
    for size, root, record in store.tree_heads():
        try:
            said, signed = read_head(record)
            holds = (said.size, said.root) == (size, root) and head_holds(signed, said.made_at_ms)
        except (CodecError, EnvelopeError):
            holds = False
        if not holds:
            raise StoreDamaged(f"the tree head of size {size}")
        latest = max(latest, said.made_at_ms)
        if latest >= period.end_ms:
            return begin, end, heads, True
        end = TreeState(size, root, said.made_at_ms)
        if latest < period.begin_ms:
            begin = end
        else:
            heads += 1
    return begin, end, heads, False


class _Walk:
    """One pass over the rows up to the period's end."""

    def __init__(self, begin: TreeState, end: TreeState) -> None:
        self.ledger = Ledger()
        self.counts = Counts()
        self.before: Mapping[str, int] = {}
        self._begin = begin
        self._end = end
        self._promised: dict[tuple[bytes, int], int] = {}
        """by session and partition the highest sequence that a checkpoint or close names"""
        self._explained: defaultdict[tuple[bytes, int], set[int]] = defaultdict(set)
        self._listed: dict[bytes, tuple[tuple[bytes, int], int]] = {}
        """by leaf its place in a producer's list; a discard names the leaf only"""

    def run(self, store: Store, period: Period) -> None:
        frontier = Frontier()
        rows = store.log_entries()
        while True:
            if frontier.size == self._begin.size:
                self._compare(frontier, self._begin)
                self.before = {t.value: n for t, n in self.ledger.troubles(period.begin_ms).items()}
            if frontier.size == self._end.size:
                self._compare(frontier, self._end)
                return
            row = next(rows, None)
            if row is None or row[0] != frontier.size:
                raise StoreDamaged(f"the audit log has no row {frontier.size}")
            self._take(*row)
            frontier.append(leaf_hash(row[2]))

    def _compare(self, frontier: Frontier, state: TreeState) -> None:
        if frontier.root() != state.root:
            raise StoreDamaged("the audit log's rows do not give its tree head")

    def _take(self, number: int, kind: str, framed: bytes) -> None:
        try:
            entry, statement = codec.decode(kind, framed)
        except (CodecError, EnvelopeError) as problem:
            raise StoreDamaged(f"the audit log's row {number}") from problem
        if number >= self._begin.size:
            if kind == STATEMENT and statement is not None:
                self.counts.statements[statement.name] += 1
            self._count(entry)
        if entry is not None:
            self._follow(entry)
            self.ledger.add(entry)

    def _count(self, entry: Entry | None) -> None:
        counts = self.counts
        match entry:
            case EventEntry():
                known = self.ledger.events.get((entry.tenant, entry.producer, entry.event_id), {})
                if entry.leaf in known:
                    counts.repeated += 1
                else:
                    counts.events[entry.kind, entry.procedure] += 1
            case CheckpointEntry():
                counts.leaves_listed += len(entry.entries)
            case ReceiptEntry():
                counts.stored += len(entry.entries)
            case NoticeEntry():
                counts.dead_letters[entry.reason] += 1
            case RefusalEntry():
                counts.refused[entry.reason] += 1
            case ResolutionEntry():
                counts.resolved[entry.kind] += 1
            case _:
                pass

    def _follow(self, entry: Entry) -> None:
        match entry:
            case EventEntry():
                self._explained[entry.session, entry.place.partition].add(entry.sequence)
            case NoticeEntry():
                self._explained[entry.session, entry.partition].add(entry.sequence)
            case CheckpointEntry():
                lane = entry.session, entry.partition
                self._promise(lane, entry.first_sequence + len(entry.entries) - 1)
                for sequence, (leaf, void) in enumerate(entry.entries, entry.first_sequence):
                    self._listed[leaf] = lane, sequence
                    if void:
                        self._explained[lane].add(sequence)
            case CloseEntry():
                for partition, (last, _) in entry.lanes.items():
                    self._promise((entry.session, partition), last)
            case _:
                pass

    def _promise(self, lane: tuple[bytes, int], last: int) -> None:
        self._promised[lane] = max(last, self._promised.get(lane, -1))

    def _producer(self, session: bytes) -> str:
        state = self.ledger.chains.sessions.get(session)
        return "" if state is None or state.announced is None else state.announced.producer

    def gaps(self) -> Iterator[Gap]:
        """Yield runs of sequences that were promised and are not explained, in a fixed order."""
        for leaf in self.ledger.discarded() & self._listed.keys():
            lane, sequence = self._listed[leaf]
            self._explained[lane].add(sequence)
        for (session, partition), last in sorted(self._promised.items()):
            explained = self._explained.get((session, partition), set())
            first = None
            for sequence in range(last + 2):
                missing = sequence <= last and sequence not in explained
                if missing and first is None:
                    first = sequence
                elif not missing and first is not None:
                    yield Gap(session, self._producer(session), partition, first, sequence - 1)
                    first = None

    def unended(self, now_ms: int) -> Iterator[Unended]:
        """Yield sessions that were followed by another or have expired, and were not closed."""
        for session, state in sorted(self.ledger.chains.sessions.items()):
            if state.announced is None or state.close is not None:
                continue
            if state.followers() or now_ms > state.announced.expires_at_ms + UNCONFIRMED_AFTER_MS:
                yield Unended(session, state.announced.producer, state.announced.expires_at_ms)
