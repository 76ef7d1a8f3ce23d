"""What one leaf of the audit log means: frozen values, as the ledger takes them.

How they are written as bytes is in `consumers.audit.codec`; a log leaf is the framed Avro record, and
its RFC 6962 leaf hash is SHA-256(0x00 ‖ framed record).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record was read."""

    topic: str
    partition: int
    offset: int
    appended_at_ms: int


@dataclass(frozen=True, slots=True)
class EventEntry:
    """A sealed event as it was routed or published."""

    place: Place
    session: bytes
    kind: str
    tenant: str
    producer: str
    sequence: int
    event_id: str
    leaf: bytes
    procedure: str
    produced_at_ms: int
    cause_leaf: bytes | None


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A producer announced a session."""

    session: bytes
    producer: str
    instance: str
    topic: str
    tenant: str
    created_at_ms: int
    expires_at_ms: int
    previous: bytes | None


@dataclass(frozen=True, slots=True)
class CloseEntry:
    """A producer closed a session: per partition the last sequence (-1: none) and checkpoint hash."""

    session: bytes
    lanes: Mapping[int, tuple[int, bytes | None]]


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """A producer's signed list of leaves; `entries` are (leaf, void)."""

    session: bytes
    partition: int
    first_sequence: int
    entries: tuple[tuple[bytes, bool], ...]
    previous: bytes | None
    hash: bytes


@dataclass(frozen=True, slots=True)
class ReceiptEntry:
    """The review desk's signed word that it stored these: (sequence, event id, leaf)."""

    session: bytes
    partition: int
    entries: tuple[tuple[int, str, bytes], ...]


@dataclass(frozen=True, slots=True)
class NoticeEntry:
    """The router's signed word that this leaf became a dead letter."""

    session: bytes
    partition: int
    tenant: str
    sequence: int
    event_id: str
    leaf: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class ResolutionEntry:
    """The operator's signed word on a dead letter: `leaf` None where the record was no event."""

    letter: str
    kind: str
    origin: str
    leaf: bytes | None
    generation: int


@dataclass(frozen=True, slots=True)
class RefusalEntry:
    """A record that could not be taken for anything else."""

    place: Place
    reason: str


Entry: TypeAlias = (
    EventEntry
    | SessionEntry
    | CloseEntry
    | CheckpointEntry
    | ReceiptEntry
    | NoticeEntry
    | ResolutionEntry
    | RefusalEntry
)
