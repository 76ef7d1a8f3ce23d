"""What a record on a desk's topic is: opened event, checkpoint, notice, receipt, or refused with a reason.

Pure: the same record, sessions, keys and time give the same outcome. The router's word is not taken for
anything: session signature and trust, topic, tenant, partition, key, digests, leaf and the section's own
authenticity are judged here again (docs/envelope.md, "What each hop does"). Only the mac is the router's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Protocol, TypeAlias

from hub.crypto.secret import Secret
from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope import signed as signing
from hub.envelope.header import EventHeader
from hub.envelope.leaf import leaf
from hub.envelope.limits import MAX_SEALED_BYTES
from hub.envelope.names import Kind
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Checkpoint, DeadLetterNotice, Session, StoredReceipt
from hub.envelope.sealed import Sealed
from hub.envelope.session import open_section
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_checkpoint, validate_notice, validate_receipt
from hub.envelope.wire import frame_id
from hub.transport import KafkaRecord
from topics.partition import partition_for


class Ciphertexts(Enum):
    """Which ciphertexts an event on a topic must carry; anything else is refused."""

    OWN_ONLY = "own"
    NONE = "none"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one topic of a desk may hold."""

    tenant: str
    kind: Kind
    source: str
    """the topic that sessions of its events were made for"""
    ciphertexts: Ciphertexts
    receipts: bool = False
    notices: bool = False


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event that is what it says. `plaintext` is the framed record of the own section, if opened."""

    header: EventHeader
    leaf: bytes
    session: Session
    plaintext: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """A valid checkpoint."""

    checkpoint: Checkpoint
    session: Session
    signed: Signed


@dataclass(frozen=True, slots=True)
class Noticed:
    """A valid dead-letter notice and what it is about."""

    notice: DeadLetterNotice
    header: EventHeader
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Receipted:
    """A valid stored receipt."""

    receipt: StoredReceipt
    signed: Signed


@dataclass(frozen=True, slots=True)
class Refused:
    """None of these. `authentic`: the record is known to be sealed, so its bytes may be kept as they are."""

    reason: Reason
    authentic: bool = False
    session: bytes | None = None
    leaf: bytes | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event whose epoch key was destroyed: lawfully erased, counted, no letter."""


Outcome: TypeAlias = Arrived | Listed | Noticed | Receipted | Refused | Skipped


class Sessions(Protocol):
    """Valid sessions by id; what is not there was looked for before judging began."""

    def find(self, session: bytes) -> Session | Reason:
        """Return a session whose signature, trust and place were verified, or why there is none."""


class Secrets(Protocol):
    """The own audience's session secrets."""

    def secret(self, session: Session, audience: str) -> Secret | Reason:
        """Open (or remember) the secret of a session. ERASED if the epoch's key was destroyed.

        Raises a retriable HubError if the key of the epoch is not loaded: the desk pauses.
        """


_SIGNED: Final = (Checkpoint.RECORD, StoredReceipt.RECORD, DeadLetterNotice.RECORD)


def session_named(value: bytes | None) -> bytes | None:
    """Return the session id that a record claims, without judging it; None if it claims none."""
    if value is None:
        return None
    try:
        if frame_id(value) == sealing.SCHEMA_ID:
            return headers.read_fixed(sealing.parse(value).header)[0][0]
        if frame_id(value) == signing.SCHEMA_ID:
            signed = Signed.parse(value)
            if signed.name == Checkpoint.RECORD:
                return Checkpoint.decode(signed.body).session
    except EnvelopeError:
        return None
    return None


class Intake:
    """Judges the records of one desk."""

    def __init__(
        self,
        audience: str | None,
        expected: Callable[[str], Expectation],
        partitions: int,
        sessions: Sessions,
        secrets: Secrets,
        trust: Callable[[], Trust],
        schema_ids: Collection[int] = (sealing.SCHEMA_ID,),
    ) -> None:
        """`audience` None: opens nothing (audit). `expected` says what a topic may hold."""
        self._audience = audience
        self._expected = expected
        self._partitions = partitions
        self._sessions = sessions
        self._secrets = secrets
        self._trust = trust
        self._sealed_ids = frozenset(schema_ids)

    def take(self, record: KafkaRecord, now: datetime) -> Outcome:
        """Judge one record. Raises only what asks for a pause; everything else is an outcome."""
        value = record.value
        try:
            if value is None:
                return Refused(Reason.NOT_FRAMED)
            if len(value) > MAX_SEALED_BYTES:
                return Refused(Reason.TOO_LARGE)
            schema = frame_id(value)
            if schema in self._sealed_ids:
                return self._event(record, sealing.parse(value, self._sealed_ids))
            if schema == signing.SCHEMA_ID:
                return self._signed(record, Signed.parse(value), now)
        except EnvelopeError as problem:
            return Refused(problem.reason)
        return Refused(Reason.FOREIGN_SCHEMA)

    # events

    def _event(self, record: KafkaRecord, sealed: Sealed) -> Outcome:
        header = headers.decode(sealed.header)
        mine = sealed.leaf()
        refused = self._place(record, header) or self._contents(record, sealed)
        if refused is not None:
            return Refused(refused, session=header.session, leaf=mine)
        session = self._sessions.find(header.session)
        if isinstance(session, Reason):
            return Refused(session, session=header.session, leaf=mine)
        refused = self._session(record, header, session, sealed)
        if refused is not None:
            return Refused(refused, session=header.session, leaf=mine)
        if self._audience is None or session.audience(self._audience) is None:
            return Arrived(header, mine, session, None)
        ciphertext = sealed.ciphertext(self._audience)
        if ciphertext is None:  # on a topic that is open to several audiences, nothing is for this desk
            return Arrived(header, mine, session, None)
        secret = self._secrets.secret(session, self._audience)
        if secret is Reason.ERASED:
            return Skipped()
        if isinstance(secret, Reason):
            return Refused(secret, session=header.session, leaf=mine)
        try:
            plaintext = open_section(secret, sealed.header, self._audience, ciphertext)
        except EnvelopeError as problem:
            return Refused(problem.reason, session=header.session, leaf=mine)
        return Arrived(header, mine, session, plaintext)

    def _place(self, record: KafkaRecord, header: EventHeader) -> Reason | None:
        expected = self._expected(record.topic)
        if record.key != header.event_id.encode():
            return Reason.WRONG_KEY
        if header.partition != record.partition:
            return Reason.WRONG_PARTITION
        if partition_for(header.receipt_number, self._partitions) != record.partition:
            return Reason.WRONG_PARTITION
        if header.tenant != expected.tenant:
            return Reason.WRONG_TENANT
        return None if header.kind is expected.kind else Reason.WRONG_TOPIC

    def _contents(self, record: KafkaRecord, sealed: Sealed) -> Reason | None:
        wanted = self._expected(record.topic).ciphertexts
        for section in sealed.sections:
            due = wanted is Ciphertexts.ALL or (wanted is Ciphertexts.OWN_ONLY and section.audience == self._audience)
            if due and section.ciphertext is None:
                return Reason.STRIPPED_CIPHERTEXT
            if not due and section.ciphertext is not None:
                return Reason.FOREIGN_CIPHERTEXT
        if wanted is Ciphertexts.OWN_ONLY and sealed.ciphertext(self._audience or "") is None:
            return Reason.NOT_ADDRESSED
        return None if sealed.digests_hold() else Reason.DIGEST_MISMATCH

    def _session(self, record: KafkaRecord, header: EventHeader, session: Session, sealed: Sealed) -> Reason | None:
        if session.topic != self._expected(record.topic).source:
            return Reason.WRONG_TOPIC
        if header.tenant != session.tenant:
            return Reason.WRONG_TENANT
        if header.producer != session.producer:
            return Reason.WRONG_PRODUCER
        if not session.created_at <= header.produced_at < session.expires_at:
            return Reason.PRODUCED_OUTSIDE_SESSION
        if any(session.audience(section.audience) is None for section in sealed.sections):
            return Reason.SECTIONS
        if not self._trust().may_produce(header.producer, session.topic, header.tenant, header.procedure):
            return Reason.NOT_PERMITTED
        return None

    # signed records

    def _signed(self, record: KafkaRecord, signed: Signed, now: datetime) -> Outcome:
        expected = self._expected(record.topic)
        match signed.name:
            case Checkpoint.RECORD:
                return self._checkpoint(record, signed, expected, now)
            case DeadLetterNotice.RECORD if expected.notices:
                return self._notice(record, signed, expected, now)
            case StoredReceipt.RECORD if expected.receipts:
                receipt = validate_receipt(
                    signed, self._trust(), now, tenant=expected.tenant, partition=record.partition
                )
                return Refused(receipt) if isinstance(receipt, Reason) else Receipted(receipt, signed)
            case _:
                return Refused(Reason.FOREIGN_SCHEMA)

    def _checkpoint(self, record: KafkaRecord, signed: Signed, expected: Expectation, now: datetime) -> Outcome:
        claimed = Checkpoint.decode(signed.body).session
        session = self._sessions.find(claimed)
        if isinstance(session, Reason):
            return Refused(session, session=claimed)
        if session.topic != expected.source:
            return Refused(Reason.WRONG_TOPIC, session=claimed)
        if session.tenant != expected.tenant:
            return Refused(Reason.WRONG_TENANT, session=claimed)
        checkpoint = validate_checkpoint(
            signed, session, self._trust(), now, partition=record.partition, key=record.key
        )
        if isinstance(checkpoint, Reason):
            return Refused(checkpoint, session=claimed)
        return Listed(checkpoint, session, signed)

    def _notice(self, record: KafkaRecord, signed: Signed, expected: Expectation, now: datetime) -> Outcome:
        notice = validate_notice(signed, self._trust(), now, tenant=expected.tenant)
        if isinstance(notice, Reason):
            return Refused(notice)
        header = headers.decode(notice.header)
        if header.tenant != expected.tenant:
            return Refused(Reason.WRONG_TENANT)
        return Noticed(notice, header, leaf(notice.header, notice.digests))
