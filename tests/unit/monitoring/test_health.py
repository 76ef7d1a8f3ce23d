"""Strict at the start, honest about a stuck loop, and never ready while something stands still."""

from __future__ import annotations

import asyncio
import contextlib

from hub.facts import Fact, Lifecycle, Paused, Ready
from monitoring.health import Health, LoopBeat


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_not_ready_until_every_declared_condition_was_reported() -> None:
    health = Health({"fenced", "sessions", "store"})
    for condition in ("fenced", "sessions", "store"):
        assert not health.readiness().ready
        health.observe(Ready(condition, True))
    assert health.readiness().ready


def test_a_condition_that_falls_makes_it_unready_again() -> None:
    health = Health({"store"})
    health.observe(Ready("store", True))
    health.observe(Ready("store", False))
    assert health.readiness().conditions == (("store", False),)
    assert not health.readiness().ready


def test_a_role_without_conditions_is_ready() -> None:
    assert Health(()).readiness().ready


def test_a_condition_nobody_declared_counts_once_it_was_reported_as_missing() -> None:
    health = Health({"store"})
    health.observe(Ready("store", True))
    health.observe(Ready("audiences", False))
    assert not health.readiness().ready


def test_a_stage_that_stands_still_is_named_until_it_goes_on() -> None:
    health = Health(())
    health.observe(Paused("router", "dead-letters-full", True))
    health.observe(Paused("router", "sessions-unreachable", True))
    assert health.readiness().paused == (
        ("router", "dead-letters-full"),
        ("router", "sessions-unreachable"),
    )
    health.observe(Paused("router", "dead-letters-full", False))
    assert not health.readiness().ready
    health.observe(Paused("router", "sessions-unreachable", False))
    assert health.readiness().ready


def test_a_loop_that_stops_beating_is_no_longer_alive_and_recovers() -> None:
    clock = Clock()
    health = Health((), stale_after_seconds=10, clock=clock)
    clock.now += 10
    assert health.liveness().healthy
    clock.now += 0.1
    assert not health.liveness().healthy
    health.beaten()
    assert health.liveness().healthy


def test_a_process_that_declared_its_failure_is_neither_alive_nor_ready() -> None:
    health = Health(())
    health.observe(Lifecycle("started"))
    assert health.liveness().healthy
    health.observe(Lifecycle("failed", {"code": "fenced"}))
    assert not health.liveness().healthy
    assert not health.readiness().ready


def test_a_flood_of_conditions_is_bounded() -> None:
    health = Health(())
    for number in range(10_000):
        health.observe(Ready(f"condition-{number}", False))
        health.observe(Paused(f"stage-{number}", "x", True))
    assert len(health.readiness().conditions) == 64
    assert len(health.readiness().paused) == 64


async def test_the_heartbeat_beats_and_tells_how_late_it_was() -> None:
    clock = Clock()
    health = Health((), stale_after_seconds=5, clock=clock)
    told: list[Fact] = []
    enough = asyncio.Event()

    def observe(fact: Fact) -> None:
        told.append(fact)
        if len(told) == 3:
            enough.set()

    clock.now += 60
    task = asyncio.create_task(health.beat(observe, interval_seconds=0.001))
    await enough.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert health.liveness().healthy
    assert all(isinstance(fact, LoopBeat) and fact.late_seconds >= 0 for fact in told)
