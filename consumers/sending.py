"""The outbox's way to Kafka: oldest first, the bytes as they stand in the store, dropped when acknowledged.

A crash between acknowledgement and `store.sent` sends the same bytes again; readers of receipts and
letters tolerate repeats.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from consumers.patience import Patience
from consumers.store.model import OutboxRow
from consumers.store.port import Store
from hub.facts import Observer, ReceiptsSent
from hub.transport import BatchWriter, Outgoing
from topics.names import in_generation

T = TypeVar("T")


class Writer(Protocol):
    """What the sender needs of `hub.transport.BatchWriter`."""

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        """Return when all in-sync replicas hold the records, in order."""


class InPresentGeneration:
    """Writes to the present generation of a topic what was meant for an earlier one.

    Receipts, notices and letters are bound to partition and record, and to no topic: what waited in the outbox while
    the topics grew, or is said of an older record, goes where things are written now.
    """

    def __init__(self, writer: BatchWriter, generation: int) -> None:
        """`writer` is closed with us."""
        self._writer = writer
        self._generation = generation

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        """Return when all in-sync replicas hold the records, in order."""
        return await self._writer.write(in_generation(topic, self._generation), partition, records)

    async def close(self) -> None:
        """Disconnect."""
        await self._writer.close()


class InThread(Protocol):
    """Runs blocking work in the store's one thread."""

    def __call__(self, work: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """Return what the work returned."""


class Sender:
    """Sends what the store's outbox holds."""

    def __init__(
        self,
        name: str,
        store: Store,
        in_thread: InThread,
        observer: Observer,
        *,
        max_rows: int,
        max_bytes: int,
    ) -> None:
        """At most `max_rows` rows and about `max_bytes` bytes are sent between two looks at the store."""
        self._name = name
        self._store = store
        self._in_thread = in_thread
        self._observe = observer
        self._patience = Patience(name, observer)
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._wake = asyncio.Event()
        self.waiting = 0
        """about how many rows wait; exact whenever the outbox was found empty"""

    def added(self, rows: int) -> None:
        """Take note that the store's outbox grew."""
        self.waiting += rows
        self._wake.set()

    async def run(self, writer: Writer, last: asyncio.Event, give_up: asyncio.Event) -> None:
        """Send until `last` is set and nothing waits, or `give_up` is set and sending does not work."""
        self.waiting = await self._in_thread(self._store.waiting_count)
        while True:
            self._wake.clear()
            rows = await self._patience.until_done("store", self._oldest, give_up)
            if rows is None:
                return
            if not rows:
                self.waiting = 0
                if last.is_set():
                    return
                await self._wake.wait()
                continue
            deliver = partial(self._deliver, rows, writer)
            if await self._patience.until_done("outbox", deliver, give_up) is None:
                return

    async def _oldest(self) -> Sequence[OutboxRow]:
        return await self._in_thread(self._store.waiting, self._max_rows, self._max_bytes)

    async def _deliver(self, rows: Sequence[OutboxRow], writer: Writer) -> bool:
        lanes: dict[tuple[str, int], list[OutboxRow]] = defaultdict(list)
        for row in rows:
            lanes[row.outgoing.topic, row.outgoing.partition].append(row)
        for (topic, partition), lane in lanes.items():
            await writer.write(topic, partition, [Outgoing(r.outgoing.key, r.outgoing.value) for r in lane])
        await self._in_thread(self._store.sent, [row.number for row in rows])
        self.waiting = max(0, self.waiting - len(rows))
        receipts = sum(row.outgoing.count for row in rows if row.outgoing.kind == "receipt")
        if receipts:
            self._observe(ReceiptsSent(self._name, receipts, self.waiting))
        return True
