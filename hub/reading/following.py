"""Reads topics of announcements to where they end now, whenever somebody needs to know what is there.

    catch_up: end offsets ─> poll until every one is passed ─> each record to `take`

Callers share a reading, but never one that began before they asked: its end offset may be too old. After
any trouble the reader is thrown away and a new one goes on where the last record was taken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Protocol

from hub.reading.errors import AnnouncementsUnavailable
from hub.transport import Endpoint, KafkaRecord, OffsetGone, PartitionReader, TransportError

Place = tuple[str, int]
_POLL_BYTES: Final = 4 * 2**20
_POLL_MS: Final = 100


class AnnouncementReader(Protocol):
    """What is needed of a started `hub.transport.PartitionReader`."""

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        """Return records in order per partition."""

    async def end_offsets(self) -> Mapping[Place, int]:
        """Return the offset behind the last committed record of each partition."""

    async def position(self, place: Place) -> int:
        """Return the offset that is read next."""

    async def close(self) -> None:
        """Disconnect."""


OpenReader = Callable[[Mapping[Place, int | None]], Awaitable[AnnouncementReader]]
"""Starts a reader at the given offsets (None: from the oldest record). Raises TransportError."""


def reader_of(endpoint: Endpoint) -> OpenReader:
    """Return what opens readers on the brokers of an endpoint."""

    async def open_reader(starts: Mapping[Place, int | None]) -> AnnouncementReader:
        reader = PartitionReader(endpoint, starts)
        await reader.start()
        return reader

    return open_reader


class Follower:
    """Follows partition 0 of some topics."""

    def __init__(
        self,
        topics: Collection[str],
        open_reader: OpenReader,
        take: Callable[[KafkaRecord], None],
        unavailable: type[AnnouncementsUnavailable],
        *,
        patience_seconds: float = 10.0,
    ) -> None:
        """`take` gets every record once, in order per topic. No progress for `patience_seconds` is a failure."""
        self._open_reader = open_reader
        self._take = take
        self._unavailable = unavailable
        self._patience = patience_seconds
        self._next: dict[Place, int | None] = {(topic, 0): None for topic in topics}
        self._reader: AnnouncementReader | None = None
        self._reading = asyncio.Lock()
        self._begun = 0
        self._ended = 0

    async def catch_up(self) -> None:
        """Read to where the topics end now. Raises the subclass of AnnouncementsUnavailable it was made with."""
        begun = self._begun
        async with self._reading:
            if self._ended > begun:
                return  # somebody began after we asked, and got to the end
            self._begun += 1
            try:
                await self._read()
                self._ended = self._begun
            except (TransportError, TimeoutError) as error:
                await self._discard()
                if isinstance(error, OffsetGone):  # retention passed us by; what is left counts
                    self._next = dict.fromkeys(self._next)
                code = error.code if isinstance(error, TransportError) else "timeout"
                raise self._unavailable(code) from error
            except BaseException:
                await self._discard()
                raise

    async def rewind(self) -> None:
        """Let the next `catch_up` begin at the oldest record: what was passed over may count now."""
        async with self._reading:
            await self._discard()
            self._next = dict.fromkeys(self._next)

    async def _read(self) -> None:
        async with asyncio.timeout(self._patience) as patience:
            if self._reader is None:
                self._reader = await self._open_reader(self._next)
            reader = self._reader
            ends = await reader.end_offsets()
            while await self._behind(reader, ends):
                found = await reader.poll(_POLL_BYTES, _POLL_MS)
                for record in found:
                    self._take(record)
                    self._next[record.topic, record.partition] = record.offset + 1
                if found:
                    patience.reschedule(asyncio.get_running_loop().time() + self._patience)

    @staticmethod
    async def _behind(reader: AnnouncementReader, ends: Mapping[Place, int]) -> bool:
        for place, end in ends.items():
            if end and await reader.position(place) < end:
                return True
        return False

    async def read_one(self, topic: str, offset: int) -> KafkaRecord | None:
        """Read one old record again; None if retention has deleted it. Raises as `catch_up`."""
        reader: AnnouncementReader | None = None
        try:
            async with asyncio.timeout(self._patience):
                reader = await self._open_reader({(topic, 0): offset})
                while await reader.position((topic, 0)) <= offset:
                    for record in await reader.poll(1, _POLL_MS):
                        return record if record.offset == offset else None
        except OffsetGone:
            return None
        except (TransportError, TimeoutError) as error:
            raise self._unavailable(topic) from error
        finally:
            if reader is not None:
                await _close(reader)
        return None

    async def close(self) -> None:
        """Disconnect; a later `catch_up` goes on where this one ended."""
        async with self._reading:
            await self._discard()

    async def _discard(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await _close(reader)


async def _close(reader: AnnouncementReader) -> None:
    with contextlib.suppress(TransportError, TimeoutError):
        await asyncio.wait_for(reader.close(), 5.0)
