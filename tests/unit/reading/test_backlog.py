"""The age of the oldest unread record: never more than the truth, and never older for a clock that jumps."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from hub.reading.backlog import Backlog

TOPIC = "rehearsal.131041.review"


def test_what_is_read_is_not_old_and_what_is_not_ages() -> None:
    backlog = Backlog()
    place = (TOPIC, 0)
    assert backlog.look({place: (0, 0)}, 0.0) == {TOPIC: 0.0}
    assert backlog.look({place: (0, 10)}, 5.0) == {TOPIC: 0.0}, "it may have come just now"
    assert backlog.look({place: (0, 10)}, 15.0) == {TOPIC: 10.0}
    assert backlog.look({place: (4, 30)}, 20.0) == {TOPIC: 15.0}
    assert backlog.look({place: (10, 30)}, 25.0) == {TOPIC: 5.0}, "what was there at 5 is read, what came by 20 is not"
    assert backlog.look({place: (30, 30)}, 30.0) == {TOPIC: 0.0}


def test_a_topic_is_as_late_as_its_latest_partition_and_a_lost_one_is_forgotten() -> None:
    backlog = Backlog()
    backlog.look({(TOPIC, 0): (0, 5), (TOPIC, 1): (0, 0), ("other", 0): (0, 1)}, 0.0)
    assert backlog.look({(TOPIC, 0): (0, 5), (TOPIC, 1): (0, 5), ("other", 0): (1, 1)}, 9.0) == {TOPIC: 9.0, "other": 0}
    assert backlog.look({(TOPIC, 1): (0, 5)}, 10.0) == {TOPIC: 1.0}
    assert backlog.look({(TOPIC, 0): (0, 5), (TOPIC, 1): (0, 5)}, 20.0) == {TOPIC: 11.0}


def test_a_topic_that_was_made_anew_begins_anew() -> None:
    backlog = Backlog()
    backlog.look({(TOPIC, 0): (0, 100)}, 0.0)
    assert backlog.look({(TOPIC, 0): (0, 3)}, 50.0) == {TOPIC: 0.0}


def test_a_clock_that_goes_back_makes_nothing_negative() -> None:
    backlog = Backlog()
    backlog.look({(TOPIC, 0): (0, 1)}, 100.0)
    assert backlog.look({(TOPIC, 0): (0, 1)}, 1.0) == {TOPIC: 0.0}


@given(seed=st.integers(0, 2**32))
def test_it_is_a_lower_bound_within_an_interval_and_bounded_in_memory(seed: int) -> None:
    chance = random.Random(seed)
    backlog, came, position, now, last = Backlog(), list[float](), 0, 0.0, 0.0
    for _ in range(400):
        now += chance.random()
        came += [now] * chance.randrange(3)
        if chance.random() < 0.5:
            position = min(len(came), position + chance.randrange(5))
        if chance.random() < 0.7:
            (age,) = backlog.look({(TOPIC, 0): (position, len(came))}, now).values()
            truth = now - came[position] if position < len(came) else 0.0
            assert age <= truth + 1e-9
            last = max(last, truth - age)
    assert last < 12.0
    assert all(len(looks) <= 257 for looks in backlog._looks.values())


def test_a_backlog_without_end_is_remembered_in_bounds_and_still_ages() -> None:
    backlog = Backlog()
    for second in range(10_000):
        (age,) = backlog.look({(TOPIC, 0): (0, second + 1)}, float(second)).values()
    assert age == 9_999.0
    assert len(backlog._looks[TOPIC, 0]) <= 257
