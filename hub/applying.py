"""Makes a declaration hold: on the brokers, in the trust list, and for the roles that run.

    undelivered? ─> topics, rights, quotas ─> keys, trust list ─> audience keys ─> trust, declaration on control
                                                        ─> rights and quotas of removed tenants go ─> applied

Each step may be done again: what a crash cut short, the next `apply` finishes. `<home>/applied.bin` is the
declaration that was carried out to its end, `<home>/declaration.bin` the one that was published last.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from hub.crashpoints import reached
from hub.crypto.certificates import CertificateAuthority, write_private
from hub.crypto.keyfile import STANDARD, ScryptCost
from hub.enrolment import Enrolled, administrator, enrol, listed_at, pinned_at
from hub.envelope.declared import AppliedDeclaration, DeclarationRefused
from hub.envelope.names import ADMIN, ROUTER
from hub.envelope.trust import Trust, TrustRefused
from hub.handing_out import hand_out
from hub.hearing import Hearing
from hub.reading.control import DECLARATION_KEY, TRUST_KEY
from hub.shut_out_book import shut_out_at
from hub.standing import DECLARATION
from hub.transport import BatchWriter, Endpoint, Outgoing, PartitionReader, TlsIdentity
from hub.transport.admin import Admin
from hub.undelivered import find_undelivered, insist
from topics import names
from topics.declaration import parse
from topics.expanding import expand
from topics.layout import Acl, Topology
from topics.plan import (
    Current,
    DeleteTopic,
    Plan,
    RemoveAcl,
    RemoveQuota,
    RemoveTenant,
    Step,
    additions,
    check_generation,
)
from topics.plan import plan as plan_for

APPLIED: Final = "applied.bin"
_LETTING_GO_SECONDS: Final = 20.0
"""for roles to hear that an earlier generation is declared no more, and to begin anew without it"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A declaration as its text, and laid out."""

    text: str
    topology: Topology

    @classmethod
    def of(cls, text: str, namespace: str, partitions: int | None) -> Wanted:
        """Check and lay out a text. Raises DeclarationInvalid."""
        return cls(text, expand(parse(text), namespace, partitions=partitions))


@dataclass(frozen=True, slots=True)
class Applied:
    """What was planned, what is left after all, who was enrolled and who was withdrawn."""

    plan: Plan
    left: Plan
    enrolled: tuple[str, ...]
    withdrawn: tuple[str, ...]
    trust_serial: int
    declaration_serial: int
    unheard: tuple[str, ...] = ()
    """routers that run and did not say in time that they have taken it on; what they still write is refused"""


def last_applied(home: Path, name: str = APPLIED) -> Wanted | None:
    """Return what was carried out last, or published last (`DECLARATION`). Raises DeclarationRefused."""
    path = home / name
    if not path.exists():
        return None
    found = AppliedDeclaration.load(path.read_bytes(), pinned_at(home))
    return Wanted.of(found.text, found.namespace, found.partitions)


def admin_endpoint(home: Path, bootstrap: str) -> Endpoint:
    """How the administrator of this home reaches the brokers."""
    directory = home / "roles" / ADMIN
    return Endpoint(bootstrap, TlsIdentity(directory / "tls.crt", directory / "tls.key", directory / "ca.crt"), ADMIN)


async def survey(
    home: Path, wanted: Wanted, endpoint: Endpoint, *, prune: bool = False, delete_data: bool = False
) -> Plan:
    """Plan from what the brokers have to what is wanted.

    Raises PartitionsChanged, GenerationChanged, TransportError.
    """
    base = last_applied(home)
    applied = None if base is None else base.topology
    async with Admin(endpoint) as admin:
        current = await admin.current(wanted.topology, applied)
    await _same_generation(home, wanted.topology, endpoint, current)
    out = shut_out_at(home)
    return plan_for(current, wanted.topology, applied=applied, prune=prune, delete_data=delete_data, shut_out=out)


async def apply(
    home: Path,
    wanted: Wanted,
    authority: CertificateAuthority,
    endpoint: Endpoint,
    now: Callable[[], datetime],
    *,
    prune: bool = False,
    delete_data: bool = False,
    force: bool = False,
    grows: bool = False,
    cost: ScryptCost = STANDARD,
) -> Applied:
    """Carry a declaration out. Without `force`, no tenant is removed that has undelivered events.

    Only with `grows` (`hub.growing`, which has drained the topics) another generation of topics is begun.
    Raises Undelivered, PartitionsChanged, GenerationChanged, TrustRefused, TransportError; run it again then.
    """
    topology = wanted.topology
    base = last_applied(home)
    applied = None if base is None else base.topology
    out = shut_out_at(home)
    async with Admin(endpoint) as admin:
        current = await admin.current(topology, applied)
        if not grows:
            await _same_generation(home, topology, endpoint, current)
        planned = plan_for(
            current,
            topology,
            applied=applied,
            prune=prune,
            delete_data=delete_data,
            shut_out=out,
        )
        if applied is not None and not force:
            await _nothing_is_left(admin, home, endpoint, applied, _removed(planned))
        first, last = _in_order(planned, applied, topology)
        await admin.execute(first)
        await admin.settle(replace(topology, quotas=()))  # nobody hears of topics that are not there yet
        reached("apply.before-publishing")
        published = await newest(endpoint, names.control(topology.namespace))
        enrolled = enrol(
            home,
            topology,
            authority,
            now=now(),
            cost=cost,
            least_serial=least_serial(published, home),
            withdraw=bool(_removed(planned)),
        )
        declaration = _declare(home, wanted, published, now(), cost)
        serial = AppliedDeclaration.load(declaration, pinned_at(home)).serial
        routers = await _routers(admin, topology) if last.steps else frozenset[str]()
        async with Hearing(endpoint, topology.namespace, routers, serial) as hearing:
            await publish(endpoint, topology.namespace, enrolled, published, declaration=declaration)
            trust = Trust.load(enrolled.trust, pinned_at(home))
            unheard = await hearing.until_all(trust)
        if applied is not None and _let_go(applied, topology):
            await asyncio.sleep(_LETTING_GO_SECONDS)
        await admin.execute(last)
        left = await admin.settle(topology, applied=applied, prune=prune, shut_out=out)
    write_private(home / APPLIED, declaration)
    return Applied(planned, left, enrolled.added, enrolled.withdrawn, trust.serial, serial, unheard)


async def last_published(home: Path, endpoint: Endpoint, namespace: str) -> Wanted | None:
    """What was published last, by this home or, if it is older than that (restored from a copy), by its topic.

    Raises DeclarationRefused, TransportError; the control topic must be there.
    """
    pinned, path = pinned_at(home), home / DECLARATION
    values = [path.read_bytes()] if path.exists() else []
    values += [value for value in [(await newest(endpoint, names.control(namespace))).get(DECLARATION_KEY)] if value]
    found = []
    for value in values:
        with contextlib.suppress(DeclarationRefused):  # garbage on the topic is no declaration
            found.append(AppliedDeclaration.load(value, pinned))
    if not found:
        return None
    latest = max(found, key=lambda each: each.serial)
    return Wanted.of(latest.text, latest.namespace, latest.partitions)


async def _same_generation(home: Path, wanted: Topology, endpoint: Endpoint, current: Current) -> None:
    """Raise GenerationChanged if another one was published last, carried out to its end or not."""
    control = names.control(wanted.namespace)
    if any(topic.name == control for topic in current.topics):
        published = await last_published(home, endpoint, wanted.namespace)
    else:
        published = last_applied(home, DECLARATION)
    check_generation(None if published is None else published.topology, wanted)


async def prepare(
    home: Path,
    wanted: Wanted,
    authority: CertificateAuthority,
    endpoint: Endpoint,
    now: Callable[[], datetime],
    *,
    cost: ScryptCost = STANDARD,
) -> tuple[Plan, tuple[str, ...]]:
    """Make what a declaration has beyond the one that holds: topics, rights, keys; take nothing away.

    No role is told of it, for one of an older version could not read it, and would not start on it again; `apply` does
    that when all can. Returns what was done and who was enrolled. Raises PartitionsChanged, GenerationChanged,
    TrustRefused, TransportError.
    """
    topology = wanted.topology
    base = last_applied(home)
    applied = None if base is None else base.topology
    known = {each.name for each in applied.principals} if applied else set()
    async with Admin(endpoint) as admin:
        current = await admin.current(topology, applied)
        await _same_generation(home, topology, endpoint, current)
        planned = plan_for(current, topology, applied=applied, shut_out=shut_out_at(home))
        more = additions(planned, known)
        await admin.execute(more)
    published = await newest(endpoint, names.control(topology.namespace))
    enrolled = enrol(
        home, topology, authority, now=now(), cost=cost, least_serial=least_serial(published, home), withdraw=False
    )
    await publish(endpoint, topology.namespace, enrolled, published, declaration=None)
    return more, enrolled.added


async def _routers(admin: Admin, topology: Topology) -> frozenset[str]:
    """The instances of the router that run now, as members of its group."""
    group = topology.principal(ROUTER).group
    members = await admin.members(group) if group else frozenset()
    return frozenset(each.removeprefix(f"{ROUTER}-") for each in members if each.startswith(f"{ROUTER}-"))


async def _nothing_is_left(
    admin: Admin, home: Path, endpoint: Endpoint, applied: Topology, removed: Sequence[RemoveTenant]
) -> None:
    """Raise Undelivered if a tenant that is to go has events under way."""
    trust = listed_at(home)
    group = applied.principal(ROUTER).group
    if not removed or trust is None or group is None:
        return
    committed = await admin.committed(group)
    insist(await find_undelivered(endpoint, applied, [step.code for step in removed], committed, trust))


def _removed(planned: Plan) -> list[RemoveTenant]:
    return [step for step in planned.steps if isinstance(step, RemoveTenant)]


def _let_go(applied: Topology, wanted: Topology) -> bool:
    """Whether a generation that was read is declared no more."""
    return bool(set(applied.generations) - set(wanted.generations))


def _in_order(planned: Plan, applied: Topology | None, wanted: Topology) -> tuple[Plan, Plan]:
    """Split: when a tenant leaves, rights that were declared go last, when the router has heard; so do quotas, data.

    So they do when an earlier generation of topics is let go of: desks that still read it would end.
    """
    last = applied is not None and (_removed(planned) or _let_go(applied, wanted))
    waits = frozenset[Acl]() if applied is None or not last else applied.acls

    def late(step: Step) -> bool:
        return isinstance(step, RemoveQuota | DeleteTopic) or (isinstance(step, RemoveAcl) and step.acl in waits)

    return (
        Plan(tuple(step for step in planned.steps if not late(step)), ()),
        Plan(tuple(step for step in planned.steps if late(step)), ()),
    )


async def newest(endpoint: Endpoint, topic: str) -> dict[bytes, bytes]:
    """The newest value of each key of a compacted topic of one partition."""
    found: dict[bytes, bytes] = {}
    async with PartitionReader(endpoint, {(topic, 0): None}) as reader:
        for record in await reader.read_to_end():
            if record.key is not None:
                found.pop(record.key, None)
                if record.value is not None:
                    found[record.key] = record.value
    return found


def least_serial(published: Mapping[bytes, bytes], home: Path) -> int:
    """Above what roles have seen, if this home is older than what it published (restored from a copy)."""
    value = published.get(TRUST_KEY)
    if value is None or not (home / "trust.bin").exists() or value == (home / "trust.bin").read_bytes():
        return 1
    try:
        theirs = Trust.load(value, pinned_at(home)).serial
    except TrustRefused:
        return 1
    ours = Trust.load((home / "trust.bin").read_bytes(), pinned_at(home)).serial
    return theirs + 1 if theirs >= ours else 1


def _declare(home: Path, wanted: Wanted, published: Mapping[bytes, bytes], now: datetime, cost: ScryptCost) -> bytes:
    """Sign the declaration under the next serial, unless it is the one of last time; put it where roles start."""
    pinned, path, topology = pinned_at(home), home / DECLARATION, wanted.topology
    known = [path.read_bytes()] if path.exists() else []
    loaded = [(AppliedDeclaration.load(value, pinned), value) for value in known]
    with contextlib.suppress(DeclarationRefused):  # garbage on the topic is written over
        value = published.get(DECLARATION_KEY, b"")
        loaded.append((AppliedDeclaration.load(value, pinned), value))
    serial, value = 0, b""
    if loaded:
        latest, value = max(loaded, key=lambda each: each[0].serial)
        serial = latest.serial
        if (latest.text, latest.partitions) != (wanted.text, topology.partitions):
            value = b""
    if not value:
        made = AppliedDeclaration(topology.namespace, serial + 1, now, topology.partitions, wanted.text)
        value = made.sign(administrator(home, cost=cost))
    hand_out([home / "roles" / each.name for each in topology.roles], DECLARATION, value)
    write_private(path, value)
    return value


async def publish(
    endpoint: Endpoint,
    namespace: str,
    enrolled: Enrolled,
    published: Mapping[bytes, bytes],
    *,
    declaration: bytes | None,
) -> None:
    """Write what is not there yet: audience keys first, for who hears of a tenant seals to it.

    `published` is what the control topic says now; without `declaration` the one that is there stays. Raises
    TransportError.
    """
    keys = await newest(endpoint, names.audiences(namespace))
    wanted = {TRUST_KEY: enrolled.trust}
    if declaration is not None:
        wanted[DECLARATION_KEY] = declaration
    async with BatchWriter(endpoint) as writer:
        for topic, records in (
            (names.audiences(namespace), _news(keys, {k.encode(): v for k, v in enrolled.audience_keys})),
            (names.control(namespace), _news(published, wanted)),
        ):
            if records:
                await writer.write(topic, 0, records)


def _news(there: Mapping[bytes, bytes], wanted: Mapping[bytes, bytes]) -> Sequence[Outgoing]:
    """The records of `wanted` that are not there as they are wanted."""
    return [Outgoing(key, value) for key, value in wanted.items() if there.get(key) != value]
