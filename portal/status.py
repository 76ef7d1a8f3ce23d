"""What comes back to the filer's side: decisions of the desks, opened with the portal's own key.

`status_stream` reads the status topics of all tenants from given places; whoever takes the messages keeps
the places, in one step with what was done with them. One event id is one decision: it may come again, after a crash of
its desk, and under another leaf if somebody altered what is not for the portal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from hub.envelope.inspection import PRODUCED
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.times import from_ms
from hub.facts import Observer, ignore
from hub.producing.producer import now_utc
from hub.reading.intake import Arrived, Expectation
from hub.reading.stream import Place, SealedStream, StreamRole
from hub.transport import KafkaRecord
from schemas.decisions import REASONS, STATUS_AFTER, Decision, DecisionRecord
from schemas.errors import HubError
from topics import names

AUDIENCE: Final = "portal"


@dataclass(frozen=True, slots=True)
class Message:
    """One decision, opened. `submission_event_id` is the event that `submit` answered with."""

    tenant: str
    event_id: str
    leaf: bytes
    submission_event_id: str
    record: DecisionRecord = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the documented JSON object; `message` is text to the filer."""
        said = self.record
        return {
            "receipt_number": said.receipt_number,
            "tenant": self.tenant,
            "procedure": said.procedure,
            "submission_event_id": self.submission_event_id,
            "event_id": self.event_id,
            "decision": said.decision,
            "status": STATUS_AFTER[Decision(said.decision)],
            "revision": said.revision,
            "reason": said.reason,
            "reason_ja": REASONS.get(said.reason, (None, "", ""))[2],
            "message": said.message,
            "tax_items": list(said.tax_items),
            "answer_by": said.answer_by,
            "decided_at": from_ms(said.decided_at).isoformat(timespec="milliseconds"),
        }


def read_message(record: KafkaRecord, arrived: Arrived) -> Message | Reason:
    """Read an opened status event: a decision that speaks of the same filing as its header."""
    header = arrived.header
    if arrived.plaintext is None or header.cause is None:
        return Reason.NOT_ADDRESSED
    try:
        decision = DecisionRecord.decode(arrived.plaintext)
    except HubError:
        return Reason.PLAINTEXT_INVALID
    said = (decision.procedure, decision.receipt_number, decision.tenant)
    if said != (header.procedure, header.receipt_number, header.tenant):
        return Reason.SECTION_MISMATCH
    return Message(header.tenant, header.event_id, arrived.leaf, header.cause.event_id, decision)


def status_stream(
    role: StreamRole,
    starts: Mapping[Place, int],
    observer: Observer = ignore,
    *,
    letters: bool = False,
    wall: Callable[[], datetime] = now_utc,
) -> SealedStream[Message]:
    """Return the stream of decisions of all tenants, for the role `portal`; see `SealedStream`."""
    namespace = role.namespace
    topology = role.topology
    tenants = [tenant.code for tenant in topology.tenants]
    topics = {topic: t for t in tenants for topic in topology.every(partial(names.status, namespace, t))}
    expected = {
        topic: Expectation(tenant, Kind.STATUS, topic, PRODUCED, receipts=True, noticing=f"review-{tenant}")
        for topic, tenant in topics.items()
    }
    return SealedStream(
        role,
        AUDIENCE,
        expected,
        [topic for t in tenants for topic in topology.every(partial(names.desk_sessions, namespace, t))],
        starts,
        read_message,
        observer,
        letters=letters,
        wall=wall,
    )
