"""What review and helpdesk have in common: opened events become sealed rows, in one judgement per poll."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from consumers.judgement import Judgement
from consumers.letters import Letters
from consumers.store.model import (
    HELD,
    CheckpointSeen,
    Content,
    NewCase,
    NewEvent,
    NoticeSeen,
    Outgoing,
    Remark,
    ResolutionSeen,
)
from consumers.store.vault import Vault
from hub.envelope.header import EventHeader
from hub.envelope.names import parse_topic
from hub.envelope.reasons import Reason
from hub.envelope.records import Checkpoint, LetterResolved, Session
from hub.envelope.resolutions import receipt_fingerprint
from hub.envelope.times import from_ms, to_ms
from hub.reading.intake import (
    Arrived,
    DeskNoticed,
    Intake,
    Listed,
    Noticed,
    Receipted,
    Refused,
    Resolved,
    Skipped,
)
from hub.transport import KafkaRecord

Prepare = Callable[[Sequence[KafkaRecord]], Awaitable[None]]
"""Fetches the sessions that records name; raises retriable errors (see `hub.reading.at_hand`)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a desk makes of its own section."""

    plaintext: bytes = field(repr=False)
    """what is kept, sealed under the row's own data key"""
    findings: int = 0
    case: NewCase | None = None
    """what the desk's people need to work on it"""


class Filed(Protocol):
    """What a section says again of what its header names; `accepted_at` is RFC 3339."""

    @property
    def procedure(self) -> str: ...
    @property
    def receipt_number(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def tax_item(self) -> str | None: ...
    @property
    def accepted_at(self) -> str: ...
    @property
    def calculation_check(self) -> str: ...
    @property
    def signature_check(self) -> str: ...


def agrees(header: EventHeader, said: Filed) -> bool:
    """Say whether a section speaks of the same filing as its header, and says the same of it.

    The header is what everybody is told; a portal that tells a desk another time or check lies to one of them.
    """
    try:
        accepted_at_ms = to_ms(datetime.fromisoformat(said.accepted_at))
    except (ValueError, OverflowError):
        return False
    return (
        header.procedure,
        header.receipt_number,
        header.tenant,
        header.tax_item,
        header.accepted_at_ms,
        header.calculation_check,
        header.signature_check,
    ) == (
        said.procedure,
        said.receipt_number,
        said.tenant,
        said.tax_item,
        accepted_at_ms,
        said.calculation_check,
        said.signature_check,
    )


class Desk(Protocol):
    """What differs between desks."""

    def read(self, header: EventHeader, plaintext: bytes) -> Reading | Reason:
        """Read an opened section; PLAINTEXT_INVALID or SECTION_MISMATCH if it is not what it must be."""

    def tell_refused(self, arrived: Arrived, record: KafkaRecord, reason: Reason, at_ms: int) -> tuple[Outgoing, ...]:
        """Return what to send because this desk refused an authentic event's section."""

    def answer(self, stored: Sequence[tuple[Arrived, KafkaRecord]], at_ms: int) -> tuple[Outgoing, ...]:
        """Return what to send because these events are stored (replays included)."""


class DeskJudge:
    """Judges the records of one desk. Implements `consumers.judgement.Judge`."""

    def __init__(
        self, audience: str, desk: Desk, intake: Intake, vault: Vault, letters: Letters, prepare: Prepare
    ) -> None:
        """`audience` is the desk's own."""
        self._audience = audience
        self._desk = desk
        self._intake = intake
        self._vault = vault
        self._letters = letters
        self._prepare = prepare

    async def prepare(self, records: Sequence[KafkaRecord]) -> None:
        """Make sure that every session that is named was looked for. Raises retriable errors."""
        await self._prepare(records)

    def judge(self, records: Sequence[KafkaRecord], at_ms: int) -> Judgement:
        """Judge the records of one poll."""
        work = _Work(self, from_ms(at_ms), at_ms)
        for record in records:
            work.take(record)
        return work.judgement()

    def kept(self, judgement: Judgement) -> None:
        """Take note that new store keys are in the store."""
        self._vault.committed(judgement.store_keys)

    def troubles(self, now_ms: int) -> Mapping[str, int]:
        """Nothing beyond what the store counts."""
        return {}


class _Work:
    """One poll's judgement in the making."""

    def __init__(self, judge: DeskJudge, now: datetime, at_ms: int) -> None:
        self._judge = judge
        self._now = now
        self._at_ms = at_ms
        self._events: list[NewEvent] = []
        self._stored: list[tuple[Arrived, KafkaRecord]] = []
        self._checkpoints: list[CheckpointSeen] = []
        self._notices: list[NoticeSeen] = []
        self._resolutions: list[ResolutionSeen] = []
        self._remarks: list[Remark] = []
        self._outgoing: list[Outgoing] = []
        self._letters: Counter[str] = Counter()
        self._alarms: list[tuple[str, str]] = []

    def take(self, record: KafkaRecord) -> None:
        judge = self._judge
        match judge._intake.take(record, self._now):
            case Arrived() as arrived:
                self._arrived(record, arrived)
            case Listed(checkpoint, session):
                self._checkpoints.append(checkpoint_seen(checkpoint, session, self._at_ms))
            case Noticed(notice, header, leaf):
                self._notices.append(notice_seen(header, leaf, notice.reason, self._at_ms))
                self._alarms.append(("dead-letter-notice", notice.reason.value))
            case DeskNoticed(desk, notice, header, leaf):
                told_on = parse_topic(record.topic)
                assert told_on is not None  # our own layout
                topic = told_on.of(desk.partition("-")[0])
                at_ms = to_ms(notice.noticed_at)
                self._resolutions.append(held_by(desk, header, leaf, notice.reason, topic, at_ms))
            case Resolved(said):
                self._resolutions.append(resolution_seen(said))
            case Refused() as refused:
                self._refuse(record, refused)
            case Skipped():
                self._alarms.append(("erased-event", record.topic))
            case Receipted(receipt):
                at_ms = to_ms(receipt.stored_at)
                self._remarks.extend(Remark(each.leaf, at_ms, "review-stored") for each in receipt.entries)

    def _arrived(self, record: KafkaRecord, arrived: Arrived) -> None:
        judge, header, leaf = self._judge, arrived.header, arrived.leaf
        content = None
        findings = 0
        case = None
        if arrived.plaintext is not None:
            reading = judge._desk.read(header, arrived.plaintext)
            if isinstance(reading, Reason):
                self._refuse(record, Refused(reading, True, header.session, leaf))
                self._outgoing.extend(judge._desk.tell_refused(arrived, record, reading, self._at_ms))
                self._resolutions.append(held_by(judge._audience, header, leaf, reading, record.topic, self._at_ms))
                return
            sealed = arrived.session.audience(judge._audience)
            assert sealed is not None  # or it would not have been opened
            content = judge._vault.seal(sealed.epoch, header.tenant, header.event_id, leaf, reading.plaintext)
            findings, case = reading.findings, reading.case
        self._events.append(new_event(record, header, leaf, self._at_ms, content, findings, case))
        self._stored.append((arrived, record))

    def _refuse(self, record: KafkaRecord, refused: Refused) -> None:
        self._outgoing.append(self._judge._letters.write(record, refused, self._at_ms))
        self._letters[refused.reason.value] += 1
        if refused.reason in (Reason.UNKNOWN_SESSION, Reason.STRIPPED_CIPHERTEXT):
            self._alarms.append((refused.reason.value, record.topic))

    def judgement(self) -> Judgement:
        answers = self._judge._desk.answer(self._stored, self._at_ms)
        return Judgement(
            events=tuple(self._events),
            checkpoints=tuple(self._checkpoints),
            notices=tuple(self._notices),
            resolutions=tuple(self._resolutions),
            remarks=tuple(self._remarks),
            outgoing=(*self._outgoing, *answers),
            store_keys=self._judge._vault.new_keys(),
            letters=dict(self._letters),
            alarms=tuple(self._alarms),
        )


def new_event(
    record: KafkaRecord,
    header: EventHeader,
    leaf: bytes,
    at_ms: int,
    content: Content | None = None,
    findings: int = 0,
    case: NewCase | None = None,
) -> NewEvent:
    """Return the row of an event, as its header and its place say."""
    cause = header.cause
    return NewEvent(
        tenant=header.tenant,
        producer=header.producer,
        event_id=header.event_id,
        leaf=leaf,
        session=header.session,
        sequence=header.sequence,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        kind=header.kind.value,
        receipt_number=header.receipt_number,
        procedure=header.procedure,
        procedure_version=header.procedure_version,
        tax_item=header.tax_item,
        accepted_at_ms=header.accepted_at_ms,
        produced_at_ms=header.produced_at_ms,
        stored_at_ms=at_ms,
        calculation_check=header.calculation_check.value,
        signature_check=header.signature_check.value,
        findings=findings,
        cause_event_id=None if cause is None else cause.event_id,
        cause_leaf=None if cause is None else cause.leaf,
        content=content,
        case=case,
    )


def checkpoint_seen(checkpoint: Checkpoint, session: Session, at_ms: int) -> CheckpointSeen:
    """Return what the store needs of a valid checkpoint."""
    return CheckpointSeen(
        checkpoint.session,
        checkpoint.partition,
        session.tenant,
        checkpoint.first_sequence,
        tuple((entry.leaf, entry.void) for entry in checkpoint.entries),
        at_ms,
    )


def notice_seen(header: EventHeader, leaf: bytes, reason: Reason, at_ms: int) -> NoticeSeen:
    """Return what the store needs of a valid notice."""
    return NoticeSeen(
        header.session,
        header.partition,
        header.sequence,
        header.tenant,
        header.event_id,
        leaf,
        header.receipt_number,
        reason.value,
        at_ms,
    )


def resolution_seen(said: LetterResolved) -> ResolutionSeen:
    """Return what the store needs of the operator's word on a letter."""
    event, opened = said.event, said.opened
    return ResolutionSeen(
        letter=f"{said.letter.topic}/{said.letter.partition}/{said.letter.offset}",
        kind=said.kind.value,
        tenant=said.tenant,
        event_id=None if event is None else event.event_id,
        leaf=None if event is None else event.leaf,
        receipt=None if opened is None else opened.receipt,
        origin=said.origin.topic,
        refused=said.refused.value,
        refused_at_ms=to_ms(said.refused_at),
        discard=said.reason,
        generation=said.generation,
        resolved_at_ms=to_ms(said.resolved_at),
    )


def held_by(desk: str, header: EventHeader, leaf: bytes, reason: Reason, topic: str, at_ms: int) -> ResolutionSeen:
    """Return the row that says that a desk refused an event: open until the operator's word of the same refusal."""
    return ResolutionSeen(
        letter=f"{desk}/{leaf.hex()}",
        kind=HELD,
        tenant=header.tenant,
        event_id=header.event_id,
        leaf=leaf,
        receipt=receipt_fingerprint(header.receipt_number),
        origin=topic,
        refused=reason.value,
        refused_at_ms=at_ms,
        discard=None,
        generation=0,
        resolved_at_ms=at_ms,
    )
