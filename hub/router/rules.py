"""What becomes of one record of the submissions topic. Pure: no clock, no socket, nothing remembered.

The checks are the router's row of docs/envelope.md, "What a hop checks". A record that passes goes to
every route of its tenant; a valid checkpoint too; anything else is a dead letter with a reason, never dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope.header import EventHeader
from hub.envelope.inspection import Lane, Refusal, inspect
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Checkpoint, Session
from hub.envelope.sealed import Sealed, outputs
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_checkpoint
from hub.envelope.wire import frame_id
from hub.transport import KafkaRecord
from topics.layout import Route
from topics.partition import partition_for

LATE_MS: Final = 3_600_000
"""how long after its session's end an event is judged without an alarm, if it is dated within the session"""


class Deliver(NamedTuple):
    """An event that is what it says, and one copy per route, in their order. A NamedTuple: one per event."""

    header: EventHeader
    routes: tuple[Route, ...]
    copies: list[bytes]
    late: bool
    """appended when its session was over, as its writer says, or long over by our clock: an alarm, no refusal"""


@dataclass(frozen=True, slots=True)
class Announce:
    """A valid checkpoint: it goes unchanged to these routes."""

    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """A dead letter. `authentic`: its bytes are what the producer sealed."""

    reason: Reason
    authentic: bool = False
    session: bytes | None = None
    leaf: bytes | None = None
    tenant: str | None = None
    """whom to tell: set if header and digests are what the producer sealed, and the header can be read"""
    sealed: Sealed | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Erased:
    """An event whose epoch key was lawfully destroyed: counted, no letter."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The record names a session that is not at hand; look for it, then judge again."""

    session: bytes


Verdict: TypeAlias = Deliver | Announce | Refuse | Erased | Unknown


@dataclass(frozen=True, slots=True)
class Known:
    """What one partition knows of its sessions when it judges."""

    lanes: Mapping[bytes, Lane]
    sessions: Mapping[bytes, Session]
    refused: Mapping[bytes, Reason]
    """sessions that were looked for and are not valid here, or do not exist"""


@dataclass(frozen=True, slots=True)
class Place:
    """What holds for a partition: its number, how many there are, each ready tenant's routes, who is declared, when."""

    partition: int
    partitions: int
    routes: Mapping[str, tuple[Route, ...]]
    declared: Collection[str]
    now_ms: int
    """this router's clock"""

    def refuses(self, tenant: str) -> Reason:
        """Why a tenant that is not ready gets nothing."""
        return Reason.TENANT_NOT_READY if tenant in self.declared else Reason.TENANT_UNKNOWN


def judge(record: KafkaRecord, known: Known, place: Place, trust: Trust, now: datetime) -> Verdict:
    """Judge one record. Never raises for what a record holds."""
    value = record.value
    if value is None:
        return Refuse(Reason.NOT_FRAMED)
    try:
        if frame_id(value) == sealing.SCHEMA_ID:
            return _event(record, value, known, place)
        return _signed(record.key, Signed.parse(value), known, place, trust, now)
    except EnvelopeError as problem:
        return Refuse(problem.reason)


def _event(record: KafkaRecord, value: bytes, known: Known, place: Place) -> Verdict:
    found = inspect(value, record.key, known.lanes)
    if isinstance(found, Refusal):
        return _refused(found, known)
    sealed, header, leaf = found
    if partition_for(header.receipt_number, place.partitions) != place.partition:
        return Refuse(Reason.WRONG_PARTITION, True, header.session, leaf, header.tenant, sealed)
    routes = place.routes.get(header.tenant)
    if routes is None:
        return Refuse(place.refuses(header.tenant), True, header.session, leaf, header.tenant, sealed)
    until_ms = known.lanes[header.session].until_ms
    late = record.timestamp_ms >= until_ms or place.now_ms >= until_ms + LATE_MS
    return Deliver(header, routes, outputs(sealed, [route.audience for route in routes]), late)


def _refused(found: Refusal, known: Known) -> Verdict:
    session = found.session
    if found.reason is Reason.UNKNOWN_SESSION and session is not None:
        return _without(session, known)
    tenant = None
    if found.mac_good and session is not None and found.sealed is not None and session in known.sessions:
        tenant = _to_be_told(found.sealed, known.sessions[session].tenant)
    return Refuse(found.reason, found.authentic, session, found.leaf, tenant, found.sealed)


def _to_be_told(sealed: Sealed, tenant: str) -> str | None:
    """Return the session's tenant, unless the header is none that its desks could read as theirs."""
    try:
        return tenant if headers.decode(sealed.header).tenant == tenant else None
    except EnvelopeError:
        return None


def _without(session: bytes, known: Known) -> Verdict:
    """Say what becomes of a record whose session is not at hand."""
    reason = known.refused.get(session)
    if reason is None:
        return Unknown(session)
    return Erased() if reason is Reason.ERASED else Refuse(reason, session=session)


def _signed(key: bytes | None, signed: Signed, known: Known, place: Place, trust: Trust, now: datetime) -> Verdict:
    claimed = Checkpoint.decode(signed.body).session
    session = known.sessions.get(claimed)
    if session is None:
        return _without(claimed, known)
    checkpoint = validate_checkpoint(signed, session, trust, now, partition=place.partition, key=key or b"")
    if isinstance(checkpoint, Reason):
        return Refuse(checkpoint, session=claimed)
    routes = place.routes.get(session.tenant)
    if routes is None:
        return Refuse(place.refuses(session.tenant), True, claimed)
    return Announce(routes)
