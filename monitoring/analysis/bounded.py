"""Bounds for what a Faust application does without any: it waits for brokers through every cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hub.transport.errors import BrokerUnavailable


async def done_before(work: Coroutine[Any, Any, None], stop: asyncio.Event, seconds: float, what: str) -> bool:
    """Do something; return whether it was done, False if `stop` was set before.

    Raises what it raises, and BrokerUnavailable (about `what`) when it takes longer than `seconds` or comes to a
    cancellation that was not ours: Faust's own when its thread ends under a call.
    """
    working, stopped = _task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopped), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if working.done() and not working.cancelled():
            await working
            return True
        if stop.is_set():
            return False
        raise BrokerUnavailable(what)
    finally:
        working.cancel()
        stopped.cancel()


async def ended(work: Coroutine[Any, Any, None], seconds: float) -> bool:
    """Do something that ends; return whether it has within `seconds`, with or without an error.

    `asyncio.timeout` would not do: it cancels once and waits for what takes no notice.
    """
    working = _task(work)
    await asyncio.wait((working,), timeout=seconds)
    working.cancel()
    return working.done()


def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    working = asyncio.create_task(work)
    working.add_done_callback(lambda task: task.cancelled() or task.exception())  # when nobody waits for it any more
    return working
