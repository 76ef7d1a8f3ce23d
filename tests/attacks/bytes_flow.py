"""The whole hub, but for its processes: portal, router and desks of one tenant as they run, and what they recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cli.desks import opened
from consumers.assembly import Surroundings
from consumers.audit.consumer import AuditConsumer
from consumers.engine import Limits
from consumers.helpdesk.consumer import HelpdeskConsumer
from consumers.review.consumer import ReviewConsumer
from consumers.store.port import Store
from hub.envelope.records import Checkpoint
from hub.envelope.signed import Signed
from hub.facts import Fact
from hub.transport import KafkaRecord
from portal.producer import PortalProducer
from portal.results import Status
from tests.attacks.spoiling import documents_for
from tests.broker.router_stage import TENANT, Stage
from tests.kafka import TestKafka, fresh_namespace
from topics import names

PARTITION = 1
_AT_ONCE = Limits(unconfirmed_after_ms=0, watch_seconds=0.3)


@dataclass
class Desk:
    """One desk that runs, with its store and what it says."""

    name: str
    store: Store
    facts: list[Fact] = field(default_factory=list)


@dataclass
class Flow:
    """The running hub. `recorded` are one event's copies and its checkpoint, as they lie on their topics."""

    stage: Stage
    router: list[Fact]
    portal: PortalProducer
    portal_facts: list[Fact]
    documents: list[bytes]
    event_ids: list[str] = field(default_factory=list)
    recorded: dict[str, KafkaRecord] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)

    @property
    def topics(self) -> dict[str, str]:
        """The tenant's topics by dataset."""
        datasets = ("review", "helpdesk", "audit", "status", "accepted")
        return {each: names.of_tenant(self.stage.namespace, TENANT, each) for each in datasets}

    async def submit(self) -> str:
        """Submit the next document through the portal; return its event id."""
        result = await self.portal.submit(self.documents.pop(0))
        assert result.status is Status.ACCEPTED and result.event_id is not None, result
        self.event_ids.append(result.event_id)
        return result.event_id

    async def record(self) -> None:
        """Submit one document and keep what it became on every topic, and the first checkpoint that lists it."""
        event_id = (await self.submit()).encode()
        submissions = names.submissions(self.stage.namespace)
        wanted = {"submissions": submissions, **{name: self.topics[name] for name in ("review", "helpdesk", "audit")}}
        async with asyncio.timeout(60):
            while len(self.recorded) < 1 + len(wanted):
                for name, topic in wanted.items():
                    for found in await self.stage.read(topic):
                        if found.key == event_id:
                            self.recorded.setdefault(name, found)
                        elif name == "submissions" and _lists_something(found):
                            self.recorded.setdefault("checkpoint", found)

    @asynccontextmanager
    async def desk(self, kind: str) -> AsyncIterator[Desk]:
        """Run a desk in this process; it calls an event unconfirmed at once, not after a minute."""
        role = self.stage.role(f"{kind}-{TENANT}")
        facts: list[Fact] = []
        made: Mapping[str, Callable[[Surroundings], ReviewConsumer | HelpdeskConsumer | AuditConsumer]] = {
            "review": ReviewConsumer,
            "helpdesk": HelpdeskConsumer,
            "audit": AuditConsumer,
        }
        with opened(role, facts.append) as (around, directory, registry):
            await directory.refresh()
            stop = asyncio.Event()
            desk = Desk(f"{kind}-{TENANT}", around.store, facts)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(made[kind](replace(around, limits=_AT_ONCE)).run(stop))
                try:
                    self.desks[kind] = desk
                    yield desk
                finally:
                    stop.set()
            await registry.close()
            await directory.close()


def _lists_something(record: KafkaRecord) -> bool:
    if not (record.key or b"").startswith(b"checkpoint/"):
        return False
    return bool(Checkpoint.decode(Signed.parse(record.value or b"").body).entries)


@asynccontextmanager
async def flowing(kafka: TestKafka, home: Path, *, large: bool = False) -> AsyncIterator[Flow]:
    """Start router and portal on a fresh namespace, and record one event: of about 2 KiB, or of several."""
    stage = await Stage.prepare(kafka, fresh_namespace(), home)
    facts: list[Fact] = []
    async with contextlib.AsyncExitStack() as stack:
        router = await stack.enter_async_context(stage.router())
        portal = await stack.enter_async_context(PortalProducer(stage.role("portal"), facts.append))
        flow = Flow(stage, router, portal, facts, documents_for(TENANT, PARTITION, large=large))
        await flow.record()
        yield flow
