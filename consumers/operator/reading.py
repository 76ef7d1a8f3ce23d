"""Reads all dead letters and all statements about them, from their beginning; what is read goes into a book.

Contents pass through and are let go of: the book holds facts. A letter's content is read once more when it is
to be sent back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from datetime import datetime
from typing import Final, Protocol

from consumers.operator.book import Book
from consumers.operator.errors import LetterGone
from consumers.operator.letters import Declared, Open, read_letter
from consumers.operator.rules import declared_in
from hub.envelope.letters import Content, Place
from hub.envelope.reasons import Reason
from hub.envelope.records import LetterResolved
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_resolution
from hub.transport import Endpoint, KafkaRecord, PartitionReader
from hub.transport.survey import Surveyor
from topics import names
from topics.layout import Topology

_POLL_BYTES: Final = 16 * 2**20
_POLL_MS: Final = 200


class ReadingRole(Protocol):
    """What is needed of a `hub.role.Role` to read letters."""

    @property
    def namespace(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def topology(self) -> Topology: ...


class LetterReader:
    """One reader over every dead-letter topic that is there, and the statements. Use as `async with`."""

    def __init__(self, role: ReadingRole, open_: Open, now: Callable[[], datetime]) -> None:
        """`open_` opens quarantined letters, or does not."""
        self._role = role
        self._open = open_
        self._now = now
        self._topology = role.topology  # the one that holds now: a reader is for one
        self._declared: Declared = declared_in(self._topology)
        self._resolutions = names.resolutions(role.namespace)
        self._reader: PartitionReader | None = None
        self._whole = False

    @property
    def current(self) -> bool:
        """Whether it reads every topic that is declared now: tenants come and go."""
        return self._whole and self._role.topology is self._topology

    @property
    def outdated(self) -> bool:
        """Whether another topology holds now than when it was made."""
        return self._role.topology is not self._topology

    async def __aenter__(self) -> LetterReader:
        """Connect. Raises BrokerUnavailable, NotAuthorized."""
        partitions = self._topology.partitions_of
        surveyor = Surveyor(self._role.endpoint)
        try:
            there = await surveyor.survey([*self._declared.stages, self._resolutions])
        finally:
            await surveyor.close()
        self._whole = there.keys() >= self._declared.stages.keys()
        starts: dict[tuple[str, int], int | None] = {
            (topic, number): None for topic in sorted(there) for number in range(partitions[topic])
        }
        starts.setdefault((self._resolutions, 0), None)  # without it nothing can be said of any letter: let it fail
        self._reader = PartitionReader(self._role.endpoint, starts)
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        if self._reader is not None:
            await self._reader.close()

    async def catch_up(self, book: Book) -> tuple[LetterResolved, ...]:
        """Read to where the topics end now, into the book; return the statements that were read.

        Raises TransportError.
        """
        reader = self._started()
        said: list[LetterResolved] = []
        ends = await reader.end_offsets()
        while any([await reader.position(place) < end for place, end in ends.items()]):
            records = await reader.poll(_POLL_BYTES, _POLL_MS)
            said += await asyncio.to_thread(self._take, records, book)  # a key file takes half a second to open
        return tuple(said)

    def _take(self, records: Collection[KafkaRecord], book: Book) -> list[LetterResolved]:
        said = []
        for record in records:
            if record.topic == self._resolutions:
                value, trust = record.value or b"", self._role.trust
                found = validate_resolution(value, trust, self._now(), key=record.key or b"", told=True)
                if isinstance(found, Reason):
                    book.unread += 1
                else:
                    book.add_statement(found)
                    said.append(found)
                continue
            read = read_letter(record, self._declared, self._open)
            if read is None:
                book.unread += 1
            else:
                book.add_letter(read[0])
        return said

    def _started(self) -> PartitionReader:
        assert self._reader is not None
        return self._reader


async def contents(
    role: ReadingRole, open_: Open, wanted: Mapping[Place, object]
) -> AsyncIterator[tuple[Place, Content]]:
    """Yield the contents of these letters in the order of their places. Raises LetterGone, TransportError."""
    declared = declared_in(role.topology)
    starts: dict[tuple[str, int], int] = {}
    for place in wanted:
        lane = (place.topic, place.partition)
        starts[lane] = min(place.offset, starts.get(lane, place.offset))
    left = set(wanted)
    if not left:
        return
    async with PartitionReader(role.endpoint, starts) as reader:
        ends = await reader.end_offsets()
        while left:
            behind = {lane for lane, end in ends.items() if await reader.position(lane) < end}
            if not any((place.topic, place.partition) in behind for place in left):
                raise LetterGone(str(len(left)))
            for record in await reader.poll(_POLL_BYTES, _POLL_MS):
                place = Place(record.topic, record.partition, record.offset)
                if place not in left:
                    continue
                left.remove(place)
                read = await asyncio.to_thread(read_letter, record, declared, open_)
                if read is None or read[1] is None:
                    raise LetterGone(f"{place.topic}/{place.partition}/{place.offset}")
                yield place, read[1]
