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
    assert drained.look({0: 100}, {0: 100}, at_work=True) == set(), "a hundred records wait"
    drained.worked(0, 60)
    assert drained.look({0: 100}, {0: 100}, at_work=True) == set(), "forty wait in a queue"
    drained.worked(0, 100)
    assert drained.look({0: 100}, {0: 100}, at_work=True) == {0}, "others may be at work"
    assert drained.look({0: 100}, {0: 101}, at_work=False) == set(), "one is not read yet"


def test_what_was_worked_on_before_our_time_is_drained_when_nothing_moves_at_two_looks() -> None:
    drained = Drained()
    where = {0: 100, 1: 7}
    assert drained.look(where, where, at_work=True) == set()
    assert drained.look(where, where, at_work=False) == set(), "or it waits in a queue"
    assert drained.look(where, where, at_work=False) == {0, 1}
    assert drained.look({**where, 0: 120}, {**where, 0: 120}, at_work=False) == {1}, "what came now was not worked on"


def test_a_quiet_partition_is_drained_while_others_are_never_quiet() -> None:
    """The monitor is dead, its log alone on partition 2; the analysis begins anew while everybody else goes on."""
    drained = Drained()
    found = []
    for look in range(1, 4):
        positions = {0: 100 * look, 1: 90 * look, 2: 55}
        found.append(drained.look(positions, positions, at_work=True))
        drained.worked(0, 100 * look + 10)  # read after the look, and done
    assert found == [set(), {2}, {2}]


def test_what_was_read_before_a_look_waits_though_much_was_done() -> None:
    drained = Drained()
    positions = {0: 1_000, 1: 500}
    assert drained.look(positions, positions, at_work=True) == set()
    drained.worked(0, 1_000)
    assert drained.look(positions, positions, at_work=True) == {0}, "those of partition 1 may come after these"
    drained.worked(1, 500)
    assert drained.look(positions, positions, at_work=True) == {0, 1}


def test_an_end_that_is_never_given_to_us_is_passed_by() -> None:
    drained = Drained()
    drained.worked(0, 99)
    assert drained.look({0: 99}, {0: 99}, at_work=False) == {0}
    assert drained.look({0: 100}, {0: 100}, at_work=False) == set(), "it may be waiting"
    assert drained.look({0: 100}, {0: 100}, at_work=False) == {0}


def test_an_empty_partition_is_drained() -> None:
    assert Drained().look({0: 0}, {0: 0}, at_work=False) == {0}


def test_a_partition_from_which_nothing_was_taken_has_not_spoken() -> None:
    sources = Sources(5 * MINUTE)
    assert sources.take(0, [], 100 * MINUTE) == 0
    assert sources.value() == {}
