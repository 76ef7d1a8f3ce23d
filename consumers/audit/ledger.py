"""The ledger: what follows from the entries of an audit log. Pure; the same for a live desk and `verify`.

Late duplicates and any order between topics are tolerated; what counts is whether, in the end, every
checkpoint has its predecessor, every leaf its checkpoint, every session its close and predecessor.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from consumers.audit.entries import (
    CheckpointEntry,
    CloseEntry,
    Entry,
    EventEntry,
    NoticeEntry,
    ReceiptEntry,
    RefusalEntry,
    ResolutionEntry,
    SessionEntry,
)
from hub.envelope.limits import MAX_CLOCK_AHEAD_MS
from hub.envelope.records import Resolution
from topics.names import in_generation

UNCONFIRMED_AFTER_MS: Final = 60_000


class Trouble(StrEnum):
    """What an auditor must look at."""

    GAP = "checkpoint-gap"
    FORK = "checkpoint-fork"
    SESSION_FORK = "session-fork"
    BEYOND_CLOSE = "beyond-close"
    MISSING_CLOSE = "missing-close"
    MISSING_PREDECESSOR = "missing-predecessor"
    SECOND_LEAF = "second-leaf"
    MISSING_EVENT = "missing-event"
    UNCONFIRMED = "unconfirmed-event"
    RECEIPT_WITHOUT_EVENT = "receipt-without-event"
    REFUSED = "refused-record"


@dataclass(slots=True)
class Lane:
    """The chain of one session's checkpoints in one partition."""

    next_sequence: int = 0
    last_hash: bytes | None = None
    following: dict[bytes | None, bytes] = field(default_factory=dict)
    """by the hash of a checkpoint (None: the beginning) the hash of the one that names it as previous"""
    waiting: dict[bytes | None, CheckpointEntry] = field(default_factory=dict)
    """checkpoints that came before their predecessor"""
    forks: int = 0
    highest: int = -1
    """highest sequence of any event or checkpoint entry that was seen"""

    def add(self, checkpoint: CheckpointEntry) -> bool:
        """Take one checkpoint; False if it was there before."""
        known = self.following.get(checkpoint.previous)
        if known == checkpoint.hash:
            return False
        self.highest = max(self.highest, checkpoint.first_sequence + len(checkpoint.entries) - 1)
        if known is not None:
            self.forks += 1
            return True
        self.following[checkpoint.previous] = checkpoint.hash
        self.waiting[checkpoint.previous] = checkpoint
        while (following := self.waiting.pop(self.last_hash, None)) is not None:
            # Signed, and yet it does not follow: the producer contradicts itself.
            self.forks += following.first_sequence != self.next_sequence
            self.next_sequence = following.first_sequence + len(following.entries)
            self.last_hash = following.hash
        return True


Line = tuple[str, str, str, str]
"""producer, instance, topic, tenant: whose sessions follow each other"""


def line_of(session: SessionEntry) -> Line:
    """Return the line of sessions that one belongs to."""
    return session.producer, session.instance, session.topic, session.tenant


@dataclass(slots=True)
class SessionState:
    """What is known of one session."""

    announced: SessionEntry | None = None
    close: CloseEntry | None = None
    closes: int = 0
    successors: dict[bytes, Line] = field(default_factory=dict)
    """by session id, those that name this one as the session before"""
    lanes: dict[int, Lane] = field(default_factory=dict)
    complete: bool = False
    """closed, with every checkpoint there; only repeats can still come"""

    def lane(self, partition: int) -> Lane:
        """Return the lane, making it on first use."""
        return self.lanes.setdefault(partition, Lane())

    def gaps(self) -> int:
        """Count broken places: a predecessor that never came, a close whose end was not reached."""
        broken = sum(1 for lane in self.lanes.values() if lane.waiting)
        if self.close is None:
            return broken
        for partition, (last, last_hash) in self.close.lanes.items():
            lane = self.lanes.get(partition, Lane())
            reached = lane.next_sequence == last + 1 and lane.last_hash == last_hash
            # A lane that waits is counted above; one that went past its close is `beyond_close`.
            broken += not reached and not lane.waiting and lane.next_sequence <= last + 1
        return broken

    def followers(self) -> int:
        """Count the sessions of the same producer, instance, topic and tenant that say that they follow this one."""
        return 0 if self.announced is None else list(self.successors.values()).count(line_of(self.announced))

    def session_forks(self) -> int:
        """Count the sessions that cannot follow this one: all of its own line but one, and all of other lines."""
        return len(self.successors) - min(1, self.followers())

    def beyond_close(self) -> int:
        """Count lanes in which something has a sequence after the close's last."""
        if self.close is None:
            return 0
        return sum(
            lane.highest > self.close.lanes.get(partition, (-1, None))[0] for partition, lane in self.lanes.items()
        )


class Chains:
    """Sessions and checkpoints: the part of the ledger that a live desk keeps in memory."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.sessions: dict[bytes, SessionState] = {}
        self.checkpoints = 0
        self.repeated = 0

    def _session(self, session: bytes) -> SessionState:
        return self.sessions.setdefault(session, SessionState())

    def add(self, entry: Entry) -> None:
        """Take one entry, in the order of the log."""
        match entry:
            case SessionEntry():
                self._session(entry.session).announced = entry
                if entry.previous is not None:
                    self._session(entry.previous).successors[entry.session] = line_of(entry)
            case CloseEntry():
                state = self._session(entry.session)
                if state.close is not None and state.close != entry:
                    state.closes += 1
                state.close = entry
            case CheckpointEntry():
                state = self._session(entry.session)
                if state.complete and entry.first_sequence < state.lane(entry.partition).next_sequence:
                    self.repeated += 1
                elif state.lane(entry.partition).add(entry):
                    self.checkpoints += 1
                else:
                    self.repeated += 1
            case EventEntry():
                lane = self._session(entry.session).lane(entry.place.partition)
                lane.highest = max(lane.highest, entry.sequence)
            case _:
                pass

    def compact(self) -> None:
        """Forget the inner hashes of sessions that are closed and whole, so that memory stays bounded.

        From then on a repeat is told by its sequence; that another leaf was signed for a place is
        still seen where leaves are matched (store.writing), and always by `verify`.
        """
        for state in self.sessions.values():
            if not state.complete and state.close is not None and not state.gaps():
                state.complete = True
                for lane in state.lanes.values():
                    lane.following.clear()

    def troubles(self, now_ms: int) -> Counter[Trouble]:
        """Count what does not hold now."""
        found: Counter[Trouble] = Counter()
        for state in self.sessions.values():
            found[Trouble.GAP] += state.gaps()
            found[Trouble.FORK] += sum(lane.forks for lane in state.lanes.values()) + state.closes
            found[Trouble.BEYOND_CLOSE] += state.beyond_close()
            if state.announced is None:
                found[Trouble.MISSING_PREDECESSOR] += bool(state.successors)
                continue
            found[Trouble.SESSION_FORK] += state.session_forks()
            overdue = now_ms > state.announced.expires_at_ms + UNCONFIRMED_AFTER_MS
            found[Trouble.MISSING_CLOSE] += state.close is None and (state.followers() > 0 or overdue)
        return +found


class Ledger:
    """Everything that follows from a whole log. Memory grows with its events (some 300 bytes each)."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.chains = Chains()
        self.events: dict[tuple[str, str, str], dict[bytes, EventEntry]] = {}
        self.duplicates = 0
        self.refused = 0
        self._resolved: dict[str, ResolutionEntry] = {}
        self._entered: dict[tuple[bytes, int, int, bytes], bool] = {}
        self._noticed: set[bytes] = set()
        self._receipted: set[bytes] = set()

    def add(self, entry: Entry) -> None:
        """Take one entry, in the order of the log."""
        self.chains.add(entry)
        match entry:
            case EventEntry():
                leaves = self.events.setdefault((entry.tenant, entry.producer, entry.event_id), {})
                if entry.leaf in leaves:
                    self.duplicates += 1
                else:
                    leaves[entry.leaf] = entry
            case CheckpointEntry():
                for sequence, (leaf, void) in enumerate(entry.entries, entry.first_sequence):
                    self._entered[entry.session, entry.partition, sequence, leaf] = void
            case NoticeEntry():
                self._noticed.add(entry.leaf)
            case ReceiptEntry():
                self._receipted.update(leaf for _, _, leaf in entry.entries)
            case RefusalEntry():
                self.refused += 1
            case ResolutionEntry():
                self._resolved[entry.letter] = entry
            case _:
                pass

    def resolutions(self) -> Counter[str]:
        """Count dead letters by what the operator did with them last: replayed, discarded."""
        return Counter(entry.kind for entry in self._resolved.values())

    def discarded(self) -> set[bytes]:
        """Return leaves that were discarded before this desk had them: by the router, or from its own letters."""
        return {
            entry.leaf
            for entry in self._resolved.values()
            if entry.leaf is not None
            and entry.kind == Resolution.DISCARDED
            and (in_generation(entry.origin, 1).endswith(".submissions") or ".dead-letters.audit-" in entry.letter)
        }

    def unconfirmed(self) -> list[EventEntry]:
        """Return the events that no checkpoint lists."""
        return [
            event
            for leaves in self.events.values()
            for event in leaves.values()
            if (event.session, event.place.partition, event.sequence, event.leaf) not in self._entered
        ]

    def _absent(self) -> list[bytes]:
        """Return the leaves that a checkpoint lists, that are not void, came never, and that nobody discarded."""
        there = {leaf for leaves in self.events.values() for leaf in leaves} | self.discarded()
        return [leaf for (_, _, _, leaf), void in self._entered.items() if not void and leaf not in there]

    def missing(self) -> int:
        """Count the absent leaves that no notice explains."""
        return sum(leaf not in self._noticed for leaf in self._absent())

    def noticed(self) -> int:
        """Count the absent leaves that the router says are dead letters. Its word alone: ask the operator for them."""
        return sum(leaf in self._noticed for leaf in self._absent())

    def troubles(self, now_ms: int) -> Counter[Trouble]:
        """Count what does not hold now; what is younger than 60 s may still be on its way."""
        found = self.chains.troubles(now_ms)
        arrived = {leaf for leaves in self.events.values() for leaf in leaves}
        found[Trouble.SECOND_LEAF] = sum(len(leaves) - 1 for leaves in self.events.values())
        found[Trouble.MISSING_EVENT] = self.missing()
        # The append time is its writer's word: one of next year makes no event young for ever.
        young = range(now_ms - UNCONFIRMED_AFTER_MS, now_ms + MAX_CLOCK_AHEAD_MS + 1)
        found[Trouble.UNCONFIRMED] = sum(event.place.appended_at_ms not in young for event in self.unconfirmed())
        found[Trouble.RECEIPT_WITHOUT_EVENT] = len(self._receipted - arrived)
        found[Trouble.REFUSED] = self.refused
        return +found

    def receipted(self) -> int:
        """Count the leaves for which the review desk signed a receipt."""
        return len(self._receipted)
