"""From what the hub keeps to the figures of a report: each source on its own, so that one that is away is only that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from consumers.audit import report as audit_log
from consumers.store.port import Store
from hub.envelope.names import Kind
from hub.envelope.times import from_ms, to_ms
from monitoring.analysis import findings as found_by_analysis
from monitoring.analysis.rules import RULES
from monitoring.analysis.silence import RULE as SILENCE
from monitoring.report import places
from monitoring.report.model import (
    MAX_LISTED,
    Audit,
    BasisUnreadable,
    Finding,
    Findings,
    Period,
    Place,
    Retention,
)
from monitoring.report.places import Row
from portal.report import report_entries
from topics.layout import Topology

_PAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What one role says of one tenant; an audit desk says what its log holds besides."""

    tenant: str
    place: Place
    audit: Audit | None = None


_FIGURES: Final = TypeAdapter(tuple[Figures, ...])


def write(figures: Sequence[Figures]) -> bytes:
    """Return a file of figures."""
    return _FIGURES.dump_json(tuple(figures))


def read(raw: bytes) -> tuple[Figures, ...]:
    """Read such a file. Raises BasisUnreadable."""
    try:
        return _FIGURES.validate_json(raw, strict=True)
    except ValidationError:
        raise BasisUnreadable from None


def parsed(day: str | None, month: str | None) -> Period:
    """Return the period of `YYYY-MM-DD` or `YYYY-MM` in Japan. Raises NoPeriod."""
    found = audit_log.day(day) if day is not None else audit_log.month(month or "")
    return Period(found.name, found.begin_ms, found.end_ms)


def of_portal(journal: Path, tenants: Iterable[str], period: Period) -> tuple[Figures, ...]:
    """Return what the portal's journal says it sent to each tenant. Raises JournalUnavailable."""
    return tuple(Figures(each, places.portal(report_entries(journal), each, period)) for each in tenants)


def of_desk(kind: str, tenant: str, store: Store, period: Period, audit: Audit | None = None) -> tuple[Figures, ...]:
    """Return what a desk holds. Raises StoreError."""
    notices = (each.event_id for each in store.notices(limit=1_000_000))
    return (Figures(tenant, places.desk(kind, _rows(store), notices, period), audit),)


def _rows(store: Store) -> Iterator[Row]:
    after = 0
    while page := store.events(after=after, limit=_PAGE):
        for row in page:
            event = row.event
            if event.kind == Kind.SUBMISSION.value:
                yield Row(
                    event.event_id,
                    event.leaf,
                    event.procedure,
                    event.produced_at_ms,
                    event.stored_at_ms,
                    row.confirmed_at_ms,
                )
        after = page[-1].number


def of_audit(store: Store, tenant: str, period: Period, head_holds: audit_log.HeadHolds) -> Audit:
    """Return the audit log's state at the end of a period. Raises StoreDamaged."""
    span = audit_log.Period(period.name, period.begin_ms, period.end_ms)
    found = audit_log.report(store, tenant, span, head_holds)
    counts = found.counts
    return Audit(
        closed=found.closed,
        size_before=found.begin.size,
        size=found.end.size,
        root=found.end.root.hex(),
        signed_at_ms=found.end.signed_at_ms,
        sequences_missing=found.sequences_missing,
        sessions_without_end=len(found.unended),
        alarms=_sorted(found.alarms),
        dead_letters=_sorted(counts.dead_letters),
        resolved=_sorted(counts.resolved),
        refused=_sorted(counts.refused),
    )


def _sorted(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((str(name), count) for name, count in counts.items() if count))


def of_analysis(path: Path, tenant: str, period: Period, until_ms: int | None) -> Findings | None:
    """Return a tenant's findings that began in a period, and those that name none; None where nothing was analysed.

    Raises sqlite3.Error.
    """
    if not path.exists():
        return None
    begin, end = _moments(period)
    found = [each for each in found_by_analysis.read_findings(path, begin, end) if each.tenant in ("", tenant)]
    counts: dict[str, int] = {}
    for each in found:
        counts[each.rule] = counts.get(each.rule, 0) + 1
    listed = tuple(
        Finding(
            each.finding_id,
            each.rule,
            each.severity.value,
            to_ms(each.began_at),
            to_ms(each.ended_at),
            each.subject,
            each.count,
            each.evidence,
        )
        for each in found[:MAX_LISTED]
    )
    titles = {rule.name: rule.ja for rule in RULES} | {SILENCE: "記録の途絶えた処理"}
    return Findings(listed, len(found), tuple(sorted(counts.items())), tuple(titles.items()), until_ms)


def _moments(period: Period) -> tuple[datetime, datetime]:
    return from_ms(period.begin_ms), from_ms(period.end_ms)


def retention(topology: Topology) -> tuple[Retention, ...]:
    """Return how long topics keep what is on them, as declared."""
    words = {
        "operations": "操作ログのトピック",
        "submissions": "届出のトピック（封緘済み）",
        "dead-letters": "隔離記録のトピック",
    }
    found: dict[str, int | None] = {}
    for topic in topology.topics:
        kept = topic.configs.get("retention.ms")
        if topic.key in words and topic.configs.get("cleanup.policy") != "compact":
            found[topic.key] = int(kept) // 3_600_000 if kept is not None else None
    return (
        *(Retention(words[key], hours) for key, hours in found.items()),
        Retention("窓口の保存データ・監査記録", None),
    )
