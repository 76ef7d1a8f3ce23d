"""Roles of the product that meet the operator in the broker's place: their own keys, engines and stores."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cli.desks import opened
from consumers.assembly import Surroundings
from consumers.audit.consumer import AuditConsumer
from consumers.engine import Clocks, Limits
from consumers.helpdesk.consumer import HelpdeskConsumer
from consumers.review.cases import Dossiers
from consumers.review.consumer import ReviewConsumer
from consumers.review.deciding import Reviewer
from consumers.store.port import Store
from hub.envelope.letters import DeadLetter
from hub.facts import Alarm, Fact, Unconfirmed
from hub.role import Role
from schemas.decisions import Decision, Order
from tests.attacks.evil.broker import EvilBroker
from tests.attacks.evil.copies import Place
from tests.broker.router_stage import TENANT, Stage
from topics import names

_CONSUMERS = {"review": ReviewConsumer, "helpdesk": HelpdeskConsumer, "audit": AuditConsumer}
_ORDER = Order(Decision.RETURN, "item-missing", "見本の通知")
LIMITS = Limits(poll_timeout_ms=50, watch_seconds=0.05, farewell_seconds=5.0)
"""as in production, but for how often the desk looks; an audit desk looks twelve times before it alarms"""


class Clock:
    """The time of a desk under attack; the bound of 60 s passes when a test says so."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def a_minute_passes(self) -> None:
        self.ahead_ms += 61_000

    def of_desks(self) -> Clocks:
        return Clocks(self.now_ms, time.monotonic)


@dataclass
class Desk:
    """A desk at work, and what it said."""

    role: Role
    around: Surroundings
    store: Store
    facts: list[Fact]
    clock: Clock
    evil: EvilBroker

    def alarms(self) -> Counter[str]:
        return alarms_in(self.facts)

    async def rings(self, code: str, times: int = 1) -> str:
        """Wait for an alarm; returns its code as it was told."""
        await until(lambda: self.alarms()[code] >= times, f"{self.role.principal}: {code}, not {self.alarms()}")
        return code

    async def decides(self, *event_ids: str) -> None:
        """Return these submissions to their filers, and wait until the desk has told of it."""
        dossiers = Dossiers(self.store, self.around.vault(self.around.keys()))
        for event_id in event_ids:
            Reviewer(self.store, dossiers, "tester", self.clock.now_ms).decide(event_id, _ORDER)

        def told() -> int:
            return sum(each.event_id is not None for each in self.store.cases.all_decisions(after=0, limit=100))

        await until(lambda: told() == len(event_ids), "decisions are told")

    def topics(self) -> tuple[str, ...]:
        """What this desk reads."""
        namespace, tenant = self.role.namespace, self.role.principal.rpartition("-")[2]
        status = names.status(namespace, tenant)
        match self.role.principal.partition("-")[0]:
            case "review":
                return (names.review(namespace, tenant),)
            case "helpdesk":
                return (names.helpdesk(namespace, tenant), status)
            case _:
                sessions = (names.sessions(namespace), names.desk_sessions(namespace, tenant))
                return (names.audit(namespace, tenant), status, names.accepted(namespace, tenant), *sessions)

    async def through_all(self) -> None:
        """Wait until it has stored all that it is shown."""
        await self.through(*self.topics())

    async def ended(self) -> None:
        """Wait for the end that it comes to by itself."""
        await asyncio.sleep(30)
        raise AssertionError(f"{self.role.principal} goes on")

    async def looked(self) -> None:
        """Wait until it has looked for troubles so often that each that lasts would have rung."""
        enough = self._looks() + (14 if self.role.principal.startswith("audit-") else 2)
        await until(lambda: self._looks() >= enough, f"{self.role.principal} does not look")

    def _looks(self) -> int:
        return sum(isinstance(fact, Unconfirmed) for fact in self.facts)

    async def through(self, *topics: str) -> None:
        """Wait until it has stored all that it is shown of these topics."""
        await self.evil.settled()

        def done() -> bool:
            at = self.store.positions()
            return all(at.get(place, 0) >= len(self.evil.copies.log(self.role.principal, place)) for place in places)

        places: list[Place] = [
            (topic.name, number)
            for topic in self.role.topology.topics
            if topic.name in topics
            for number in range(topic.partitions)
        ]
        await until(done, f"{self.role.principal} is not through with {topics}")


def alarms_in(facts: Iterable[Fact]) -> Counter[str]:
    """Alarms by code."""
    return Counter(fact.code for fact in facts if isinstance(fact, Alarm))


async def until(condition: Callable[[], object], about: str, seconds: float = 30) -> None:
    """Wait for a condition; say what about if it never holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(about)
        await asyncio.sleep(0.02)


@dataclass
class EvilStage:
    """A namespace, the operator, and the roles that it has in hand."""

    stage: Stage
    evil: EvilBroker
    directory: Path
    documents: Sequence[Mapping[str, Any]] = ()
    """what was submitted in the honest history"""
    known: Counter[str] = field(default_factory=Counter)
    """troubles that a fresh audit desk finds because of earlier attacks"""
    _letters: set[tuple[str, int, int]] = field(default_factory=set)
    _number: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def namespace(self) -> str:
        return self.stage.namespace

    def role(self, principal: str, state: str = "") -> Role:
        """A role that is told the operator's address; with a state directory of its own, or one of that name."""
        own = self.directory / (state or f"{principal}-{next(self._number)}")
        (own / "state").mkdir(parents=True, exist_ok=True)
        return replace(self.stage.role(principal), bootstrap=self.evil.bootstrap, directory=own)

    @asynccontextmanager
    async def desk(self, principal: str, state: str = "") -> AsyncIterator[Desk]:
        """Run a desk that begins with nothing, as `eltax-hub consume` does."""
        role = self.role(principal, state)
        facts: list[Fact] = []
        clock = Clock()
        with opened(role, lambda fact: facts.append(fact)) as (around, directory, registry):
            around = replace(around, clocks=clock.of_desks(), limits=LIMITS)
            stop = asyncio.Event()
            try:
                await directory.refresh()
                consumer = _CONSUMERS[principal.partition("-")[0]](around)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(consumer.run(stop))
                    try:
                        yield Desk(role, around, around.store, facts, clock, self.evil)
                    finally:
                        stop.set()
            finally:
                await registry.close()
                await directory.close()

    @asynccontextmanager
    async def desks(self, *kinds: str) -> AsyncIterator[list[Desk]]:
        """Several desks of the first tenant at once, to which the operator is honest."""
        for kind in kinds:
            self.evil.copies.anew(f"{kind}-{TENANT}")
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.desk(f"{kind}-{TENANT}")) for kind in kinds]

    async def new_letters(self, principal: str) -> list[DeadLetter]:
        """Dead letters that a role wrote since this was asked before."""
        found = await self.stage.read(names.dead_letters(self.namespace, principal))
        new = [each for each in found if (principal, each.partition, each.offset) not in self._letters]
        self._letters |= {(principal, each.partition, each.offset) for each in new}
        return [DeadLetter.decode(record.value or b"") for record in new]
