"""Roles of the product that meet the operator in the broker's place: their own keys, engines and stores."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cli.desks import opened
from consumers.audit.consumer import AuditConsumer
from consumers.engine import Clocks, Limits
from consumers.helpdesk.consumer import HelpdeskConsumer
from consumers.review.consumer import ReviewConsumer
from consumers.store.port import Store
from hub.envelope.letters import DeadLetter
from hub.facts import Alarm, Fact
from hub.role import Role
from tests.attacks.evil.broker import EvilBroker
from tests.attacks.evil.copies import Place
from tests.broker.router_stage import Stage
from topics import names

_CONSUMERS = {"review": ReviewConsumer, "helpdesk": HelpdeskConsumer, "audit": AuditConsumer}
LIMITS = Limits(poll_timeout_ms=50, watch_seconds=0.05, farewell_seconds=5.0)
"""as in production, but for how often the desk looks; an audit desk looks twelve times before it alarms"""


class Clock:
    """The time of the roles under attack; the bound of 60 s passes when a test says so."""

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
    store: Store
    facts: list[Fact]
    clock: Clock
    evil: EvilBroker

    def alarms(self) -> Counter[str]:
        return Counter(fact.code for fact in self.facts if isinstance(fact, Alarm))

    async def rings(self, code: str, times: int = 1) -> str:
        """Wait for an alarm; returns its code as it was told."""
        await until(lambda: self.alarms()[code] >= times, f"{self.role.principal}: {code}, not {self.alarms()}")
        return code

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
    clock: Clock = field(default_factory=Clock)
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
        with opened(role, facts.append) as (around, directory, registry):
            around = replace(around, clocks=self.clock.of_desks(), limits=LIMITS)
            await directory.refresh()
            stop = asyncio.Event()
            consumer = _CONSUMERS[principal.partition("-")[0]](around)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(consumer.run(stop))  # type: ignore[attr-defined]
                try:
                    yield Desk(role, around.store, facts, self.clock, self.evil)
                finally:
                    stop.set()
            await registry.close()
            await directory.close()

    async def letters(self, principal: str) -> list[DeadLetter]:
        """Dead letters that a role wrote, all of them."""
        found = await self.stage.read(names.dead_letters(self.namespace, principal))
        return [DeadLetter.decode(record.value or b"") for record in found]
