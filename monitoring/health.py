"""Is this process alive, and may it be given work? Answers for /healthz and /readyz.

Alive means: its event loop has beaten lately and it has not declared itself failed. Ready means: every
condition that its role declared (fenced, sessions, audiences, store) is fulfilled and no stage stands
still. Both start at the strict end: a condition nobody has spoken of is not fulfilled.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from hub.facts import Fact, Lifecycle, Observer, Paused, Ready, ignore

_MOST: Final = 64
"""conditions and pauses kept; they are names in our own code, this bound only guards against a slip"""


@dataclass(frozen=True, slots=True)
class LoopBeat(Fact):
    """The event loop woke the heartbeat `late_seconds` after it should have."""

    late_seconds: float


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether the process works at all: seconds since the last beat, and whether it declared a failure."""

    healthy: bool
    since_beat_seconds: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether work may come: each condition by name, and what stands still as (stage, code)."""

    ready: bool
    conditions: tuple[tuple[str, bool], ...]
    paused: tuple[tuple[str, str], ...]


class Health:
    """Collects facts about readiness and the loop's heartbeat. Thread-safe."""

    def __init__(
        self,
        conditions: Collection[str],
        *,
        stale_after_seconds: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Declare what this role needs before it is ready; `clock` is monotonic, in seconds."""
        self._lock = threading.Lock()
        self._conditions = dict.fromkeys(sorted(conditions), False)
        self._paused: set[tuple[str, str]] = set()
        self._failed = False
        self._stale_after = stale_after_seconds
        self._clock = clock
        self._last_beat = clock()

    def observe(self, fact: Fact) -> None:
        """Take one fact; an `Observer`. A condition that was not declared counts too once it was reported."""
        if not isinstance(fact, (Ready, Paused, Lifecycle)):
            return
        with self._lock:
            if isinstance(fact, Ready):
                if fact.condition in self._conditions or len(self._conditions) < _MOST:
                    self._conditions[fact.condition] = fact.fulfilled
            elif isinstance(fact, Paused):
                if not fact.paused:
                    self._paused.discard((fact.stage, fact.code))
                elif len(self._paused) < _MOST:
                    self._paused.add((fact.stage, fact.code))
            elif fact.event == "failed":
                self._failed = True

    async def beat(self, observer: Observer = ignore, *, interval_seconds: float = 1.0) -> None:
        """Beat until cancelled, and tell `observer` how late the loop woke us (LoopBeat)."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + interval_seconds
            self.beaten()
            await asyncio.sleep(interval_seconds)
            observer(LoopBeat(max(0.0, loop.time() - due)))

    def beaten(self) -> None:
        """Note that the event loop is alive now."""
        with self._lock:
            self._last_beat = self._clock()

    def liveness(self) -> Liveness:
        """Answer for /healthz."""
        with self._lock:
            since = max(0.0, self._clock() - self._last_beat)
            return Liveness(not self._failed and since <= self._stale_after, since, self._failed)

    def readiness(self) -> Readiness:
        """Answer for /readyz."""
        with self._lock:
            conditions = tuple(sorted(self._conditions.items()))
            paused = tuple(sorted(self._paused))
            ready = not self._failed and not paused and all(fulfilled for _, fulfilled in conditions)
            return Readiness(ready, conditions, paused)
