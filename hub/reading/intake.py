"""What a record on a desk's topic is: opened event, checkpoint, notice, receipt, or refused with a reason.

Pure: the same record, sessions, keys and time give the same outcome. The router's word is not taken for
anything: session signature and trust, topic, tenant, partition, key, digests, leaf and the section's own
authenticity are judged here again (docs/envelope.md, "What a hop checks"). Only the mac is the router's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from hub.crypto.secret import Secret
from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope import signed as signing
from hub.envelope.header import EventHeader
from hub.envelope.inspection import Expect, Lane, Refusal, inspect, lane, peek_session
from hub.envelope.names import ROUTER, Kind
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Checkpoint, DeadLetterNotice, LetterResolved, Session, SessionClose, StoredReceipt
from hub.envelope.session import open_section
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_checkpoint, validate_notice, validate_receipt, validate_resolution
from hub.envelope.wire import frame_id
from hub.transport import KafkaRecord
from topics.partition import partition_for


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one topic of a desk may hold."""

    tenant: str
    kind: Kind
    source: str
    """the topic that sessions of its events were made for"""
    ciphertexts: Expect
    """which ciphertexts an event must carry; anything else is refused"""
    receipts: bool = False
    notices: bool = False
    noticing: str | None = None
    """the desk whose topic this is, and which tells here what it refused"""
    resolutions: str | None = None
    """in which form the operator's words on dead letters belong here: `LetterResolved`, `LetterTold`, or not at all"""


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
class DeskNoticed:
    """A desk's valid word that it refused an event which others may hold; it explains nothing to them."""

    desk: str
    notice: DeadLetterNotice
    header: EventHeader
    leaf: bytes
    signed: Signed


@dataclass(frozen=True, slots=True)
class Receipted:
    """A valid stored receipt."""

    receipt: StoredReceipt
    signed: Signed


@dataclass(frozen=True, slots=True)
class Resolved:
    """The operator's valid word on a dead letter: of this tenant, or of nobody knows whom."""

    said: LetterResolved
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


Outcome: TypeAlias = Arrived | Listed | Noticed | DeskNoticed | Receipted | Resolved | Refused | Skipped


class Sessions(Protocol):
    """Valid sessions by id; what is not there was looked for before judging began."""

    def find(self, session: bytes) -> Session | Reason:
        """Return a session whose signature, trust and place were verified, or why there is none."""


class Secrets(Protocol):
    """The own audience's session secrets (`hub.reading.secrets.OwnSecrets`)."""

    def unlock(self, session: Session) -> Secret | Reason:
        """Return the secret of a session, or why there is none; ERASED if the epoch's key was destroyed.

        Raises a retriable HubError if the key of the epoch is not loaded: the desk pauses.
        """


_MAX_LANES: Final = 8_192


def session_named(value: bytes | None) -> bytes | None:
    """Return the session id that a record claims, without judging it; None if it claims none."""
    if value is None:
        return None
    try:
        if frame_id(value) == sealing.SCHEMA_ID:
            named = peek_session(value)
            return None if isinstance(named, Refusal) else named
        if frame_id(value) == signing.SCHEMA_ID:
            signed = Signed.parse(value)
            if signed.name == Checkpoint.RECORD:
                return Checkpoint.decode(signed.body).session
            if signed.name == SessionClose.RECORD:
                return SessionClose.decode(signed.body).session
    except EnvelopeError:
        return None
    return None


class _Lanes(Mapping[bytes, Lane]):
    """The one lane that `inspect` asks for, found when it asks; remembers why there is none."""

    def __init__(self, intake: Intake, partition: int, expected: Expectation) -> None:
        self._intake = intake
        self._partition = partition
        self._expected = expected
        self.session: Session | None = None
        self.refused: Reason = Reason.UNKNOWN_SESSION

    def __getitem__(self, name: bytes) -> Lane:
        found = self._intake._lane(name, self._partition, self._expected)
        if isinstance(found, Reason):
            self.refused = found
            raise KeyError
        self.session = found[0]
        return found[1]

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Intake:
    """Judges the records of one desk."""

    def __init__(
        self,
        audience: str | None,
        expected: Callable[[str], Expectation],
        partitions: Callable[[str], int],
        sessions: Sessions,
        secrets: Secrets,
        trust: Callable[[], Trust],
    ) -> None:
        """`audience` None: opens nothing (audit). `expected` says what a topic may hold, `partitions` its number."""
        self._audience = audience
        self._expected = expected
        self._partitions = partitions
        self._sessions = sessions
        self._secrets = secrets
        self._trust = trust
        self._lanes: dict[tuple[bytes, int, str], tuple[Session, Lane]] = {}
        self._lanes_trust: Trust | None = None

    def take(self, record: KafkaRecord, now: datetime) -> Outcome:
        """Judge one record. Raises only what asks for a pause; everything else is an outcome."""
        value = record.value
        try:
            if value is None:
                return Refused(Reason.NOT_FRAMED)
            schema = frame_id(value)
            if schema == sealing.SCHEMA_ID:
                return self._event(record, value, self._expected(record.topic))
            if schema == signing.SCHEMA_ID:
                return self._signed(record, Signed.parse(value), now)
        except EnvelopeError as problem:
            return Refused(problem.reason)
        return Refused(Reason.FOREIGN_SCHEMA)

    def _event(self, record: KafkaRecord, value: bytes, expected: Expectation) -> Outcome:
        lanes = _Lanes(self, record.partition, expected)
        found = inspect(value, record.key, lanes, expected.ciphertexts)
        if isinstance(found, Refusal):
            reason = lanes.refused if found.reason is Reason.UNKNOWN_SESSION else found.reason
            return Refused(reason, session=found.session, leaf=found.leaf)
        header, leaf_ = found.header, found.leaf
        session = lanes.session
        assert session is not None  # or its lane would not have been found
        if partition_for(header.receipt_number, self._partitions(record.topic)) != record.partition:
            return Refused(Reason.WRONG_PARTITION, session=session.id, leaf=leaf_)
        ciphertext = None if self._audience is None else found.sealed.ciphertext(self._audience)
        if self._audience is None or ciphertext is None:
            return Arrived(header, leaf_, session, None)
        secret = self._secrets.unlock(session)
        if secret is Reason.ERASED:
            return Skipped()
        if isinstance(secret, Reason):
            return Refused(secret, session=session.id, leaf=leaf_)
        try:
            plaintext = open_section(secret, found.sealed.header, self._audience, ciphertext)
        except EnvelopeError as problem:
            return Refused(problem.reason, session=session.id, leaf=leaf_)
        return Arrived(header, leaf_, session, plaintext)

    def _lane(self, name: bytes, partition: int, expected: Expectation) -> tuple[Session, Lane] | Reason:
        trust = self._trust()
        if trust is not self._lanes_trust:
            self._lanes.clear()
            self._lanes_trust = trust
        known = self._lanes.get((name, partition, expected.source))
        if known is not None:
            return known
        session = self._sessions.find(name)
        if isinstance(session, Reason):
            return session
        if session.tenant != expected.tenant:
            return Reason.WRONG_TENANT
        if session.topic != expected.source:
            return Reason.WRONG_TOPIC
        made = lane(session, partition, trust, topic=expected.source)
        if isinstance(made, Reason):
            return made
        if len(self._lanes) >= _MAX_LANES:
            self._lanes.clear()
        self._lanes[name, partition, expected.source] = (session, made)
        return session, made

    def _signed(self, record: KafkaRecord, signed: Signed, now: datetime) -> Outcome:
        expected = self._expected(record.topic)
        match signed.name:
            case Checkpoint.RECORD:
                return self._checkpoint(record, signed, expected, now)
            case DeadLetterNotice.RECORD if expected.notices or expected.noticing:
                return self._notice(record, signed, expected, now)
            case LetterResolved.RECORD | LetterResolved.TOLD if signed.name == expected.resolutions:
                told = signed.name == LetterResolved.TOLD
                tenant, key = expected.tenant, record.key or b""
                said = validate_resolution(signed, self._trust(), now, tenant=tenant, key=key, told=told)
                return Refused(said) if isinstance(said, Reason) else Resolved(said, signed)
            case StoredReceipt.RECORD if expected.receipts:
                partition, key = record.partition, record.key or b""
                receipt = validate_receipt(
                    signed, self._trust(), now, tenant=expected.tenant, partition=partition, key=key
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
            signed, session, self._trust(), now, partition=record.partition, key=record.key or b""
        )
        if isinstance(checkpoint, Reason):
            return Refused(checkpoint, session=claimed)
        return Listed(checkpoint, session, signed)

    def _notice(self, record: KafkaRecord, signed: Signed, expected: Expectation, now: datetime) -> Outcome:
        signer = expected.noticing or ROUTER
        key = record.key or b""
        notice = validate_notice(signed, self._trust(), now, tenant=expected.tenant, signer=signer, key=key)
        if isinstance(notice, Reason):
            return Refused(notice)
        header = headers.decode(notice.header)
        if header.tenant != expected.tenant:
            return Refused(Reason.WRONG_TENANT)
        if expected.noticing:
            return DeskNoticed(signer, notice, header, notice.leaf, signed)
        return Noticed(notice, header, notice.leaf)
