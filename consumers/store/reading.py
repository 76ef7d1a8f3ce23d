"""Queries of the SQL store: rows to frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, exists, func, or_, select

from consumers.store import tables as t
from consumers.store.chunking import chunks
from consumers.store.model import (
    Content,
    HistoryEntry,
    LogHead,
    NewEvent,
    NoticeSeen,
    OutboxRow,
    Outgoing,
    Overdue,
    ResolutionSeen,
    Status,
    StoredEvent,
    StoreKey,
)
from hub.envelope.records import Resolution


def waiting(db: Connection, max_rows: int, max_bytes: int) -> list[OutboxRow]:
    """Read the oldest outbox rows up to a number and a size, at least one."""
    found: list[OutboxRow] = []
    size = 0
    rows = db.execute(select(t.outbox).order_by(t.outbox.c.number).limit(max_rows))
    for row in rows:
        size += len(row.value)
        if found and size > max_bytes:
            break
        outgoing = Outgoing(row.topic, row.partition, row.key, row.value, row.kind, row.speaks_of)
        found.append(OutboxRow(row.number, outgoing))
    rows.close()
    return found


def store_key(db: Connection, epoch: int) -> StoreKey | None:
    """Read the sealed key of an epoch."""
    row = db.execute(select(t.store_key).where(t.store_key.c.epoch == epoch)).first()
    return None if row is None else StoreKey(row.epoch, row.key_id, row.sealed)


def overdue(db: Connection, before_ms: int) -> Overdue:
    """Count what waits for its other half since before a time."""
    unconfirmed = select(func.count()).where(t.event.c.confirmed_at_ms.is_(None), t.event.c.stored_at_ms < before_ms)
    own = func.replace(t.owner.c.name, "/", ".dead-letters.")
    own_letters = [select(own + end).scalar_subquery() for end in ("/", ".g")]  # of the first generation, and of others
    origin = t.resolution.c.origin
    here = or_(
        *(t.resolution.c.letter.startswith(each) for each in own_letters),
        origin.endswith(".submissions"),
        origin.contains(".submissions.g"),
    )
    discarded = exists().where(
        t.resolution.c.leaf == t.promise.c.leaf, t.resolution.c.kind == Resolution.DISCARDED.value, here
    )
    awaited = (
        select(func.count())
        .select_from(t.promise.outerjoin(t.notice, t.promise.c.leaf == t.notice.c.leaf))
        .where(t.promise.c.void.is_(False), t.promise.c.at_ms < before_ms)
    )
    explained = t.notice.c.leaf.is_not(None) | discarded
    return Overdue(
        db.execute(unconfirmed).scalar_one(),
        db.execute(awaited.where(~explained)).scalar_one(),
        db.execute(awaited.where(explained)).scalar_one(),
        db.execute(select(func.min(t.event.c.stored_at_ms)).where(t.event.c.confirmed_at_ms.is_(None))).scalar_one(),
    )


def counts(db: Connection) -> dict[str, int]:
    """Read the totals."""
    row = db.execute(
        select(
            func.count(),
            func.coalesce(func.sum(t.event.c.replays), 0),
            func.count(t.event.c.confirmed_at_ms),
        ).select_from(t.event)
    ).one()
    conflicts = db.execute(select(func.count()).where(t.event.c.conflict.is_(True)).select_from(t.event)).scalar_one()
    notices = db.execute(select(func.count()).select_from(t.notice)).scalar_one()
    return {
        "events": row[0],
        "replays": row[1],
        "confirmed": row[2],
        "conflicts": conflicts,
        "notices": notices,
    }


def events(
    db: Connection, receipt_number: str | None, event_id: str | None, after: int, limit: int
) -> list[StoredEvent]:
    """Read rows in order of their numbers."""
    query = select(t.event).where(t.event.c.number > after).order_by(t.event.c.number).limit(limit)
    if receipt_number is not None:
        query = query.where(t.event.c.receipt_number == receipt_number)
    if event_id is not None:
        query = query.where(t.event.c.event_id == event_id)
    return [stored_event(row) for row in db.execute(query)]


def stored_event(row: Row[Any]) -> StoredEvent:
    """Return an event row as a value."""
    event = NewEvent(
        tenant=row.tenant,
        producer=row.producer,
        event_id=row.event_id,
        leaf=row.leaf,
        session=row.session,
        sequence=row.sequence,
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        kind=row.kind,
        receipt_number=row.receipt_number,
        procedure=row.procedure,
        procedure_version=row.procedure_version,
        tax_item=row.tax_item,
        accepted_at_ms=row.accepted_at_ms,
        produced_at_ms=row.produced_at_ms,
        stored_at_ms=row.stored_at_ms,
        calculation_check=row.calculation_check,
        signature_check=row.signature_check,
        status=Status(row.status),
        findings=row.findings,
        cause_event_id=row.cause_event_id,
        cause_leaf=row.cause_leaf,
    )
    return StoredEvent(row.number, event, row.confirmed_at_ms, row.replays, row.conflict)


def unknown(db: Connection, wanted: Sequence[tuple[str, bytes]]) -> int:
    """Count (event id, leaf) that no row has."""
    left = set(wanted)
    for some in chunks(sorted({event_id for event_id, _ in left})):
        rows = select(t.event.c.event_id, t.event.c.leaf).where(t.event.c.event_id.in_(some))
        left.difference_update((row.event_id, row.leaf) for row in db.execute(rows))
    return len(left)


def repeated(db: Connection, receipt_numbers: Sequence[str]) -> frozenset[str]:
    """Read which receipt numbers have more than one submission."""
    found: set[str] = set()
    for some in chunks(receipt_numbers):
        query = (
            select(t.event.c.receipt_number)
            .where(t.event.c.receipt_number.in_(some), t.event.c.kind == "submission")
            .group_by(t.event.c.receipt_number)
            .having(func.count() > 1)
        )
        found.update(db.execute(query).scalars())
    return frozenset(found)


def content(db: Connection, number: int) -> Content | None:
    """Read the sealed content of a row; both halves must be there."""
    row = db.execute(
        select(t.content.c.epoch, t.content.c.ciphertext, t.data_key.c.wrapped)
        .join_from(t.content, t.data_key, t.content.c.event == t.data_key.c.event)
        .where(t.content.c.event == number)
    ).first()
    return None if row is None else Content(row.epoch, row.ciphertext, row.wrapped)


def history(db: Connection, number: int) -> list[HistoryEntry]:
    """Read what happened to a row: its own two times, then what was entered later."""
    row = db.execute(
        select(t.event.c.stored_at_ms, t.event.c.confirmed_at_ms, t.event.c.leaf).where(t.event.c.number == number)
    ).first()
    if row is None:
        return []
    found = [HistoryEntry(row.stored_at_ms, "stored")]
    if row.confirmed_at_ms is not None:
        found.append(HistoryEntry(row.confirmed_at_ms, "confirmed"))
    later = select(t.remark).where(t.remark.c.leaf == row.leaf).order_by(t.remark.c.number)
    found.extend(HistoryEntry(entry.at_ms, entry.what, entry.detail) for entry in db.execute(later))
    return sorted(found, key=lambda entry: entry.at_ms)


def notices(db: Connection, receipt_number: str | None, limit: int) -> list[NoticeSeen]:
    """Read dead-letter notices, oldest first."""
    query = select(t.notice).order_by(t.notice.c.at_ms, t.notice.c.leaf).limit(limit)
    if receipt_number is not None:
        query = query.where(t.notice.c.receipt_number == receipt_number)
    return [
        NoticeSeen(
            session=row.session,
            partition=row.partition,
            sequence=row.sequence,
            tenant=row.tenant,
            event_id=row.event_id,
            leaf=row.leaf,
            receipt_number=row.receipt_number,
            reason=row.reason,
            seen_at_ms=row.at_ms,
        )
        for row in db.execute(query)
    ]


def resolutions(db: Connection, receipt: bytes | None, discarded: bool) -> list[ResolutionSeen]:
    """Read what the operator did with letters, oldest first."""
    query = select(t.resolution).order_by(t.resolution.c.resolved_at_ms, t.resolution.c.letter)
    if receipt is not None:
        query = query.where(t.resolution.c.receipt == receipt)
    found = [ResolutionSeen(**row._asdict()) for row in db.execute(query)]
    if not discarded:
        return found
    last = {each.letter: each for each in found}
    return [each for each in last.values() if each.kind == Resolution.DISCARDED]


def log_head(db: Connection) -> LogHead | None:
    """Read the cached right edge of the log."""
    row = db.execute(select(t.frontier)).first()
    return None if row is None else LogHead(row.size, row.root, row.state, row.head)


def log_page(db: Connection, start: int, kinds: Sequence[str] | None, limit: int) -> list[tuple[int, str, bytes]]:
    """Read log rows in order."""
    query = select(t.log).where(t.log.c.number >= start).order_by(t.log.c.number).limit(limit)
    if kinds is not None:
        query = query.where(t.log.c.kind.in_(kinds))
    return [(row.number, row.kind, row.entry) for row in db.execute(query)]


def tree_head_page(db: Connection, after: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """Read signed heads in order of their sizes."""
    query = select(t.tree_head).where(t.tree_head.c.size > after).order_by(t.tree_head.c.size).limit(limit)
    return [(row.size, row.root, row.head) for row in db.execute(query)]
