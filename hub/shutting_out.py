"""Takes everything from a principal at once, and gives it back: for a certificate or key that may be in other hands.

    the book ─> the broker denies it everything ─> its identity keys are revoked in the trust list, and all roles hear

The broker looks at each request of each connection, so that one that is open now loses its rights with its next
request; one that already waits at the broker is answered or closed within `connections.max.idle.ms`. What was
signed with its keys counts no more as soon as a role has read the list, within seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from hub.applying import Wanted, least_serial, newest, publish
from hub.crypto.certificates import CertificateAuthority
from hub.crypto.keyfile import ScryptCost
from hub.enrolment import enrol, pinned_at
from hub.envelope.trust import Trust
from hub.shut_out_book import Done, note, shut_out_at
from hub.transport import Endpoint
from hub.transport.admin import Admin
from schemas.errors import HubError
from topics import names
from topics.layout import Topology
from topics.plan import LetIn, Plan, ShutOut, Step


class NobodyOfThatName(HubError):
    """The declaration names no such principal."""

    code: ClassVar[str] = "shut-out.unknown"
    hint: ClassVar[str] = "`eltax-hub keys list` names the principals. Who is not declared has no right to lose."


class MayDoEverything(HubError):
    """A super user cannot be shut out: rights do not bind it."""

    code: ClassVar[str] = "shut-out.super-user"
    hint: ClassVar[str] = "Stop the brokers' listener, make a new authority and new certificates: see docs/runbooks."


class HasNothing(HubError):
    """A principal with nothing but a certificate has no right and no key that could be taken."""

    code: ClassVar[str] = "shut-out.certificate-only"
    hint: ClassVar[str] = "Take it out of the declaration, then `eltax-hub topics apply`: all processes refuse it then."


class NotShutOut(HubError):
    """This principal is not shut out."""

    code: ClassVar[str] = "shut-out.not"
    hint: ClassVar[str] = "`eltax-hub topics plan` shows who is."


@dataclass(frozen=True, slots=True)
class Changed:
    """What was done: since when, which keys count no more or newly, and the trust list that says so."""

    principal: str
    done: Done
    revoked: tuple[str, ...]
    listed: tuple[str, ...]
    trust_serial: int


async def shut_out(
    home: Path,
    wanted: Wanted,
    authority: CertificateAuthority,
    endpoint: Endpoint,
    principal: str,
    now: Callable[[], datetime],
    *,
    cost: ScryptCost | None = None,
) -> Changed:
    """Deny a principal everything and revoke its keys; may be run again.

    Raises NobodyOfThatName, MayDoEverything, HasNothing, TrustRefused, TransportError.
    What was done before an error holds.
    """
    known = {each.name: each for each in wanted.topology.principals}
    if principal not in known and principal not in shut_out_at(home):
        raise NobodyOfThatName(principal)
    if principal in known and known[principal].super_user:
        raise MayDoEverything(principal)
    if principal in known and known[principal].certificate_only:
        raise HasNothing(principal)
    note(home, Done.SHUT_OUT, principal, now())
    await _carry_out(endpoint, ShutOut(principal))
    return await _publish(home, wanted.topology, authority, endpoint, principal, Done.SHUT_OUT, now, cost)


async def let_in(
    home: Path,
    wanted: Wanted,
    authority: CertificateAuthority,
    endpoint: Endpoint,
    principal: str,
    now: Callable[[], datetime],
    *,
    cost: ScryptCost | None = None,
) -> Changed:
    """List a new identity key for a principal that was shut out, and take the denial away.

    Its old keys stay revoked. Its old certificate works again, with every copy of it. Raises NotShutOut and as above.
    """
    if principal not in shut_out_at(home) and principal not in await denied(endpoint):
        raise NotShutOut(principal)
    note(home, Done.LET_IN, principal, now())
    # its keys first: who may speak again has something to say
    done = await _publish(home, wanted.topology, authority, endpoint, principal, Done.LET_IN, now, cost)
    await _carry_out(endpoint, LetIn(principal))
    return done


async def denied(endpoint: Endpoint) -> frozenset[str]:
    """Whom the brokers deny everything. Raises TransportError."""
    async with Admin(endpoint) as admin:
        return await admin.denied()


async def _carry_out(endpoint: Endpoint, step: Step) -> None:
    async with Admin(endpoint) as admin:
        await admin.execute(Plan((step,), ()))


async def _publish(
    home: Path,
    topology: Topology,
    authority: CertificateAuthority,
    endpoint: Endpoint,
    principal: str,
    done: Done,
    now: Callable[[], datetime],
    cost: ScryptCost | None,
) -> Changed:
    before = _counting(home, principal)
    published = await newest(endpoint, names.control(topology.namespace))
    enrolled = enrol(
        home, topology, authority, now=now(), cost=cost, least_serial=least_serial(published, home)
    )  # it reads the book
    await publish(endpoint, topology.namespace, enrolled, published, declaration=None)
    after = _counting(home, principal)
    serial = Trust.load(enrolled.trust, pinned_at(home)).serial
    return Changed(principal, done, tuple(sorted(before - after)), tuple(sorted(after - before)), serial)


def _counting(home: Path, principal: str) -> set[str]:
    """The ids (hex) of a principal's identity keys that count."""
    trust = Trust.load((home / "trust.bin").read_bytes(), pinned_at(home))
    known = trust.principals.get(principal)
    return set() if known is None else {each.key_id.hex() for each in known.identities if each.revoked_at is None}
