"""What the helpdesk makes of its section. Pure; answers nothing."""

from __future__ import annotations

from collections.abc import Sequence

from consumers.desk import Reading
from consumers.store.model import Outgoing
from hub.envelope.header import EventHeader
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.reading.intake import Arrived
from hub.transport import KafkaRecord
from schemas.errors import HubError
from schemas.sections import read_helpdesk_section


class HelpdeskDesk:
    """Reads helpdesk sections. Implements `consumers.desk.Desk`."""

    def read(self, header: EventHeader, plaintext: bytes) -> Reading | Reason:
        """Decode the masked record and compare it with the header; what is kept is the section as it came.

        A section of a `status` event is kept as it came; it is read where it is shown.
        """
        if header.kind is Kind.SUBMISSION:
            try:
                record = read_helpdesk_section(plaintext)
            except HubError:
                return Reason.PLAINTEXT_INVALID
            said = (record.procedure, record.receipt_number, record.tenant)
            if said != (header.procedure, header.receipt_number, header.tenant):
                return Reason.SECTION_MISMATCH
        return Reading(plaintext)

    def answer(self, stored: Sequence[tuple[Arrived, KafkaRecord]], at_ms: int) -> tuple[Outgoing, ...]:
        """Send nothing: only the review desk confirms."""
        return ()
