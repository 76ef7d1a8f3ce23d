"""Event time on its way."""

from __future__ import annotations

from monitoring.analysis.progress import Arrived, Drained, Sources

MINUTE = 60_000


def test_a_partition_is_as_far_as_its_newest_line_less_the_lateness() -> None:
    sources = Sources(5 * MINUTE)
    assert sources.take(0, [10 * MINUTE, 8 * MINUTE], 100 * MINUTE) == 0
    assert sources.value() == {"0": 5 * MINUTE}
    assert sources.take(0, [6 * MINUTE, 4 * MINUTE, 20 * MINUTE], 100 * MINUTE) == 1, "one was late"
    assert sources.value() == {"0": 15 * MINUTE}


def test_a_clock_that_runs_ahead_makes_nobody_else_late() -> None:
    sources = Sources(5 * MINUTE)
    sources.take(0, [10_000 * MINUTE], 10 * MINUTE)
    assert sources.value() == {"0": 5 * MINUTE}
    assert sources.take(0, [6 * MINUTE], 10 * MINUTE) == 0


def test_an_idle_partition_moves_with_the_clock_and_never_back() -> None:
    sources = Sources(5 * MINUTE)
    sources.idle(1, 30 * MINUTE)
    sources.idle(1, 20 * MINUTE)
    assert sources.value() == {"1": 25 * MINUTE}
    sources.idle(1, 30 * MINUTE, final=True)
    assert sources.value() == {"1": 30 * MINUTE}


def test_windows_are_as_far_as_the_partition_that_is_least_far() -> None:
    arrived = Arrived(3)
    arrived.take(0, {"0": 5, "1": 9})
    assert arrived.watermark(0) is None, "one source has not spoken"
    arrived.take(0, {"2": 7})
    assert arrived.watermark(0) == 5
    arrived.take(0, {"0": 3})
    assert arrived.watermark(0) == 5, "somebody began again behind it"
    assert arrived.watermark(1) is None
    assert arrived.least([0, 1]) is None
    arrived.take(1, {"0": 4, "1": 4, "2": 4})
    assert arrived.least([0, 1]) == 4
    assert arrived.least([]) is None


def test_read_to_the_end_is_not_worked_on_to_the_end() -> None:
    drained = Drained()
    assert not drained.look(0, 100, 100, at_work=True), "a hundred records wait"
    drained.worked(0, 60)
    assert not drained.look(0, 100, 100, at_work=False), "forty wait in a queue"
    drained.worked(0, 100)
    assert drained.look(0, 100, 100, at_work=True), "others may be at work"
    assert not drained.look(0, 100, 101, at_work=False), "one is not read yet"


def test_what_was_never_worked_on_is_drained_at_the_second_look_alike() -> None:
    drained = Drained()
    assert not drained.look(0, 100, 100, at_work=False), "worked on before our time, or waiting in a queue"
    assert drained.look(0, 100, 100, at_work=False)
    assert not drained.look(1, 100, 100, at_work=False), "each by itself"
    assert not drained.look(1, 100, 100, at_work=True), "somebody is busy; its turn may come"
    assert not drained.look(1, 100, 100, at_work=False), "so it begins again"
    assert drained.look(1, 100, 100, at_work=False)


def test_an_end_that_is_never_given_to_us_is_drained_at_the_second_look_alike() -> None:
    drained = Drained()
    drained.worked(0, 99)
    assert not drained.look(0, 100, 100, at_work=False)
    assert drained.look(0, 100, 100, at_work=False)
    drained.worked(0, 100)
    assert not drained.look(0, 120, 120, at_work=False)


def test_an_empty_partition_is_drained() -> None:
    assert Drained().look(0, 0, 0, at_work=False)
