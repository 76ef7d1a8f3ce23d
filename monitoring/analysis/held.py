"""Waiting until Kafka holds what was handed to Faust's producer.

Its `flush` cannot be relied on for that: it gives up when nothing of its buffer was sent for a tenth of a second (on a
busy machine), it does not see the record that is on its way out of the buffer, and it does not say that one failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def held(sent: Iterable[asyncio.Future[Any]]) -> None:
    """Return when all records are held by Kafka; raise what the first of them that failed has failed with.

    Who is cancelled while waiting cancels no record: it may be on its way.
    """
    waiting = list(sent)
    if waiting:
        await asyncio.wait(waiting)
        errors = [error for each in waiting if (error := each.exception()) is not None]
        if errors:
            raise errors[0]


class Changes:
    """The changes of a table since the last `held`: what must be at Kafka before the batch behind it is done."""

    def __init__(self) -> None:
        """None so far."""
        self._sent: list[asyncio.Future[Any]] = []

    def add(self, sent: asyncio.Future[Any]) -> None:
        """Note a change that is on its way."""
        self._sent.append(sent)

    async def held(self) -> None:
        """Wait for all changes so far; raises what one failed with. For one agent: who else waits may see none."""
        sent, self._sent = self._sent, []
        await held(sent)
