"""What is under way stays within its bounds; everybody gets a turn in order."""

from __future__ import annotations

import asyncio

from hub.producing.budget import Budget


async def test_callers_wait_until_there_is_room_first_come_first_served() -> None:
    budget = Budget(max_bytes=100, max_items=10)
    order: list[int] = []

    async def use(number: int, size: int) -> None:
        await budget.take(size)
        order.append(number)

    await use(0, 80)
    waiting = [asyncio.create_task(use(number, size)) for number, size in ((1, 50), (2, 10))]
    await asyncio.sleep(0)
    assert order == [0]
    budget.give_back(80)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    assert budget.used_bytes == 60


async def test_one_item_over_the_bound_goes_alone() -> None:
    budget = Budget(max_bytes=100, max_items=10)
    await budget.take(5_000)
    other = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    assert not other.done()
    budget.give_back(5_000)
    await other


async def test_cancelled_waiter_does_not_hold_the_others_up() -> None:
    budget = Budget(max_bytes=100, max_items=1)
    await budget.take(1)
    first, second = asyncio.create_task(budget.take(1)), asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    budget.give_back(1)
    await second
    budget.give_back(1)
    await budget.unused()
    assert budget.used_bytes == 0


async def test_turn_that_meets_its_cancellation_is_given_back() -> None:
    budget = Budget(max_bytes=100, max_items=1)
    await budget.take(1)
    waiter = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    budget.give_back(1)  # its turn comes ...
    waiter.cancel()  # ... and in the same moment it is cancelled
    await asyncio.gather(waiter, return_exceptions=True)
    await budget.unused()
