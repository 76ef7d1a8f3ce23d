"""Reads one partition as it is, headers too, and tells of each record nothing but its fingerprint."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hub.transport.endpoint import Endpoint
from hub.transport.errors import translate
from hub.transport.reader import MAX_FETCH_BYTES
from hub.transport.stalled import put_away

_START_SECONDS: Final = 20.0
_NOTHING: Final = b"\xff" * 8
"""instead of a length: no key or no value at all, which is not an empty one"""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A record without its content: `content` is SHA-256 over time, key, value and headers, each with its length."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    content: bytes


def fingerprint(
    timestamp_ms: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> bytes:
    """Return the digest of a record's content. No two different records have the same input to it."""
    digest = hashlib.sha256(timestamp_ms.to_bytes(8, "big", signed=True))
    for part in (key, value, *(each for name, content in headers for each in (name.encode(), content))):
        digest.update(_NOTHING if part is None else len(part).to_bytes(8, "big"))
        digest.update(part or b"")
    return digest.digest()


class VerbatimReader:
    """One partition, committed records only, from its oldest record on; memory is bounded by one fetch."""

    def __init__(self, endpoint: Endpoint, topic: str, partition: int) -> None:
        """Nothing is connected before `start`."""
        self._endpoint = endpoint
        self._place = TopicPartition(topic, partition)
        self._consumer: AIOKafkaConsumer | None = None
        self._held: deque[Fingerprint] = deque()
        self.oldest = 0
        """the offset of the oldest record; 0 if none was ever deleted"""

    async def __aenter__(self) -> Self:
        """Connect and go to the oldest record. Raises BrokerUnavailable, NotAuthorized."""
        consumer = AIOKafkaConsumer(
            **self._endpoint.client_options(),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=MAX_FETCH_BYTES,
            max_partition_fetch_bytes=MAX_FETCH_BYTES,
            fetch_max_wait_ms=250,
        )
        try:
            await consumer.start()
            async with asyncio.timeout(_START_SECONDS):
                await consumer._client.set_topics([self._place.topic])
                await consumer._client._wait_on_metadata(self._place.topic)
                consumer.assign([self._place])
                oldest = await consumer.beginning_offsets([self._place])
            consumer.seek(self._place, oldest[self._place])
        except (KafkaError, OSError, TimeoutError) as error:
            await put_away(consumer)
            raise translate(error) from error
        self._consumer, self.oldest = consumer, oldest[self._place]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await put_away(self._consumer)
            self._consumer = None

    async def end(self) -> int:
        """The offset behind the last committed record. Raises TransportError."""
        try:
            return int((await self._running().end_offsets([self._place]))[self._place])
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    async def next(self, end: int | None = None, *, seconds: float = 0.0) -> Fingerprint | None:
        """Return the next record, waiting for it for some time; None if none comes, or none before `end`.

        Raises TransportError, OffsetGone.
        """
        deadline = time.monotonic() + seconds
        while not self._held:
            consumer = self._running()
            try:
                if end is not None and await consumer.position(self._place) >= end:
                    return None
                found = await consumer.getmany(self._place, timeout_ms=300)
            except (KafkaError, OSError) as error:
                raise translate(error) from error
            for each in found.get(self._place, ()):
                content = fingerprint(each.timestamp, each.key, each.value, each.headers)
                self._held.append(Fingerprint(each.offset, each.timestamp, each.key, content))
            if not self._held and end is None and time.monotonic() >= deadline:
                return None
        if end is not None and self._held[0].offset >= end:
            return None
        return self._held.popleft()

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("the reader is not started")
        return self._consumer


async def topics_shown(endpoint: Endpoint, namespace: str) -> frozenset[str]:
    """The topics of a namespace that the broker shows us: those on which we have a right. Raises TransportError."""
    consumer = AIOKafkaConsumer(**endpoint.client_options(), enable_auto_commit=False)
    try:
        await consumer.start()
        found = await consumer.topics()
    except (KafkaError, OSError) as error:
        raise translate(error) from error
    finally:
        await put_away(consumer)
    return frozenset(name for name in found if name.startswith(f"{namespace}."))
