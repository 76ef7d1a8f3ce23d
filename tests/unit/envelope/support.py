"""A small artificial world: administrator, portal, router, desks, their keys, a trust file, a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256

from hub.crypto import sections as keys
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.identity import IdentityKey
from hub.envelope.event_ids import new_event_id
from hub.envelope.header import Cause, Check, EventHeader
from hub.envelope.inspection import Lane, lane
from hub.envelope.records import AudienceKey, Session
from hub.envelope.session import SealedOut, SessionSecrets, open_session
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.envelope.trust import Right, Trust
from hub.envelope.trust_builder import TrustBuilder

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
NS = "rehearsal"
T = "131041"
SUBMISSIONS = f"{NS}.submissions"
SESSIONS = f"{NS}.sessions"
REVIEW, HELPDESK = f"review-{T}", f"helpdesk-{T}"
TAX = f"tax-resident-tax-{T}"
AUDIENCES = ("router", REVIEW, HELPDESK, "portal", TAX, "quarantine")
PRINCIPALS = ("admin", "portal", "router", REVIEW, HELPDESK, TAX, "operator", f"review-{999997}")
PARTITION = 3


def seed(name: str, count: int = 32) -> bytes:
    out = b""
    while len(out) < count:
        out += sha256(f"test {name} {len(out)}".encode()).digest()
    return out[:count]


def identity(name: str) -> IdentityKey:
    return IdentityKey.from_seed(seed("identity " + name))


@cache
def private_key(audience: str, suite: Suite = Suite.HYBRID) -> AudiencePrivateKey:
    count = 96 if suite is Suite.HYBRID else 32
    return AudiencePrivateKey.from_seeds(suite, seed("audience " + audience, count))


def owner(audience: str) -> str:
    return "operator" if audience == "quarantine" else audience


def audience_key(audience: str, suite: Suite = Suite.HYBRID, epoch: int = 202604) -> AudienceKey:
    key = private_key(audience, suite)
    begin = datetime(2026, 3, 31, 15, tzinfo=UTC)
    end = datetime(2026, 4, 30, 15, tzinfo=UTC)
    return AudienceKey(audience, epoch, key.key_id, suite, key.public, begin, end)


def signed_audience_key(record: AudienceKey) -> bytes:
    return sign("AudienceKey", record.encode(), identity(owner(record.audience)), identity("admin"))


def trust_builder() -> TrustBuilder:
    builder = TrustBuilder(NS)
    for name in PRINCIPALS:
        rights: list[Right] = []
        if name == "portal":
            rights = [Right("submissions", frozenset({T, "999997"}))]
        if name == REVIEW:
            rights = [Right("status", frozenset({T})), Right("accepted", frozenset({T}))]
        builder.principal(name, may_produce=rights)
        builder.identity(name, identity(name).public, NOW - YEAR, NOW + YEAR)
    for name in AUDIENCES:
        builder.audience(name, owner=owner(name))
    return builder


@cache
def trust() -> Trust:
    return Trust.load(trust_builder().sign(NOW, identity("admin")), identity("admin").public)


def new_session(
    *,
    topic: str = SUBMISSIONS,
    producer: str = "portal",
    audiences: tuple[str, ...] = ("router", REVIEW, HELPDESK),
    created_at: datetime = NOW,
    hours: float = 8,
    tenant: str = T,
) -> SessionSecrets:
    return SessionSecrets.create(
        producer=producer,
        instance="test-1",
        topic=topic,
        tenant=tenant,
        created_at=created_at,
        expires_at=created_at + timedelta(hours=hours),
        audiences=[audience_key(name) for name in audiences],
        identity=identity(producer),
    )


def header_for(secrets: SessionSecrets, sequence: int = 0, *, cause: Cause | None = None) -> EventHeader:
    now = to_ms(secrets.session.created_at)
    return secrets.header(
        partition=PARTITION,
        sequence=sequence,
        event_id=new_event_id(now, lambda count: seed(f"event {sequence}", count)),
        receipt_number=f"R8-13104-{sequence:09d}",
        procedure="heir-representative-designation",
        procedure_version=1,
        tax_item=None,
        accepted_at_ms=now - 5_000,
        produced_at_ms=now + 1_000 + sequence,
        calculation_check=Check.PASSED,
        signature_check=Check.NOT_PERFORMED,
        cause=cause,
    )


PLAINTEXTS = {REVIEW: b"\x00review of \xe8\xa6\x8b\xe6\x9c\xac", HELPDESK: b"\x00masked"}


@dataclass(frozen=True)
class World:
    """One session of the portal, one event of it, and what the router knows."""

    secrets: SessionSecrets
    session: Session
    header: EventHeader
    event: SealedOut
    key: bytes
    lane: Lane

    @property
    def lanes(self) -> dict[bytes, Lane]:
        return {self.session.id: self.lane}


def router_lane(session: Session, partition: int = PARTITION) -> Lane:
    secret = open_session(session, "router", private_key("router"))
    made = lane(session, partition, trust(), topic=session.topic, mac_key=keys.mac_key(secret))
    assert isinstance(made, Lane)
    return made


@cache
def world() -> World:
    secrets = new_session()
    header = header_for(secrets)
    event = secrets.seal(header, PLAINTEXTS)
    return World(secrets, secrets.session, header, event, event.event_id.encode(), router_lane(secrets.session))
