"""Dead letters: what a hop refused, kept whole, and never readable by those who may not read it.

Authentic letters (mac and all digests good) keep key and value as they were. All others may be plaintext:
their key and value are HPKE-sealed to the audience `quarantine`.

    content = framed DeadLetterContent {key, value}
    info    = L("quarantine") ‖ u32(len topic) topic ‖ u32 partition ‖ u64 offset
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from hub.crypto import audience as hpke
from hub.crypto.errors import NotOpened
from hub.crypto.labels import label
from hub.envelope.announcements import AudienceKey
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.leaf import leaf
from hub.envelope.limits import MAX_SECTIONS
from hub.envelope.reading_rules import ascending, moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.sealed import check_audience
from hub.envelope.times import to_ms

_QUARANTINE: Final = label("quarantine")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    def info(self) -> bytes:
        """Return the HPKE info that binds a quarantined content to its place."""
        name = self.topic.encode()
        place = self.partition.to_bytes(4, "big") + self.offset.to_bytes(8, "big")
        return _QUARANTINE + len(name).to_bytes(4, "big") + name + place


@dataclass(frozen=True, slots=True)
class Content:
    """A refused record's Kafka key and value as they were; shows neither."""

    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A content sealed to the operator's key of an epoch."""

    epoch: int
    key_id: bytes
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a hop refused. `content` is there if it was authentic, else `quarantine`."""

    RECORD: ClassVar[str] = "DeadLetter"

    reason: Reason
    stage: str
    place: Place
    appended_at: datetime
    written_at: datetime
    content: Content | None
    quarantine: Quarantined | None
    session: bytes | None = None
    leaf: bytes | None = None

    @property
    def authentic(self) -> bool:
        """Whether mac and all digests were good."""
        return self.content is not None

    @property
    def key(self) -> str:
        """The Kafka key on the dead-letter topic."""
        return f"{self.place.topic}/{self.place.partition}/{self.place.offset}"

    def encode(self) -> bytes:
        """Return the framed record; it is not signed, its topic has one writer."""
        content, quarantine = self.content, self.quarantine
        if (content is None) == (quarantine is None):
            raise EnvelopeError(Reason.MALFORMED)
        return encode_body(
            self.RECORD,
            {
                "reason": self.reason.value,
                "stage": self.stage,
                "topic": self.place.topic,
                "partition": self.place.partition,
                "offset": self.place.offset,
                "appended_at": to_ms(self.appended_at),
                "written_at": to_ms(self.written_at),
                "authentic": self.authentic,
                "key": None if content is None else content.key,
                "value": None if content is None else content.value,
                "quarantine": None
                if quarantine is None
                else {
                    "epoch": quarantine.epoch,
                    "key_id": quarantine.key_id,
                    "sealed": quarantine.sealed,
                },
                "session": self.session,
                "leaf": self.leaf,
            },
        )

    @classmethod
    def decode(cls, record: bytes) -> DeadLetter:
        """Read a framed record. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, record)
        sealed = value["quarantine"]
        if value["authentic"] != (sealed is None) or (
            sealed is not None and (value["key"], value["value"]) != (None, None)
        ):
            raise EnvelopeError(Reason.MALFORMED)
        reason = Reason.of(value["reason"])
        if reason is None or value["partition"] < 0 or value["offset"] < 0:
            raise EnvelopeError(Reason.MALFORMED)
        return cls(
            reason,
            value["stage"],
            Place(value["topic"], value["partition"], value["offset"]),
            moment(value["appended_at"]),
            moment(value["written_at"]),
            Content(value["key"], value["value"]) if sealed is None else None,
            None if sealed is None else Quarantined(sealed["epoch"], sealed["key_id"], sealed["sealed"]),
            value["session"],
            value["leaf"],
        )


def quarantine(place: Place, content: Content, key: AudienceKey) -> Quarantined:
    """Seal a content to the operator's key."""
    plaintext = encode_body("DeadLetterContent", {"key": content.key, "value": content.value})
    return Quarantined(key.epoch, key.key_id, hpke.seal(key.suite, key.public_key, place.info(), plaintext))


def open_quarantine(letter: DeadLetter, private: hpke.AudiencePrivateKey) -> Content:
    """Open a quarantined letter with the operator's key. Raises SECRET if it does not open."""
    if letter.quarantine is None:
        raise EnvelopeError(Reason.NOT_ADDRESSED)
    try:
        plaintext = private.open(letter.quarantine.sealed, letter.place.info())
    except NotOpened as problem:
        raise EnvelopeError(Reason.SECRET) from problem
    value = decode_body("DeadLetterContent", plaintext)
    return Content(value["key"], value["value"])


@dataclass(frozen=True, slots=True)
class DeadLetterNotice:
    """The router tells a tenant's readers that an authentic event became a dead letter."""

    RECORD: ClassVar[str] = "DeadLetterNotice"

    tenant: str
    header: bytes
    digests: tuple[tuple[str, bytes], ...]
    reason: Reason
    noticed_at: datetime

    @property
    def leaf(self) -> bytes:
        """The leaf of the event that it is about, 32 bytes."""
        return leaf(self.header, self.digests)

    @property
    def key(self) -> str:
        """The Kafka key; never the one that the event came with."""
        return f"notice/{self.leaf.hex()}"

    def encode(self) -> bytes:
        """Return the framed body, to be signed by the router, or by the desk that refused."""
        return encode_body(
            self.RECORD,
            {
                "tenant": self.tenant,
                "header": self.header,
                "digests": [{"audience": name, "digest": digest} for name, digest in self.digests],
                "reason": self.reason.value,
                "noticed_at": to_ms(self.noticed_at),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> DeadLetterNotice:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        digests = tuple((each["audience"], each["digest"]) for each in value["digests"])
        if len(digests) > MAX_SECTIONS:
            raise EnvelopeError(Reason.TOO_LARGE)
        if not ascending([name.encode() for name, _ in digests]):
            raise EnvelopeError(Reason.AUDIENCE_ORDER)
        if not all(check_audience(name) for name, _ in digests):
            raise EnvelopeError(Reason.MALFORMED)
        reason = Reason.of(value["reason"])
        if reason is None:
            raise EnvelopeError(Reason.MALFORMED)
        return cls(value["tenant"], value["header"], digests, reason, moment(value["noticed_at"]))
