"""Batches of records for one partition, as the client sends them: whole, in order, bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from hub.transport.records import Outgoing

MAX_BATCH_BYTES: Final = 2**20
"""a batch is closed at 1 MiB; a record that is larger travels alone"""
MAX_REQUEST_BYTES: Final = 18 * 2**20


def batches(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> Iterator[tuple[Any, int]]:
    """Yield (batch, number of records in it) for the records in order."""
    batch = producer.create_batch()
    count = 0
    for record in records:
        if batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms) is None:
            yield batch, count
            batch = producer.create_batch()
            count = 0
            batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms)
        count += 1
    if count:
        yield batch, count
