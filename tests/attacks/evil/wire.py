"""The part of the Kafka protocol that the operator rewrites; everything else is passed on byte for byte."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.commit import OffsetFetchResponse_v1
from aiokafka.protocol.coordination import FindCoordinatorResponse_v1
from aiokafka.protocol.metadata import MetadataResponse_v5
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from hub.transport import KafkaRecord
from hub.transport.survey import MetadataResponse_v8

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_FETCH, FIND_COORDINATOR, API_VERSIONS = 0, 1, 2, 3, 9, 10, 18
SPOKEN: Final = {
    PRODUCE: (3, 3),
    FETCH: (4, 4),
    LIST_OFFSETS: (2, 2),
    METADATA: (5, 8),
    OFFSET_FETCH: (1, 1),
    FIND_COORDINATOR: (1, 1),
}
"""the versions that the operator says it has, of what it wants to read or rewrite"""
_METADATA: Final[dict[int, Any]] = {5: MetadataResponse_v5, 8: MetadataResponse_v8}
EARLIEST: Final = -2
OUT_OF_RANGE, UNKNOWN_TOPIC = 1, 3
_MOST_BYTES: Final = 4 * 2**20


class Request:
    """A request as it came: which, its number, and its body."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.api, self.version, self.number, client = struct.unpack_from(">hhih", frame)
        self.body = frame[10 + max(client, 0) :]
        self.head = frame[: 10 + max(client, 0)]


async def read_frame(stream: asyncio.StreamReader) -> bytes:
    """One length-prefixed message."""
    (size,) = struct.unpack(">i", await stream.readexactly(4))
    return await stream.readexactly(size)


def write_frame(stream: asyncio.StreamWriter, frame: bytes) -> None:
    """The same on its way out."""
    stream.write(struct.pack(">i", len(frame)) + frame)


def answer(request: Request, body: bytes) -> bytes:
    """A response with the request's number."""
    return struct.pack(">i", request.number) + body


def batch(first: int, records: Sequence[KafkaRecord]) -> bytes:
    """Records as one batch (magic 2, its CRC-32C right) from offset `first` on."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 2**30)
    for place, record in enumerate(records):
        assert builder.append(place, record.timestamp_ms, record.key, record.value, []) is not None
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, first)  # the checksum begins behind it
    return bytes(made)


def some_of(log: Sequence[KafkaRecord], start: int) -> bytes:
    """What a fetch from `start` gets of a log: one batch of a few MiB at most, or nothing."""
    taken: list[KafkaRecord] = []
    size = 0
    for record in log[start:]:
        size += record.size
        if taken and size > _MOST_BYTES:
            break
        taken.append(record)
    return batch(start, taken) if taken else b""


def narrowed(frame: bytes) -> bytes:
    """An ApiVersions answer that names the versions in SPOKEN."""
    said = ApiVersionResponse_v0.decode(frame[4:])
    versions = [(api, *SPOKEN.get(api, (low, high))) for api, low, high in said.api_versions]
    return frame[:4] + bytes(ApiVersionResponse_v0(said.error_code, versions).encode())


def moved_metadata(version: int, frame: bytes, host: str, port: int) -> bytes:
    """A Metadata answer in which every broker is at this address."""
    said = _METADATA[version].decode(frame[4:])
    said.brokers = [(node, host, port, rack) for node, _, _, rack in said.brokers]
    return frame[:4] + bytes(said.encode())


def resumed(frame: bytes, where: Callable[[int, int], int]) -> bytes:
    """An OffsetFetch answer with other committed offsets: `where` gives one for a partition and its true one."""
    said: Any = OffsetFetchResponse_v1.decode(frame[4:])
    said.topics = [
        (topic, [(number, where(number, offset), metadata, error) for number, offset, metadata, error in some])
        for topic, some in said.topics
    ]
    return frame[:4] + bytes(said.encode())


def moved_coordinator(frame: bytes, host: str, port: int) -> bytes:
    """A FindCoordinator answer with this address."""
    said: Any = FindCoordinatorResponse_v1.decode(frame[4:])
    said.host, said.port = host, port
    return frame[:4] + bytes(said.encode())
