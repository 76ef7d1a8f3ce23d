"""Writes records to given partitions, idempotently, and returns when all in-sync replicas hold them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from hub.transport.building import MAX_BATCH_BYTES, MAX_REQUEST_BYTES, batches
from hub.transport.endpoint import Endpoint
from hub.transport.errors import TransportError, translate
from hub.transport.records import Outgoing


class BatchWriter:
    """One idempotent producer. After a failure it is thrown away and made anew at the next `write`.

    Callers must not write to one partition from two tasks at once: order is theirs to keep.
    """

    def __init__(self, endpoint: Endpoint, *, request_timeout_ms: int = 20_000) -> None:
        """Nothing is connected before the first `write` or `start`."""
        self._endpoint = endpoint
        self._timeout = request_timeout_ms
        self._producer: AIOKafkaProducer | None = None
        self._making = asyncio.Lock()

    async def start(self) -> None:
        """Connect now. Raises BrokerUnavailable, NotAuthorized."""
        await self._ready()

    async def _ready(self) -> AIOKafkaProducer:
        async with self._making:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._endpoint.client_options(),
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=MAX_BATCH_BYTES,
                    max_request_size=MAX_REQUEST_BYTES,
                    request_timeout_ms=self._timeout,
                    retry_backoff_ms=20,
                )
                try:
                    await producer.start()
                except (KafkaError, OSError) as error:
                    await producer.stop()
                    raise translate(error) from error
                self._producer = producer
            return self._producer

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        """Write in order and return the offsets, one per record.

        Raises FinalRefusal (some record is refused for good), NotAuthorized, BrokerUnavailable. After an error
        some of the records may be in the topic.
        """
        producer = await self._ready()
        offsets: list[int] = []
        try:
            for batch, count in batches(producer, records):
                sent = await producer.send_batch(batch, topic, partition=partition)
                first = (await sent).offset
                offsets.extend(range(first, first + count))
        except (KafkaError, OSError) as error:
            await self._discard(producer)
            raise translate(error, topic) from error
        return offsets

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """A producer that failed may hold batches it would send later, behind newer ones: it must not live on."""
        if self._producer is producer:
            self._producer = None
        await _stop(producer)

    async def close(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _stop(producer)

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()


async def _stop(producer: AIOKafkaProducer, seconds: float = 5.0) -> None:
    """Stop a producer within a bound: flushing to a broker that is away would take for ever."""
    try:
        await asyncio.wait_for(producer.stop(), seconds)
    except (TimeoutError, KafkaError, OSError):
        await producer.client.close()


__all__ = ["BatchWriter", "TransportError"]
