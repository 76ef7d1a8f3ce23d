"""What a producer wants sealed, before it has a session, a sequence number or a ciphertext."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.envelope.header import Cause


@dataclass(frozen=True, slots=True)
class Draft:
    """One event to be. `sections` maps an audience to its framed plaintext record.

    `index_key` is the idempotence index's key (32 bytes); the journal refuses to take it twice.
    """

    index_key: bytes
    tenant: str
    receipt_number: str
    procedure: str
    procedure_version: int
    tax_item: str | None
    accepted_at: datetime
    calculation_check: str
    signature_check: str
    sections: Mapping[str, bytes]
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """An event that all in-sync replicas hold."""

    event_id: str
    leaf: bytes


@dataclass(slots=True)
class Job:
    """A draft on its way through one partition's task; `result` tells its caller."""

    draft: Draft
    size_bytes: int
    result: asyncio.Future[Published]
    journaled: Callable[[str], None] | None = None
    """called with the event id once the sealed bytes are durable here"""
