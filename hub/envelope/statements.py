"""What a principal states about events: checkpoints, stored receipts, destroyed keys, reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from hub.crypto.hkdf import sha256
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.event_ids import is_event_id
from hub.envelope.limits import MAX_CHECKPOINT_ENTRIES, MAX_RECEIPT_ENTRIES, MAX_REPORT_ENTRIES, MAX_SEQUENCE
from hub.envelope.reading_rules import ascending, moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.times import to_ms


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """One event in a checkpoint; `void` if the broker refused it for good."""

    leaf: bytes
    void: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The leaves written to a partition since the last checkpoint, in order of their sequence."""

    RECORD: ClassVar[str] = "Checkpoint"

    session: bytes
    partition: int
    first_sequence: int
    entries: tuple[CheckpointEntry, ...]
    previous: bytes | None
    produced_at: datetime
    hash: bytes = b""
    """SHA-256 of the body; set by `decode`"""

    @property
    def key(self) -> str:
        """The Kafka key, on the events' own partition."""
        return f"checkpoint/{self.session.hex()}/{self.partition}/{self.first_sequence}"

    @property
    def next_sequence(self) -> int:
        """The first sequence that the next checkpoint lists."""
        return self.first_sequence + len(self.entries)

    def follows(self, before: Checkpoint | None) -> bool:
        """Say whether this is the next one after `before` on its partition; after None: the first."""
        if before is None:
            return self.previous is None and self.first_sequence == 0
        return (
            (self.session, self.partition) == (before.session, before.partition)
            and self.previous == before.hash
            and self.first_sequence == before.next_sequence
        )

    def encode(self) -> bytes:
        """Return the framed body, for the session's producer to sign. Raises TOO_LARGE over 4,096 entries."""
        if len(self.entries) > MAX_CHECKPOINT_ENTRIES:
            raise EnvelopeError(Reason.TOO_LARGE)
        return encode_body(
            self.RECORD,
            {
                "session": self.session,
                "partition": self.partition,
                "first_sequence": self.first_sequence,
                "entries": [{"leaf": each.leaf, "void": each.void} for each in self.entries],
                "previous": self.previous,
                "produced_at": to_ms(self.produced_at),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> Checkpoint:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        entries = tuple(CheckpointEntry(each["leaf"], each["void"]) for each in value["entries"])
        if len(entries) > MAX_CHECKPOINT_ENTRIES:
            raise EnvelopeError(Reason.TOO_LARGE)
        first = value["first_sequence"]
        if value["partition"] < 0 or not 0 <= first <= MAX_SEQUENCE - len(entries):
            raise EnvelopeError(Reason.MALFORMED)
        return cls(
            value["session"],
            value["partition"],
            first,
            entries,
            value["previous"],
            moment(value["produced_at"]),
            sha256(body),
        )


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event that the review desk holds durably."""

    sequence: int
    event_id: str
    leaf: bytes


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """The review desk confirms that it stored events of one session and partition."""

    RECORD: ClassVar[str] = "StoredReceipt"

    session: bytes
    partition: int
    tenant: str
    desk: str
    entries: tuple[StoredEvent, ...]
    stored_at: datetime

    @property
    def key(self) -> str:
        """The Kafka key, on the same partition of `<ns>.<T>.status`."""
        return f"stored/{self.session.hex()}/{self.partition}/{self.entries[0].sequence}"

    def encode(self) -> bytes:
        """Return the framed body, to be signed by the desk. Raises TOO_LARGE, MALFORMED."""
        _check_stored(self.entries)
        return encode_body(
            self.RECORD,
            {
                "session": self.session,
                "partition": self.partition,
                "tenant": self.tenant,
                "desk": self.desk,
                "entries": [
                    {"sequence": each.sequence, "event_id": each.event_id, "leaf": each.leaf} for each in self.entries
                ],
                "stored_at": to_ms(self.stored_at),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> StoredReceipt:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        entries = tuple(StoredEvent(each["sequence"], each["event_id"], each["leaf"]) for each in value["entries"])
        _check_stored(entries)
        if value["partition"] < 0:
            raise EnvelopeError(Reason.MALFORMED)
        return cls(
            value["session"],
            value["partition"],
            value["tenant"],
            value["desk"],
            entries,
            moment(value["stored_at"]),
        )


def _check_stored(entries: tuple[StoredEvent, ...]) -> None:
    if len(entries) > MAX_RECEIPT_ENTRIES:
        raise EnvelopeError(Reason.TOO_LARGE)
    # Two leaves under one sequence are possible (an alarm elsewhere), so order is by sequence and leaf.
    places = [(each.sequence, each.leaf) for each in entries]
    if not entries or entries[0].sequence < 0 or not ascending(places):
        raise EnvelopeError(Reason.MALFORMED)
    if not all(is_event_id(each.event_id) for each in entries):
        raise EnvelopeError(Reason.MALFORMED)


@dataclass(frozen=True, slots=True)
class KeyDestroyed:
    """An audience's private key of an epoch exists no more."""

    RECORD: ClassVar[str] = "KeyDestroyed"

    audience: str
    epoch: int
    key_id: bytes
    destroyed_at: datetime
    waivers: tuple[bytes, ...] = ()

    @property
    def key(self) -> str:
        """The Kafka key."""
        return f"destroyed/{self.audience}/{self.epoch}/{self.key_id.hex()}"

    def encode(self) -> bytes:
        """Return the framed body, for the owner to sign, and the administrator if leaves are waived."""
        return encode_body(
            self.RECORD,
            {
                "audience": self.audience,
                "epoch": self.epoch,
                "key_id": self.key_id,
                "destroyed_at": to_ms(self.destroyed_at),
                "waivers": list(self.waivers),
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> KeyDestroyed:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        waivers = tuple(value["waivers"])
        if not ascending(waivers):
            raise EnvelopeError(Reason.MALFORMED)
        return cls(value["audience"], value["epoch"], value["key_id"], moment(value["destroyed_at"]), waivers)


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One event in a role's report; `state` is a word that the kind of report declares."""

    tenant: str
    event_id: str
    leaf: bytes
    state: str


@dataclass(frozen=True, slots=True)
class RoleReport:
    """What one role holds, for reconciliation; large ones come in parts of at most 20,000 entries."""

    RECORD: ClassVar[str] = "RoleReport"

    principal: str
    namespace: str
    kind: str
    created_at: datetime
    entries: tuple[ReportEntry, ...]
    part: int = 1
    parts: int = 1

    def encode(self) -> bytes:
        """Return the framed body, to be signed by the principal. Raises TOO_LARGE over 20,000 entries."""
        if len(self.entries) > MAX_REPORT_ENTRIES:
            raise EnvelopeError(Reason.TOO_LARGE)
        return encode_body(
            self.RECORD,
            {
                "principal": self.principal,
                "namespace": self.namespace,
                "kind": self.kind,
                "created_at": to_ms(self.created_at),
                "part": self.part,
                "parts": self.parts,
                "entries": [
                    {
                        "tenant": each.tenant,
                        "event_id": each.event_id,
                        "leaf": each.leaf,
                        "state": each.state,
                    }
                    for each in self.entries
                ],
            },
        )

    @classmethod
    def decode(cls, body: bytes) -> RoleReport:
        """Read a framed body. Raises EnvelopeError."""
        value = decode_body(cls.RECORD, body)
        entries = tuple(
            ReportEntry(each["tenant"], each["event_id"], each["leaf"], each["state"]) for each in value["entries"]
        )
        if len(entries) > MAX_REPORT_ENTRIES:
            raise EnvelopeError(Reason.TOO_LARGE)
        if not 1 <= value["part"] <= value["parts"]:
            raise EnvelopeError(Reason.MALFORMED)
        return cls(
            value["principal"],
            value["namespace"],
            value["kind"],
            moment(value["created_at"]),
            entries,
            value["part"],
            value["parts"],
        )
