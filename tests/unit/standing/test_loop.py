"""A group of tasks in which none ends unseen."""

from __future__ import annotations

import asyncio
import gc

import pytest

from hub.loop import StrayCancellation, TaskGroup


async def forever(ended: list[str]) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        ended.append("the other")


async def waits_for_what_is_cancelled() -> None:
    other = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(other.cancel)
    await other


async def test_a_cancellation_that_nobody_asked_for_ends_the_group() -> None:
    ended: list[str] = []
    with pytest.raises(ExceptionGroup) as problem:
        async with asyncio.timeout(10), TaskGroup() as tasks:
            tasks.create_task(forever(ended))
            tasks.create_task(waits_for_what_is_cancelled())
    assert [type(each) for each in problem.value.exceptions] == [StrayCancellation]
    assert ended == ["the other"]


async def test_a_task_that_is_cancelled_on_purpose_ends_alone() -> None:
    ended: list[str] = []
    async with asyncio.timeout(10), TaskGroup() as tasks:
        task = tasks.create_task(forever(ended))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled() and ended == ["the other"]


async def test_a_group_that_is_cancelled_whole_is_no_stray() -> None:
    ended: list[str] = []

    async def group() -> None:
        async with TaskGroup() as tasks:
            tasks.create_task(forever(ended))

    whole = asyncio.create_task(group())
    await asyncio.sleep(0.01)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert ended == ["the other"]


async def test_results_and_errors_of_tasks_are_as_ever() -> None:
    async def number() -> int:
        return 7

    async def fails() -> None:
        raise KeyError

    async with TaskGroup() as tasks:
        task = tasks.create_task(number(), name="seven")
    assert task.result() == 7 and task.get_name() == "seven"
    with pytest.raises(ExceptionGroup) as problem:
        async with TaskGroup() as tasks:
            tasks.create_task(fails())
    assert [type(each) for each in problem.value.exceptions] == [KeyError]


async def test_a_task_that_never_began_leaves_nothing_behind() -> None:
    ended: list[str] = []
    async with TaskGroup() as tasks:
        tasks.create_task(forever(ended)).cancel()
    gc.collect()
    assert ended == []


async def test_a_group_that_ends_takes_no_more_and_leaves_nothing_behind() -> None:
    tasks = TaskGroup()
    with pytest.raises(RuntimeError):
        tasks.create_task(forever([]))
    gc.collect()
