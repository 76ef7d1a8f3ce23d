"""The same artificial world on every run: fixed keys, a trust list, one session of the portal and one of a desk.

HPKE cannot be steered, so sessions are made of fixed bytes where an audience's sealed secret stands; the secrets
themselves are known here and nobody has to open them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hub.crypto import sections as keys
from hub.crypto.audience import AudiencePrivateKey, Suite, sealed_bytes
from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.crypto.secret import Secret
from hub.envelope.event_ids import new_event_id
from hub.envelope.header import Cause, Check, EventHeader
from hub.envelope.inspection import Lane, lane
from hub.envelope.records import AudienceKey, Session, SessionAudience
from hub.envelope.session import SealedOut, SessionSecrets
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.envelope.trust import Right, Trust
from hub.envelope.trust_builder import TrustBuilder

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
NS = "rehearsal"
T = "131041"
SUBMISSIONS, STATUS = f"{NS}.submissions", f"{NS}.{T}.status"
REVIEW, HELPDESK, AUDIT, TAX = f"review-{T}", f"helpdesk-{T}", f"audit-{T}", f"tax-resident-tax-{T}"
PRINCIPALS = ("admin", "audit-131041", "helpdesk-131041", "operator", "portal", "review-131041", "router", TAX)
AUDIENCES = ("router", REVIEW, HELPDESK, "portal", TAX, "quarantine")
PARTITION = 3


def seed(name: str, count: int = 32) -> bytes:
    """Bytes that anybody may know."""
    out = b""
    while len(out) < count:
        out += sha256(f"fuzz {name} {len(out)}".encode())
    return out[:count]


@cache
def identity(name: str) -> IdentityKey:
    return IdentityKey.from_seed(seed("identity " + name))


@cache
def private_key(audience: str, suite: Suite = Suite.HYBRID) -> AudiencePrivateKey:
    return AudiencePrivateKey.from_seeds(suite, seed("audience " + audience, 96 if suite is Suite.HYBRID else 32))


def owner(audience: str) -> str:
    return "operator" if audience == "quarantine" else audience


def audience_key(audience: str, suite: Suite = Suite.HYBRID) -> AudienceKey:
    key = private_key(audience, suite)
    begin, end = datetime(2026, 3, 31, 15, tzinfo=UTC), datetime(2026, 4, 30, 15, tzinfo=UTC)
    return AudienceKey(audience, 202604, key.key_id, suite, key.public, begin, end)


@cache
def trust_bytes() -> bytes:
    builder = TrustBuilder(NS)
    year = timedelta(days=365)
    for name in PRINCIPALS:
        rights = []
        if name == "portal":
            rights = [Right("submissions", frozenset({T}))]
        if name == REVIEW:
            rights = [Right("status", frozenset({T})), Right("accepted", frozenset({T}))]
        builder.principal(name, may_produce=rights)
        builder.identity(name, identity(name).public, NOW - year, NOW + year)
    for name in AUDIENCES:
        builder.audience(name, owner=owner(name))
    return builder.sign(NOW, identity("admin"))


@cache
def trust() -> Trust:
    return Trust.load(trust_bytes(), identity("admin").public)


@cache
def secret(topic: str, audience: str) -> Secret:
    return Secret(seed(f"secret {topic} {audience}"))


@cache
def session(topic: str = SUBMISSIONS) -> SessionSecrets:
    """A session for submissions or for the desk's status topic."""
    desk = topic != SUBMISSIONS
    names = sorted((HELPDESK, "portal") if desk else ("router", REVIEW, HELPDESK))
    producer = REVIEW if desk else "portal"
    secrets = {name: secret(topic, name) for name in names}
    audiences = tuple(
        SessionAudience(
            name, 202604, keys.commitment(secrets[name]), seed(f"sealed {topic} {name}", sealed_bytes(Suite.HYBRID))
        )
        for name in names
    )
    salt = seed("salt " + topic, 16)
    made = Session(salt, producer, "fuzz-1", topic, T, NOW, NOW + timedelta(hours=8), None, audiences).encode()
    return SessionSecrets(Session.decode(made), sign("Session", made, identity(producer)), secrets)


def header(topic: str = SUBMISSIONS, number: int = 0, **changes: Any) -> EventHeader:
    now = to_ms(NOW)
    secrets = session(topic)
    made = secrets.header(
        partition=PARTITION,
        sequence=number,
        event_id=new_event_id(now, lambda count: seed(f"event {number}", count)),
        receipt_number=f"R8-13104-{number:09d}",
        procedure="heir-representative-designation",
        procedure_version=1,
        tax_item=None,
        accepted_at_ms=now - 5_000,
        produced_at_ms=now + 1_000 + number,
        calculation_check=Check.PASSED,
        signature_check=Check.NOT_PERFORMED,
        cause=None if topic == SUBMISSIONS else Cause(event_id(99), seed("cause")),
    )
    return made._replace(**changes)


def event_id(number: int) -> str:
    return new_event_id(to_ms(NOW), lambda count: seed(f"event {number}", count))


@cache
def event(topic: str = SUBMISSIONS, number: int = 0) -> SealedOut:
    names = list(session(topic).audiences)
    return session(topic).seal(header(topic, number), {name: b"\x00plaintext for " + name.encode() for name in names})


@cache
def lane_of(topic: str, *, router: bool) -> Lane:
    mac_key = keys.mac_key(secret(topic, "router")) if router else None
    made = lane(session(topic).session, PARTITION, trust(), topic=topic, mac_key=mac_key)
    assert isinstance(made, Lane)
    return made
