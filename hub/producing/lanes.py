"""One session on one partition, in memory: what comes next, what a checkpoint still has to list.

No IO and no clock: times are handed in (monotonic seconds). The journal holds the same numbers durably;
a lane changes only after the journal, so that a failed write leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hub.producing.journal_rows import Settled
from hub.producing.sealing import LiveSession

CHECKPOINT_EVENTS: Final = 256
CHECKPOINT_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 60.0
"""docs/envelope.md, "Producing" 4"""


@dataclass(slots=True)
class OpenLane:
    """A lane of a live session. `finished` is called once, when a retiring lane has nothing left to list."""

    session: LiveSession
    partition: int
    finished: Callable[[OpenLane], None]
    last_checkpoint_at: float
    next_sequence: int = 0
    checkpointed_through: int = -1
    checkpoint_hash: bytes | None = None
    unlisted: list[Settled] = field(default_factory=list)
    unlisted_since: float | None = None
    retiring: bool = False
    done: bool = False

    def settle(self, events: list[Settled], now: float) -> None:
        """Take events that are acknowledged or void, in order."""
        if events and self.unlisted_since is None:
            self.unlisted_since = now
        self.unlisted += events

    def due_at(self) -> float:
        """Return when the next checkpoint is due; minus infinity means now."""
        if self.unlisted and (self.retiring or len(self.unlisted) >= CHECKPOINT_EVENTS):
            return float("-inf")
        if self.unlisted_since is not None:
            return self.unlisted_since + CHECKPOINT_SECONDS
        return self.last_checkpoint_at + HEARTBEAT_SECONDS

    def next_entries(self) -> tuple[Settled, ...]:
        """Return what the next checkpoint lists; empty for a heartbeat."""
        return tuple(self.unlisted[:CHECKPOINT_EVENTS])

    def checkpointed(self, entries: int, hash_: bytes, now: float) -> None:
        """The journal holds a checkpoint of the first `entries` unlisted events."""
        del self.unlisted[:entries]
        self.unlisted_since = now if self.unlisted else None
        self.checkpointed_through += entries
        self.checkpoint_hash = hash_
        self.last_checkpoint_at = now

    def finish_if_done(self) -> None:
        """Report a retiring lane that has listed everything."""
        if self.retiring and not self.done and self.checkpointed_through == self.next_sequence - 1:
            self.done = True
            self.finished(self)
