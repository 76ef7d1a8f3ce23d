"""One frozen view of the hub from what its processes say now and said a moment ago. Pure.

A process that does not answer is away, and what only it could say is unknown; unknown is never good. Rates are per
second between the two moments; a counter that fell began again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from monitoring.glance.reading import Numbers

MAX_ROWS: Final = 40
UNKNOWN: Final = -1.0
_DESKS: Final = ("review", "helpdesk", "audit")
_DAY: Final = 86_400.0


class Answer(StrEnum):
    """Is everything that was filed where it must be?"""

    YES = "yes"
    UNDER_WAY = "under-way"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one process said; None: it did not answer. `at` is monotonic, seconds."""

    at: float
    numbers: Numbers | None


@dataclass(frozen=True, slots=True)
class Journal:
    """The portal's journal, over all time: how many events are in each state."""

    waiting: int
    """journaled, not acknowledged by Kafka"""
    acknowledged: int
    confirmed: int
    """the desk's signed receipt has come back"""
    void: int


@dataclass(frozen=True, slots=True)
class Whole:
    """The answer, its reasons as codes, and the numbers; `None` where nobody says."""

    answer: Answer
    reasons: tuple[str, ...]
    accepted: int | None
    """by the journal, over all time"""
    routed: int | None
    stored: Mapping[str, int]
    """by kind of desk; counters since each process began, as `routed` and `confirmed`"""
    confirmed: int | None
    """at the review desks"""
    behind: int
    unconfirmed: int
    missing: int
    letters: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the way: events per second, since its process began, still to be read, and delays in seconds."""

    name: str
    rate: float | None
    total: int
    lag: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Process:
    """One process: `up` answers, `ready` fulfils its conditions; processor share of one core, bytes, seconds."""

    name: str
    up: bool
    ready: bool
    not_ready: tuple[str, ...]
    paused: tuple[str, ...]
    cpu: float | None
    memory: int
    loop_lag: float | None
    uptime: float


@dataclass(frozen=True, slots=True)
class Row:
    """A name and a number, with what it is about."""

    name: str
    about: str
    value: float


@dataclass(frozen=True, slots=True)
class Glance:
    """Everything that is shown."""

    at: float
    """Unix time"""
    whole: Whole
    stages: tuple[Stage, ...]
    processes: tuple[Process, ...]
    letters: tuple[Row, ...]
    """open dead letters by (reason, tenant)"""
    letters_oldest: float
    controls: tuple[Row, ...]
    """1 refuses, 0 does not refuse any more, UNKNOWN if the last attempts proved nothing"""
    watch_age: float | None
    """seconds since the last round of the network watch"""
    paths_down: tuple[Row, ...]
    findings: tuple[Row, ...]
    alarms: tuple[Row, ...]
    expiries: tuple[Row, ...]
    """days left, the nearest first"""
    operations: tuple[Row, ...]
    refused_lines: int


def look(
    now: Mapping[str, Asked],
    before: Mapping[str, Asked],
    *,
    expected: Iterable[str],
    at: float,
    journal: Journal | None,
) -> Glance:
    """Return the view. `expected` are the principals that should have a process; `at` is Unix time."""
    names = sorted({*expected, *now})
    said = {name: now[name].numbers for name in names if name in now}
    there = {name: numbers for name, numbers in said.items() if numbers is not None}
    processes = tuple(_process(name, now.get(name), before.get(name), at) for name in names)
    values = list(there.values())
    letters = _ranked(
        Row(labels.get("reason", ""), labels.get("tenant", ""), value)
        for each in values
        for labels, value in each.rows("hub_dead_letters_open")
        if value > 0
    )
    controls = _ranked(_rows(values, "hub_watch_control_refuses", "control", keep_zero=True), lowest=True)
    monitors = [each for name, each in there.items() if name.partition("-")[0] == "monitor"]  # others tell of own paths
    rounds = [value for each in monitors for _, value in each.rows("hub_watch_last_round_seconds") if value > 0]
    return Glance(
        at=at,
        whole=_whole(there, processes, journal),
        stages=tuple(_stages(there, now, before)),
        processes=processes,
        letters=letters,
        letters_oldest=max((v for e in values for _, v in e.rows("hub_dead_letters_oldest_seconds")), default=0.0),
        controls=controls,
        watch_age=max(0.0, at - max(rounds)) if rounds else None,
        paths_down=_ranked(
            Row(labels.get("principal", name), labels.get("listener", ""), value)
            for name, each in there.items()
            for labels, value in each.rows("hub_watch_path_up")
            if not value
        ),
        findings=_ranked(_rows(values, "hub_analysis_findings_total", "rule")),
        alarms=_ranked(
            Row(labels.get("code", ""), name, value)
            for name, each in there.items()
            for labels, value in each.rows("hub_alarms_total")
            if value > 0
        ),
        expiries=_expiries(there, at),
        operations=_operations(values),
        refused_lines=sum(each.refused for each in values),
    )


def _rows(values: Iterable[Numbers], metric: str, label: str, *, keep_zero: bool = False) -> list[Row]:
    return [
        Row(labels.get(label, ""), "", UNKNOWN if math.isnan(value) else value)
        for each in values
        for labels, value in each.rows(metric)
        if value or keep_zero
    ]


def _ranked(rows: Iterable[Row], *, lowest: bool = False) -> tuple[Row, ...]:
    ordered = sorted(rows, key=lambda row: (row.value if lowest else -row.value, row.name, row.about))
    return tuple(ordered[:MAX_ROWS])


def _process(name: str, now: Asked | None, before: Asked | None, at: float) -> Process:
    numbers = now.numbers if now is not None else None
    if now is None or numbers is None:
        return Process(name, False, False, (), (), None, 0, None, 0.0)
    not_ready = tuple(sorted(labels.get("condition", "") for labels, v in numbers.rows("hub_ready") if not v))
    paused = tuple(
        sorted(f"{labels.get('stage', '')} {labels.get('code', '')}" for labels, v in numbers.rows("hub_paused") if v)
    )
    started = numbers.total("process_start_time_seconds")
    cpu = _rate(numbers, now, before, "process_cpu_seconds_total")
    lag = numbers.total("hub_event_loop_lag_seconds_sum"), numbers.total("hub_event_loop_lag_seconds_count")
    return Process(
        name,
        True,
        not not_ready and not paused,
        not_ready[:MAX_ROWS],
        paused[:MAX_ROWS],
        cpu,
        int(numbers.total("process_resident_memory_bytes")),
        lag[0] / lag[1] if lag[1] else None,
        max(0.0, at - started) if started else 0.0,
    )


def _rate(numbers: Numbers, now: Asked, before: Asked | None, metric: str) -> float | None:
    if before is None or before.numbers is None or now.at <= before.at:
        return None
    value, last = numbers.total(metric), before.numbers.total(metric)
    return (value - last if value >= last else value) / (now.at - before.at)


def _stages(there: Mapping[str, Numbers], now: Mapping[str, Asked], before: Mapping[str, Asked]) -> Iterable[Stage]:
    for name, metric, delay in (
        ("router", "hub_router_events_total", "hub_router_delay_seconds"),
        *((desk, "hub_consumer_events_stored_total", "hub_consumer_delay_seconds") for desk in _DESKS),
    ):
        mine = {each: n for each, n in there.items() if each.partition("-")[0] == name}
        rates = [_rate(numbers, now[each], before.get(each), metric) for each, numbers in mine.items()]
        known = [each for each in rates if each is not None]
        yield Stage(
            name,
            sum(known) if known else None,
            int(sum(each.total(metric) for each in mine.values())),
            int(sum(each.total("hub_lag_records") for each in mine.values())),
            quantile(mine.values(), delay, 0.5),
            quantile(mine.values(), delay, 0.99),
        )


def quantile(values: Iterable[Numbers], metric: str, q: float) -> float | None:
    """Return the upper edge of the bucket in which a share of a histogram lies, over all samples; None if empty.

    Above the last edge it is infinite: nobody knows how long.
    """
    buckets: dict[float, float] = {}
    total = 0.0
    for each in values:
        for labels, count in each.rows(f"{metric}_bucket"):
            try:
                edge = float(labels.get("le", ""))
            except ValueError:
                continue
            if edge == float("inf"):
                total += count
            else:
                buckets[edge] = buckets.get(edge, 0.0) + count
    if not total:
        return None
    return next((edge for edge in sorted(buckets) if buckets[edge] >= q * total), float("inf"))


def _expiries(there: Mapping[str, Numbers], at: float) -> tuple[Row, ...]:
    """The first to expire of each kind, with whose it is."""
    first: dict[str, Row] = {}
    for what, metric in (
        ("certificate", "hub_certificate_not_after_seconds"),
        ("key", "hub_key_not_after_seconds"),
        ("epoch", "hub_epoch_not_after_seconds"),
        ("peer", "hub_watch_peer_not_after_seconds"),
    ):
        for name, numbers in there.items():
            for labels, value in numbers.rows(metric):
                kind = f"{what} {labels.get('purpose') or ''}".strip()
                row = Row(kind, labels.get("listener") or name, (value - at) / _DAY)
                if value > 0 and (kind not in first or row.value < first[kind].value):
                    first[kind] = row
    return _ranked(first.values(), lowest=True)


_OPERATIONS: Final = (
    ("waiting", "hub_operations_waiting"),
    ("stopped", "hub_operations_stopped"),
    ("missing", "hub_operations_missing"),
    ("refused", "hub_operations_refused_total"),
    ("unexpected-peers", "hub_peers_unexpected_total"),
    ("denials", "hub_broker_denials_total"),
    ("late", "hub_analysis_late_total"),
)


def _operations(values: Iterable[Numbers]) -> tuple[Row, ...]:
    there = list(values)
    return tuple(
        Row(name, "", sum(each.total(metric) for each in there))
        for name, metric in _OPERATIONS
        if any(each.has(metric) for each in there)
    )


def _whole(there: Mapping[str, Numbers], processes: Iterable[Process], journal: Journal | None) -> Whole:
    values = list(there.values())

    def total(metric: str) -> int:
        return int(sum(each.total(metric) for each in values))

    stored = {
        desk: int(
            sum(
                n.total("hub_consumer_events_stored_total")
                for name, n in there.items()
                if name.partition("-")[0] == desk
            )
        )
        for desk in _DESKS
    }
    reviews = [numbers for name, numbers in there.items() if name.partition("-")[0] == "review"]
    behind = total("hub_lag_records") + (journal.waiting if journal is not None else 0)
    unconfirmed, missing = total("hub_consumer_events_unconfirmed"), total("hub_consumer_events_missing")
    letters = total("hub_dead_letters_open")
    ways = [each for each in processes if each.name.partition("-")[0] in ("router", *_DESKS)]
    bad = {
        "unconfirmed": unconfirmed > 0,
        "missing": missing > 0,
        "dead-letters": letters > 0,
        "conflicts": total("hub_consumer_conflicts_total") > 0,
    }
    unknown = {
        "process-away": not ways or any(not each.up for each in ways),
        "no-lag": not any(each.has("hub_lag_records") for each in values),
    }
    waits = {"behind": behind > 0, "not-ready": any(each.up and not each.ready for each in ways)}
    reasons = tuple(code for group in (bad, unknown, waits) for code, holds in group.items() if holds)
    answer = (
        Answer.NO
        if any(bad.values())
        else Answer.UNKNOWN
        if any(unknown.values())
        else Answer.UNDER_WAY
        if any(waits.values())
        else Answer.YES
    )
    has_router = any(name.partition("-")[0] == "router" for name in there)
    return Whole(
        answer,
        reasons,
        None if journal is None else journal.waiting + journal.acknowledged + journal.confirmed,
        total("hub_router_events_total") if has_router else None,
        stored,
        int(sum(n.total("hub_consumer_events_confirmed_total") for n in reviews)) if reviews else None,
        behind,
        unconfirmed,
        missing,
        letters,
    )
