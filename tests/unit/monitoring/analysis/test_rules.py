"""Each rule at its threshold, just below it, and just outside its window."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.envelope.operations import Kind
from hub.envelope.times import to_ms
from monitoring.analysis.findings import MAX_EVIDENCE, Severity
from monitoring.analysis.marks import Family, Mark, Subject, host, mark_of, subject_of
from monitoring.analysis.rules import BY_NAME, RULES
from monitoring.analysis.rules.base import DAY, HOUR, Conditions, Measure, Rule
from monitoring.analysis.windows import HOUR_MS, MAX_HOURS, MAX_MARKS, OTHER, HourState, Windows
from monitoring.declared.base import MEASURES
from tests.unit.monitoring.analysis.support import (
    CONDITIONS,
    DESK,
    ERASED,
    OPEN,
    T,
    found,
    in_order,
    line,
    looked_at,
    names,
    receipt,
)

STAFF: dict[str, Any] = {"actor": "sato", "address": "10.0.0.1", "tenant": T}


def views(count: int, every: float = 10, *, same: bool = False, start: float = 0) -> list[Any]:
    return [line(Kind.VIEWED, start + n * every, receipt=receipt(0 if same else n), **STAFF) for n in range(count)]


@pytest.mark.parametrize(
    ("rule", "below", "reached"),
    [
        ("bulk-viewing", views(59), views(60)),
        ("bulk-viewing", views(60, 62), views(60, 60)),  # 61 minutes, and just under one hour
        ("repeated-look-up", views(9, same=True), views(10, same=True)),
        (
            "bulk-export",
            [line(Kind.EXPORTED, n, count=3333, **STAFF) for n in range(3)],
            [line(Kind.EXPORTED, n, count=5000, **STAFF) for n in range(2)],
        ),
        (
            "two-addresses",
            [line(Kind.VIEWED, **STAFF), line(Kind.VIEWED, 900, **{**STAFF, "address": "10.0.0.2"})],
            [line(Kind.VIEWED, **STAFF), line(Kind.VIEWED, 899, **{**STAFF, "address": "10.0.0.2"})],
        ),
        (
            "failed-access",
            [line(Kind.LOOKED_UP, n * 60, outcome="not-found", **STAFF) for n in range(9)],
            [line(Kind.LOOKED_UP, n * 60, outcome="not-found", **STAFF) for n in range(10)],
        ),
        (
            "erased-look-up",
            [line(Kind.VIEWED, -1, receipt=ERASED, **STAFF)],
            [line(Kind.VIEWED, receipt=ERASED, **STAFF)],
        ),
        (
            "outside-hours",
            [line(Kind.VIEWED, (17.25 - 10) * 3600 - 1, **STAFF), line(Kind.VIEWED, -1.5 * 3600, **STAFF)],
            [line(Kind.VIEWED, (17.25 - 10) * 3600, **STAFF)],
        ),
        (
            "administration-outside-hours",
            [line(Kind.COMMANDED, principal="operator", actor="ito")],
            [line(Kind.COMMANDED, 12 * 3600, principal="operator", actor="ito")],
        ),
        (
            "bulk-discard",
            [line(Kind.LETTER_ENDED, n, principal="operator", actor="ito", count=7) for n in range(7)],
            [line(Kind.LETTER_ENDED, n, principal="operator", actor="ito", count=25) for n in range(2)],
        ),
        (
            "refused-handshakes",
            [line(Kind.HANDSHAKE_REFUSED, n, principal="monitor", address=f"192.0.2.{n}:1") for n in range(100)],
            [line(Kind.HANDSHAKE_REFUSED, n, principal="monitor", address=f"192.0.2.1:{n + 1}") for n in range(20)],
        ),
        (
            "denials",
            [line(Kind.DENIED, 0, principal="monitor", actor="portal", count=9)],
            [line(Kind.DENIED, 0, principal="monitor", actor="portal", count=10)],
        ),
        ("unexpected-peer", [], [line(Kind.PEER_UNEXPECTED, principal="monitor", address="192.0.2.9:5")]),
        (
            "control-stopped",
            [
                line(Kind.PROBED, n, principal="monitor", about="plaintext", outcome=outcome)
                for n, outcome in enumerate(("ok", "refused", "unknown", "failed"))
            ],
            [line(Kind.PROBED, principal="monitor", about="plaintext", outcome="accepted")],
        ),
        (
            "failures",
            [line(Kind.FAILED, n * 60, outcome="kafka") for n in range(4)],
            [line(Kind.FAILED, n * 60, outcome="kafka") for n in range(5)],
        ),
        (
            "missing-checkpoints",
            [line(Kind.ALARM, code="kafka.unavailable")],
            [line(Kind.ALARM, code="checkpoint-missing")],
        ),
        (
            "alarms",
            [line(Kind.ALARM, n, code=f"alarm{n}", count=10) for n in range(19)]
            + [line(Kind.ALARM, 30, code="event-missing", count=60)],
            [line(Kind.ALARM, n, code="alarm", count=10) for n in range(2)],
        ),
    ],
)  # fmt: skip
def test_a_rule_finds_from_its_threshold_on(rule: str, below: list[Any], reached: list[Any]) -> None:
    assert rule not in names(found(below))
    (one,) = [each for each in found(reached) if each.rule == rule]
    assert one.severity is BY_NAME[rule].severity
    assert one.count >= BY_NAME[rule].threshold
    assert one.evidence
    assert one.evidence[0].endswith("-0")
    assert one.began_at == reached[0].operation.occurred_at
    assert one.ended_at == reached[-1].operation.occurred_at


def test_every_rule_is_tried() -> None:
    (cases,) = [mark.args[1] for mark in getattr(test_a_rule_finds_from_its_threshold_on, "pytestmark")]  # noqa: B009
    assert {case[0] for case in cases} == {rule.name for rule in RULES}


def test_names_are_unique_and_measures_are_of_the_checklist() -> None:
    assert len(BY_NAME) == len(RULES)
    for rule in RULES:
        assert set(rule.measures) <= MEASURES, rule.name
        assert rule.ja and rule.en and rule.do


def test_automatic_jobs_may_work_at_night_and_in_bulk() -> None:
    night = [line(Kind.EXPORTED, 16 * 3600, actor="nightly", tenant=T, count=1_000_000)]
    assert found(night) == []
    assert names(found(night, Conditions())) == {"outside-hours", "bulk-export"}


def test_who_is_refused_on_purpose_may_be_refused_often() -> None:
    def refused(address: str, count: int) -> set[str]:
        lines = [line(Kind.HANDSHAKE_REFUSED, principal="monitor", address=f"{address}:9", count=count)]
        return names(found(lines, Conditions(probing=frozenset({"10.1.1.1"}))))

    assert refused("10.1.1.1", 300) == set()
    assert refused("10.1.1.2", 300) == refused("10.1.1.1", 1_000) == {"refused-handshakes"}


def test_a_threshold_by_configuration_counts() -> None:
    assert names(found(views(12), replace(CONDITIONS, thresholds={"bulk-viewing": 12}))) == {"bulk-viewing"}


def test_a_burst_over_the_full_hour_is_found_once_where_it_is_reached() -> None:
    (one,) = found(views(70, 30, start=3600 - 40 * 30))  # 40 before the full hour, 30 after it
    assert (one.rule, one.count) == ("bulk-viewing", 70)
    assert len(one.evidence) == MAX_EVIDENCE


def test_two_accounts_do_not_add_up() -> None:
    lines = views(59) + [replace(each, operation=replace(each.operation, actor="ito")) for each in views(59)]
    assert found(lines) == []


def test_what_goes_on_is_one_finding_an_hour() -> None:
    lines = views(300, 36)  # 100 an hour for three hours
    findings = found(lines)
    assert [each.rule for each in findings] == ["bulk-viewing"] * 3
    assert len({each.finding_id for each in findings}) == 3


def test_order_and_repetition_change_nothing() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    per_log = {}
    for number, account in enumerate(("sato", "ito", "abe")):
        lines = [replace(each, operation=replace(each.operation, actor=account)) for each in views(80, 20 + number)]
        per_log[account] = [
            replace(each, log=bytes([number]) * 16, sequence=n, previous=bytes([n > 0]) * 32)
            for n, each in enumerate(lines)
        ]
    straight = looked_at([each for lines in per_log.values() for each in lines])
    assert len(straight) == 3
    mixed = []
    waiting = {name: list(lines) for name, lines in per_log.items()}
    while any(waiting.values()):  # logs in any interleaving, each in its own order, pieces of it twice
        name = rng.choice([name for name, lines in waiting.items() if lines])
        mixed.append(waiting[name].pop(0))
        if rng.random() < 0.1:
            mixed += [each for each in mixed[-5:] if each.operation.actor == name]
    assert looked_at(mixed) == straight


def test_a_late_line_changes_the_window_it_lies_in() -> None:
    lines = in_order([*views(59), line(Kind.LISTED, 86_000, **STAFF), *views(1, start=599)])
    late = lines[-1]
    assert late.operation.occurred_at < lines[-2].operation.occurred_at
    last = replace(late, operation=replace(late.operation, receipt=receipt(99)))
    (one,) = [each for each in looked_at([*lines[:-1], last]) if each.rule == "bulk-viewing"]
    assert one.count == 60


def test_a_line_later_than_all_windows_is_looked_at_by_itself() -> None:
    windows = Windows()
    subject = Subject(Family.ACCESS, T, "sato")
    old, new = (mark_of(line(Kind.VIEWED, at, receipt=ERASED, **STAFF)) for at in (0, 86_400 * 5))
    windows.take([(subject, old), (subject, replace(new, sequence=1))])
    assert windows.forget(new.at) == [(subject, old.at - old.at % HOUR_MS)]
    again = windows.take([(subject, replace(old, sequence=2))])
    assert {each.rule for each in windows.find(again, CONDITIONS)} == {"erased-look-up"}


def test_marks_and_subjects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject(Family.HANDSHAKE, "", "192.0.2.1")
    mark = mark_of(line(Kind.HANDSHAKE_REFUSED, principal="monitor", address="192.0.2.1"))
    state = HourState()
    for number in range(MAX_MARKS + 10):
        state.take(replace(mark, sequence=number))
    assert len(state.marks) == MAX_MARKS
    monkeypatch.setattr("monitoring.analysis.windows.MAX_HOURS", 3)
    windows = Windows()
    touched = windows.take([(replace(subject, name=f"192.0.2.{n}"), replace(mark, sequence=n)) for n in range(100)])
    assert len(windows) == 4
    others = Subject(Family.HANDSHAKE, "", OTHER)
    assert others in touched
    assert {each.subject for each in windows.find(touched, CONDITIONS)} == {OTHER}, "a flood is still found"
    assert MAX_HOURS > 1_000


def test_state_reads_back_as_it_was() -> None:
    state = HourState()
    for number, each in enumerate(views(5)):
        state.take(replace(mark_of(each), sequence=number))
    again = HourState.of_value(state.value())
    assert again == state
    assert not again.take(state.marks[2])
    assert Subject.of_key(Subject(Family.PEER, "", "a b").key) == Subject(Family.PEER, "", "a b")


@pytest.mark.parametrize(
    ("address", "bare"),
    [("10.0.0.1:80", "10.0.0.1"), ("[2001:db8::1]:80", "[2001:db8::1]"), ("2001:db8::1", "2001:db8::1"), ("", "")],
)
def test_a_port_is_no_other_address(address: str, bare: str) -> None:
    assert host(address) == bare


@pytest.mark.parametrize("kind", list(Kind))
def test_a_finding_never_finds_itself(kind: Kind) -> None:
    said = line(kind, actor="sato", address="10.0.0.1", tenant=T, code="x")
    assert (subject_of(said) is None) == (kind in {
        Kind.FINDING, Kind.STARTED, Kind.STOPPED, Kind.CONFIGURED, Kind.PAUSED, Kind.RESUMED, Kind.CONNECTED,
        Kind.DISCONNECTED, Kind.PROBED,
    })  # fmt: skip


def test_a_rule_that_windows_cannot_hold_is_refused() -> None:
    good = BY_NAME["bulk-viewing"]
    with pytest.raises(ValueError, match="window"):
        replace(good, window=DAY)
    with pytest.raises(ValueError, match="window"):
        replace(good, period=timedelta(minutes=1))
    with pytest.raises(ValueError, match="each"):
        replace(BY_NAME["outside-hours"], threshold=2)
    assert isinstance(good, Rule)
    assert (good.period, good.measure, good.severity) == (HOUR, Measure.RECEIPTS, Severity.TICKET)


def test_a_mark_is_small_and_names_its_line() -> None:
    mark = mark_of(line(Kind.VIEWED, receipt=receipt(1), **STAFF))
    assert Mark(*mark.row()) == mark  # type: ignore[arg-type]
    assert mark.event_id == line(Kind.VIEWED).event_id
    assert mark.at == to_ms(OPEN)
    assert DESK not in str(mark.row())
