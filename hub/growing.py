"""Grows the topics of the routes: drains them into a bigger generation, at a quiet hour, with a pause of who seals.

    pause ─> drained? ─> writers lose their rights ─> still drained? ─> the next generation is applied ─> its text

Whoever seals hears of the pause by the declaration, begins nothing new and brings its sessions to their close; router
and desks go on. What stands between the generations is not time but rights: no broker lets anybody seal for the old one
when it is looked at for the last time, and no portal can announce a session for it ever again. Until then everything
can be taken back, and is, if something is still under way. Each step may be done again: what a crash cut short, the
next `grow` takes up, or takes back and begins anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from hub.applying import Wanted, apply, last_published
from hub.crashpoints import reached
from hub.crypto.certificates import CertificateAuthority
from hub.crypto.keyfile import STANDARD, ScryptCost
from hub.enrolment import listed_at
from hub.envelope.names import ROUTER
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session, SessionClose
from hub.envelope.sealed import SCHEMA_ID as SEALED_EVENT
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_close, validate_session
from hub.envelope.wire import frame_id
from hub.shut_out_book import shut_out_at
from hub.transport import Endpoint, KafkaRecord
from hub.transport.admin import Admin
from hub.undelivered import count_unrouted, find_unstored, read_all
from schemas.errors import HubError
from topics import names
from topics.errors import GrowthRefused
from topics.generations import grown, paused, resumed
from topics.layout import Topology
from topics.plan import Plan, RemoveAcl
from topics.plan import plan as plan_for

Letters = Callable[[], Awaitable[int]]
"""counts the dead letters that nobody has replayed or discarded"""
Tell = Callable[[str], None]
WAIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 2.0
_MARGIN: Final = timedelta(hours=1)


class UnderWay(HubError):
    """Something is still on its way through the present generation of topics."""

    code: ClassVar[str] = "topics.under-way"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "Nothing was changed, filing goes on. `topics grow --check` shows what it is; then once more."

    def __init__(self, found: Left) -> None:
        """Say how much of each."""
        super().__init__(found.summary)
        self.found = found


@dataclass(frozen=True, slots=True)
class Left:
    """What of the present generation has not come to its end."""

    sessions: tuple[tuple[str, str, str, str], ...] = ()
    """announced and not closed: producer, instance, tenant, id"""
    unrouted: int = 0
    """records behind the router's offsets"""
    unstored: Mapping[str, int] = field(default_factory=dict)
    """by tenant: events that the review desk has neither confirmed nor refused"""
    letters: int = 0
    """dead letters that are open: where they go back to must not have ended"""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.sessions or self.unrouted or self.unstored or self.letters)

    @property
    def summary(self) -> str:
        """In words, for an error."""
        parts = {
            "open sessions": len(self.sessions),
            "records not routed": self.unrouted,
            "events not stored": sum(self.unstored.values()),
            "open dead letters": self.letters,
        }
        return ", ".join(f"{count} {name}" for name, count in parts.items() if count)


@dataclass(frozen=True, slots=True)
class Grown:
    """The text that is in force now, what it was grown to, and what the broker still lacks."""

    text: str
    generation: int
    partitions: int
    declaration_serial: int
    left: Plan


async def find_left(
    endpoint: Endpoint,
    topology: Topology,
    trust: Trust,
    letters: Letters,
    now: datetime,
    *,
    whole: bool = False,
    stored: bool = True,
) -> Left:
    """Look at the topics of the present generation: the cheapest first, and unless `whole` no further than needed.

    Without `stored` it is not asked what the review desks have: that takes the longest. Raises TransportError.
    """
    left = Left(sessions=await _open_sessions(endpoint, topology, trust, now))
    if whole or not left:
        group = topology.principal(ROUTER).group
        async with Admin(endpoint) as admin:
            committed = await admin.committed(group) if group else {}
        left = replace(left, unrouted=await _unrouted(endpoint, topology, committed))
    if whole or not left:
        left = replace(left, letters=await letters())
    if stored and (whole or not left):
        unstored = await find_unstored(
            endpoint, topology, topology.codes, trust, younger_than=_still_kept(topology, now)
        )
        left = replace(left, unstored={tenant: count for tenant, count in unstored.items() if count})
    return left


async def grow(
    home: Path,
    declared: Wanted,
    partitions: int,
    authority: CertificateAuthority,
    endpoint: Endpoint,
    now: Callable[[], datetime],
    *,
    letters: Letters,
    wait_seconds: float = WAIT_SECONDS,
    tell: Tell = lambda _: None,
    cost: ScryptCost = STANDARD,
) -> Grown:
    """Drain the topics into a generation with `partitions`, and put that in force; `declared` is what is declared now.

    Waits `wait_seconds` for what is under way. Raises GrowthRefused, UnderWay (all is as before then), TransportError.
    """
    published = await last_published(home, endpoint, declared.topology.namespace)
    if published is None:
        raise GrowthRefused("(nothing was applied yet: the number can still be chosen)")
    topology = published.topology
    if topology.generation > 1 and topology.partitions == partitions and not topology.growing:
        tell(f"generation {topology.generation} is declared; what is left of it is done")  # a crash, or asked twice
        return await _begun(home, published, authority, endpoint, now, cost)
    base = Wanted.of(resumed(published.text), topology.namespace, topology.partitions)
    if (Wanted.of(resumed(declared.text), topology.namespace, topology.partitions)).topology != base.topology:
        raise GrowthRefused("(what is declared is not what is applied: `topics plan` shows the difference)")
    following = Wanted.of(grown(base.text, topology.partitions, partitions), topology.namespace, None)
    pause = Wanted.of(paused(base.text), topology.namespace, topology.partitions)
    await _possible(home, base, following, endpoint)
    carry_out = partial(apply, home, authority=authority, endpoint=endpoint, now=now, cost=cost)
    tell("pause: nobody begins anything new")
    await carry_out(pause)  # gives back, too, what a run that was cut short had taken
    reached("grow.paused")
    try:
        trust = listed_at(home)
        assert trust is not None  # or nothing could have been applied
        look = partial(find_left, endpoint, pause.topology, trust, letters)
        await _drained(look, now, wait_seconds, tell)
        tell("all has arrived: nobody may write any more")
        taken = sorted(base.topology.acls - following.topology.acls, key=str)
        async with Admin(endpoint) as admin:
            await admin.execute(Plan(tuple(RemoveAcl(acl) for acl in taken), ()))
            await admin.until_withdrawn(taken)
        reached("grow.fenced")
        # somebody may have been quicker than the pause; after this nobody can be, and what is routed a desk will read
        if left := await look(now(), stored=False):
            raise UnderWay(left)
    except BaseException:
        tell("taken back: filing goes on as before")
        await asyncio.shield(carry_out(base))
        raise
    tell(f"generation {following.topology.generation} begins, with {partitions} partitions")
    return await _begun(home, following, authority, endpoint, now, cost)


async def _possible(home: Path, base: Wanted, following: Wanted, endpoint: Endpoint) -> None:
    """Raise before anything is begun what the broker's topics would raise at the end: PartitionsChanged."""
    async with Admin(endpoint) as admin:
        current = await admin.current(following.topology, base.topology)
    plan_for(current, following.topology, applied=base.topology, shut_out=shut_out_at(home))


async def _begun(
    home: Path,
    wanted: Wanted,
    authority: CertificateAuthority,
    endpoint: Endpoint,
    now: Callable[[], datetime],
    cost: ScryptCost,
) -> Grown:
    done = await apply(home, wanted, authority=authority, endpoint=endpoint, now=now, cost=cost, grows=True)
    reached("grow.applied")
    topology = wanted.topology
    return Grown(wanted.text, topology.generation, topology.partitions, done.declaration_serial, done.left)


def _still_kept(topology: Topology, now: datetime) -> datetime | None:
    """Since when events and their receipts are kept for certain; None: for ever."""
    topics = [topic for topic in topology.topics if topic.key in ("review", "status")]
    kept = [int(topic.configs["retention.ms"]) for topic in topics if "retention.ms" in topic.configs]
    return now - timedelta(milliseconds=min(kept)) + _MARGIN if kept else None


async def _drained(
    look: Callable[[datetime], Awaitable[Left]], now: Callable[[], datetime], seconds: float, tell: Tell
) -> None:
    """Wait until nothing is left. Raises UnderWay after `seconds`."""
    deadline = time.monotonic() + seconds
    said = ""
    while left := await look(now()):
        if left.summary != said:
            said = left.summary
            tell(f"still under way: {said}")
        if time.monotonic() > deadline:
            raise UnderWay(left)
        await asyncio.sleep(_LOOK_SECONDS)


async def _open_sessions(
    endpoint: Endpoint, topology: Topology, trust: Trust, now: datetime
) -> tuple[tuple[str, str, str, str], ...]:
    namespace, generation = topology.namespace, topology.generation
    topics = [names.sessions(namespace, generation)]
    topics += [names.desk_sessions(namespace, tenant.code, generation) for tenant in topology.tenants]
    found: dict[bytes, Session] = {}
    closes: list[tuple[bytes | None, Signed]] = []
    async for record in read_all(endpoint, {(topic, 0): None for topic in topics}):
        signed = _signed(record)
        if signed is not None and signed.name == SessionClose.RECORD:
            closes.append((record.key, signed))
        if signed is None or signed.name != Session.RECORD:
            continue
        session = validate_session(signed, trust, now, topic=record.topic, key=record.key)
        if not isinstance(session, Reason):
            found[session.id] = session
    return _unclosed(found, closes, trust, now)


def _unclosed(
    found: dict[bytes, Session], closes: Iterable[tuple[bytes | None, Signed]], trust: Trust, now: datetime
) -> tuple[tuple[str, str, str, str], ...]:
    for key, signed in closes:  # a close may stand before a session that was announced again
        try:
            session = found.get(SessionClose.decode(signed.body).session)
        except EnvelopeError:
            continue
        if session is not None and not isinstance(validate_close(signed, session, trust, now, key=key), Reason):
            del found[session.id]
    return tuple(sorted((each.producer, each.instance, each.tenant, each.id.hex()[:16]) for each in found.values()))


async def _unrouted(endpoint: Endpoint, topology: Topology, committed: Mapping[tuple[str, int], int]) -> int:
    """How many records of the submissions, of whatever sort, lie behind the router's offsets."""
    return sum((await count_unrouted(endpoint, topology, committed, lambda record: record.topic)).values())


def _signed(record: KafkaRecord) -> Signed | None:
    try:
        if record.value is None or frame_id(record.value) == SEALED_EVENT:
            return None
        return Signed.parse(record.value)
    except EnvelopeError:
        return None
