"""What was handed to the producer, and when it counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from monitoring.analysis.held import Changes, held


async def test_it_waits_for_the_last_of_them() -> None:
    sent: list[asyncio.Future[Any]] = [asyncio.Future() for _ in range(3)]
    waiting = asyncio.create_task(held(sent))
    for each in reversed(sent):
        await asyncio.sleep(0)
        assert not waiting.done()
        each.set_result(None)
    await waiting
    await held([])


async def test_a_record_that_failed_is_said() -> None:
    good: asyncio.Future[Any] = asyncio.Future()
    bad: asyncio.Future[Any] = asyncio.Future()
    good.set_result(None)
    bad.set_exception(TimeoutError("not delivered"))
    with pytest.raises(TimeoutError, match="not delivered"):
        await held([good, bad])


async def test_who_is_cancelled_cancels_no_record() -> None:
    sent: asyncio.Future[Any] = asyncio.Future()
    waiting = asyncio.create_task(held([sent]))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not sent.cancelled()
    sent.set_result(None)


async def test_changes_are_waited_for_once() -> None:
    changes = Changes()
    first: asyncio.Future[Any] = asyncio.Future()
    changes.add(first)
    waiting = asyncio.create_task(changes.held())
    await asyncio.sleep(0)
    assert not waiting.done()
    first.set_result(None)
    await waiting
    await changes.held()
