"""What the helpdesk makes of its section. Pure; answers nothing."""

from __future__ import annotations

from collections.abc import Sequence

from consumers.desk import Reading, agrees
from consumers.store.model import Outgoing
from hub.envelope.header import EventHeader
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.reading.intake import Arrived
from hub.transport import KafkaRecord
from schemas.decisions import DecisionRecord
from schemas.errors import HubError
from schemas.sections import read_helpdesk_section


class HelpdeskDesk:
    """Reads helpdesk sections. Implements `consumers.desk.Desk`."""

    def read(self, header: EventHeader, plaintext: bytes) -> Reading | Reason:
        """Decode the masked record or the decision and compare it with the header; it is kept as it came."""
        try:
            if header.kind is Kind.SUBMISSION:
                masked = read_helpdesk_section(plaintext)
                return Reading(plaintext) if agrees(header, masked) else Reason.SECTION_MISMATCH
            record = DecisionRecord.decode(plaintext)
        except HubError:
            return Reason.PLAINTEXT_INVALID
        said = (record.procedure, record.receipt_number, record.tenant)
        if said != (header.procedure, header.receipt_number, header.tenant):
            return Reason.SECTION_MISMATCH
        if record.message is not None:
            return Reason.PLAINTEXT_INVALID  # what the filer is told is not ours to keep, whoever sealed it for us
        return Reading(plaintext)

    def tell_refused(self, arrived: Arrived, record: KafkaRecord, reason: Reason, at_ms: int) -> tuple[Outgoing, ...]:
        """Tell nobody: what the helpdesk cannot read, only the helpdesk misses."""
        return ()

    def answer(self, stored: Sequence[tuple[Arrived, KafkaRecord]], at_ms: int) -> tuple[Outgoing, ...]:
        """Send nothing: only the review desk confirms."""
        return ()
