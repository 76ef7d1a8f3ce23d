"""What the review desk makes of its section, and the receipts that it signs. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from consumers.desk import Reading, agrees
from consumers.review.deadlines import day_in_japan, due_on
from consumers.store.errors import ContentDamaged
from consumers.store.model import NewCase, Outgoing
from hub.crypto.identity import IdentityKey
from hub.envelope.header import EventHeader
from hub.envelope.limits import MAX_RECEIPT_ENTRIES
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.records import DeadLetterNotice, StoredEvent, StoredReceipt
from hub.envelope.sealed import parse
from hub.envelope.signed import sign
from hub.envelope.times import from_ms
from hub.reading.intake import Arrived
from hub.transport import KafkaRecord
from schemas.errors import HubError
from schemas.judging import compare, judge
from schemas.parts import ATTACHMENT_PART, Part, Reviewed, read_part, read_section
from schemas.rules import Finding
from schemas.submission import Submission

_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Kept:
    """What the review desk keeps of a submission: its section as it came, and what the rules found then."""

    section: bytes = field(repr=False)
    findings: tuple[Finding, ...] = field(repr=False)

    def encode(self) -> bytes:
        """u32 big-endian length of section ‖ section (framed Avro) ‖ findings as JSON, UTF-8"""
        listed = [
            {"path": f.path, "rule": f.rule, "message": f.message, "message_ja": f.message_ja} for f in self.findings
        ]
        text = json.dumps(listed, ensure_ascii=False, separators=(",", ":"))
        return len(self.section).to_bytes(_LENGTH_BYTES, "big") + self.section + text.encode()

    @classmethod
    def decode(cls, data: bytes) -> Kept:
        """Read what `encode` wrote. Raises ContentDamaged."""
        length = int.from_bytes(data[:_LENGTH_BYTES], "big")
        end = _LENGTH_BYTES + length
        if len(data) < end:
            raise ContentDamaged("length")
        listed = json.loads(data[end:])
        return cls(
            data[_LENGTH_BYTES:end],
            tuple(Finding(f["path"], f["rule"], f["message"], f["message_ja"]) for f in listed),
        )

    def reviewed(self) -> Reviewed:
        """Decode the section of a submission. Raises CodecError for a part."""
        return read_section(self.section)

    def part(self) -> Part:
        """Decode the section of a part of an attachment. Raises CodecError."""
        return read_part(self.section)


class ReviewDesk:
    """Reads review sections and answers with `StoredReceipt`s. Implements `consumers.desk.Desk`."""

    def __init__(
        self,
        principal: str,
        tenant: str,
        identity: IdentityKey,
        status_topic: str,
        due: Callable[[date], date] = due_on,
    ) -> None:
        """`identity` signs the receipts; they go to the same partition of `status_topic`.

        `due` gives the last day for a decision from the day (in Japan) of acceptance at the portal.
        """
        self._due = due
        self._principal = principal
        self._tenant = tenant
        self._identity = identity
        self._status_topic = status_topic

    def read(self, header: EventHeader, plaintext: bytes) -> Reading | Reason:
        """Decode the section, compare it with the header, run the rules, hold the outcome against the portal's."""
        try:
            if header.procedure == ATTACHMENT_PART:
                return self._part(header, plaintext)
            reviewed = read_section(plaintext)
        except HubError:
            return Reason.PLAINTEXT_INVALID
        submission = reviewed.submission
        if not agrees(header, submission):
            return Reason.SECTION_MISMATCH
        unseen = reviewed.unseen
        found = judge(submission, unseen=unseen)
        found += compare(found, reviewed.portal, unseen)
        return Reading(Kept(plaintext, found).encode(), len(found), self._case(header, submission))

    def _part(self, header: EventHeader, plaintext: bytes) -> Reading | Reason:
        part = read_part(plaintext)
        if (part.receipt_number, part.tenant) != (header.receipt_number, header.tenant):
            return Reason.SECTION_MISMATCH
        return Reading(Kept(plaintext, ()).encode())

    def _case(self, header: EventHeader, submission: Submission) -> NewCase:
        accepted_on = day_in_japan(from_ms(header.accepted_at_ms))
        return NewCase(self._due(accepted_on), submission.replaces, submission.withdraws)

    def tell_refused(self, arrived: Arrived, record: KafkaRecord, reason: Reason, at_ms: int) -> tuple[Outgoing, ...]:
        """Sign a notice for who asks after the submission: the helpdesk has it and would wait with the filer."""
        sealed = parse(record.value or b"")
        notice = DeadLetterNotice(self._tenant, sealed.header, sealed.digests, reason, from_ms(at_ms))
        value = sign(DeadLetterNotice.RECORD, notice.encode(), self._identity)
        key = notice.key.encode()
        return (Outgoing(self._status_topic, record.partition, key, value, "notice"),)

    def answer(self, stored: Sequence[tuple[Arrived, KafkaRecord]], at_ms: int) -> tuple[Outgoing, ...]:
        """Sign one receipt for each (session, partition), in order of sequence; a replay is receipted again."""
        lanes: dict[tuple[bytes, int], dict[tuple[int, bytes], StoredEvent]] = defaultdict(dict)
        for arrived, record in stored:
            header = arrived.header
            if header.kind is Kind.SUBMISSION:
                event = StoredEvent(header.sequence, header.event_id, arrived.leaf)
                lanes[header.session, record.partition][header.sequence, arrived.leaf] = event
        made = []
        for (session, partition), events in lanes.items():
            ordered = [events[place] for place in sorted(events)]
            for start in range(0, len(ordered), MAX_RECEIPT_ENTRIES):
                part = tuple(ordered[start : start + MAX_RECEIPT_ENTRIES])
                made.append(self._receipt(session, partition, part, at_ms))
        return tuple(made)

    def _receipt(self, session: bytes, partition: int, entries: tuple[StoredEvent, ...], at_ms: int) -> Outgoing:
        receipt = StoredReceipt(session, partition, self._tenant, self._principal, entries, from_ms(at_ms))
        value = sign(StoredReceipt.RECORD, receipt.encode(), self._identity)
        return Outgoing(self._status_topic, partition, receipt.key.encode(), value, "receipt", len(entries))
