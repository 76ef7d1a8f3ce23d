"""The event loop of a role process: uvloop where it exists, asyncio's own elsewhere; and its groups of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, Final, TypeVar

from schemas.errors import HubError

T = TypeVar("T")

_TLS_SHUTDOWN_SECONDS: Final = 0.5
"""uvloop waits 30 s for a peer's close_notify; a Kafka broker does not send one, and every stop would wait"""


def loop_run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop and return its result."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)

    class Loop(uvloop.Loop):
        """uvloop that does not wait for brokers to say goodbye."""

        async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
            if kwargs.get("ssl"):
                kwargs.setdefault("ssl_shutdown_timeout", _TLS_SHUTDOWN_SECONDS)
            return await super().create_connection(*args, **kwargs)

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)


class StrayCancellation(HubError):
    """A task came to a cancellation that nobody had asked for."""

    code: ClassVar[str] = "task.cancelled"
    hint: ClassVar[str] = "What it waited for was cancelled elsewhere. Start the process again, and report it."


class TaskGroup(asyncio.TaskGroup):
    """A group whose tasks cannot end unseen.

    asyncio takes a task that ends in CancelledError for one that was cancelled on purpose, and lets the others go on.
    It may as well have waited for something that somebody else cancelled: a desk went on so, ready, without its reader.
    """

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:
        """Start a task; a cancellation that nobody asked for ends the group as StrayCancellation."""
        watched = _not_unseen(coro)
        try:
            task = super().create_task(watched, name=name, context=context)
        except BaseException:
            watched.close()
            coro.close()
            raise
        task.add_done_callback(lambda _: coro.close())  # one that was cancelled before it began has not awaited it
        return task


async def _not_unseen(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise StrayCancellation from None
