"""What one batch does to the tables. Every function runs inside a transaction that `sql` opened.

Matching of stored leaves with signed checkpoints happens here, in either order: an event that comes
after its checkpoint (a dead letter that was replayed) finds the promise, a checkpoint finds the event.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from consumers.store import tables as t
from consumers.store.chunking import chunks
from consumers.store.errors import StorePositionLost
from consumers.store.model import (
    Advance,
    CheckpointSeen,
    Committed,
    Conflict,
    LogAppend,
    NewEvent,
    NoticeSeen,
    Outgoing,
    Remark,
    ResolutionSeen,
    StoreKey,
)


@dataclass(slots=True)
class Tally:
    """What this transaction did so far."""

    stored: dict[int, Counter[tuple[str, str]]] = field(default_factory=dict)
    replays: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    confirmed: Counter[tuple[str, str]] = field(default_factory=Counter)
    contradictions: int = 0
    unvoided: int = 0

    def committed(self) -> Committed:
        """Freeze it."""
        return Committed(
            self.stored,
            self.replays,
            tuple(self.conflicts),
            self.confirmed,
            self.contradictions,
            self.unvoided,
        )


def advance(db: Connection, steps: Sequence[Advance]) -> None:
    """Compare and set each place. Raises StorePositionLost if somebody else moved one."""
    for step in steps:
        if step.expected is None:
            here = select(t.position.c.next_offset).where(
                t.position.c.topic == step.topic, t.position.c.partition == step.partition
            )
            if db.execute(here).first() is not None:
                raise StorePositionLost(f"{step.topic}/{step.partition}")
            db.execute(
                insert(t.position).values(topic=step.topic, partition=step.partition, next_offset=step.next_offset)
            )
            continue
        moved = db.execute(
            update(t.position)
            .where(
                t.position.c.topic == step.topic,
                t.position.c.partition == step.partition,
                t.position.c.next_offset == step.expected,
            )
            .values(next_offset=step.next_offset)
        )
        if moved.rowcount != 1:
            raise StorePositionLost(f"{step.topic}/{step.partition}")


def add_store_keys(db: Connection, keys: Sequence[StoreKey]) -> None:
    """Add keys of new epochs; a key that is there is never replaced (rows depend on it)."""
    for key in keys:
        known = db.execute(select(t.store_key.c.sealed).where(t.store_key.c.epoch == key.epoch)).scalar()
        if known is None:
            db.execute(insert(t.store_key).values(epoch=key.epoch, key_id=key.key_id, sealed=key.sealed))
        elif known != key.sealed:
            raise StorePositionLost(f"store key of epoch {key.epoch}")


def add_events(db: Connection, events: Sequence[NewEvent], tally: Tally) -> None:
    """Add what is new, count what is not, keep both of two leaves under one id, confirm by promises."""
    if not events:
        return
    known: dict[tuple[str, str, str], dict[bytes, int]] = defaultdict(dict)
    for ids in chunks(sorted({event.event_id for event in events})):
        rows = select(t.event.c.number, t.event.c.tenant, t.event.c.producer, t.event.c.event_id, t.event.c.leaf).where(
            t.event.c.event_id.in_(ids)
        )
        for number, tenant, producer, event_id, leaf in db.execute(rows):
            known[tenant, producer, event_id][leaf] = number
    number = db.execute(select(func.coalesce(func.max(t.event.c.number), 0))).scalar_one()
    new: dict[int, NewEvent] = {}
    replayed: Counter[int] = Counter()
    conflicting: set[int] = set()
    for event in events:
        leaves = known[event.tenant, event.producer, event.event_id]
        if event.leaf in leaves:
            replayed[leaves[event.leaf]] += 1
            continue
        number += 1
        if leaves:
            tally.conflicts.append(Conflict(event.tenant, event.event_id))
            conflicting.update(leaves.values(), (number,))
        leaves[event.leaf] = number
        new[number] = event
    tally.replays += replayed.total()
    _insert_events(db, new, tally)
    for row, times in replayed.items():
        db.execute(update(t.event).where(t.event.c.number == row).values(replays=t.event.c.replays + times))
    for rows_ in chunks(sorted(conflicting)):
        db.execute(update(t.event).where(t.event.c.number.in_(rows_)).values(conflict=True))
    _confirm_by_promises(db, new, tally)


def _insert_events(db: Connection, new: dict[int, NewEvent], tally: Tally) -> None:
    if not new:
        return
    db.execute(insert(t.event), [_row(number, event) for number, event in new.items()])
    contents = [(number, event.content) for number, event in new.items() if event.content is not None]
    if contents:
        db.execute(
            insert(t.content),
            [{"event": n, "epoch": c.epoch, "ciphertext": c.ciphertext} for n, c in contents],
        )
        db.execute(insert(t.data_key), [{"event": n, "wrapped": c.wrapped_key} for n, c in contents])
    cases = [(number, event.case) for number, event in new.items() if event.case is not None]
    if cases:
        db.execute(
            insert(t.case_file),
            [
                {
                    "event": number,
                    "revision": 0,
                    "due_on": case.due_on.isoformat(),
                    "replaces": case.replaces,
                    "withdraws": case.withdraws,
                }
                for number, case in cases
            ],
        )
    for event in new.values():
        tally.stored.setdefault(event.partition, Counter())[event.tenant, event.procedure] += 1


def _row(number: int, event: NewEvent) -> dict[str, Any]:
    return {
        "number": number,
        "tenant": event.tenant,
        "producer": event.producer,
        "event_id": event.event_id,
        "leaf": event.leaf,
        "session": event.session,
        "sequence": event.sequence,
        "topic": event.topic,
        "partition": event.partition,
        "offset": event.offset,
        "kind": event.kind,
        "receipt_number": event.receipt_number,
        "procedure": event.procedure,
        "procedure_version": event.procedure_version,
        "tax_item": event.tax_item,
        "accepted_at_ms": event.accepted_at_ms,
        "produced_at_ms": event.produced_at_ms,
        "stored_at_ms": event.stored_at_ms,
        "calculation_check": event.calculation_check,
        "signature_check": event.signature_check,
        "status": event.status.value,
        "findings": event.findings,
        "cause_event_id": event.cause_event_id,
        "cause_leaf": event.cause_leaf,
    }


def _confirm_by_promises(db: Connection, new: dict[int, NewEvent], tally: Tally) -> None:
    lanes: dict[tuple[bytes, int], list[tuple[int, NewEvent]]] = defaultdict(list)
    for number, event in new.items():
        lanes[event.session, event.partition].append((number, event))
    for (session, partition), members in lanes.items():
        sequences = [event.sequence for _, event in members]
        here = (
            t.promise.c.session == session,
            t.promise.c.partition == partition,
            t.promise.c.sequence.between(min(sequences), max(sequences)),
        )
        promised = {
            sequence: (leaf, void)
            for sequence, leaf, void in db.execute(
                select(t.promise.c.sequence, t.promise.c.leaf, t.promise.c.void).where(*here)
            )
        }
        if not promised:
            continue
        kept = []
        for number, event in members:
            leaf, void = promised.get(event.sequence, (None, False))
            if leaf is None:
                continue
            if leaf != event.leaf:
                tally.contradictions += 1
                continue
            tally.unvoided += void
            kept.append((number, event))
            tally.confirmed[event.tenant, event.procedure] += 1
        _confirm(db, [(number, event.stored_at_ms) for number, event in kept])
        for some in chunks([event.sequence for _, event in kept]):
            db.execute(
                delete(t.promise).where(
                    t.promise.c.session == session,
                    t.promise.c.partition == partition,
                    t.promise.c.sequence.in_(some),
                )
            )


def _confirm(db: Connection, rows: Sequence[tuple[int, int]]) -> None:
    if not rows:
        return
    db.execute(
        update(t.event).where(t.event.c.number == bindparam("row")).values(confirmed_at_ms=bindparam("at")),
        [{"row": number, "at": at} for number, at in rows],
    )


def add_checkpoint(db: Connection, seen: CheckpointSeen, tally: Tally) -> None:
    """Confirm the stored leaves of a checkpoint; remember the others as promises."""
    if not seen.entries:
        return
    last = seen.first_sequence + len(seen.entries) - 1
    stored: dict[int, dict[bytes, tuple[int, int | None, str]]] = defaultdict(dict)
    for number, sequence, leaf, confirmed, procedure in db.execute(
        select(
            t.event.c.number, t.event.c.sequence, t.event.c.leaf, t.event.c.confirmed_at_ms, t.event.c.procedure
        ).where(
            t.event.c.session == seen.session,
            t.event.c.partition == seen.partition,
            t.event.c.sequence.between(seen.first_sequence, last),
        )
    ):
        stored[sequence][leaf] = (number, confirmed, procedure)
    promised: dict[int, bytes] = {
        row.sequence: row.leaf
        for row in db.execute(
            select(t.promise.c.sequence, t.promise.c.leaf).where(
                t.promise.c.session == seen.session,
                t.promise.c.partition == seen.partition,
                t.promise.c.sequence.between(seen.first_sequence, last),
            )
        )
    }
    confirm: list[tuple[int, int]] = []
    promise: list[dict[str, Any]] = []
    for sequence, (leaf, void) in enumerate(seen.entries, seen.first_sequence):
        match = stored[sequence].get(leaf) if sequence in stored else None
        if match is not None:
            number, confirmed_at, procedure = match
            if confirmed_at is None:
                tally.confirmed[seen.tenant, procedure] += 1
                confirm.append((number, seen.seen_at_ms))
                tally.unvoided += void
            continue
        if sequence in stored or promised.get(sequence, leaf) != leaf:
            tally.contradictions += 1
        if sequence not in promised:
            promise.append(
                {
                    "session": seen.session,
                    "partition": seen.partition,
                    "sequence": sequence,
                    "tenant": seen.tenant,
                    "leaf": leaf,
                    "void": void,
                    "at_ms": seen.seen_at_ms,
                }
            )
    _confirm(db, confirm)
    if promise:
        db.execute(insert(t.promise), promise)


def add_notice(db: Connection, seen: NoticeSeen) -> None:
    """Remember why a leaf is missing; the same notice again changes nothing."""
    if db.execute(select(t.notice.c.leaf).where(t.notice.c.leaf == seen.leaf)).first() is not None:
        return
    db.execute(
        insert(t.notice).values(
            leaf=seen.leaf,
            session=seen.session,
            partition=seen.partition,
            sequence=seen.sequence,
            tenant=seen.tenant,
            event_id=seen.event_id,
            receipt_number=seen.receipt_number,
            reason=seen.reason,
            at_ms=seen.seen_at_ms,
        )
    )


def add_resolution(db: Connection, seen: ResolutionSeen) -> None:
    """Keep the operator's word on a letter; the same word again changes nothing."""
    table = t.resolution.c
    known = select(table.letter).where(
        table.letter == seen.letter, table.kind == seen.kind, table.resolved_at_ms == seen.resolved_at_ms
    )
    if db.execute(known).first() is None:
        db.execute(insert(t.resolution).values(**asdict(seen)))


def add_remarks(db: Connection, remarks: Sequence[Remark]) -> None:
    """Add what is not remarked yet."""
    known: set[tuple[bytes, str, str]] = set()
    for leaves in chunks(sorted({remark.leaf for remark in remarks})):
        rows = select(t.remark.c.leaf, t.remark.c.what, t.remark.c.detail).where(t.remark.c.leaf.in_(leaves))
        known.update((row.leaf, row.what, row.detail) for row in db.execute(rows))
    new = []
    for remark in remarks:
        if (remark.leaf, remark.what, remark.detail) not in known:
            known.add((remark.leaf, remark.what, remark.detail))
            new.append({"leaf": remark.leaf, "what": remark.what, "detail": remark.detail, "at_ms": remark.at_ms})
    if new:
        db.execute(insert(t.remark), new)


def add_outgoing(db: Connection, outgoing: Sequence[Outgoing]) -> None:
    """Add what is to be sent."""
    if outgoing:
        db.execute(
            insert(t.outbox),
            [
                {
                    "topic": o.topic,
                    "partition": o.partition,
                    "key": o.key,
                    "value": o.value,
                    "kind": o.kind,
                    "speaks_of": o.count,
                }
                for o in outgoing
            ],
        )


def append_log(db: Connection, step: LogAppend) -> None:
    """Append entries at the end and nowhere else; keep the signed head and the frontier."""
    size = db.execute(select(func.coalesce(func.max(t.log.c.number) + 1, 0))).scalar_one()
    if size != step.expected_size:
        raise StorePositionLost("log")
    if not step.entries:
        return
    db.execute(
        insert(t.log),
        [{"number": number, "kind": kind, "entry": entry} for number, (kind, entry) in enumerate(step.entries, size)],
    )
    grown = size + len(step.entries)
    db.execute(insert(t.tree_head).values(size=grown, root=step.root, head=step.head))
    db.execute(delete(t.frontier))
    db.execute(insert(t.frontier).values(only=0, size=grown, root=step.root, state=step.frontier, head=step.head))
