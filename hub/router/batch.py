"""What one transaction will hold: copies, checkpoints, dead letters and notices, and what to tell of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.crypto.identity import IdentityKey
from hub.envelope.letters import DeadLetterNotice
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey
from hub.envelope.signed import sign
from hub.reading.deadletters import write_letter
from hub.router.rules import Announce, Deliver, Erased, Refuse, Verdict
from hub.transport import KafkaRecord, Outgoing
from topics.layout import Route


@dataclass(frozen=True, slots=True)
class Clerk:
    """Who writes letters and notices, and with what."""

    stage: str
    topic: str
    """`<ns>.dead-letters.router`"""
    identity: IdentityKey = field(repr=False)
    quarantine_key: Callable[[], AudienceKey | None]
    open_outputs: Callable[[str], Sequence[Route]]
    """the outputs of a tenant that notices can be written to"""


@dataclass(slots=True)
class Batch:
    """Outputs by (topic, partition), and counts for the facts that follow the commit."""

    outputs: dict[tuple[str, int], list[Outgoing]] = field(default_factory=lambda: defaultdict(list))
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    produced_ms: list[int] = field(default_factory=list)
    checkpoints: int = 0
    alarms: set[tuple[str, str]] = field(default_factory=set)


_TO_BE_LOOKED_AT: Final = frozenset(
    {Reason.UNKNOWN_SESSION, Reason.TENANT_NOT_READY, Reason.TENANT_UNKNOWN, Reason.BAD_MAC, Reason.REFUSED_BY_BROKER}
)


def collect(
    partition: int, records: Sequence[KafkaRecord], verdicts: Sequence[Verdict], clerk: Clerk, now: datetime
) -> Batch:
    """Turn verdicts into what is to be written. Raises QuarantineKeyMissing."""
    batch = Batch()
    outputs, events, produced_ms = batch.outputs, batch.events, batch.produced_ms
    for record, verdict in zip(records, verdicts, strict=True):
        if isinstance(verdict, Deliver):
            header, routes, copies, late = verdict
            key = record.key
            for route, copy in zip(routes, copies, strict=True):
                outputs[route.topic, partition].append(Outgoing(key, copy))
            events[header.tenant, header.procedure] += 1
            produced_ms.append(header.produced_at_ms)
            if late:
                batch.alarms.add(("appended-late", header.tenant))
        elif isinstance(verdict, Announce):
            for route in verdict.routes:
                outputs[route.topic, partition].append(Outgoing(record.key, record.value))
            batch.checkpoints += 1
        elif isinstance(verdict, Erased):
            batch.alarms.add(("erased-event", record.topic))
        elif isinstance(verdict, Refuse):
            _refuse(record, verdict, batch, clerk, now)
        else:
            raise AssertionError("a record was not judged")  # to go on would drop it
    return batch


def _refuse(record: KafkaRecord, refuse: Refuse, batch: Batch, clerk: Clerk, now: datetime) -> None:
    letter = write_letter(
        record,
        refuse.reason,
        stage=clerk.stage,
        authentic=refuse.authentic,
        session=refuse.session,
        leaf=refuse.leaf,
        key=clerk.quarantine_key,
        now=now,
    )
    batch.outputs[clerk.topic, record.partition].append(letter)
    batch.letters[refuse.reason.value] += 1
    if refuse.reason in _TO_BE_LOOKED_AT:
        batch.alarms.add((refuse.reason.value, refuse.tenant or record.topic))
    if refuse.tenant is None or refuse.sealed is None or refuse.leaf is None:
        return
    notice = DeadLetterNotice(refuse.tenant, refuse.sealed.header, refuse.sealed.digests, refuse.reason, now)
    value = sign(DeadLetterNotice.RECORD, notice.encode(), clerk.identity)
    key = notice.key.encode()
    for route in clerk.open_outputs(refuse.tenant):
        batch.outputs[route.topic, record.partition].append(Outgoing(key, value))
