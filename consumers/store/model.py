"""What a desk asks its store to keep, and what it gets back: frozen values, no behaviour, no plaintext.

All times are integers, milliseconds since 1970 UTC. `leaf`, `session` and hashes are 32 bytes, event
ids are UUIDv7 text of 36 characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """What a desk knows of an event."""

    STORED = "stored"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    HELD = "held"
    REVOKED = "revoked"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Advance:
    """Move the place in one topic partition from `expected` (None: never read) to `next_offset`."""

    topic: str
    partition: int
    expected: int | None
    next_offset: int


@dataclass(frozen=True, slots=True)
class StoreKey:
    """The key of one epoch of this store, sealed to the role's own audience key of that epoch."""

    epoch: int
    key_id: bytes
    """8 bytes: which audience key opens it"""
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """One submission's content under its own data key; the data key under the store key of the epoch."""

    epoch: int
    ciphertext: bytes
    wrapped_key: bytes


@dataclass(frozen=True, slots=True)
class NewCase:
    """What a desk's people need to work on a submission: last day for a decision, and what it refers to."""

    due_on: date
    replaces: str | None = None
    withdraws: str | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event as its header and its place say; everything here may stand in clear on the disk."""

    tenant: str
    producer: str
    event_id: str
    leaf: bytes
    session: bytes
    sequence: int
    topic: str
    partition: int
    offset: int
    kind: str
    receipt_number: str
    procedure: str
    procedure_version: int
    tax_item: str | None
    accepted_at_ms: int
    produced_at_ms: int
    stored_at_ms: int
    calculation_check: str = "not_performed"
    signature_check: str = "not_performed"
    status: Status = Status.STORED
    findings: int = 0
    cause_event_id: str | None = None
    cause_leaf: bytes | None = None
    content: Content | None = None
    case: NewCase | None = None


@dataclass(frozen=True, slots=True)
class CheckpointSeen:
    """A checkpoint whose signature was verified: `entries` are (leaf, void) from `first_sequence` on."""

    session: bytes
    partition: int
    tenant: str
    first_sequence: int
    entries: tuple[tuple[bytes, bool], ...]
    seen_at_ms: int


@dataclass(frozen=True, slots=True)
class NoticeSeen:
    """The router's signed word that this leaf became a dead letter, so that its absence is explained."""

    session: bytes
    partition: int
    sequence: int
    tenant: str
    event_id: str
    leaf: bytes
    receipt_number: str
    reason: str
    seen_at_ms: int


HELD: Final = "held"


@dataclass(frozen=True, slots=True)
class ResolutionSeen:
    """The operator's signed word on a dead letter, or a desk's that it refused an event (`held`).

    The same letter may be spoken of again later.
    """

    letter: str
    """`<dead-letter topic>/<partition>/<offset>`; of a desk's own word `<desk>/<leaf in hex>`"""
    kind: str
    """held, replayed or discarded"""
    tenant: str | None
    event_id: str | None
    leaf: bytes | None
    receipt: bytes | None
    """fingerprint of the receipt number, 16 bytes"""
    origin: str
    """topic on which the record was refused"""
    refused: str
    """reason code"""
    refused_at_ms: int
    discard: str | None
    """reason code of a discard"""
    generation: int
    resolved_at_ms: int


@dataclass(frozen=True, slots=True)
class Remark:
    """What became of an event, by its leaf: `what` is a declared word, `detail` a code or an event id.

    The same word again with the same detail changes nothing.
    """

    leaf: bytes
    at_ms: int
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes to send because of this batch; the same bytes are sent again after a crash."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    kind: str
    """`receipt`, `dead-letter` or `status`: for counting only"""
    count: int = 1
    """how many events it speaks of"""


@dataclass(frozen=True, slots=True)
class LogAppend:
    """Entries for the append-only log, right after `expected_size`, and what follows from them."""

    expected_size: int
    entries: tuple[tuple[str, bytes], ...]
    """(kind, framed record)"""
    root: bytes
    frontier: bytes
    head: bytes
    """the signed tree head, framed"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that one poll led to: kept whole, or not at all."""

    at_ms: int
    advances: tuple[Advance, ...]
    events: tuple[NewEvent, ...] = ()
    checkpoints: tuple[CheckpointSeen, ...] = ()
    notices: tuple[NoticeSeen, ...] = ()
    resolutions: tuple[ResolutionSeen, ...] = ()
    remarks: tuple[Remark, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    store_keys: tuple[StoreKey, ...] = ()
    log: LogAppend | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """An event id that came with a second leaf. Both are kept."""

    tenant: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Committed:
    """What the transaction made of the batch."""

    stored: Mapping[int, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    """new rows by partition, then by (tenant, procedure)"""
    replays: int = 0
    conflicts: tuple[Conflict, ...] = ()
    confirmed_of: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """rows that a checkpoint confirmed, by (tenant, procedure)"""
    contradictions: int = 0
    """places of a session for which two leaves were signed"""
    unvoided: int = 0
    """leaves that a checkpoint called void and that came after all"""

    @property
    def confirmed(self) -> int:
        """How many rows were confirmed."""
        return sum(self.confirmed_of.values())


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One thing to send, oldest first."""

    number: int
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row, as it stands in clear."""

    number: int
    event: NewEvent
    confirmed_at_ms: int | None
    replays: int
    conflict: bool


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to an event; `detail` is a code."""

    at_ms: int
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many stored events lack their checkpoint, and how many announced leaves never came."""

    unconfirmed: int
    missing: int
    explained: int
    """announced leaves that a notice declares to be dead letters, or that were discarded as such"""
    oldest_ms: int | None = None
    """when the first of all unconfirmed events was stored"""


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the append-only log stands."""

    size: int
    root: bytes
    frontier: bytes
    head: bytes
