"""Topics as lists, read through the port that `hub.reading` asks for; the real ones are in tests/broker."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.reading.following import AnnouncementReader, Place
from hub.transport import BrokerUnavailable, KafkaRecord, OffsetGone, TransportError


@dataclass
class Lists:
    """One object stands for the cluster. What `trouble` holds is raised by the next read."""

    records: defaultdict[str, list[KafkaRecord]] = field(default_factory=lambda: defaultdict(list))
    oldest: int = 0
    trouble: list[TransportError] = field(default_factory=list)
    slow: asyncio.Event | None = None
    pace: float = 0.0
    """seconds that each poll takes"""
    opened: list[dict[Place, int | None]] = field(default_factory=list)
    open_now: int = 0
    reads: int = 0

    def append(self, topic: str, key: bytes | None, value: bytes | None) -> KafkaRecord:
        lane = self.records[topic]
        lane.append(KafkaRecord(topic, 0, len(lane), 1_000, key, value))
        return lane[-1]

    async def open(self, starts: Mapping[Place, int | None]) -> AnnouncementReader:
        self.opened.append(dict(starts))
        self.open_now += 1
        if self.trouble:
            self.open_now -= 1
            raise self.trouble.pop(0)
        return ListReader(self, {place: self.oldest if start is None else start for place, start in starts.items()})


@dataclass
class ListReader:
    """Reads `Lists` from given places."""

    lists: Lists
    places: dict[Place, int]

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        if self.lists.trouble:
            raise self.lists.trouble.pop(0)
        found: list[KafkaRecord] = []
        size = 0
        for place, start in self.places.items():
            if start < self.lists.oldest:
                raise OffsetGone
            for record in self.lists.records[place[0]][start:]:
                if found and size + record.size > max_bytes:
                    break
                found.append(record)
                size += record.size
                self.places[place] = record.offset + 1
        await asyncio.sleep(self.lists.pace)
        return found

    async def end_offsets(self) -> dict[Place, int]:
        self.lists.reads += 1
        ends = {place: len(self.lists.records[place[0]]) for place in self.places}
        if self.lists.slow is not None:
            await self.lists.slow.wait()
        return ends

    async def position(self, place: Place) -> int:
        return self.places[place]

    async def close(self) -> None:
        self.lists.open_now -= 1


__all__ = ["BrokerUnavailable", "ListReader", "Lists"]
