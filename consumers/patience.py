"""Waiting for what can heal, and for nothing else: a pause is a fact, and ends when the work succeeds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hub.facts import Alarm, Observer, Paused, Ready
from schemas.errors import HubError

T = TypeVar("T")
_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


async def sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not longer than until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class Patience:
    """Repeats work that failed with a retriable error; everything else is raised on."""

    def __init__(self, name: str, observer: Observer) -> None:
        """`name` is the stage in the facts."""
        self._name = name
        self._observe = observer

    async def until_done(self, condition: str, work: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T | None:
        """Return what `work` returned, or None if `stop` was set while it could not be done.

        `condition` (sessions, audiences, store, outbox) is unready while it waits.
        """
        return await self.while_going(condition, lambda _: work(), stop)

    async def while_going(
        self, condition: str, work: Callable[[Callable[[], None]], Awaitable[T]], stop: asyncio.Event
    ) -> T | None:
        """The same for work that lasts: it calls what it is given whenever it gets on, and so ends the pause.

        Without that a stage that reads until `stop` would be paused, and unready, long after it has healed.
        """
        paused: str | None = None
        attempt = 0

        def going() -> None:
            nonlocal paused, attempt
            if paused is not None:
                self._turn(condition, paused, None)
            paused, attempt = None, 0

        while True:
            try:
                result = await work(going)
            except HubError as error:
                if not error.retriable:
                    raise
                if paused != error.code:
                    self._turn(condition, paused, error.code)
                    paused = error.code
                if stop.is_set():
                    return None
                await sleep(stop, _SECONDS[min(attempt, len(_SECONDS) - 1)])
                attempt += 1
                continue
            going()
            return result

    def _turn(self, condition: str, before: str | None, now: str | None) -> None:
        if before is not None:
            self._observe(Paused(self._name, before, False))
        if now is not None:
            self._observe(Paused(self._name, now, True))
            self._observe(Alarm(now, self._name))
        self._observe(Ready(condition, now is None))
