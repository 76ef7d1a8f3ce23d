"""Bounds around what waits through every cancellation."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hub.transport.errors import BrokerUnavailable
from monitoring.analysis.bounded import done_before, ended


async def nothing() -> None:
    pass


async def failing() -> None:
    raise LookupError("its own")


async def for_ever() -> None:
    await asyncio.Event().wait()


async def stubborn(go: asyncio.Event) -> None:
    while not go.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await go.wait()


async def test_what_is_done_is_done_and_what_fails_fails() -> None:
    stop = asyncio.Event()
    assert await done_before(nothing(), stop, 5, "x")
    with pytest.raises(LookupError, match="its own"):
        await done_before(failing(), stop, 5, "x")


async def test_who_is_told_to_stop_does_not_wait() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    assert not await done_before(for_ever(), stop, 60, "x")


async def test_what_takes_too_long_is_the_brokers() -> None:
    with pytest.raises(BrokerUnavailable):
        await done_before(for_ever(), asyncio.Event(), 0.01, "x")


async def test_a_cancellation_from_inside_is_no_silence() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(BrokerUnavailable):
        await done_before(cancelled(), asyncio.Event(), 5, "x")


async def test_what_takes_no_notice_of_a_cancellation_is_left_behind() -> None:
    go = asyncio.Event()
    assert not await ended(stubborn(go), 0.01)
    go.set()
    assert await ended(nothing(), 5)
    assert await ended(failing(), 5)
