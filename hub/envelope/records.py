"""All records of the envelope in one place, for those who read or write them."""

from __future__ import annotations

from hub.envelope.announcements import (
    AudienceKey,
    ClosedPartition,
    Session,
    SessionAudience,
    SessionClose,
)
from hub.envelope.letters import Content, DeadLetter, DeadLetterNotice, Place, Quarantined
from hub.envelope.resolutions import Confided, Discard, LetterResolved, RefusedEvent, Resolution
from hub.envelope.statements import (
    Checkpoint,
    CheckpointEntry,
    KeyDestroyed,
    ReportEntry,
    RoleReport,
    StoredEvent,
    StoredReceipt,
)

__all__ = [
    "AudienceKey",
    "Checkpoint",
    "CheckpointEntry",
    "ClosedPartition",
    "Confided",
    "Content",
    "DeadLetter",
    "DeadLetterNotice",
    "Discard",
    "KeyDestroyed",
    "LetterResolved",
    "Place",
    "Quarantined",
    "RefusedEvent",
    "ReportEntry",
    "Resolution",
    "RoleReport",
    "Session",
    "SessionAudience",
    "SessionClose",
    "StoredEvent",
    "StoredReceipt",
]
