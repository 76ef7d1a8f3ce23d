"""What a proof says, for people: what is shown, by whom it is signed, and what it does not show."""

from __future__ import annotations

from typing import Any

from consumers.audit.checking import Proved
from consumers.audit.entries import (
    CheckpointEntry,
    CloseEntry,
    EventEntry,
    NoticeEntry,
    ReceiptEntry,
    RefusalEntry,
    ResolutionEntry,
    SessionEntry,
)
from hub.envelope.times import from_ms, in_japan


def _moment(ms: int) -> str:
    return in_japan(from_ms(ms)).isoformat(timespec="milliseconds")


def meaning(found: Proved) -> dict[str, Any]:
    """The entry as an object for `--json`."""
    match found.meaning:
        case EventEntry() as event:
            return {
                "event_id": event.event_id,
                "leaf": event.leaf.hex(),
                "kind": event.kind,
                "tenant": event.tenant,
                "producer": event.producer,
                "procedure": event.procedure,
                "session": event.session.hex(),
                "partition": event.place.partition,
                "sequence": event.sequence,
                "produced_at": _moment(event.produced_at_ms),
                "cause_leaf": None if event.cause_leaf is None else event.cause_leaf.hex(),
            }
        case ReceiptEntry() as stored:
            return {
                "session": stored.session.hex(),
                "partition": stored.partition,
                "events": [{"event_id": event_id, "leaf": leaf.hex()} for _, event_id, leaf in stored.entries],
            }
        case CheckpointEntry() as listed:
            return {
                "session": listed.session.hex(),
                "partition": listed.partition,
                "first_sequence": listed.first_sequence,
                "entries": len(listed.entries),
            }
        case SessionEntry() as session:
            return {"session": session.session.hex(), "producer": session.producer, "tenant": session.tenant}
        case CloseEntry() as close:
            return {"session": close.session.hex(), "partitions": sorted(close.lanes)}
        case NoticeEntry() as notice:
            return {"event_id": notice.event_id, "leaf": notice.leaf.hex(), "reason": notice.reason}
        case ResolutionEntry() as resolution:
            leaf = None if resolution.leaf is None else resolution.leaf.hex()
            return {"letter": resolution.letter, "kind": resolution.kind, "origin": resolution.origin, "leaf": leaf}
        case RefusalEntry() as refusal:
            return {"topic": refusal.place.topic, "offset": refusal.place.offset, "reason": refusal.reason}
        case None:
            return {}


def words(found: Proved) -> list[str]:
    """The proof in plain words, a line each."""
    lines = [
        f"Proved: entry {found.index} of the log {found.origin}, which had {found.size} entries.",
        f"  tree hash {found.root.hex()}, signed by the log's key {found.key_id.hex()}",
        *(f"  cosigned by {each.name} at {in_japan(each.at).isoformat()}" for each in found.cosigned),
        *_entry(found),
    ]
    if found.header is not None:
        header = found.header
        lines += [
            f"Its header, opened: receipt number {header.receipt_number}, accepted by the portal at"
            f" {_moment(header.accepted_at_ms)}."
        ]
    if found.receipt is not None:
        receipt, header = found.receipt, found.receipt.header
        lines += [
            f"The delivery receipt's record is the one in the log: {receipt.receipt.desk} stored the event",
            f"  {header.event_id} and signed that at"
            f" {in_japan(receipt.receipt.stored_at).isoformat(timespec='milliseconds')}.",
            f"The event's header in the receipt: receipt number {header.receipt_number}, procedure {header.procedure},",
            f"  accepted by the portal at {_moment(header.accepted_at_ms)}.",
        ]
    if not found.cosigned:
        lines.append("Not shown: that others saw the same log. --witness-key demands a witness's cosignature.")
    return lines


def _entry(found: Proved) -> list[str]:
    match found.meaning:
        case EventEntry() as event:
            return [
                f"The entry: the {event.kind} {event.event_id} of procedure {event.procedure}, tenant {event.tenant},",
                f"  sealed by {event.producer} at {_moment(event.produced_at_ms)} as number {event.sequence} of its"
                f" session {event.session.hex()[:16]}, partition {event.place.partition};",
                f"  its sealed bytes have the leaf {event.leaf.hex()}.",
            ]
        case ReceiptEntry() as stored:
            return [f"The entry: a signed receipt of the review desk for {len(stored.entries)} stored events."]
        case CheckpointEntry() as listed:
            return [f"The entry: a producer's signed list of {len(listed.entries)} leaves."]
        case SessionEntry() as session:
            return [f"The entry: {session.producer} announced the session {session.session.hex()}."]
        case CloseEntry() as close:
            return [f"The entry: the session {close.session.hex()} was closed."]
        case NoticeEntry() as notice:
            return [f"The entry: the event {notice.event_id} became a dead letter ({notice.reason})."]
        case ResolutionEntry() as resolution:
            return [f"The entry: the operator's word that the letter {resolution.letter} was {resolution.kind}."]
        case RefusalEntry() as refusal:
            return [f"The entry: a record of {refusal.place.topic} was refused ({refusal.reason})."]
        case None:
            return ["The entry: a signed statement."]
