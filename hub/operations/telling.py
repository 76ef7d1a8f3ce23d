"""What a process says of itself goes to its log on a thread of its own: an observer may neither raise nor wait."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from hub.envelope.operations import Operation
from hub.operations.errors import Unlogged
from hub.operations.spool import Spool

MAX_QUEUED: Final = 1_000


class Teller:
    """Appends in the order told. What finds no room, here or on the disk, is counted and told of later."""

    def __init__(self, spool: Spool, *, written: Callable[[], None] = lambda: None) -> None:
        """`written` is called on the thread when lines were appended."""
        self._spool = spool
        self._written = written
        self._queue: deque[Operation] = deque()
        self._lost = 0
        self._some = threading.Condition()
        self._idle = True
        self._closing = False
        self.failing = False
        """whether the last attempt to write anything failed"""
        self._thread = threading.Thread(target=self._run, name="operations", daemon=True)
        self._thread.start()

    def tell(self, operation: Operation) -> None:
        """Queue one line; returns at once."""
        with self._some:
            if len(self._queue) < MAX_QUEUED:
                self._queue.append(operation)
            else:
                self._lost += 1
            self._some.notify_all()

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until all that was told is on the disk, or could not be written; False if that took too long."""
        with self._some:
            return self._some.wait_for(lambda: self._idle and not self._queue, seconds)

    def close(self, seconds: float = 5.0) -> None:
        """Write what is queued, and end."""
        with self._some:
            self._closing = True
            self._some.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._some:
                self._idle = True
                self._some.notify_all()
                self._some.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                self._idle = False
                batch, lost = tuple(self._queue), self._lost
                self._queue.clear()
                self._lost = 0
            try:
                self._spool.tell(batch, lost)
            except Unlogged:
                self.failing = True
                with self._some:
                    self._lost += lost + len(batch)
            except Exception:  # noqa: BLE001 - this thread must not end; what it could not write is counted
                with self._some:
                    self._lost += lost + len(batch)
            else:
                self.failing = False
                with contextlib.suppress(RuntimeError):  # the loop that would be woken has ended
                    self._written()
