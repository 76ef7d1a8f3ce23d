"""A log leaf as bytes: framed Avro (`schemas/contracts/audit/`), one record per kind, never encoded again.

Statements (sessions, closes, checkpoints, receipts) are kept as they were received, signatures and all,
so that `verify` and any auditor can check them from the log alone. Events are kept without what only the
desks need: no receipt number, no content, no digest of any. They are bound by their leaf.
"""

from __future__ import annotations

from typing import Any, Final

from consumers.audit.entries import (
    CheckpointEntry,
    CloseEntry,
    Entry,
    EventEntry,
    NoticeEntry,
    Place,
    ReceiptEntry,
    RefusalEntry,
    SessionEntry,
)
from hub.envelope.header import EventHeader
from schemas import codec

EVENT: Final = "event"
STATEMENT: Final = "statement"
NOTICE: Final = "notice"
REFUSAL: Final = "refusal"
_NAMES: Final = {
    EVENT: "AuditedEvent",
    STATEMENT: "AuditedStatement",
    NOTICE: "AuditedNotice",
    REFUSAL: "AuditedRefusal",
}
