"""Sends a role's operations log to `<ns>.operations`: at least once, in order, all lines of a log on one partition.

    wait for a line ─> the oldest that wait ─> acknowledged by all in-sync replicas ─> marked ─> gone after a while

Whoever reads deduplicates by log and sequence: what a crash between acknowledgement and mark sends again is the same,
byte for byte. One process of a role sends at a time, told by a lock that the kernel frees however the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from hub.crashpoints import reached
from hub.envelope.operations import OperationEvent
from hub.envelope.reasons import EnvelopeError
from hub.facts import Alarm, Observer, ignore
from hub.operations.errors import Unlogged
from hub.operations.facts import BrokersReached, OperationSent, OperationsWaiting
from hub.operations.spool import Batch, Spool, Waiting
from hub.transport import Outgoing
from schemas.errors import HubError

LOCK: Final = "operations.lock"
ABOUT: Final = "operations"
POLL_SECONDS: Final = 2.0
"""how often the file is looked at for lines of other processes"""
_PROBE_SECONDS: Final = 60.0
_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 15.0)
_HOPELESS_SECONDS: Final = 60.0
"""until the next attempt after a refusal that does not heal by itself: an administrator may give the right back"""


class Writer(Protocol):
    """What is needed of a `hub.transport.BatchWriter`."""

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]: ...
    async def close(self) -> None: ...


async def _either(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def partition_of(log: bytes, partitions: int) -> int:
    """Return the partition that all lines of a log lie on; ids of logs are random."""
    return int.from_bytes(log[:4], "big") % partitions


class SendingLock:
    """Held by the one process of a role that sends."""

    def __init__(self, directory: Path) -> None:
        """Takes nothing yet."""
        self._path = directory / LOCK
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Try to get or keep the lock; False while another process has it, or if the disk refuses."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let another process send."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Sender:
    """`run` beside the work of a role; `drain` at the end of a command."""

    def __init__(
        self,
        spool: Spool,
        lock: SendingLock,
        writer: Writer,
        topic: str,
        partitions: int,
        observer: Observer = ignore,
        *,
        failing: Callable[[], bool] = lambda: False,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`failing` says whether this process could not write its own lines."""
        self._spool = spool
        self._lock = lock
        self._writer = writer
        self._topic = topic
        self._partitions = partitions
        self._observer = observer
        self._failing = failing
        self._poll = poll_seconds
        self._new = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._said: OperationsWaiting | None = None
        self._reached: bool | None = None
        self._probed = time.monotonic()

    def wake(self) -> None:
        """Look now; may be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._new.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`, and then once more. Whatever stands in the way is told and tried again."""
        self._loop = asyncio.get_running_loop()
        attempt = 0
        try:
            while not stop.is_set():
                self._new.clear()
                try:
                    await self._once()
                except HubError as problem:
                    hopeless = not problem.retriable
                    await _either(stop, _HOPELESS_SECONDS if hopeless else _PAUSES[min(attempt, len(_PAUSES) - 1)])
                    attempt += 1
                else:
                    attempt = 0
                    await _either(self._new, self._poll)  # `wake` comes with a stop, too
            if self._reached is not False:
                with contextlib.suppress(HubError):
                    await self._once()
        finally:
            self._lock.release()
            await self._writer.close()

    async def _once(self) -> None:
        if await self._look() and self._lock.take():
            await self._round()
            await self._look()

    async def drain(self) -> bool:
        """Send all that waits now; False if another process of the role sends. Raises TransportError, Unlogged."""
        if not self._lock.take():
            return False
        try:
            await self._round()
        finally:
            self._lock.release()
            await self._writer.close()
        return True

    async def _look(self) -> int:
        """Say how much waits and whether anything can be logged; return the number of lines."""
        try:
            found = await asyncio.to_thread(self._looked)
        except Unlogged as problem:
            self._tell(OperationsWaiting(0 if self._said is None else self._said.lines, True), problem.code)
            raise
        self._tell(OperationsWaiting(found.lines, found.full or self._failing()), Unlogged.code)
        return found.lines

    def _looked(self) -> Waiting:
        found = self._spool.waiting()
        stopped = self._said is not None and self._said.stopped
        if stopped or time.monotonic() - self._probed >= _PROBE_SECONDS:
            self._probed = time.monotonic()
            self._spool.probe()
        return found

    def _tell(self, fact: OperationsWaiting, code: str) -> None:
        if fact.stopped and not (self._said is not None and self._said.stopped):
            self._observer(Alarm(code, ABOUT))
        if fact != self._said:
            self._said = fact
            self._observer(fact)

    async def _round(self) -> None:
        while True:
            batch = await asyncio.to_thread(self._spool.batch)
            if not batch.lines:
                return
            await self._send(batch)

    async def _send(self, batch: Batch) -> None:
        key = f"operation/{batch.log.hex()}".encode()
        records = [Outgoing(key, value) for _, value in batch.lines]
        try:
            await self._writer.write(self._topic, partition_of(batch.log, self._partitions), records)
        except HubError as problem:
            self._turn(False, problem.code, hopeless=not problem.retriable)
            raise
        reached("operations.after-send")
        await asyncio.to_thread(self._spool.mark, batch.log, batch.lines[-1][0])
        reached("operations.after-mark")
        self._turn(True)
        for _, value in batch.lines:
            with contextlib.suppress(EnvelopeError):  # damaged on our disk: whoever reads it refuses it, and says so
                self._observer(OperationSent(OperationEvent.parse(value)[0]))

    def _turn(self, reached_now: bool, code: str = "", *, hopeless: bool = False) -> None:
        if self._reached is not reached_now:
            self._reached = reached_now
            self._observer(BrokersReached(reached_now, code))
            if hopeless:
                self._observer(Alarm(code, ABOUT))
