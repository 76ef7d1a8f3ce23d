"""Reads a topic as a member of a consumer group, holding each assigned partition until it is released.

The client hands out records before its assignment callback has ended, and swallows the callback's
exceptions. So nothing leaves this reader for a partition that its owner has not released, and what goes
wrong in a callback comes out of `poll`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError

from hub.transport.endpoint import Endpoint
from hub.transport.errors import BrokerUnavailable, translate
from hub.transport.reader import MAX_FETCH_BYTES
from hub.transport.records import KafkaRecord
from hub.transport.stalled import Stall, ended, put_away, stands_still, told

OnRevoked = Callable[[frozenset[int]], Awaitable[None]]


class GroupReader:
    """One member of `group` on one topic."""

    def __init__(self, endpoint: Endpoint, topic: str, group: str, *, on_revoked: OnRevoked) -> None:
        """`on_revoked(partitions)` is awaited before others get the partitions; it must end work under way."""
        self._endpoint = endpoint
        self._topic = topic
        self._group = group
        self._on_revoked = on_revoked
        self._consumer: AIOKafkaConsumer | None = None
        self._assigned: frozenset[int] | None = None
        self._released: set[int] = set()
        self._held: deque[KafkaRecord] = deque()
        self._failure: BaseException | None = None
        self._stall = Stall(time.monotonic)
        self._open = False
        self.replaced = 0
        """how many clients stood still"""

    async def start(self) -> None:
        """Connect and join. Raises BrokerUnavailable, NotAuthorized."""
        consumer = AIOKafkaConsumer(
            **self._endpoint.client_options(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=MAX_FETCH_BYTES,
            max_partition_fetch_bytes=8 * 2**20 + 2**17,
            fetch_max_wait_ms=200,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=120_000,
            check_crcs=True,
        )
        self._consumer = consumer  # its callback may come before `start` has ended
        consumer.subscribe([self._topic], listener=_Listener(self))
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            self._consumer = None
            await put_away(consumer)
            raise translate(error) from error
        self._open = True
        self._stall.moved()

    async def close(self) -> None:
        """Leave the group."""
        self._open = False
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await put_away(consumer)
        self._held.clear()

    def take_assignment(self) -> frozenset[int] | None:
        """Partitions assigned since the last call and still held, or None if nothing changed."""
        assigned, self._assigned = self._assigned, None
        return assigned

    async def committed(self, partition: int) -> int | None:
        """The group's committed offset; None if it never committed. Call it after fencing, never before."""
        try:
            found = await self._running().committed(TopicPartition(self._topic, partition))
        except (KafkaError, OSError) as error:
            raise translate(error) from error
        return None if found is None or found < 0 else int(found)

    async def release(self, partition: int, offset: int | None) -> None:
        """Let records of a held partition through, from `offset` on (None: from the oldest)."""
        consumer = self._running()
        place = TopicPartition(self._topic, partition)
        if place not in consumer.assignment():
            return  # revoked while its owner was busy fencing
        self._held = deque(record for record in self._held if record.partition != partition)
        try:
            if offset is None:
                await consumer.seek_to_beginning(place)
            else:
                consumer.seek(place, offset)
        except (KafkaError, OSError) as error:
            raise translate(error) from error
        consumer.resume(place)
        self._released.add(partition)

    def hold(self, partition: int) -> None:
        """Stop handing out a partition until it is released again."""
        self._released.discard(partition)
        self._held = deque(record for record in self._held if record.partition != partition)
        place = TopicPartition(self._topic, partition)
        if self._consumer is not None and place in self._consumer.assignment():
            self._consumer.pause(place)

    def pause(self, partition: int) -> None:
        """Fetch no more of a released partition for now (its queue is full); nothing is lost."""
        place = TopicPartition(self._topic, partition)
        if place in self._running().assignment():
            self._running().pause(place)

    def resume(self, partition: int) -> None:
        """Fetch a paused partition again."""
        place = TopicPartition(self._topic, partition)
        if partition in self._released and place in self._running().assignment():
            self._running().resume(place)

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        """Records of released partitions: at most `max_bytes` (but one at least), or after a time none.

        Raises what a callback raised, BrokerUnavailable, NotAuthorized, OffsetGone.
        """
        if not self._held:
            if self._open and self._consumer is None:
                await self.start()  # the one before was put away, and this one did not come up yet
            consumer = self._running()
            try:
                found = await consumer.getmany(timeout_ms=timeout_ms)
            except NoOffsetForPartitionError:
                found = {}  # of a held partition, that has no committed offset yet; `release` says where to begin
            except (KafkaError, OSError) as error:
                raise translate(error) from error
            if found:
                self._stall.moved()
            elif ended(consumer) or (
                self._stall.due and await stands_still(consumer, self._awaited(consumer), self._stall)
            ):
                await self._replace(consumer)
            for place, records in found.items():
                if place.partition in self._released:
                    self._held.extend(
                        KafkaRecord(each.topic, each.partition, each.offset, each.timestamp, each.key, each.value)
                        for each in records
                    )
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        taken: list[KafkaRecord] = []
        size = 0
        while self._held and (not taken or size + self._held[0].size <= max_bytes):
            record = self._held.popleft()
            if record.partition in self._released:
                taken.append(record)
                size += record.size
        return taken

    def _awaited(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """Released partitions that are fetched; a paused one waits for its queue."""
        held_up = consumer.paused()
        return [each for each in consumer.assignment() if each.partition in self._released and each not in held_up]

    async def _replace(self, consumer: AIOKafkaConsumer) -> None:
        """Let go of everything, and join again with another client. Raises BrokerUnavailable, NotAuthorized."""
        await self.revoked(frozenset(place.partition for place in consumer.assignment()))
        self._consumer = None
        self.replaced += 1
        told()
        await put_away(consumer)
        await self.start()

    async def end_offset(self, partition: int) -> int:
        """The offset behind the last committed record of a partition."""
        return (await self.end_offsets([partition]))[partition]

    async def position(self, partition: int) -> int:
        """The offset behind the last record of a released partition that `poll` has handed out.

        What is no record, such as the end of a transaction, is passed with it. Raises BrokerUnavailable.
        """
        for record in self._held:
            if record.partition == partition:
                return record.offset
        try:
            return int(await self._running().position(TopicPartition(self._topic, partition)))
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    async def end_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """The same of several, asked at once. Raises BrokerUnavailable, NotAuthorized."""
        if not partitions:
            return {}
        places = [TopicPartition(self._topic, each) for each in partitions]
        try:
            return {place.partition: int(end) for place, end in (await self._running().end_offsets(places)).items()}
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            if self._open:
                raise BrokerUnavailable("(another client is on its way)")
            raise RuntimeError("the reader is not started")
        return self._consumer

    async def revoked(self, partitions: frozenset[int]) -> None:
        """The listener's: end the work, then let go."""
        self._released -= partitions
        self._held = deque(record for record in self._held if record.partition not in partitions)
        self._assigned = None
        try:
            await self._on_revoked(partitions)
        except Exception as error:  # noqa: BLE001 - the client would swallow it; poll raises it
            self._failure = error

    def assigned(self, partitions: frozenset[int], consumer: Any) -> None:
        """The listener's: hold everything until it is released."""
        self._released.clear()
        self._held.clear()
        for place in (TopicPartition(self._topic, partition) for partition in partitions):
            consumer.pause(place)
            consumer.seek(place, 0)  # any position: without one the client would ask for it again and again
        self._assigned = partitions

    @property
    def client(self) -> Any:
        """The listener's way to the client while `start` is still under way."""
        return self._consumer


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, reader: GroupReader) -> None:
        self._reader = reader

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._reader.revoked(frozenset(place.partition for place in revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._reader.assigned(frozenset(place.partition for place in assigned), self._reader.client)
