"""What the operator did with a dead letter: sent its record back, or discarded it for a stated reason.

Two records, both signed by the operator. A `LetterResolved` goes to the audit desks, whose log is published: it
names the letter and the refused record by their places and the event by id and leaf. Who decided, in which words,
and what could be guessed from a digest (a receipt number can) stands in a `LetterConfided`, of which the former
has only a salted digest. The operator and the desks of the tenant get both, in a `LetterTold`.

    told     = framed LetterTold {resolved: framed LetterResolved, confided: framed LetterConfided}
    confided = SHA-256(L("confided") ‖ framed LetterConfided)      (it begins with 32 random bytes)
    digest   = SHA-256(refused value)
    receipt  = SHA-256(L("receipt") ‖ UTF-8 receipt number)[:16]

`replayed_to` is the offset that the record was given when it was sent back: a letter about just that offset
is the same letter come back, which makes generations a matter of places and not of guessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest
from typing import Any, ClassVar, Final

from hub.crypto.hkdf import sha256
from hub.crypto.labels import label
from hub.crypto.random import Randomness, system_random
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.event_ids import is_event_id
from hub.envelope.letters import Place
from hub.envelope.limits import MAX_NAME_BYTES, MAX_NOTE_CHARACTERS, MAX_TOPIC_BYTES
from hub.envelope.names import is_tenant
from hub.envelope.reading_rules import moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.times import to_ms

_RECEIPT: Final = label("receipt")
_CONFIDED: Final = label("confided")
FINGERPRINT_BYTES: Final = 16
SALT_BYTES: Final = 32


class Resolution(StrEnum):
    """What was done."""

    REPLAYED = "replayed"
    DISCARDED = "discarded"


def receipt_fingerprint(receipt_number: str) -> bytes:
    """Return the 16 bytes by which a receipt number is recognised; whoever can guess the number can make them too."""
    return sha256(_RECEIPT + receipt_number.encode())[:FINGERPRINT_BYTES]


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """What a refused record says it is, if it is an event at all."""

    event_id: str
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Discard:
    """Why a letter is not wanted any more: a declared code, and a sentence that names nobody."""

    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Confided:
    """What only the operator and the tenant's desks get to know; `digest` is of the refused value."""

    RECORD: ClassVar[str] = "LetterConfided"

    salt: bytes
    digest: bytes
    receipt: bytes | None
    """fingerprint of the receipt number"""
    actor: str
    note: str | None

    @classmethod
    def fresh(
        cls, digest: bytes, receipt: bytes | None, actor: str, note: str | None, random: Randomness = system_random
    ) -> Confided:
        """Confide something under a new salt."""
        return cls(random(SALT_BYTES), digest, receipt, actor, note)

    @property
    def commitment(self) -> bytes:
        """SHA-256(L("confided") ‖ framed record), 32 bytes. Raises MALFORMED."""
        return sha256(_CONFIDED + self.encode())

    def encode(self) -> bytes:
        """Return the framed record. Raises MALFORMED."""
        self._check()
        return encode_body(
            self.RECORD,
            {
                "salt": self.salt,
                "digest": self.digest,
                "receipt": self.receipt,
                "actor": self.actor,
                "note": self.note,
            },
        )

    @classmethod
    def decode(cls, record: bytes) -> Confided:
        """Read a framed record. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, record)
        made = cls(value["salt"], value["digest"], value["receipt"], value["actor"], value["note"])
        made._check()
        return made

    def _check(self) -> None:
        note = self.note
        good = 0 < len(self.actor.encode()) <= MAX_NAME_BYTES and (
            note is None or (0 < len(note) <= MAX_NOTE_CHARACTERS and note.isprintable())
        )
        if not good:
            raise EnvelopeError(Reason.MALFORMED)


@dataclass(frozen=True, slots=True)
class LetterResolved:
    """A letter's end: `reason` is there if it was discarded, else `replayed_to`."""

    RECORD: ClassVar[str] = "LetterResolved"
    TOLD: ClassVar[str] = "LetterTold"

    letter: Place
    origin: Place
    refused: Reason
    refused_at: datetime
    tenant: str | None
    event: RefusedEvent | None
    reason: str | None
    replayed_to: int | None
    generation: int
    former: Place | None
    confided: Confided | bytes
    """what was confided or, to whom it was not, its 32-byte digest"""
    resolved_at: datetime

    @property
    def kind(self) -> Resolution:
        """What was done."""
        return Resolution.REPLAYED if self.reason is None else Resolution.DISCARDED

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

    @property
    def opened(self) -> Confided | None:
        """What was confided, to whom it was."""
        return self.confided if isinstance(self.confided, Confided) else None

    @property
    def withheld(self) -> LetterResolved:
        """What the audit desks get: the digest instead of what was confided."""
        return replace(self, confided=self.commitment)

    @property
    def commitment(self) -> bytes:
        """The digest of what was confided. Raises MALFORMED."""
        return self.confided.commitment if isinstance(self.confided, Confided) else self.confided

    def encode(self) -> bytes:
        """Return the framed body for the audit desks, to be signed by the operator. Raises MALFORMED."""
        _check(self)
        event, former = self.event, self.former
        return encode_body(
            self.RECORD,
            {
                "letter": _place(self.letter),
                "origin": _place(self.origin),
                "refused": self.refused.value,
                "refused_at": to_ms(self.refused_at),
                "tenant": self.tenant,
                "event": None if event is None else {"event_id": event.event_id, "leaf": event.leaf},
                "kind": self.kind.value,
                "reason": self.reason,
                "replayed_to": self.replayed_to,
                "generation": self.generation,
                "former": None if former is None else _place(former),
                "confided": self.commitment,
                "resolved_at": to_ms(self.resolved_at),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> LetterResolved:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        event, former = value["event"], value["former"]
        refused = Reason.of(value["refused"])
        if refused is None:
            raise EnvelopeError(Reason.MALFORMED)
        made = cls(
            letter=_read_place(value["letter"]),
            origin=_read_place(value["origin"]),
            refused=refused,
            refused_at=moment(value["refused_at"]),
            tenant=value["tenant"],
            event=None if event is None else RefusedEvent(event["event_id"], event["leaf"]),
            reason=value["reason"],
            replayed_to=value["replayed_to"],
            generation=value["generation"],
            former=None if former is None else _read_place(former),
            confided=value["confided"],
            resolved_at=moment(value["resolved_at"]),
        )
        if value["kind"] != made.kind.value:
            raise EnvelopeError(Reason.MALFORMED)
        _check(made)
        return made

    def tell(self) -> bytes:
        """Return the framed body for the operator and the tenant's desks, to be signed. Raises MALFORMED."""
        if not isinstance(self.confided, Confided):
            raise EnvelopeError(Reason.MALFORMED)
        return encode_body(self.TOLD, {"resolved": self.encode(), "confided": self.confided.encode()})

    @classmethod
    def hear(cls, body: bytes) -> LetterResolved:
        """Read what `tell` wrote. Raises EnvelopeError; MALFORMED if its two parts do not belong together."""
        value = decode_body(cls.TOLD, body)
        said, confided = cls.decode(value["resolved"]), Confided.decode(value["confided"])
        if not isinstance(said.confided, bytes) or not compare_digest(said.confided, confided.commitment):
            raise EnvelopeError(Reason.MALFORMED)
        made = replace(said, confided=confided)
        _check(made)
        return made


def _place(place: Place) -> dict[str, Any]:
    return {"topic": place.topic, "partition": place.partition, "offset": place.offset}


def _read_place(value: Mapping[str, Any]) -> Place:
    return Place(value["topic"], value["partition"], value["offset"])


def _check(said: LetterResolved) -> None:
    """Raise MALFORMED unless the parts agree with each other."""
    places = [said.letter, said.origin, *([] if said.former is None else [said.former])]
    event, opened = said.event, said.opened
    good = (
        all(_is_place(place) for place in places)
        and (said.reason is None) == (said.replayed_to is not None)
        and (said.replayed_to is None or said.replayed_to >= 0)
        and said.generation >= 0
        and (said.former is None) == (said.generation == 0)
        and (said.tenant is None or is_tenant(said.tenant))
        and (event is None or is_event_id(event.event_id))
        and (said.reason is None or 0 < len(said.reason.encode()) <= MAX_NAME_BYTES)
        and (opened is None or (opened.note is None, opened.receipt is None) == (said.reason is None, event is None))
    )
    if not good:
        raise EnvelopeError(Reason.MALFORMED)


def _is_place(place: Place) -> bool:
    return 0 < len(place.topic.encode()) <= MAX_TOPIC_BYTES and place.partition >= 0 and place.offset >= 0
