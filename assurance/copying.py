"""Whether a disaster copy is whole: each record of the source is on it, byte for byte, in order. No key is needed.

Offsets differ between the two, for transactions leave marks that are no records. So records are compared by what they
are: SHA-256 over time, key, value and headers, partition by partition, in the order in which a reader gets them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from hub.mirroring import Copied
from hub.transport import Endpoint, PartitionReader
from hub.transport.verbatim import Fingerprint, VerbatimReader
from schemas.errors import HubError

Place = tuple[str, int]
"""topic, partition"""

_AT_ONCE: Final = 4
_COUNTED: Final = 10_000
_COUNTED_BYTES: Final = 64 * 2**20
"""records behind are counted so far; beyond, their offsets are"""
_POLL_BYTES: Final = 4 * 2**20
MISSING: Final = "missing"
DIFFERS: Final = "differs"


class ProgressUnreadable(HubError):
    """The mirror's own offsets cannot be read."""

    code: ClassVar[str] = "mirror.progress"
    hint: ClassVar[str] = "Was this copy made by `eltax-hub mirror`? Its topic is <namespace>.mirror-offsets."


@dataclass(frozen=True, slots=True)
class Compared:
    """One partition: how many records are the same on both sides; `trouble` at the source's offset `at`."""

    topic: str
    partition: int
    records: int
    older: int = 0
    """on the copy alone, before the first: the source has deleted them in the meantime"""
    expired: int = 0
    """at the source past their retention, so the copy may have deleted them"""
    trouble: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """One partition: how many records are not copied yet, from the source's offset `at` on.

    `since_ms` is when the oldest of them came (ms, 1970), as far as it was looked at.
    """

    topic: str
    partition: int
    records: int
    at: int = 0
    since_ms: int | None = None


async def compare(
    source: Endpoint, copy: Endpoint, topics: Sequence[Copied], *, seconds: float, now_ms: int
) -> AsyncIterator[Compared]:
    """Compare whole topics, up to where the source ends when a partition's turn comes, in the order of `topics`.

    The copy is waited for, `seconds` for each record at most. Raises TransportError.
    """
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(topic: Copied, partition: int) -> Compared:
        async with limit:
            sides = (VerbatimReader(source, topic.name, partition), VerbatimReader(copy, topic.name, partition))
            if topic.retention_ms is None:
                return await _newest_by_key(source, copy, (topic.name, partition), seconds)
            async with sides[0] as here, sides[1] as there:
                oldest_ms = now_ms - topic.retention_ms
                return await in_order(here, there, (topic.name, partition), oldest_ms=oldest_ms, seconds=seconds)

    tasks = [asyncio.create_task(one(topic, number)) for topic in topics for number in range(topic.partitions)]
    try:
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Side(Protocol):
    """What is compared: a partition of one site (`hub.transport.verbatim.VerbatimReader`)."""

    oldest: int
    """the offset of the oldest record; 0 if none was ever deleted"""

    async def end(self) -> int:
        """The offset behind the last committed record."""

    async def next(self, end: int | None = None, *, seconds: float = 0.0) -> Fingerprint | None:
        """Return the next record before `end`, waiting for it for some time; None if there is none."""


async def in_order(source: Side, copy: Side, place: Place, *, oldest_ms: int, seconds: float) -> Compared:
    """Compare a partition whose records are deleted by age. What is older than `oldest_ms` may be gone on the copy."""
    mark = await source.end()
    same = older = expired = 0
    wanted = await source.next(mark)
    found = await copy.next(seconds=seconds) if wanted is not None else None
    while wanted is not None and (found is None or found.content != wanted.content):  # until the first that both have
        if wanted.timestamp_ms < oldest_ms:
            expired += 1
            wanted = await source.next(mark)
        elif found is None:
            return Compared(*place, 0, older, expired, MISSING, wanted.offset)
        elif not source.oldest:  # it has deleted nothing, so whatever stands before came from elsewhere
            return Compared(*place, 0, older, expired, DIFFERS, wanted.offset)
        else:
            older += 1
            found = await copy.next(seconds=seconds)
    while wanted is not None:
        if found is None or found.content != wanted.content:
            return Compared(*place, same, older, expired, MISSING if found is None else DIFFERS, wanted.offset)
        same += 1
        wanted = await source.next(mark)
        found = await copy.next(seconds=seconds) if wanted is not None else None
    return Compared(*place, same, older, expired)


async def _newest_by_key(source: Endpoint, copy: Endpoint, place: Place, seconds: float) -> Compared:
    """Compare a compacted partition: the newest record of each key. Both sides compact when they like."""
    deadline = time.monotonic() + seconds
    while True:
        wanted = await _newest(source, place)
        found = await _newest(copy, place)
        other = [key for key in wanted.keys() | found.keys() if wanted.get(key, _NONE)[1] != found.get(key, _NONE)[1]]
        if not other:
            return Compared(*place, len(wanted))
        if time.monotonic() > deadline:
            key = min(other)
            trouble = DIFFERS if key in found else MISSING
            return Compared(*place, len(wanted) - len(other), trouble=trouble, at=wanted.get(key, _NONE)[0])
        await asyncio.sleep(1.0)


_NONE: Final[tuple[int | None, bytes]] = (None, b"")


async def _newest(endpoint: Endpoint, place: Place) -> Mapping[bytes, tuple[int | None, bytes]]:
    found: dict[bytes, tuple[int | None, bytes]] = {}
    async with VerbatimReader(endpoint, *place) as reader:
        mark = await reader.end()
        while (record := await reader.next(mark)) is not None:
            found[record.key or b""] = (record.offset, record.content)
    return found


async def behind(source: Endpoint, copy: Endpoint, offsets: str, topics: Sequence[Copied]) -> tuple[Behind, ...]:
    """Count what is not copied yet. `offsets` is the mirror's own topic, which says how far each partition is.

    What the source has deleted does not count: it may have been copied, or be a mark of a transaction, or be lost.
    Raises TransportError, ProgressUnreadable.
    """
    through = await _through(copy, offsets)
    places = [(topic.name, partition) for topic in topics for partition in range(topic.partitions)]
    async with PartitionReader(source, dict.fromkeys(places)) as reader:
        starts = {place: max(through.get(place, -1) + 1, await reader.position(place)) for place in places}
    counted: dict[Place, int] = dict.fromkeys(places, 0)
    since: dict[Place, int] = {}
    async with PartitionReader(source, starts) as reader:
        ends = await reader.end_offsets()
        size = 0
        while sum(counted.values()) < _COUNTED and size < _COUNTED_BYTES:
            for record in await reader.poll(_POLL_BYTES, 200):
                place = (record.topic, record.partition)
                size += record.size
                counted[place] += record.offset < ends[place]
                since.setdefault(place, record.timestamp_ms)
            if not [place for place in places if await reader.position(place) < ends[place]]:
                return tuple(Behind(*place, counted[place], starts[place], since.get(place)) for place in places)
        left = {place: max(0, ends[place] - await reader.position(place)) for place in places}
    return tuple(Behind(*place, counted[place] + left[place], starts[place], since.get(place)) for place in places)


class Standstill:
    """Whether a mirror stands still: what waited first in each partition still waits first, some time later."""

    def __init__(self, seconds: float) -> None:
        """Nothing was seen yet."""
        self._seconds = seconds
        self._waits: frozenset[tuple[str, int, int]] = frozenset()
        self._since = 0.0

    def look(self, found: Sequence[Behind], now: float) -> bool:
        """Take what is behind at a moment (seconds of a clock that never goes back)."""
        waits = frozenset((each.topic, each.partition, each.at) for each in found if each.records)
        if waits != self._waits:
            self._waits, self._since = waits, now
        return bool(waits) and now - self._since >= self._seconds


async def _through(copy: Endpoint, offsets: str) -> Mapping[Place, int]:
    """The offset at the source of the last record copied, by partition."""
    found: dict[Place, int] = {}
    async with PartitionReader(copy, {(offsets, 0): None}) as reader:
        for record in await reader.read_to_end():
            try:
                _, place = json.loads(record.key or b"")
                found[place["topic"], int(place["partition"])] = int(json.loads(record.value or b"")["offset"])
            except (ValueError, KeyError, TypeError):
                raise ProgressUnreadable(f"({offsets}, offset {record.offset})") from None
    return found


async def failures(copy: Endpoint, status: str, since_ms: int) -> tuple[int, tuple[str, ...]]:
    """How many of the mirror's tasks run, and which of its parts failed, as it said since `since_ms`.

    Raises TransportError, ProgressUnreadable.
    """
    states: dict[bytes, str] = {}
    async with PartitionReader(copy, {(status, 0): None}) as reader:
        for record in await reader.read_to_end():
            told = (record.key or b"").startswith((b"status-task-", b"status-connector-"))
            if not told or record.timestamp_ms < since_ms:
                continue
            try:
                states[record.key or b""] = str(json.loads(record.value)["state"]) if record.value else ""
            except (ValueError, KeyError, TypeError):
                raise ProgressUnreadable(f"({status}, offset {record.offset})") from None
    running = sum(state == "RUNNING" for key, state in states.items() if key.startswith(b"status-task-"))
    return running, tuple(sorted(key.decode() for key, state in states.items() if state == "FAILED"))
