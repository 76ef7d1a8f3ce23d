"""Work that blocks, away from the event loop: in a thread that nobody waits for longer than he said."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from monitoring.network.line import Came, Ended

T = TypeVar("T")


class Aside:
    """One piece of work at a time. One that hangs for good, as a resolver may, ends with the process."""

    def __init__(self, name: str) -> None:
        """No thread is made before there is work; `name` is for debuggers."""
        self._name = name
        self._busy = False

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` returns, or raise what it raises; Ended(HUNG) if that, or the last one, takes too long."""
        if self._busy:
            raise Ended(Came.HUNG, "still")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(how: Callable[[Any], None], value: object) -> None:
            if not done.done():
                how(value)

        def go() -> None:
            how: Callable[[Any], None] = done.set_result
            value: object
            try:
                value = work()
            except Exception as problem:  # noqa: BLE001 - raised in the task that waits
                how, value = done.set_exception, problem
            self._busy = False
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, how, value)

        self._busy = True
        threading.Thread(target=go, name=self._name, daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                return await done
        except TimeoutError:
            raise Ended(Came.HUNG, "round") from None


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless it is time to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
