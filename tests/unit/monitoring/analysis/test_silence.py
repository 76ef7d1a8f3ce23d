"""Who should be heard and is not."""

from __future__ import annotations

import random
from typing import Any

from hub.envelope.operations import Kind
from hub.envelope.times import to_ms
from monitoring.analysis.silence import MAX_SPANS, Heard, Span, joined, limit_of, spans_of
from tests.unit.monitoring.analysis.support import OPEN, found, in_order, line

MINUTE = 60_000
AT = to_ms(OPEN)
MINUTES = {"monitor": 30, "review": 60}


def heard(*minutes: int, stopped: int | None = None) -> list[Any]:
    lines = [line(Kind.STOPPED if each == stopped else Kind.PROBED, 60 * each, principal="monitor") for each in minutes]
    return in_order(lines)


def silences(watermark: int, *minutes: int, stopped: int | None = None) -> list[tuple[int, int]]:
    state = Heard()
    state.take(spans_of(heard(*minutes, stopped=stopped), MINUTES).get("monitor", []), 30 * MINUTE)
    return [
        (round((to_ms(each.began_at) - AT) / MINUTE), each.count)
        for each in state.silences("monitor", 30 * MINUTE, AT + watermark * MINUTE)
    ]


def test_a_gap_longer_than_the_limit_is_a_silence() -> None:
    assert silences(200, 0, 20, 50, 90, 110, 180, 200) == [(50, 40), (110, 70)]


def test_nobody_is_silent_before_the_watermark_has_passed() -> None:
    assert silences(40, 0, 20, 100) == []
    assert silences(51, 0, 20, 100) == [(20, 31)]
    assert silences(500, 0, 20, 100) == [(20, 80), (100, 400)]


def test_one_that_says_it_stops_may_be_silent_until_it_speaks_again() -> None:
    assert silences(500, 0, 20, stopped=20) == []
    assert silences(500, 0, 20, 300, stopped=20) == [(300, 200)]


def test_one_that_was_never_heard_is_not_silent() -> None:
    assert silences(10_000) == []


def test_order_changes_nothing_and_a_late_line_joins() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    lines = heard(*sorted(rng.sample(range(3000), 150)))
    state, other = Heard(), Heard()
    state.take(spans_of(lines, MINUTES)["monitor"], 30 * MINUTE)
    rng.shuffle(lines)
    for at in range(0, 150, 10):
        other.take(spans_of(lines[at : at + 10], MINUTES)["monitor"], 30 * MINUTE)
    assert state == other
    assert state.silences("monitor", 30 * MINUTE, AT + 4000 * MINUTE) == other.silences(
        "monitor", 30 * MINUTE, AT + 4000 * MINUTE
    )


def test_a_silence_keeps_its_id_while_it_lasts_and_when_it_ends() -> None:
    state = Heard()
    state.take(spans_of(heard(0), MINUTES)["monitor"], 30 * MINUTE)
    (one,) = state.silences("monitor", 30 * MINUTE, AT + 40 * MINUTE)
    (two,) = state.silences("monitor", 30 * MINUTE, AT + 50 * MINUTE)
    state.take([Span(AT + 60 * MINUTE, AT + 60 * MINUTE, "b-0", "b-0", False)], 30 * MINUTE)
    (three,) = state.silences("monitor", 30 * MINUTE, AT + 70 * MINUTE)
    assert len({one.finding_id, two.finding_id, three.finding_id}) == 1
    assert (one.count, two.count, three.count) == (40, 50, 60)
    assert three.evidence[-1] == "b-0"
    assert state.silences("monitor", 30 * MINUTE, AT + 80 * MINUTE) == [], "told"


def test_a_part_of_a_stretch_that_is_told_again_makes_no_silence() -> None:
    """As after `kill -9`: the state has passed the gap, and lines from before it come again, batch by batch."""
    lines = heard(*range(0, 100, 10), 200, 210, 220)
    state = Heard()
    state.take(spans_of(lines, MINUTES)["monitor"], 30 * MINUTE)
    (one,) = state.silences("monitor", 30 * MINUTE, AT + 215 * MINUTE)
    again = Heard.of_value(state.value())
    for at in range(0, len(lines), 4):
        again.take(spans_of(lines[at : at + 4], MINUTES)["monitor"], 30 * MINUTE)
        assert again.silences("monitor", 30 * MINUTE, AT + 215 * MINUTE) == []
    assert (one.count, again.spans[-1].ends) == (110, AT + 220 * MINUTE)


def test_limits_are_by_principal_and_then_by_role() -> None:
    minutes = {"review": 60, "review-999997": 5}
    assert limit_of("review-131041", minutes) == 60 * MINUTE
    assert limit_of("review-999997", minutes) == 5 * MINUTE
    assert limit_of("portal", minutes) is None
    assert limit_of("monitor", {"monitor": 0}) is None


def test_state_reads_back_and_is_bounded() -> None:
    state = Heard()
    state.take([Span(n * 100, n * 100, "a", "a", False) for n in range(2 * MAX_SPANS)], 10)
    assert len(state.spans) == MAX_SPANS
    assert Heard.of_value(state.value()) == state
    assert joined(state.spans, 100) == [Span(MAX_SPANS * 100, (2 * MAX_SPANS - 1) * 100, "a", "a", False)]


def test_the_detector_finds_it_too() -> None:
    (one,) = found(heard(0, 25, 300, 325), monitor=30)[:1]
    assert (one.rule, one.subject, one.count) == ("silent-peer", "monitor", 275)
