"""Notices that the Kafka client has stopped fetching: records lie there, none come, and nothing says why.

aiokafka's fetcher is a task that nobody looks after: when it ends, or waits for an answer that never comes, the same
client goes on answering where partitions end. Whoever reads begins anew then, from where it stood.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

P = TypeVar("P")
_log: Final = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
STALL_SECONDS: Final = 10.0
"""a broker that has records answers a fetch at once; longer than brokers need for a new leader"""


class Stall:
    """Told of every poll; says when to look, and whether what was seen is a stall. Pure but for the clock."""

    def __init__(self, clock: Callable[[], float], seconds: float = STALL_SECONDS) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock, self._seconds = clock, seconds
        self._since = clock()
        self._behind: Mapping[object, int] = {}

    def moved(self) -> None:
        """Records came, or reading begins."""
        self._since = self._clock()
        self._behind = {}

    @property
    def due(self) -> bool:
        """Whether nothing came for so long that somebody should look."""
        return self._clock() - self._since >= self._seconds

    def seen(self, positions: Mapping[P, int], ends: Mapping[P, int]) -> bool:
        """Whether a partition with records stands where it stood at the last look; looks are `seconds` apart."""
        self._since = self._clock()
        before = self._behind
        self._behind = {place: positions[place] for place, end in ends.items() if positions[place] < end}
        return any(before.get(place) == position for place, position in self._behind.items())


def ended(consumer: AIOKafkaConsumer) -> bool:
    """Whether the task that fetches has ended; the client itself never looks."""
    return consumer._fetcher is not None and consumer._fetcher.error_future.done()


async def stands_still(consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], stall: Stall) -> bool:
    """Look where a client stands and where its partitions end, and say whether that is a stall."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            positions = {place: int(await consumer.position(place)) for place in places}
            return stall.seen(positions, await consumer.end_offsets(places) if places else {})
    except (KafkaError, OSError, TimeoutError):
        return False  # brokers are away, and say nothing of us


async def put_away(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, whatever has become of it.

    Its own `stop` waits for requests that it has just cancelled, and passes that cancellation on to whoever stops it;
    where fetching has ended in an error it raises that, half-way.
    """
    fetcher = consumer._fetcher
    if fetcher is not None:
        under_way = [fetcher._fetch_task, *fetcher._pending_tasks]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        fetcher._pending_tasks.clear()
    try:
        await consumer.stop()
    except KafkaError:
        await consumer._client.close()


def told() -> None:
    """Leave a line in the log of the process: a client stood still and another takes its place."""
    _log.warning("a client stood still; another takes its place")
