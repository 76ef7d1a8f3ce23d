"""Reads one record again from the place in its topic that the log names, while the topic still holds it."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from consumers.audit.entries import Place
from hub.transport import Endpoint, PartitionReader
from schemas.errors import HubError

_POLLS: Final = 10
_POLL_MS: Final = 1_000


class RecordGone(HubError):
    """The topic does not hold this record any more."""

    code: ClassVar[str] = "audit.record-gone"
    hint: ClassVar[str] = "Topics are kept for a while only; the entry itself can be proved without an opening."


async def fetch(endpoint: Endpoint, place: Place) -> bytes:
    """Return the value of the record at a place. Raises RecordGone or a TransportError."""
    async with PartitionReader(endpoint, {(place.topic, place.partition): place.offset}) as reader:
        for _ in range(_POLLS):
            for record in await reader.poll(1, _POLL_MS):
                if record.offset == place.offset and record.value is not None:
                    return record.value
                raise RecordGone
    raise RecordGone


def fetched(endpoint: Endpoint, place: Place) -> bytes:
    """`fetch` for callers without a loop."""
    return asyncio.run(fetch(endpoint, place))
