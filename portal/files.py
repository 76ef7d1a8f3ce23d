"""Submit whole files, JSON or JSON Lines, in bounded memory; results come out in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from portal.ahead import Ahead
from portal.results import Result
from schemas.lines import Document, Found, split_documents
from schemas.strict_json import MAX_DOCUMENT_BYTES
from schemas.submission import Refused

READ_BYTES: Final = 1 << 20
MAX_UNDER_WAY: Final = 2_048
MAX_UNDER_WAY_BYTES: Final = 64 * 1024 * 1024


class Takes(Protocol):
    """What is needed of the portal end."""

    async def submit(self, document: bytes) -> Result:
        """Answer one document."""

    async def refuse(self, refusal: Refused) -> Result:
        """Journal and answer a refusal."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The result of document `number` (from 1) of a file."""

    number: int
    result: Result


def chunks(path: Path) -> Iterator[bytes]:
    """Read a file in pieces of 1 MiB."""
    with path.open("rb") as source:
        while piece := source.read(READ_BYTES):
            yield piece


async def submit_documents(
    portal: Takes, pieces: Iterable[bytes], name: str, *, max_document_bytes: int = MAX_DOCUMENT_BYTES
) -> AsyncIterator[Answered]:
    """Submit every document of a file and yield the answers in order.

    At most 2,048 documents or 64 MiB (or one larger document) are under way at once, and what `Ahead` has read. A
    source that is silent holds nothing up: each answer comes as soon as it is there. An error that is not a refusal
    (the journal is full, say) ends the run after the answers before it; submitting the whole file again is safe,
    since what was accepted is answered as duplicate.
    """
    under_way: deque[tuple[int, int, asyncio.Task[Result]]] = deque()
    held = number = 0
    ahead = Ahead(split_documents(pieces, name, max_document_bytes))
    failure: BaseException | None = None
    arriving: asyncio.Task[list[Found]] | None = asyncio.create_task(ahead.some())
    try:
        while arriving is not None or under_way:
            full = len(under_way) >= MAX_UNDER_WAY or held > MAX_UNDER_WAY_BYTES
            reading = None if full else arriving
            waited: list[asyncio.Task[Any]] = [under_way[0][2]] if under_way else []
            if reading is not None:
                waited.append(reading)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if reading is not None and reading.done():
                failure = reading.exception()  # told when all that was read before is answered
                documents = [] if failure else reading.result()
                arriving = asyncio.create_task(ahead.some()) if documents else None
                for document in documents:
                    number += 1
                    if isinstance(document, Document):
                        work, size = portal.submit(document.data), len(document.data)
                    else:
                        work, size = portal.refuse(document), 0
                    under_way.append((number, size, asyncio.create_task(work, name=f"submit {number}")))
                    held += size
            while under_way and under_way[0][2].done():
                first, size, task = under_way.popleft()
                held -= size
                yield Answered(first, await task)
        if failure is not None:
            raise failure
    finally:
        ahead.close()
        left = [task for _, _, task in under_way] + ([arriving] if arriving is not None else [])
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
