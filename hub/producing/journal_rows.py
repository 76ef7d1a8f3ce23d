"""What the journal is told, and what it answers: frozen rows and steps, no database.

A step is one thing a producer wants to be true after a power cut. Steps handed over together become
true together or not at all. No step carries plaintext or a session secret; `value` is sealed bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias


class EventState(enum.IntEnum):
    """How far one journaled event has come."""

    JOURNALED = 0
    """sealed bytes are durable here; whether Kafka has them is not known"""
    ACKNOWLEDGED = 1
    """all in-sync replicas have it"""
    STORED = 2
    """the desk's signed receipt has come back; the sealed bytes are gone from here"""
    VOID = 3
    """Kafka refused it for good, twice; a checkpoint lists it as void"""


class SessionState(enum.IntEnum):
    """How far a session's own records have come."""

    JOURNALED = 0
    ANNOUNCED = 1
    CLOSING = 2
    """the signed close is durable here, not yet acknowledged"""
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One sealed event with its place. `index_key` is HMAC-SHA256(journal key, canonical input)."""

    index_key: bytes
    session: bytes
    partition: int
    sequence: int
    event_id: str
    leaf: bytes
    tenant: str
    receipt_number: str
    value: bytes


@dataclass(frozen=True, slots=True)
class JournaledEvent:
    """What the index knows of an event; outlives the sealed bytes."""

    event_id: str
    leaf: bytes
    tenant: str
    receipt_number: str
    session: bytes
    partition: int
    sequence: int
    state: EventState


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event beyond acknowledged-through; `value` is None if a receipt has already confirmed it."""

    sequence: int
    event_id: str
    leaf: bytes
    void: bool
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Settled:
    """An event that the next checkpoint has to list."""

    sequence: int
    leaf: bytes
    void: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One session on one partition. Sequences start at 0; `*_through` is -1 before the first."""

    session: bytes
    partition: int
    next_sequence: int
    acknowledged_through: int
    checkpointed_through: int
    checkpoint_hash: bytes | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as the journal knows it; `record` and `close` are the exact bytes that go to Kafka."""

    session: bytes
    topic: str
    tenant: str
    record: bytes
    created_at_ms: int
    state: SessionState
    close: bytes | None


@dataclass(frozen=True, slots=True)
class UnsentCheckpoint:
    """A signed checkpoint whose acknowledgement is not known, with its Kafka key."""

    first_sequence: int
    hash: bytes
    key: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """One entry of a verified `StoredReceipt`."""

    session: bytes
    partition: int
    sequence: int
    event_id: str
    leaf: bytes
    record: int | None = None
    """its place in `Confirm.records`"""


# --- steps


@dataclass(frozen=True, slots=True)
class AddSession:
    """Remember a session and the bytes that announce it, before they are sent."""

    session: bytes
    topic: str
    tenant: str
    record: bytes
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class SessionAnnounced:
    """The session's record has been acknowledged."""

    session: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """Remember sealed events; sequences must follow each other without a gap in each lane."""

    entries: tuple[SealedEntry, ...]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Every event of the lane up to and including `through` is acknowledged (or void)."""

    session: bytes
    partition: int
    through: int


@dataclass(frozen=True, slots=True)
class MarkVoid:
    """Kafka has refused this event for good."""

    session: bytes
    partition: int
    sequence: int


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """Remember a signed checkpoint before its first send; `entries` may be 0."""

    session: bytes
    partition: int
    first_sequence: int
    entries: int
    previous: bytes | None
    hash: bytes
    key: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class CheckpointSent:
    """The checkpoint with this hash has been acknowledged."""

    session: bytes
    partition: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class AddClose:
    """Remember the signed close of a session before its first send; nothing may follow."""

    session: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The close has been acknowledged."""

    session: bytes


@dataclass(frozen=True, slots=True)
class DropSession:
    """Forget a session that nobody has heard of and that has no events: its announcement is not wanted any more."""

    session: bytes


@dataclass(frozen=True, slots=True)
class Confirm:
    """Verified receipts, and the status position that follows them; they move together.

    `records` are the signed receipts as they came: an event keeps the one that confirmed it.
    """

    topic: str
    partition: int
    next_offset: int
    receipts: tuple[Receipt, ...]
    records: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ForgetListed:
    """Drop the sealed bytes of events that an acknowledged checkpoint lists (docs/envelope.md, "Producing" 6).

    For a desk, to which no receipt comes back: its readers have the checkpoint, Kafka has the event.
    """


@dataclass(frozen=True, slots=True)
class NoteRefusal:
    """An input was refused: when (epoch seconds) and by which rules. Nothing of what it said."""

    at: int
    rules: tuple[str, ...]
    count: int = 1


@dataclass(frozen=True, slots=True)
class RememberEpoch:
    """The highest epoch of an audience that was used for sealing, and the hash of its key record."""

    audience: str
    epoch: int
    key_hash: bytes


Step: TypeAlias = (
    AddSession
    | SessionAnnounced
    | Append
    | Acknowledge
    | MarkVoid
    | AddCheckpoint
    | CheckpointSent
    | AddClose
    | SessionClosed
    | DropSession
    | Confirm
    | ForgetListed
    | NoteRefusal
    | RememberEpoch
)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a `Confirm` did with its receipts."""

    trimmed: int
    """confirmed now; their sealed bytes are gone"""
    repeated: int
    """confirmed before"""
    elsewhere: int
    """of sessions that another instance journals"""
    contradicting: int
    """of our sessions, but no event of ours has this sequence, id and leaf"""
