"""Artificial rows for the stores' tests. Nobody here exists."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from uuid import UUID

from consumers.store.model import (
    Advance,
    Batch,
    CheckpointSeen,
    Content,
    NewEvent,
    NoticeSeen,
    ResolutionSeen,
    StoreKey,
)

TENANT = "999997"
TOPIC = "rehearsal.999997.review"
SESSION = hashlib.sha256(b"session").digest()
NOW = 1_800_000_000_000


def leaf(number: int, variant: str = "") -> bytes:
    return hashlib.sha256(f"leaf {number} {variant}".encode()).digest()


def event_id(number: int) -> str:
    return str(UUID(int=(7 << 76) | (2 << 62) | number))


def new_event(number: int, *, variant: str = "", partition: int = 0, session: bytes = SESSION) -> NewEvent:
    return NewEvent(
        tenant=TENANT,
        producer="portal",
        event_id=event_id(number),
        leaf=leaf(number, variant),
        session=session,
        sequence=number,
        topic=TOPIC,
        partition=partition,
        offset=number,
        kind="submission",
        receipt_number=f"R7-99999-{number:09d}",
        procedure="heir-representative-designation",
        procedure_version=1,
        tax_item=None,
        accepted_at_ms=NOW,
        produced_at_ms=NOW,
        stored_at_ms=NOW,
    )


def with_content(event: NewEvent, text: bytes = b"sealed") -> NewEvent:
    return replace(event, content=Content(203001, text, b"wrapped"))


KEY = StoreKey(203001, b"12345678", b"sealed store key")


def checkpoint(first: int, *entries: tuple[bytes, bool], partition: int = 0) -> CheckpointSeen:
    return CheckpointSeen(SESSION, partition, TENANT, first, entries, NOW + 1_000)


def notice(number: int) -> NoticeSeen:
    return NoticeSeen(SESSION, 0, number, TENANT, event_id(number), leaf(number), f"R7-99999-{number:09d}", "mac", NOW)


def resolution(
    number: int,
    kind: str = "discarded",
    *,
    origin: str = "rehearsal.submissions",
    hop: str = "router",
    at_ms: int = NOW,
) -> ResolutionSeen:
    return ResolutionSeen(
        letter=f"rehearsal.dead-letters.{hop}/0/{number}",
        kind=kind,
        tenant=TENANT,
        event_id=event_id(number),
        leaf=leaf(number),
        receipt=leaf(number)[:16],
        origin=origin,
        refused="unknown-session",
        refused_at_ms=NOW,
        discard="damaged" if kind == "discarded" else None,
        generation=0,
        resolved_at_ms=at_ms,
    )


def step(expected: int | None, next_offset: int, partition: int = 0) -> Advance:
    return Advance(TOPIC, partition, expected, next_offset)


def batch(expected: int | None, next_offset: int, *events: NewEvent, **more: object) -> Batch:
    made = Batch(at_ms=NOW, advances=(step(expected, next_offset),), events=events)
    return replace(made, **more)  # type: ignore[arg-type]
