"""Which facts are lines of the operations log, and that no flood of them fills it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.envelope.operations import Kind, Operation
from hub.facts import Alarm, Fact, HandedOver, Lifecycle, Paused, StandingTaken, Unconfirmed
from hub.operations.facts import BrokersReached, OperationsWaiting
from monitoring.operations.from_facts import (
    FLOOD,
    MAX_KEYS,
    TABLE,
    WINDOW_SECONDS,
    Bounded,
    configuration_hash,
    operation_of,
)
from tests.unit.monitoring.test_adapter import SAMPLES

AT = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (Lifecycle("started", {"command": "route"}), Operation(Kind.STARTED, AT, about="route")),
        (Lifecycle("stopped", {"command": "route"}), Operation(Kind.STOPPED, AT, about="route")),
        (
            Lifecycle("failed", {"command": "route", "code": "kafka"}),
            Operation(Kind.FAILED, AT, "kafka", about="route"),
        ),
        (Lifecycle("failed"), Operation(Kind.FAILED, AT, "failed")),
        (Lifecycle("reloaded"), None),
        (Alarm("second-leaf", "a.topic"), Operation(Kind.ALARM, AT, about="a.topic", code="second-leaf")),
        (Paused("router", "kafka", True), Operation(Kind.PAUSED, AT, about="router", code="kafka")),
        (Paused("router", "kafka", False), Operation(Kind.RESUMED, AT, about="router", code="kafka")),
        (BrokersReached(True), Operation(Kind.CONNECTED, AT, about="brokers")),
        (BrokersReached(False, "kafka"), Operation(Kind.DISCONNECTED, AT, "kafka", about="brokers")),
        (
            StandingTaken(7, 3, ("131041",)),
            Operation(Kind.CONFIGURED, AT, about="trust 7 declaration 3", code=configuration_hash("s", 7, 3)),
        ),
        (HandedOver("tax-a", "accept", 3), Operation(Kind.EXPORTED, AT, about="tax-a", code="accept", count=3)),
        (HandedOver("tax-a", "accept", 0), None),
        (Unconfirmed("audit-a", 4), Operation(Kind.ALARM, AT, about="audit-a", code="checkpoint-missing")),
        (Unconfirmed("audit-a", 4, 1), Operation(Kind.ALARM, AT, about="audit-a", code="event-missing")),
        (Unconfirmed("audit-a", 0), None),
        (OperationsWaiting(1, True), None),
    ],
    ids=repr,
)
def test_the_table(fact: Fact, line: Operation | None) -> None:
    assert operation_of(fact, AT, "s") == line


def test_every_sample_is_a_line_or_none_and_each_rule_is_met() -> None:
    made = {type(fact) for fact in SAMPLES if operation_of(fact, AT) is not None}
    assert made == TABLE.keys()


def test_the_hash_of_a_configuration_depends_on_all_of_it() -> None:
    hashes = {
        configuration_hash(*each) for each in (("a", 1, 2), ("b", 1, 2), ("a", 2, 2), ("a", 1, 3), ("a\n1", 2, 2))
    }
    assert len(hashes) == 5 and all(len(each) == 16 for each in hashes)


def alarm(code: str, seconds: float = 0.0, count: int = 1) -> Operation:
    return Operation(Kind.ALARM, AT + timedelta(seconds=seconds), code=code, count=count)


def test_the_first_of_a_kind_at_once_and_repeats_as_one_line_a_minute() -> None:
    bounded = Bounded()
    assert bounded.take(alarm("a"), 0.0) == [alarm("a")]
    for second in range(1, 50):
        assert bounded.take(alarm("a", second), float(second)) == []
    assert bounded.take(alarm("b", 50), 50.0) == [alarm("b", 50)]
    assert bounded.flush(WINDOW_SECONDS - 0.01) == []
    assert bounded.flush(WINDOW_SECONDS) == [alarm("a", 1, 49)], "when the first of them was, and how many"
    assert bounded.flush(WINDOW_SECONDS + 1) == []
    assert bounded.take(alarm("a", 62), 62.0) == [alarm("a", 62)], "a new minute"


def test_nothing_is_held_back_at_the_end() -> None:
    bounded = Bounded()
    for second in range(3):
        bounded.take(alarm("a", second), float(second))
    assert bounded.flush(3.0, end=True) == [alarm("a", 1, 2)]
    assert bounded.flush(4.0, end=True) == []


def test_a_flood_of_different_lines_is_bounded_and_counted() -> None:
    bounded, written = Bounded(), 0
    for number in range(10_000):
        written += len(bounded.take(alarm(f"code-{number % 500}"), number / 1_000))
    assert written == MAX_KEYS
    rest = bounded.flush(WINDOW_SECONDS)
    assert len(rest) == MAX_KEYS + 1 and rest[-1].code == FLOOD
    assert written + sum(each.count for each in rest) == 10_000
