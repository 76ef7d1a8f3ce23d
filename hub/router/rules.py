"""What becomes of one record of the submissions topic. Pure: no clock, no socket, nothing remembered.

The checks are the router's row of docs/envelope.md, "What each hop does". A record that passes goes to
every route of its tenant; a valid checkpoint too; anything else is a dead letter with a reason, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from hub.envelope import sealed as sealing
from hub.envelope import signed as signing
from hub.envelope.header import EventHeader
from hub.envelope.inspection import Lane, Refusal, inspect
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Checkpoint, Session
from hub.envelope.sealed import Sealed, outputs
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_checkpoint
from hub.envelope.wire import frame_id
from topics.layout import Route
from topics.partition import partition_for


@dataclass(frozen=True, slots=True)
class Deliver:
    """An event that is what it says, and one copy per route of its tenant, in order of the routes."""

    header: EventHeader
    copies: tuple[tuple[str, bytes], ...] = field(repr=False)
    """(topic, value)"""


@dataclass(frozen=True, slots=True)
class Announce:
    """A valid checkpoint: it goes unchanged to these topics."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """A dead letter. `authentic`: its bytes are what the producer sealed; `notice`: whom to tell, and of what."""

    reason: Reason
    authentic: bool = False
    session: bytes | None = None
    leaf: bytes | None = None
    tenant: str | None = None
    """set if header and digests are what the producer sealed: the tenant is to be told"""
    sealed: Sealed | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The record names a session that is not at hand; look for it, then judge again."""

    session: bytes


Verdict: TypeAlias = Deliver | Announce | Refuse | Unknown


@dataclass(frozen=True, slots=True)
class Known:
    """What one partition knows of its sessions when it judges."""

    lanes: Mapping[bytes, Lane]
    sessions: Mapping[bytes, Session]
    refused: Mapping[bytes, Reason]
    """sessions that were looked for and are not valid here, or do not exist"""


@dataclass(frozen=True, slots=True)
class Place:
    """What is fixed for a partition: its number, how many there are, and the routes of each ready tenant."""

    partition: int
    partitions: int
    routes: Mapping[str, tuple[Route, ...]]


def judge(key: bytes | None, value: bytes | None, known: Known, place: Place, trust: Trust, now: datetime) -> Verdict:
    """Judge one record. Never raises for what a record holds."""
    if value is None:
        return Refuse(Reason.NOT_FRAMED)
    try:
        schema = frame_id(value)
        if schema == sealing.SCHEMA_ID:
            return _event(key, value, known, place)
        if schema == signing.SCHEMA_ID:
            return _signed(key, Signed.parse(value), known, place, trust, now)
    except EnvelopeError as problem:
        return Refuse(problem.reason)
    return Refuse(Reason.FOREIGN_SCHEMA)


def _event(key: bytes | None, value: bytes, known: Known, place: Place) -> Verdict:
    found = inspect(value, key, known.lanes)
    if isinstance(found, Refusal):
        return _refused(found, known)
    header = found.header
    if partition_for(header.receipt_number, place.partitions) != place.partition:
        return _authentic(Reason.WRONG_PARTITION, header, found.leaf, found.sealed)
    routes = place.routes.get(header.tenant)
    if not routes:
        return _authentic(Reason.TENANT_NOT_READY, header, found.leaf, found.sealed)
    copies = outputs(found.sealed, [route.audience for route in routes])
    return Deliver(header, tuple((route.topic, copy) for route, copy in zip(routes, copies, strict=True)))


def _refused(found: Refusal, known: Known) -> Verdict:
    session = found.session
    if found.reason is Reason.UNKNOWN_SESSION and session is not None:
        reason = known.refused.get(session)
        return Unknown(session) if reason is None else Refuse(reason, session=session, leaf=found.leaf)
    tenant = None
    if found.mac_good and session is not None and session in known.sessions:
        tenant = known.sessions[session].tenant
    return Refuse(found.reason, found.authentic, session, found.leaf, tenant, found.sealed)


def _authentic(reason: Reason, header: EventHeader, leaf: bytes, sealed: Sealed) -> Refuse:
    return Refuse(reason, True, header.session, leaf, header.tenant, sealed)


def _signed(key: bytes | None, signed: Signed, known: Known, place: Place, trust: Trust, now: datetime) -> Verdict:
    if signed.name != Checkpoint.RECORD:
        return Refuse(Reason.FOREIGN_SCHEMA)
    claimed = Checkpoint.decode(signed.body).session
    session = known.sessions.get(claimed)
    if session is None:
        reason = known.refused.get(claimed)
        return Unknown(claimed) if reason is None else Refuse(reason, session=claimed)
    checkpoint = validate_checkpoint(signed, session, trust, now, partition=place.partition, key=key)
    if isinstance(checkpoint, Reason):
        return Refuse(checkpoint, session=claimed)
    routes = place.routes.get(session.tenant)
    if not routes:
        return Refuse(Reason.TENANT_NOT_READY, True, claimed)
    return Announce(tuple(route.topic for route in routes))
