"""A log leaf as bytes: framed Avro (`schemas/contracts/audit/`), one record per kind, never encoded again.

Statements (sessions, closes, checkpoints, receipts) are kept as they were received, signatures and all,
so that `verify` and any auditor can check them from the log alone. Events are kept without what only the
desks need: no receipt number, no content, no digest of any. They are bound by their leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    ResolutionEntry,
    SessionEntry,
)
from hub.envelope.header import EventHeader
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Checkpoint, LetterResolved, Session, SessionClose, StoredReceipt
from hub.envelope.signed import Signed
from hub.envelope.times import to_ms
from hub.envelope.wire import frame_id
from schemas import codec, registry

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


def encode_event(place: Place, header: EventHeader, leaf: bytes) -> bytes:
    """Write an AuditedEvent, some 300 bytes."""
    return codec.encode(
        _NAMES[EVENT],
        {
            **_place(place),
            "session": header.session,
            "kind": header.kind.value,
            "tenant": header.tenant,
            "producer": header.producer,
            "sequence": header.sequence,
            "event_id": header.event_id,
            "leaf": leaf,
            "procedure": header.procedure,
            "produced_at": header.produced_at_ms,
            "cause_leaf": None if header.cause is None else header.cause.leaf,
        },
    )


def encode_statement(place: Place, name: str, record: bytes) -> bytes:
    """Write an AuditedStatement: a signed record as received; `name` is its short record name."""
    return codec.encode(_NAMES[STATEMENT], {**_place(place), "statement": name, "record": record})


def encode_notice(place: Place, header: EventHeader, leaf: bytes, reason: str) -> bytes:
    """Write an AuditedNotice."""
    return codec.encode(
        _NAMES[NOTICE],
        {
            **_place(place),
            "session": header.session,
            "lane": header.partition,
            "tenant": header.tenant,
            "sequence": header.sequence,
            "event_id": header.event_id,
            "leaf": leaf,
            "reason": reason,
        },
    )


def encode_refusal(place: Place, reason: str, digest: bytes) -> bytes:
    """Write an AuditedRefusal; `digest` is SHA-256 of the refused value, or zeros if it may be a plaintext."""
    return codec.encode(_NAMES[REFUSAL], {**_place(place), "reason": reason, "digest": digest})


def _place(place: Place) -> dict[str, Any]:
    return {
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "appended_at": place.appended_at_ms,
    }


def kind_of(framed: bytes) -> str:
    """Say which kind of leaf this is. Raises EnvelopeError if it is none."""
    contract = registry.by_id(frame_id(framed))
    for kind, name in _NAMES.items():
        if contract is not None and contract.name == name:
            return kind
    raise EnvelopeError(Reason.FOREIGN_SCHEMA)


@dataclass(frozen=True, slots=True)
class Statement:
    """A signed record in the log, as received."""

    place: Place
    name: str
    signed: Signed


def decode(kind: str, framed: bytes) -> tuple[Entry | None, Statement | None]:
    """Read a log leaf: what the ledger takes of it, and the signed record in it, if it is one.

    Raises CodecError or EnvelopeError if the bytes are not what this module writes, or not of that kind.
    """
    value = codec.decode(framed, {_NAMES[kind]} if kind in _NAMES else set()).value
    place = Place(value["topic"], value["partition"], value["offset"], value["appended_at"])
    if kind == EVENT:
        return _event(place, value), None
    if kind == NOTICE:
        return _notice(value), None
    if kind == REFUSAL:
        return RefusalEntry(place, value["reason"]), None
    signed = Signed.parse(value["record"])
    if signed.name != value["statement"]:
        raise EnvelopeError(Reason.MALFORMED)
    return entry_of(signed), Statement(place, signed.name, signed)


def _event(place: Place, value: dict[str, Any]) -> EventEntry:
    return EventEntry(
        place,
        value["session"],
        value["kind"],
        value["tenant"],
        value["producer"],
        value["sequence"],
        value["event_id"],
        value["leaf"],
        value["procedure"],
        value["produced_at"],
        value["cause_leaf"],
    )


def _notice(value: dict[str, Any]) -> NoticeEntry:
    return NoticeEntry(
        value["session"],
        value["lane"],
        value["tenant"],
        value["sequence"],
        value["event_id"],
        value["leaf"],
        value["reason"],
    )


def entry_of(signed: Signed) -> Entry | None:
    """Read what the ledger takes of a signed record; None if it takes nothing. Raises EnvelopeError."""
    match signed.name:
        case Session.RECORD:
            session = Session.decode(signed.body)
            return SessionEntry(
                session.id,
                session.producer,
                session.instance,
                session.topic,
                session.tenant,
                to_ms(session.created_at),
                to_ms(session.expires_at),
                session.previous,
            )
        case SessionClose.RECORD:
            close = SessionClose.decode(signed.body)
            lanes = {each.partition: (each.last_sequence, each.last_checkpoint) for each in close.partitions}
            return CloseEntry(close.session, lanes)
        case Checkpoint.RECORD:
            checkpoint = Checkpoint.decode(signed.body)
            return CheckpointEntry(
                checkpoint.session,
                checkpoint.partition,
                checkpoint.first_sequence,
                tuple((each.leaf, each.void) for each in checkpoint.entries),
                checkpoint.previous,
                checkpoint.hash,
            )
        case StoredReceipt.RECORD:
            receipt = StoredReceipt.decode(signed.body)
            entries = tuple((each.sequence, each.event_id, each.leaf) for each in receipt.entries)
            return ReceiptEntry(receipt.session, receipt.partition, entries)
        case LetterResolved.RECORD:
            said = LetterResolved.decode(signed.body)
            leaf = None if said.event is None else said.event.leaf
            return ResolutionEntry(said.key, said.kind.value, said.origin.topic, leaf, said.generation)
        case _:
            return None
