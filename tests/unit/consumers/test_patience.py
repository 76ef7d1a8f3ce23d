"""Waiting for what can heal: when a pause begins, and that it ends as soon as the work gets on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from consumers.patience import Patience
from hub.facts import Alarm, Fact, Paused, Ready
from hub.transport.errors import BrokerUnavailable
from schemas.errors import HubError

OUT = [Paused("stage", "kafka.unavailable", True), Alarm("kafka.unavailable", "stage"), Ready("it", False)]
BACK = [Paused("stage", "kafka.unavailable", False), Ready("it", True)]


class Heals(HubError):
    """Another trouble that heals."""

    code = "store.busy"
    retriable = True


def patience() -> tuple[Patience, list[Fact]]:
    told: list[Fact] = []
    return Patience("stage", told.append), told


async def test_work_that_lasts_ends_its_pause_when_it_gets_on_and_not_when_it_ends() -> None:
    waiting, told = patience()
    stop, on, fails = asyncio.Event(), asyncio.Event(), [True, True, False]
    seen: list[int] = []

    async def lasting(going: Callable[[], None]) -> str:
        if fails.pop(0):
            raise BrokerUnavailable("here")
        going()
        seen.append(len(told))
        going()
        seen.append(len(told))
        on.set()
        await stop.wait()
        return "done"

    running = asyncio.create_task(waiting.while_going("it", lasting, stop))
    async with asyncio.timeout(30):
        await on.wait()
    assert told == OUT + BACK
    assert seen == [len(told)] * 2, "said once"
    stop.set()
    assert await running == "done"
    assert len(told) == seen[0]


async def test_the_next_outage_is_told_again_and_waited_for_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, told = patience()
    stop = asyncio.Event()
    pauses: list[float] = []

    async def sleep(_: asyncio.Event, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("consumers.patience.sleep", sleep)
    steps = iter(["out", "out", "out", "going, out", "out", "end"])

    async def lasting(going: Callable[[], None]) -> bool:
        step = next(steps)
        if step == "end":
            return True
        if step == "going, out":
            going()
        raise BrokerUnavailable("here")

    assert await waiting.while_going("it", lasting, stop)
    assert told == OUT + BACK + OUT + BACK
    assert pauses[3:] == pauses[:2] and pauses[2] > pauses[0]


async def test_another_trouble_takes_the_place_of_the_first() -> None:
    waiting, told = patience()
    problems: list[HubError | None] = [BrokerUnavailable("here"), Heals("here"), None]

    async def work() -> bool:
        problem = problems.pop(0)
        if problem is not None:
            raise problem
        return True

    assert await waiting.until_done("it", work, asyncio.Event())
    assert Paused("stage", "kafka.unavailable", False) in told
    assert told.index(Paused("stage", "store.busy", True)) < told.index(Paused("stage", "store.busy", False))


async def test_what_cannot_heal_is_raised_and_stop_ends_the_waiting() -> None:
    class Final(HubError):
        """For good."""

        code = "x.final"

    waiting, told = patience()

    async def never(_: Callable[[], None]) -> None:
        raise Final("here")

    async def later(_: Callable[[], None]) -> None:
        raise Heals("here")

    stop = asyncio.Event()
    with pytest.raises(Final):
        await waiting.while_going("it", never, stop)
    assert told == []
    stop.set()
    assert await waiting.while_going("it", later, stop) is None
