"""When nothing comes: an idle topic is no stall, one that moves is none, one that stands with records behind it is."""

from __future__ import annotations

import pytest

from hub.transport.stalled import STALL_SECONDS, Stall

A, B = ("a", 0), ("b", 1)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_is_due_when_nothing_came_for_so_long(clock: Clock) -> None:
    stall = Stall(clock)
    assert not stall.due
    clock.now += STALL_SECONDS - 0.01
    assert not stall.due
    clock.now += 0.01
    assert stall.due
    stall.moved()
    assert not stall.due


def test_a_look_is_not_due_again_at_once(clock: Clock) -> None:
    stall = Stall(clock)
    clock.now += STALL_SECONDS
    assert not stall.seen({A: 5}, {A: 5})
    assert not stall.due


def test_two_looks_that_find_a_partition_behind_at_the_same_place_are_a_stall(clock: Clock) -> None:
    stall = Stall(clock)
    assert not stall.seen({A: 5, B: 7}, {A: 9, B: 7})
    assert stall.seen({A: 5, B: 7}, {A: 9, B: 7})


@pytest.mark.parametrize(
    "second",
    [({A: 6}, {A: 9}), ({A: 9}, {A: 9}), ({A: 5}, {A: 5})],
    ids=["it moved", "it arrived", "what was behind is gone"],
)
def test_what_moves_or_has_arrived_is_none(
    clock: Clock, second: tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]
) -> None:
    stall = Stall(clock)
    assert not stall.seen({A: 5}, {A: 9})
    assert not stall.seen(*second)


def test_records_that_came_between_two_looks_begin_anew(clock: Clock) -> None:
    stall = Stall(clock)
    assert not stall.seen({A: 5}, {A: 9})
    stall.moved()
    assert not stall.seen({A: 5}, {A: 9})
