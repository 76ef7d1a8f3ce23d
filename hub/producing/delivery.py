"""Bring bytes to Kafka and wait for it: what is final, what waits, and who is told.

Only MESSAGE_TOO_LARGE and INVALID_RECORD are final (docs/envelope.md, "Producing" 5), and only once a
new producer instance has been refused the record on its own. Everything else waits, growing slower up to
`MAX_PAUSE_SECONDS`, and is reported; the same bytes go out again in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from hub.facts import Alarm, Observer, Paused
from hub.transport import FinalRefusal, Outgoing
from schemas.errors import HubError
from topics.names import in_generation

FIRST_PAUSE_SECONDS: Final = 0.05
MAX_PAUSE_SECONDS: Final = 5.0


class Writer(Protocol):
    """What delivery needs of a producer: one batch to one partition, acknowledged by all in-sync replicas."""

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        """Write the records in order; return their offsets."""

    async def close(self) -> None:
        """Let the connection go."""


NewWriter = Callable[[], Awaitable[Writer]]


class Delivery:
    """Delivers for one producer instance. `new_writer` makes a started writer."""

    def __init__(self, new_writer: NewWriter, observer: Observer) -> None:
        """Nothing is connected until the first `send`."""
        self._new_writer = new_writer
        self._observer = observer
        self._writer: Writer | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Close the shared writer."""
        if self._writer is not None:
            await self._writer.close()
            self._writer = None

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> frozenset[int]:
        """Wait until every record is acknowledged or refused for good; return the places of the refused."""
        try:
            await self._until_done(topic, partition, records, None)
        except FinalRefusal:
            pass
        else:
            return frozenset()
        refused: set[int] = set()
        for place, record in enumerate(records):
            alone = await self._connect()
            try:
                await self._until_done(topic, partition, [record], alone)
            except FinalRefusal as final:
                self._observer(Alarm("produce.refused", f"{topic}/{partition} {final.detail}".strip()))
                refused.add(place)
            finally:
                await alone.close()
        return frozenset(refused)

    async def _connect(self) -> Writer:
        pause = _Pause(self._observer, "produce")
        while True:
            try:
                writer = await self._new_writer()
            except HubError as problem:
                await pause.wait(problem)
            else:
                pause.over()
                return writer

    async def _shared(self) -> Writer:
        async with self._connecting:
            if self._writer is None:
                self._writer = await self._connect()
            return self._writer

    async def _until_done(self, topic: str, partition: int, records: Sequence[Outgoing], writer: Writer | None) -> None:
        pause = _Pause(self._observer, f"produce.{in_generation(topic, 1).rpartition('.')[2]}.{partition}")
        while True:
            try:
                await (writer or await self._shared()).write(topic, partition, records)
            except FinalRefusal:
                pause.over()
                raise
            except HubError as problem:
                await pause.wait(problem)
            else:
                pause.over()
                return


class _Pause:
    """Bounded backoff that says when it begins and when it is over."""

    def __init__(self, observer: Observer, stage: str) -> None:
        self._observer = observer
        self._stage = stage
        self._code = ""
        self._seconds = FIRST_PAUSE_SECONDS

    async def wait(self, problem: HubError) -> None:
        if problem.code != self._code:
            self.over()
            self._code = problem.code
            self._observer(Paused(self._stage, problem.code, True))
            if not problem.retriable:  # it waits all the same, but a person has to do something
                self._observer(Alarm("produce.waiting", f"{self._stage} {problem.code}"))
        await asyncio.sleep(self._seconds)
        self._seconds = min(self._seconds * 2, MAX_PAUSE_SECONDS)

    def over(self) -> None:
        if self._code:
            self._observer(Paused(self._stage, self._code, False))
            self._code = ""
