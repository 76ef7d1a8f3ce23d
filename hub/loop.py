"""The event loop of a role process: uvloop where it exists, asyncio's own elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

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
