"""Kafka's protocol by hand, many requests over one connection: what refuses is the broker, not a client's manners.

Requests are written as their schemas say (kafka.apache.org/protocol); `Wire.ask` returns the body of the answer.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from io import BytesIO
from types import TracebackType
from typing import Any, Self

from aiokafka.protocol.types import (
    Array,
    Boolean,
    Bytes,
    CompactArray,
    CompactBytes,
    CompactString,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from hub.crypto.certificates import IssuedCertificate
from hub.transport import TlsIdentity, ssl_context

__all__ = [
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "TEXT",
    "Array",
    "Boolean",
    "Bytes",
    "CompactArray",
    "CompactBytes",
    "CompactString",
    "Float64",
    "Schema",
    "TaggedFields",
    "Wire",
    "batch",
    "rows",
    "schema",
]

TEXT = String("utf-8")
INT8, INT16, INT32, INT64 = Int8, Int16, Int32, Int64


def schema(*fields: Any) -> Schema:
    """A schema of unnamed fields."""
    return Schema(*((str(at), field) for at, field in enumerate(fields)))


def rows(*fields: Any) -> Array:
    """An array of unnamed fields."""
    return Array(*((str(at), field) for at, field in enumerate(fields))) if len(fields) > 1 else Array(fields[0])


def batch(
    value: bytes = b"attack", *, producer: int = -1, epoch: int = -1, sequence: int = -1, transactional: bool = False
) -> bytes:
    """One record batch with one record; with a producer id it is an idempotent or transactional producer's."""
    builder = DefaultRecordBatchBuilder(2, 0, transactional, producer, epoch, sequence, 2**16)
    builder.append(0, 1_775_000_000_000, b"attack", value, [])
    return bytes(builder.build())


class Wire:
    """One mTLS connection to the node; `with Wire(port, identity) as wire`."""

    def __init__(self, port: int, identity: IssuedCertificate, *, seconds: float = 60) -> None:
        """Connect and shake hands."""
        tls = TlsIdentity(identity.certificate, identity.private_key, identity.ca)
        plain = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._stream = ssl_context(tls).wrap_socket(plain, server_hostname="127.0.0.1")
        self._asked = 0

    def __enter__(self) -> Self:
        """As it is."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._stream.close()

    def send(self, key: int, version: int, form: Schema, values: Sequence[Any], *, flexible: bool = False) -> None:
        """Write one request and do not wait."""
        self._asked += 1
        head = struct.pack(">hhih", key, version, self._asked, 6) + b"attack" + (b"\0" if flexible else b"")
        request = head + form.encode(values)
        self._stream.sendall(struct.pack(">i", len(request)) + request)

    def receive(self, form: Schema, *, flexible: bool = False) -> tuple[Any, ...]:
        """Read one answer. Raises ConnectionError if the broker hangs up first."""
        (size,) = struct.unpack(">i", self._exactly(4))
        body = BytesIO(self._exactly(size))
        assert struct.unpack(">i", body.read(4)) == (self._asked,)
        if flexible:
            assert body.read(1) == b"\0"
        return form.decode(body)

    def ask(
        self, key: int, version: int, form: Schema, values: Sequence[Any], answer: Schema, *, flexible: bool = False
    ) -> tuple[Any, ...]:
        """Send one request and return the fields of its answer."""
        self.send(key, version, form, values, flexible=flexible)
        return self.receive(answer, flexible=flexible)

    def _exactly(self, count: int) -> bytes:
        got = bytearray()
        while len(got) < count:
            part = self._stream.recv(count - len(got))
            if not part:
                raise ConnectionResetError("the broker hung up")
            got += part
        return bytes(got)

    # what the tests ask most often; each returns the broker's error code by name

    def fetch(self, topics: Iterable[str], *, wait_ms: int = 0, least: int = 1) -> dict[str, tuple[int, bytes]]:
        """Fetch v4 from the start of partition 0: error code and records of each topic."""
        self.send_fetch(dict.fromkeys(topics, 0), wait_ms=wait_ms, least=least)
        return self.receive_fetch()

    def send_fetch(self, offsets: dict[str, int], *, wait_ms: int = 0, least: int = 1) -> None:
        """Fetch v4 of partition 0 from offsets."""
        form = schema(INT32, INT32, INT32, INT32, INT8, rows(TEXT, rows(INT32, INT64, INT32)))
        wanted = [(topic, [(0, offset, 2**16)]) for topic, offset in offsets.items()]
        self.send(1, 4, form, (-1, wait_ms, least, 2**20, 0, wanted))

    def receive_fetch(self) -> dict[str, tuple[int, bytes]]:
        """The answer to `send_fetch`."""
        aborted = rows(INT64, INT64)
        form = schema(INT32, rows(TEXT, rows(INT32, INT16, INT64, INT64, aborted, Bytes)))
        _, found = self.receive(form)
        return {topic: (partitions[0][1], partitions[0][5] or b"") for topic, partitions in found}

    def produce(self, topics: Iterable[str], records: bytes, *, transactional: str | None = None) -> dict[str, int]:
        """Produce v3 to partition 0 of each topic."""
        form = schema(TEXT, INT16, INT32, rows(TEXT, rows(INT32, Bytes)))
        values = (transactional, -1, 10_000, [(topic, [(0, records)]) for topic in topics])
        found, _ = self.ask(0, 3, form, values, schema(rows(TEXT, rows(INT32, INT16, INT64, INT64)), INT32))
        return {topic: partitions[0][1] for topic, partitions in found}

    def metadata(self, topics: Sequence[str] | None) -> dict[str, int]:
        """Metadata v1: the error code of each topic that is named, or of all that are shown."""
        answer = schema(rows(INT32, TEXT, INT32, TEXT), INT32, rows(INT16, TEXT, Boolean, rows(
            INT16, INT32, INT32, Array(INT32), Array(INT32))))  # fmt: skip
        _, _, found = self.ask(3, 1, schema(Array(TEXT)), (topics,), answer)
        return {topic: code for code, topic, _, _ in found}

    def init_producer(self, transactional_id: str | None) -> tuple[int, int, int]:
        """InitProducerId v0: error code, producer id and epoch."""
        _, code, producer, epoch = self.ask(
            22, 0, schema(TEXT, INT32), (transactional_id, 60_000), schema(INT32, INT16, INT64, INT16)
        )
        return code, producer, epoch
