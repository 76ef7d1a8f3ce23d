"""The operations log of one role process: its facts become lines on disk, and the lines go to Kafka beside its work."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, Protocol

from hub.crypto.identity import IdentityKey
from hub.facts import Fact, Observer, StandingTaken
from hub.operations.sender import Sender, SendingLock
from hub.operations.spool import Signer, Spool
from hub.operations.telling import Teller
from hub.transport import BatchWriter, Endpoint
from monitoring.health import LoopBeat
from monitoring.operations.from_facts import Bounded, operation_of
from topics import names
from topics.layout import Topology

FAREWELL_SECONDS: Final = 3.0
"""how long a process that stops waits until Kafka has its last line; the next one sends it otherwise"""


class LoggedRole(Signer, Protocol):
    """What is needed of a `hub.role.Role`, besides a signature."""

    @property
    def identity(self) -> IdentityKey: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def topology(self) -> Topology: ...


def partitions_of(topology: Topology) -> int:
    """Return how many partitions `<ns>.operations` has, by the declaration."""
    topic = names.operations(topology.namespace)
    return next((each.partitions for each in topology.topics if each.name == topic), 1)


def sender_of(role: LoggedRole, spool: Spool, observer: Observer, teller: Teller | None = None) -> Sender:
    """Return what sends a role's log; with `teller` it also knows whether that one fails."""
    return Sender(
        spool,
        SendingLock(role.state_directory),
        BatchWriter(role.endpoint),
        names.operations(role.namespace),
        partitions_of(role.topology),
        observer,
        failing=lambda: teller is not None and teller.failing,
    )


class ProcessLog:
    """An observer of facts, and `sending` beside the work. Nothing here raises into either."""

    def __init__(self, role: LoggedRole, settings: Mapping[str, object]) -> None:
        """`settings` are the process's, without secrets: only a hash of them is written."""
        self._role = role
        self._settings = json.dumps(settings, sort_keys=True, default=str)
        self._spool = Spool(role)
        self._sender: Sender | None = None
        self._teller = Teller(self._spool, written=self._wake)
        self._bounded = Bounded()
        self._lock = threading.Lock()
        self._configured: Fact | None = None

    def observe(self, fact: Fact) -> None:
        """Take one fact; an `Observer`. Never waits for the disk."""
        with self._lock:
            if isinstance(fact, LoopBeat):
                lines = self._bounded.flush(time.monotonic())
            else:
                if isinstance(fact, StandingTaken) and fact == self._configured:
                    return
                operation = operation_of(fact, datetime.now(UTC), self._settings)
                if operation is None:
                    return
                if isinstance(fact, StandingTaken):
                    self._configured = fact
                lines = self._bounded.take(operation, time.monotonic())
        for each in lines:
            self._teller.tell(each)

    @asynccontextmanager
    async def sending(self, observer: Observer) -> AsyncIterator[None]:
        """Send within the context; on leaving, what is told by then, if that does not take long."""
        stop = asyncio.Event()
        self._sender = sender_of(self._role, self._spool, observer, self._teller)
        task = asyncio.create_task(self._sender.run(stop), name="operations")
        try:
            yield
        finally:
            self._flush()
            await asyncio.to_thread(self._teller.flush, FAREWELL_SECONDS)
            stop.set()
            self._wake()
            try:
                await asyncio.wait_for(task, FAREWELL_SECONDS)
            except TimeoutError:
                pass
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                self._sender = None

    def flush(self, seconds: float) -> bool:
        """Wait until what was told is on the disk, at most so long; False if it is not."""
        self._flush()
        return self._teller.flush(seconds)

    def close(self) -> None:
        """Write what was told, and end."""
        self._flush()
        self._teller.close()
        self._spool.close()

    def _flush(self) -> None:
        with self._lock:
            lines = self._bounded.flush(time.monotonic(), end=True)
        for each in lines:
            self._teller.tell(each)

    def _wake(self) -> None:
        if self._sender is not None:
            self._sender.wake()
