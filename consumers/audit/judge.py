"""The audit desk's judgement: every record of its topics becomes one leaf of the log, whatever it is.

What is valid goes to the store's matching of leaves and checkpoints as at the other desks; what is not
becomes a refusal entry besides its dead letter. Troubles between records are the ledger's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from consumers.audit import codec
from consumers.audit.codec import EVENT, NOTICE, REFUSAL, STATEMENT
from consumers.audit.entries import Entry, Place
from consumers.audit.ledger import UNCONFIRMED_AFTER_MS, Chains, Trouble
from consumers.audit.tree import Tree
from consumers.desk import Prepare, checkpoint_seen, new_event, notice_seen, resolution_seen
from consumers.judgement import Judgement
from consumers.letters import Letters
from consumers.store.errors import StoreDamaged
from consumers.store.model import CheckpointSeen, NewEvent, NoticeSeen, Outgoing, ResolutionSeen
from consumers.store.port import Store
from hub.crypto.hkdf import sha256
from hub.envelope.reasons import MAY_BE_PLAINTEXT, EnvelopeError, Reason
from hub.envelope.records import Session, SessionClose
from hub.envelope.signed import Signed
from hub.envelope.times import from_ms
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_close, validate_session
from hub.reading.intake import (
    Arrived,
    DeskNoticed,
    Intake,
    Listed,
    Noticed,
    Outcome,
    Receipted,
    Refused,
    Resolved,
    Sessions,
    Skipped,
)
from hub.transport import KafkaRecord
from schemas.codec import CodecError

_PATIENCE: Final = 12
"""a trouble that may pass (a topic read ahead of another) counts when it was there so many looks in a row"""


class Announcements:
    """Judges the sessions topics that an audit desk reads: sessions and closes of its own tenant."""

    def __init__(self, tenant: str, sessions: Sessions, trust: Callable[[], Trust]) -> None:
        """`sessions` finds valid sessions, `trust` gives the trust file of now."""
        self._tenant = tenant
        self._sessions = sessions
        self._trust = trust

    def take(self, record: KafkaRecord, now: datetime) -> tuple[str, Signed] | Refused | None:
        """Return (record name, record), why it is refused, or None if it is another tenant's."""
        try:
            signed = Signed.parse(record.value or b"")
            if signed.name == Session.RECORD:
                return self._session(record, signed, now)
            if signed.name == SessionClose.RECORD:
                return self._close(record, signed, now)
        except EnvelopeError as problem:
            return Refused(problem.reason)
        return Refused(Reason.FOREIGN_SCHEMA)

    def _session(self, record: KafkaRecord, signed: Signed, now: datetime) -> tuple[str, Signed] | Refused | None:
        if Session.decode(signed.body).tenant != self._tenant:
            return None
        session = validate_session(signed, self._trust(), now, topic=record.topic, key=record.key or b"")
        return Refused(session) if isinstance(session, Reason) else (Session.RECORD, signed)

    def _close(self, record: KafkaRecord, signed: Signed, now: datetime) -> tuple[str, Signed] | Refused | None:
        session = self._sessions.find(SessionClose.decode(signed.body).session)
        if isinstance(session, Reason) or session.tenant != self._tenant:
            return None  # whose it is cannot be known; a session of ours without its close is a trouble
        close = validate_close(signed, session, self._trust(), now, key=record.key or b"")
        return Refused(close) if isinstance(close, Reason) else (SessionClose.RECORD, signed)


class AuditJudge:
    """Judges the records of an audit desk. Implements `consumers.judgement.Judge`."""

    def __init__(
        self,
        intake: Intake,
        announcements: Announcements,
        sessions_topics: Collection[str],
        tree: Tree,
        chains: Chains,
        letters: Letters,
        prepare: Prepare,
        unknown: Callable[[Sequence[tuple[str, bytes]]], int],
    ) -> None:
        """`unknown` counts what the store lacks; `tree` and `chains` go on where the log ended (`resume`)."""
        self._intake = intake
        self._announcements = announcements
        self._sessions_topics = frozenset(sessions_topics)
        self._tree = tree
        self._chains = chains
        self._letters = letters
        self._prepare = prepare
        self._unknown = unknown
        self._pending: list[Entry] = []
        self._pending_receipts: list[tuple[str, bytes]] = []
        self._receipts: deque[tuple[int, tuple[str, bytes]]] = deque()
        self._unfounded = 0
        self._at_ms = 0
        self._seen: Counter[str] = Counter()

    async def prepare(self, records: Sequence[KafkaRecord]) -> None:
        """Make sure that every session that is named was looked for. Raises retriable errors."""
        await self._prepare(records)

    def judge(self, records: Sequence[KafkaRecord], at_ms: int) -> Judgement:
        """Judge the records of one poll; the log is extended in the order of the records."""
        self._at_ms = at_ms
        work = _Work(self._letters, at_ms)
        now = from_ms(at_ms)
        for record in records:
            if record.topic in self._sessions_topics:
                work.announced(record, self._announcements.take(record, now))
            else:
                work.take(record, self._intake.take(record, now))
        self._pending = work.ledger
        self._pending_receipts = work.receipted
        return Judgement(
            events=tuple(work.events),
            checkpoints=tuple(work.checkpoints),
            notices=tuple(work.notices),
            resolutions=tuple(work.resolutions),
            outgoing=tuple(work.outgoing),
            log=self._tree.extend(work.entries, at_ms) if work.entries else None,
            letters=dict(work.letters),
            alarms=tuple(work.alarms),
        )

    def kept(self, judgement: Judgement) -> None:
        """Take note that the log was extended."""
        if judgement.log is not None:
            self._tree.kept()
        for entry in self._pending:
            self._chains.add(entry)
        self._pending = []
        self._receipts.extend((self._at_ms, receipt) for receipt in self._pending_receipts)
        self._pending_receipts = []

    def troubles(self, now_ms: int) -> Mapping[str, int]:
        """Return what the ledger finds wrong for a minute already; what may still arrive does not count."""
        self._chains.compact()
        found = self._chains.troubles(now_ms)
        due = []
        while self._receipts and self._receipts[0][0] <= now_ms - UNCONFIRMED_AFTER_MS:
            due.append(self._receipts.popleft()[1])
        self._unfounded += self._unknown(due)
        self._seen = Counter({trouble.value: self._seen[trouble.value] + 1 for trouble in found})
        lasting = {t.value: count for t, count in found.items() if self._seen[t.value] >= _PATIENCE}
        return lasting | {Trouble.RECEIPT_WITHOUT_EVENT.value: self._unfounded}


class _Work:
    """One poll's judgement in the making."""

    def __init__(self, letters: Letters, at_ms: int) -> None:
        self._letters_of = letters
        self._at_ms = at_ms
        self.events: list[NewEvent] = []
        self.checkpoints: list[CheckpointSeen] = []
        self.notices: list[NoticeSeen] = []
        self.resolutions: list[ResolutionSeen] = []
        self.outgoing: list[Outgoing] = []
        self.entries: list[tuple[str, bytes]] = []
        self.ledger: list[Entry] = []
        self.receipted: list[tuple[str, bytes]] = []
        self.letters: Counter[str] = Counter()
        self.alarms: list[tuple[str, str]] = []

    def take(self, record: KafkaRecord, outcome: Outcome) -> None:
        place = _place(record)
        match outcome:
            case Arrived(header, leaf):
                self._enter(EVENT, codec.encode_event(place, header, leaf))
                self.events.append(new_event(record, header, leaf, self._at_ms))
            case Listed(checkpoint, session, signed):
                self._state(place, signed)
                self.checkpoints.append(checkpoint_seen(checkpoint, session, self._at_ms))
            case Receipted(receipt, signed):
                self._state(place, signed)
                self.receipted.extend((each.event_id, each.leaf) for each in receipt.entries)
            case Noticed(notice, header, leaf):
                self._enter(NOTICE, codec.encode_notice(place, header, leaf, notice.reason.value))
                self.notices.append(notice_seen(header, leaf, notice.reason, self._at_ms))
                self.alarms.append(("dead-letter-notice", notice.reason.value))
            case DeskNoticed() as told:
                self._state(place, told.signed)
                self.alarms.append(("desk-refused", told.notice.reason.value))
            case Resolved(said, signed):
                self._state(place, signed)
                self.resolutions.append(resolution_seen(said))
                if said.reason is not None:
                    self.alarms.append(("letter-discarded", said.reason))
            case Refused() as refused:
                self._refuse(record, refused)
                self.outgoing.append(self._letters_of.write(record, refused, self._at_ms))
                self.letters[refused.reason.value] += 1
            case Skipped():
                pass

    def announced(self, record: KafkaRecord, outcome: tuple[str, Signed] | Refused | None) -> None:
        """Enter a session or close; every audit desk reads these topics, so a refusal gives no letter."""
        if isinstance(outcome, Refused):
            self._refuse(record, outcome)
        elif outcome is not None:
            self._state(_place(record), outcome[1])

    def _state(self, place: Place, signed: Signed) -> None:
        self._enter(STATEMENT, codec.encode_statement(place, signed.name, signed.encode()))

    def _refuse(self, record: KafkaRecord, refused: Refused) -> None:
        withheld = refused.reason in MAY_BE_PLAINTEXT and not refused.authentic
        digest = WITHHELD if withheld else sha256(record.value or b"")
        self._enter(REFUSAL, codec.encode_refusal(_place(record), refused.reason.value, digest))
        self.alarms.append(("refused-record", refused.reason.value))

    def _enter(self, kind: str, framed: bytes) -> None:
        self.entries.append((kind, framed))
        entry, _ = codec.decode(kind, framed)
        if entry is not None:
            self.ledger.append(entry)


WITHHELD: Final = bytes(32)
"""instead of the digest of what may be a plaintext: the log is published, and a digest confirms a guess"""


def _place(record: KafkaRecord) -> Place:
    return Place(record.topic, record.partition, record.offset, max(0, record.timestamp_ms))


def resume(store: Store) -> Chains:
    """Rebuild sessions and chains from the log's rows. Raises StoreDamaged if one cannot be read."""
    chains = Chains()
    try:
        for _, kind, framed in store.log_entries():
            entry, _ = codec.decode(kind, framed)
            if entry is not None:
                chains.add(entry)
    except (CodecError, EnvelopeError) as problem:
        raise StoreDamaged("the audit log") from problem
    return chains
