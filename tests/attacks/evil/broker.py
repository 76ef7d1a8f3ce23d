"""The server that clients reach in the broker's place: its certificate is the broker's own, so TLS holds nothing up."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiokafka.protocol.fetch import FetchRequest_v4, FetchResponse_v4
from aiokafka.protocol.offset import OffsetRequest_v2, OffsetResponse_v2
from aiokafka.protocol.produce import ProduceRequest_v3, ProduceResponse_v3

from hub.transport import Endpoint, KafkaRecord, TlsIdentity
from hub.transport.endpoint import ssl_context
from tests.attacks.evil import wire
from tests.attacks.evil.copies import Copies, Honest, Place
from tests.attacks.evil.wire import Request
from tests.kafka import TestKafka
from topics.layout import Topology

Swallow = Callable[[str, Place], bool]
"""(principal, place): whether what it writes there is acknowledged and thrown away"""
Committed = Callable[[int, int], int]
"""(partition, what the group has committed there) → what the router is told"""


class EvilBroker:
    """`async with EvilBroker(kafka, topology) as evil`: clients are to be given `evil.bootstrap`."""

    def __init__(self, kafka: TestKafka, topology: Topology) -> None:
        admin = kafka.identity("admin")
        endpoint = Endpoint(kafka.bootstrap, TlsIdentity(admin.certificate, admin.private_key, admin.ca), "operator")
        places = [(topic.name, number) for topic in topology.topics for number in range(topic.partitions)]
        self._node = kafka.bootstrap
        self._as_super_user = ssl_context(endpoint.tls)
        self._as_broker = _server(kafka)
        self._honest = Honest(endpoint, places)
        self._places = frozenset(places)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.copies = Copies(self._honest)
        self.swallow: Swallow = lambda principal, place: False
        self.swallowed: list[tuple[str, Place]] = []
        self.advertised: tuple[str, int] | None = None
        """where clients are told to go; None: here"""
        self.committed: Committed = lambda partition, offset: offset
        self.resumed: dict[int, int] = {}
        """where the router was told to go on, by partition; the first answer of each counts"""
        self.port = 0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> EvilBroker:
        await self._honest.start()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._as_broker)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        await self._honest.close()

    async def settled(self) -> None:
        """Have all that was written so far."""
        await self._honest.until_now(self._places)

    def everything(self) -> Iterator[KafkaRecord]:
        """All that there is, of all topics."""
        for place in self._places:
            yield from self.copies.honest(place)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            self._connections.discard(task)
            await _closed(writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        principal = _common_name(writer)
        host, _, port = self._node.rpartition(":")
        real_reader, real_writer = await asyncio.open_connection(host, int(port), ssl=self._as_super_user)

        async def forward(frame: bytes) -> bytes:
            wire.write_frame(real_writer, frame)
            return await wire.read_frame(real_reader)

        try:
            while True:
                request = Request(await wire.read_frame(reader))
                wire.write_frame(writer, await self._answer(principal, request, forward))
                await writer.drain()
        finally:
            await _closed(real_writer)

    async def _answer(self, principal: str, request: Request, forward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        here = self.advertised or ("127.0.0.1", self.port)
        match request.api:
            case wire.API_VERSIONS:
                return wire.narrowed(await forward(request.frame))
            case wire.METADATA:
                return wire.moved_metadata(request.version, await forward(request.frame), *here)
            case wire.OFFSET_FETCH:
                return wire.resumed(await forward(request.frame), self._resumed)
            case wire.FIND_COORDINATOR:
                return wire.moved_coordinator(await forward(request.frame), *here)
            case wire.LIST_OFFSETS:
                return wire.answer(request, await self._offsets(principal, request))
            case wire.FETCH:
                return wire.answer(request, await self._fetched(principal, request))
            case wire.PRODUCE:
                return await self._produced(principal, request, forward)
            case _:
                return await forward(request.frame)

    def _resumed(self, partition: int, offset: int) -> int:
        told = self.committed(partition, offset)
        self.resumed.setdefault(partition, max(0, told))
        return told

    async def _offsets(self, principal: str, request: Request) -> bytes:
        asked: Any = OffsetRequest_v2.decode(request.body)
        await self._honest.until_now((topic, number) for topic, some in asked.topics for number, _ in some)
        said = [
            (
                topic,
                [
                    (number, 0, -1, 0 if time == wire.EARLIEST else self.copies.end(principal, (topic, number)))
                    for number, time in some
                ],
            )
            for topic, some in asked.topics
        ]
        return bytes(OffsetResponse_v2(0, said).encode())

    async def _fetched(self, principal: str, request: Request) -> bytes:
        asked: Any = FetchRequest_v4.decode(request.body)
        news = self._honest.news
        found = self._found(principal, asked)
        if not any(error or records for _, some in found for _, error, _, _, _, records in some):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), asked.max_wait_time / 1_000)
            found = self._found(principal, asked)
        return bytes(FetchResponse_v4(0, found).encode())

    def _found(self, principal: str, asked: Any) -> list[tuple[str, list[tuple[int, int, int, int, list[Any], bytes]]]]:
        return [
            (topic, [self._lane(principal, (topic, number), offset) for number, offset, _ in some])
            for topic, some in asked.topics
        ]

    def _lane(self, principal: str, place: Place, offset: int) -> tuple[int, int, int, int, list[Any], bytes]:
        if place not in self._places:
            return place[1], wire.UNKNOWN_TOPIC, -1, -1, [], b""
        log = self.copies.log(principal, place)
        error = wire.OUT_OF_RANGE if offset > len(log) else 0
        return place[1], error, len(log), len(log), [], wire.some_of(log, offset)

    async def _produced(self, principal: str, request: Request, forward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        asked: Any = ProduceRequest_v3.decode(request.body)
        lost = {
            (topic, number)
            for topic, some in asked.topics
            for number, _ in some
            if self.swallow(principal, (topic, number))
        }
        if not lost:
            return await forward(request.frame)
        self.swallowed += [(principal, place) for place in sorted(lost)]
        said: list[tuple[str, list[tuple[int, int, int, int]]]] = [
            (topic, [(number, 0, 2**20, -1) for number, _ in some if (topic, number) in lost])
            for topic, some in asked.topics
        ]
        asked.topics = [
            (topic, [each for each in some if (topic, each[0]) not in lost]) for topic, some in asked.topics
        ]
        asked.topics = [(topic, some) for topic, some in asked.topics if some]
        if asked.topics:
            real: Any = ProduceResponse_v3.decode((await forward(request.head + bytes(asked.encode())))[4:])
            said += real.topics
        return wire.answer(request, bytes(ProduceResponse_v3([each for each in said if each[1]], 0).encode()))


def _server(kafka: TestKafka) -> ssl.SSLContext:
    """What the operator has anyway: the certificate and key that the node itself serves with."""
    issued = kafka.node.identity
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(issued.certificate, issued.private_key)
    context.load_verify_locations(kafka.authority.certificate_path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _common_name(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("peercert")
    return next(str(value) for part in certificate["subject"] for name, value in part if name == "commonName")


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()
