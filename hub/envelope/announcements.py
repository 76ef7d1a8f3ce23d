"""What is announced before events flow: audience keys, sessions, and the end of a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from hub.crypto.audience import Suite
from hub.crypto.hkdf import sha256
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.limits import MAX_PARTITIONS, MAX_SESSION_AUDIENCES
from hub.envelope.names import Kind, kind_of_topic
from hub.envelope.reading_rules import ascending, moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.times import to_ms


@dataclass(frozen=True, slots=True)
class AudienceKey:
    """The key to seal to an audience during an epoch. Kafka key: audience/epoch/key id."""

    RECORD: ClassVar[str] = "AudienceKey"

    audience: str
    epoch: int
    key_id: bytes
    suite: Suite
    public_key: bytes
    not_before: datetime
    not_after: datetime
    """exclusive"""

    @property
    def key(self) -> str:
        """The Kafka key on `<ns>.audiences`."""
        return f"{self.audience}/{self.epoch}/{self.key_id.hex()}"

    def encode(self) -> bytes:
        """Return the framed body, to be signed by the audience's owner and the administrator."""
        return encode_body(
            self.RECORD,
            {
                "audience": self.audience,
                "epoch": self.epoch,
                "key_id": self.key_id,
                "suite": self.suite.value,
                "public_key": self.public_key,
                "not_before": to_ms(self.not_before),
                "not_after": to_ms(self.not_after),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> AudienceKey:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        return cls(
            value["audience"],
            value["epoch"],
            value["key_id"],
            Suite(value["suite"]),
            value["public_key"],
            moment(value["not_before"]),
            moment(value["not_after"]),
        )


@dataclass(frozen=True, slots=True)
class SessionAudience:
    """One audience's secret of a session, sealed to its key of an epoch."""

    audience: str
    epoch: int
    commitment: bytes
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """One producer instance's run of at most 24 hours for one topic and tenant. Kafka key: its id in hex."""

    RECORD: ClassVar[str] = "Session"

    salt: bytes
    producer: str
    instance: str
    topic: str
    tenant: str
    created_at: datetime
    expires_at: datetime
    """exclusive"""
    previous: bytes | None
    audiences: tuple[SessionAudience, ...]
    id: bytes = b""
    """SHA-256 of the body; set by `decode`"""

    @property
    def key(self) -> str:
        """The Kafka key on the sessions topic."""
        return self.id.hex()

    @property
    def kind(self) -> Kind | None:
        """What its events are; None if its topic takes no events."""
        return kind_of_topic(self.topic)

    def audience(self, name: str) -> SessionAudience | None:
        """Return what is sealed for an audience; None if nothing is."""
        for audience in self.audiences:
            if audience.audience == name:
                return audience
        return None

    def encode(self) -> bytes:
        """Return the framed body; audiences must be in ascending order."""
        return encode_body(
            self.RECORD,
            {
                "salt": self.salt,
                "producer": self.producer,
                "instance": self.instance,
                "topic": self.topic,
                "tenant": self.tenant,
                "created_at": to_ms(self.created_at),
                "expires_at": to_ms(self.expires_at),
                "previous": self.previous,
                "audiences": [
                    {
                        "audience": each.audience,
                        "epoch": each.epoch,
                        "commitment": each.commitment,
                        "sealed": each.sealed,
                    }
                    for each in self.audiences
                ],
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> Session:
        """Read a framed body; its hash becomes the id. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        audiences = tuple(
            SessionAudience(each["audience"], each["epoch"], each["commitment"], each["sealed"])
            for each in value["audiences"]
        )
        if len(audiences) > MAX_SESSION_AUDIENCES:
            raise EnvelopeError(Reason.TOO_LARGE)
        if not ascending([each.audience.encode() for each in audiences]):
            raise EnvelopeError(Reason.AUDIENCE_ORDER)
        return cls(
            value["salt"],
            value["producer"],
            value["instance"],
            value["topic"],
            value["tenant"],
            moment(value["created_at"]),
            moment(value["expires_at"]),
            value["previous"],
            audiences,
            sha256(body),
        )


@dataclass(frozen=True, slots=True)
class ClosedPartition:
    """Where a session stopped on a partition; `last_sequence` is -1 if it wrote no event there."""

    partition: int
    last_sequence: int
    last_checkpoint: bytes | None


@dataclass(frozen=True, slots=True)
class SessionClose:
    """The end of a session: nothing of it lies beyond. Kafka key: close/session id in hex."""

    RECORD: ClassVar[str] = "SessionClose"

    session: bytes
    partitions: tuple[ClosedPartition, ...]
    closed_at: datetime

    @property
    def key(self) -> str:
        """The Kafka key on the sessions topic."""
        return f"close/{self.session.hex()}"

    def partition(self, number: int) -> ClosedPartition | None:
        """Return where it stopped on a partition; None if it never wrote there."""
        for closed in self.partitions:
            if closed.partition == number:
                return closed
        return None

    def encode(self) -> bytes:
        """Return the framed body, to be signed by the session's producer."""
        return encode_body(
            self.RECORD,
            {
                "session": self.session,
                "partitions": [
                    {
                        "partition": each.partition,
                        "last_sequence": each.last_sequence,
                        "last_checkpoint": each.last_checkpoint,
                    }
                    for each in self.partitions
                ],
                "closed_at": to_ms(self.closed_at),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> SessionClose:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        partitions = tuple(
            ClosedPartition(each["partition"], each["last_sequence"], each["last_checkpoint"])
            for each in value["partitions"]
        )
        if len(partitions) > MAX_PARTITIONS:
            raise EnvelopeError(Reason.TOO_LARGE)
        if not ascending([each.partition for each in partitions]) or any(
            each.partition < 0 or each.last_sequence < -1 for each in partitions
        ):
            raise EnvelopeError(Reason.MALFORMED)
        return cls(value["session"], partitions, moment(value["closed_at"]))
