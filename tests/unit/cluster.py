"""Kafka as lists: what `hub.reading` reads and writes through, in place of its client."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import pytest

import hub.reading.following
import hub.reading.stream
from hub.envelope.times import to_ms
from hub.transport import BrokerUnavailable, KafkaRecord, OffsetGone, Outgoing, TransportError
from topics import names

NAMESPACE = "rehearsal"
TENANT = "999997"
NOW = datetime(2030, 1, 15, 3, 0, tzinfo=UTC)
SESSIONS, KEYS = names.desk_sessions(NAMESPACE, TENANT), names.audiences(NAMESPACE)


@dataclass
class Cluster:
    """Topics as lists. Stands for the endpoint, too: the readers and writers below get it in its place."""

    records: dict[tuple[str, int], list[KafkaRecord]] = field(default_factory=lambda: defaultdict(list))
    oldest: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    """where retention has come to"""
    away: bool = False
    """no broker answers; what is connected reads nothing, as aiokafka does"""
    trouble: dict[str, list[TransportError]] = field(default_factory=lambda: defaultdict(list))
    """raised by the next `start`, `poll`, `position`, `end_offsets` or `write` of event and letter topics"""
    unreachable: set[str] = field(default_factory=set)
    """topics that cannot be read at the moment"""
    silent: int = 0
    """how many polls of event topics are answered with nothing, whatever is there"""
    polls: int = 0
    open_now: int = 0
    batch: int = 1_000
    """records in one poll at most"""
    backwards: bool = False
    """whether a poll gives the partitions that were asked for last before the others, as brokers may"""

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> KafkaRecord:
        lane = self.records[topic, partition]
        lane.append(KafkaRecord(topic, partition, len(lane), to_ms(NOW), key, value))
        return lane[-1]

    def fail(self, what: str, about: str) -> None:
        if self.away or about in self.unreachable:
            raise BrokerUnavailable
        if self.trouble[what] and about not in (SESSIONS, KEYS):
            raise self.trouble[what].pop(0)


class ListReader:
    """Reads a `Cluster` as `hub.transport.PartitionReader` reads brokers."""

    def __init__(
        self,
        endpoint: Cluster,
        starts: Mapping[tuple[str, int], int | None],
        *,
        first: Sequence[Collection[tuple[str, int]]] = (),
    ) -> None:
        self._cluster = endpoint
        self._starts = dict(starts)
        self._first = [set(each) for each in first]
        self._places: dict[tuple[str, int], int] = {}
        self._topic = next(iter(starts))[0]

    async def start(self) -> None:
        await asyncio.sleep(0)
        cluster = self._cluster
        cluster.fail("start", self._topic)
        self._places = {at: cluster.oldest[at] if start is None else start for at, start in self._starts.items()}
        cluster.open_now += 1

    async def close(self) -> None:
        if self._places:
            self._places = {}
            self._cluster.open_now -= 1

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        await asyncio.sleep(0)
        cluster = self._cluster
        if self._topic not in (SESSIONS, KEYS):
            cluster.polls += 1
            cluster.silent -= 1
        if cluster.away or (cluster.silent >= 0 and self._topic not in (SESSIONS, KEYS)):
            await asyncio.sleep(0.001)
            return []
        cluster.fail("poll", self._topic)
        found: list[KafkaRecord] = []
        size = 0
        while self._first and all(self._places[each] == len(cluster.records[each]) for each in self._first[0]):
            del self._first[0]
        places = list(self._places.items())
        for place, start in reversed(places) if cluster.backwards else places:
            if self._first and place not in self._first[0]:
                continue
            if start < cluster.oldest[place]:
                raise OffsetGone
            for record in cluster.records[place][start:]:
                if found and (size + record.size > max_bytes or len(found) >= cluster.batch):
                    return found
                found.append(record)
                size += record.size
                self._places[place] = record.offset + 1
        if not found:
            await asyncio.sleep(0.001)
        return found

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        await asyncio.sleep(0)
        self._cluster.fail("end_offsets", self._topic)
        return {place: len(self._cluster.records[place]) for place in self._places}

    async def position(self, place: tuple[str, int]) -> int:
        await asyncio.sleep(0)
        self._cluster.fail("position", self._topic)
        return self._places[place]


class ListWriter:
    """Writes to a `Cluster` as `hub.transport.BatchWriter` writes to brokers."""

    def __init__(self, endpoint: Cluster) -> None:
        self._cluster = endpoint

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0)
        self._cluster.fail("start", "")
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        await asyncio.sleep(0)
        self._cluster.fail("write", topic)
        return [self._cluster.append(topic, partition, each.key, each.value).offset for each in records]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster that the streams of this test read from; pauses are short."""
    monkeypatch.setattr(hub.reading.stream, "PartitionReader", ListReader)
    monkeypatch.setattr(hub.reading.stream, "BatchWriter", ListWriter)
    monkeypatch.setattr(hub.reading.following, "PartitionReader", ListReader)
    monkeypatch.setattr(hub.reading.stream, "_PAUSE_SECONDS", 0.01)
    made = Cluster()
    yield made
    assert made.open_now == 0, "a reader was left open"
