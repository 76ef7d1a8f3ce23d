"""Reads given partitions from given offsets, committed records only; the caller keeps the offsets.

A client that stands still is replaced by another one, which goes on where it stood (`hub.transport.stalled`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hub.transport.endpoint import Endpoint
from hub.transport.errors import BrokerUnavailable, translate
from hub.transport.records import KafkaRecord
from hub.transport.stalled import Stall, ended, put_away, stands_still, told

Place = tuple[str, int]
"""topic, partition"""

_START_SECONDS: Final = 20.0
MAX_FETCH_BYTES: Final = 18 * 2**20
"""holds one record of the largest topic (dead letters, 16 MiB) with its batch"""


class PartitionReader:
    """Manual assignment. `starts` gives the first offset wanted per partition; None: from the oldest record.

    The groups of partitions in `first` are read to their ends one after the other before anything is given of the rest:
    what lies there was written before. Afterwards all are read alike.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        starts: Mapping[Place, int | None],
        *,
        first: Sequence[Collection[Place]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected before `start`."""
        self._endpoint = endpoint
        self._starts = dict(starts)
        self._waiting_for = [frozenset(each) for each in first]
        self._fetched = self._waiting_for[0] if self._waiting_for else frozenset(self._starts)
        """what is not held back until something else is read"""
        self._consumer: AIOKafkaConsumer | None = None
        self._held: deque[KafkaRecord] = deque()
        self._stall = Stall(clock)
        self._open = False
        self.replaced = 0
        """how many clients stood still"""

    async def start(self) -> None:
        """Connect and go to the starts. Raises BrokerUnavailable, NotAuthorized."""
        consumer = AIOKafkaConsumer(
            **self._endpoint.client_options(),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=MAX_FETCH_BYTES,
            max_partition_fetch_bytes=MAX_FETCH_BYTES,
            fetch_max_wait_ms=250,  # an idle reader asks four times a second; a look at ends waits that long at most
            check_crcs=True,
            metadata_max_age_ms=60_000,
        )
        try:
            await consumer.start()
            partitions = {TopicPartition(*place): start for place, start in self._starts.items()}
            async with asyncio.timeout(_START_SECONDS):
                topics = {topic for topic, _ in self._starts}
                await consumer._client.set_topics(topics)  # all at once: one by one, each answer names all before it
                for topic in topics:
                    # a topic that we may not read would let the consumer wait for ever, in silence
                    await consumer._client._wait_on_metadata(topic)
                consumer.assign(list(partitions))
                consumer.pause(*(each for each in partitions if (each.topic, each.partition) not in self._fetched))
                oldest = await consumer.beginning_offsets([each for each, start in partitions.items() if start is None])
            for partition, start in partitions.items():
                consumer.seek(partition, oldest[partition] if start is None else start)
        except (KafkaError, OSError, TimeoutError) as error:
            await put_away(consumer)
            raise translate(error) from error
        self._consumer, self._open = consumer, True
        self._stall.moved()

    async def close(self) -> None:
        """Disconnect; records held back are forgotten, as their offsets were never given to the caller."""
        self._open = False
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await put_away(consumer)
        self._held.clear()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        """Return records in order per partition: at most `max_bytes` (but one record at least), or after a time none.

        Raises BrokerUnavailable, NotAuthorized, OffsetGone.
        """
        if not self._held:
            await self._fetch(timeout_ms)
        taken: list[KafkaRecord] = []
        size = 0
        while self._held and (not taken or size + self._held[0].size <= max_bytes):
            taken.append(self._held.popleft())
            size += taken[-1].size
        return taken

    async def _fetch(self, timeout_ms: int) -> None:
        if self._open and self._consumer is None:
            await self.start()  # the one before was put away, and this one did not come up yet
        consumer = self._running()
        await self._go_on(consumer)
        try:
            found = await consumer.getmany(timeout_ms=timeout_ms)
        except (KafkaError, OSError) as error:
            raise translate(error) from error
        if found:
            self._stall.moved()
        elif ended(consumer) or (
            self._stall.due
            and await stands_still(consumer, [TopicPartition(*place) for place in self._fetched], self._stall)
        ):
            await self._replace(consumer)
        for records in found.values():
            self._held.extend(
                KafkaRecord(each.topic, each.partition, each.offset, each.timestamp, each.key, each.value)
                for each in records
            )

    async def _go_on(self, consumer: AIOKafkaConsumer) -> None:
        """Let the next group come when the one before is read: asked while nothing is held of it."""
        if not self._waiting_for:
            return
        ends = await self.end_offsets()
        while self._waiting_for:
            if any([await self.position(place) < ends[place] for place in self._waiting_for[0]]):
                return
            del self._waiting_for[0]
            coming = self._waiting_for[0] if self._waiting_for else frozenset(self._starts)
            consumer.resume(*(TopicPartition(*place) for place in coming - self._fetched))
            self._fetched |= coming

    async def _replace(self, consumer: AIOKafkaConsumer) -> None:
        """Put the client away and let another one go on where it stood. Raises BrokerUnavailable, NotAuthorized."""
        assigned = consumer._subscription.subscription.assignment
        for place in self._starts:
            state = assigned.state_value(TopicPartition(*place))
            if state.has_valid_position:
                self._starts[place] = int(state.position)
        self._consumer = None
        self.replaced += 1
        told()
        await put_away(consumer)
        await self.start()

    async def end_offsets(self) -> dict[Place, int]:
        """The offset behind the last committed record of each partition."""
        consumer = self._running()
        try:
            found = await consumer.end_offsets([TopicPartition(*place) for place in self._starts])
        except (KafkaError, OSError) as error:
            raise translate(error) from error
        return {(partition.topic, partition.partition): end for partition, end in found.items()}

    async def position(self, place: Place) -> int:
        """The offset that is read next, behind transaction markers too; records held back count as not read."""
        for record in self._held:
            if (record.topic, record.partition) == place:
                return record.offset
        try:
            return int(await self._running().position(TopicPartition(*place)))
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    async def read_to_end(self) -> list[KafkaRecord]:
        """Everything from the present position up to where the partitions end now, for topics that fit in memory."""
        ends = await self.end_offsets()
        found: list[KafkaRecord] = []
        while True:
            behind = [place for place, end in ends.items() if await self.position(place) < end]
            if not behind:
                return found
            found += await self.poll(MAX_FETCH_BYTES, 200)

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            if self._open:
                raise BrokerUnavailable("(another client is on its way)")
            raise RuntimeError("the reader is not started")
        return self._consumer
