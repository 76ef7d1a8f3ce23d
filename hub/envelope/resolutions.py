"""What the operator did with a dead letter: sent its record back, or discarded it for a stated reason.

A `LetterResolved` is signed by the operator. It names the letter and the refused record by their places, and
what the record says of itself by ids and hashes only:

    digest  = SHA-256(refused value)            (the same as in an audit desk's refusal)
    receipt = SHA-256(L("receipt") ‖ UTF-8 receipt number)[:16]

`replayed_to` is the offset that the record was given when it was sent back: a letter about just that offset
is the same letter come back, which makes generations a matter of places and not of guessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

from hub.crypto.hkdf import sha256
from hub.crypto.labels import label
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.event_ids import is_event_id
from hub.envelope.letters import Place
from hub.envelope.limits import MAX_NAME_BYTES, MAX_NOTE_CHARACTERS, MAX_TOPIC_BYTES
from hub.envelope.names import is_tenant
from hub.envelope.reading_rules import moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.times import to_ms

_RECEIPT: Final = label("receipt")
FINGERPRINT_BYTES: Final = 16


class Resolution(StrEnum):
    """What was done."""

    REPLAYED = "replayed"
    DISCARDED = "discarded"


def receipt_fingerprint(receipt_number: str) -> bytes:
    """Return the 16 bytes by which a receipt number is recognised by who knows it already."""
    return sha256(_RECEIPT + receipt_number.encode())[:FINGERPRINT_BYTES]


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """What a refused record says it is, if it is an event at all."""

    event_id: str
    leaf: bytes
    receipt: bytes
    """fingerprint of the receipt number"""


@dataclass(frozen=True, slots=True)
class Discard:
    """Why a letter is not wanted any more: a declared code, and a sentence that names nobody."""

    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class LetterResolved:
    """A letter's end: `discard` is there if it was discarded, else `replayed_to`."""

    RECORD: ClassVar[str] = "LetterResolved"

    letter: Place
    origin: Place
    refused: Reason
    refused_at: datetime
    digest: bytes
    tenant: str | None
    event: RefusedEvent | None
    discard: Discard | None
    replayed_to: int | None
    generation: int
    former: Place | None
    actor: str
    resolved_at: datetime

    @property
    def kind(self) -> Resolution:
        """What was done."""
        return Resolution.REPLAYED if self.discard is None else Resolution.DISCARDED

    @property
    def key(self) -> str:
        """The Kafka key."""
        return f"resolved/{self.letter.topic}/{self.letter.partition}/{self.letter.offset}"

    @property
    def returned_at(self) -> Place | None:
        """Where the replayed record lies now; None if it was discarded."""
        if self.replayed_to is None:
            return None
        return Place(self.origin.topic, self.origin.partition, self.replayed_to)

    def encode(self) -> bytes:
        """Return the framed body, to be signed by the operator. Raises MALFORMED."""
        _check(self)
        event, discard, former = self.event, self.discard, self.former
        return encode_body(
            self.RECORD,
            {
                "letter": _place(self.letter),
                "origin": _place(self.origin),
                "refused": self.refused.value,
                "refused_at": to_ms(self.refused_at),
                "digest": self.digest,
                "tenant": self.tenant,
                "event": None
                if event is None
                else {"event_id": event.event_id, "leaf": event.leaf, "receipt": event.receipt},
                "kind": self.kind.value,
                "discard": None if discard is None else {"reason": discard.reason, "note": discard.note},
                "replayed_to": self.replayed_to,
                "generation": self.generation,
                "former": None if former is None else _place(former),
                "actor": self.actor,
                "resolved_at": to_ms(self.resolved_at),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> LetterResolved:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        event, discard, former = value["event"], value["discard"], value["former"]
        refused = Reason.of(value["refused"])
        if refused is None:
            raise EnvelopeError(Reason.MALFORMED)
        made = cls(
            letter=_read_place(value["letter"]),
            origin=_read_place(value["origin"]),
            refused=refused,
            refused_at=moment(value["refused_at"]),
            digest=value["digest"],
            tenant=value["tenant"],
            event=None if event is None else RefusedEvent(event["event_id"], event["leaf"], event["receipt"]),
            discard=None if discard is None else Discard(discard["reason"], discard["note"]),
            replayed_to=value["replayed_to"],
            generation=value["generation"],
            former=None if former is None else _read_place(former),
            actor=value["actor"],
            resolved_at=moment(value["resolved_at"]),
        )
        if value["kind"] != made.kind.value:
            raise EnvelopeError(Reason.MALFORMED)
        _check(made)
        return made


def _place(place: Place) -> dict[str, Any]:
    return {"topic": place.topic, "partition": place.partition, "offset": place.offset}


def _read_place(value: Mapping[str, Any]) -> Place:
    return Place(value["topic"], value["partition"], value["offset"])


def _check(said: LetterResolved) -> None:
    """Raise MALFORMED unless the parts agree with each other."""
    places = [said.letter, said.origin, *([] if said.former is None else [said.former])]
    event, discard = said.event, said.discard
    good = (
        all(_is_place(place) for place in places)
        and (discard is None) == (said.replayed_to is not None)
        and (said.replayed_to is None or said.replayed_to >= 0)
        and said.generation >= 0
        and (said.former is None) == (said.generation == 0)
        and (said.tenant is None or is_tenant(said.tenant))
        and (event is None or is_event_id(event.event_id))
        and (discard is None or _is_discard(discard))
        and 0 < len(said.actor.encode()) <= MAX_NAME_BYTES
    )
    if not good:
        raise EnvelopeError(Reason.MALFORMED)


def _is_place(place: Place) -> bool:
    return 0 < len(place.topic.encode()) <= MAX_TOPIC_BYTES and place.partition >= 0 and place.offset >= 0


def _is_discard(discard: Discard) -> bool:
    return (
        0 < len(discard.reason.encode()) <= MAX_NAME_BYTES
        and 0 < len(discard.note) <= MAX_NOTE_CHARACTERS
        and discard.note.isprintable()
    )
