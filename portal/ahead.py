"""Reads a file or a pipe ahead, in a thread of its own: a pipe that is silent must not hold up what is under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Final

from schemas.lines import Document, Found

MAX_DOCUMENTS: Final = 256
MAX_BYTES: Final = 8 * 1024 * 1024


class Ahead:
    """`await some()` until it returns nothing; `close` when no more is wanted. Made and used in an event loop.

    Holds 256 documents or 8 MiB of them at most, or one that is larger, and the one that is being read.
    """

    def __init__(self, documents: Iterator[Found]) -> None:
        """Begin to read."""
        self._documents = documents
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._held: list[Found] = []
        self._bytes = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._news = asyncio.Event()
        # a daemon: whoever waits for a silent pipe cannot be told to stop
        threading.Thread(target=self._read, name="read-ahead", daemon=True).start()

    async def some(self) -> list[Found]:
        """Return what has been read, one at least, in order; nothing at the end. Raises what reading raised."""
        await self._news.wait()
        with self._changed:
            found, self._held, self._bytes = self._held, [], 0
            self._changed.notify()
            if not self._ended:
                self._news.clear()
        if not found and self._error is not None:
            raise self._error
        return found

    def close(self) -> None:
        """Read no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _read(self) -> None:
        try:
            for document in self._documents:
                if not self._kept(document):
                    return
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            self._error = error
        with self._changed:
            self._ended = True
        self._tell()

    def _kept(self, document: Found) -> bool:
        size = len(document.data) if isinstance(document, Document) else 0
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(size))
            if self._closed:
                return False
            self._held.append(document)
            self._bytes += size
            first = len(self._held) == 1
        if first:  # who has been told of one finds the others beside it
            self._tell()
        return True

    def _has_room(self, size: int) -> bool:
        return not self._held or (len(self._held) < MAX_DOCUMENTS and self._bytes + size <= MAX_BYTES)

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return
