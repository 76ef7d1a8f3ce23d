"""A namespace on the test node for the analysis: enrolled as of the month's beginning, and its lines written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from hub.crypto.keyfile import ScryptCost
from hub.enrolment import enrol
from hub.envelope.operations import OperationEvent
from hub.role import Role, load_role
from hub.settings import RoleSettings
from hub.transport import BatchWriter, Outgoing
from hub.transport.admin import Admin
from tests.kafka import TestKafka
from tests.watch.month import Month, _at, records
from topics import declaration
from topics.layout import Topology, expand
from topics.plan import plan

CHEAP = ScryptCost(log2_n=4)


@dataclass
class Desk:
    """Where the analysis of a month runs."""

    kafka: TestKafka
    home: Path
    topology: Topology

    @classmethod
    async def prepare(cls, kafka: TestKafka, home: Path, month: Month) -> Desk:
        """Enrol everybody as of the month's first day, and make topics and rights of what the analysis touches."""
        topology = expand(declaration.load(), month.namespace, partitions=3)
        desk = cls(kafka, home, topology)
        enrol(home, topology, kafka.authority, now=_at(month.days()[0], 0) - timedelta(days=1), cost=CHEAP)
        needed = {"operations", "analysis-marks", "analysis-state", "control"}
        names = {topic.name for topic in topology.topics if topic.key in needed}
        wanted = replace(
            topology,
            topics=tuple(topic for topic in topology.topics if topic.name in names),
            acls=frozenset(
                acl for acl in topology.acls if acl.name in names or acl.name == f"{month.namespace}.analysis"
            ),
        )
        async with Admin(desk.role("admin").endpoint) as admin:
            await admin.execute(plan(await admin.current(wanted), wanted))
            await admin.settle(wanted)
        return desk

    def settings(self, principal: str) -> RoleSettings:
        return RoleSettings(
            role_dir=self.home / "roles" / principal,
            bootstrap=self.kafka.bootstrap,
            namespace=self.topology.namespace,
            partitions=3,
        )

    def role(self, principal: str) -> Role:
        return load_role(self.settings(principal), allow_weak=True)

    async def write(self, month: Month, *, at_once: int = 2_000) -> list[OperationEvent]:
        """Sign the month's lines and write them; return them."""
        names = {line.principal for line in month.lines()}
        keys = {name: self.role(name).identity for name in names}
        topic = next(topic for topic in self.topology.topics if topic.key == "operations")
        written: list[OperationEvent] = []
        waiting: dict[int, list[Outgoing]] = defaultdict(list)
        async with BatchWriter(self.role("monitor").endpoint) as writer:

            async def flush() -> None:
                for partition, values in waiting.items():
                    await writer.write(topic.name, partition, values)
                waiting.clear()

            for event, value in records(month, keys):
                written.append(event)
                partition = int.from_bytes(event.log[:4], "big") % topic.partitions
                waiting[partition].append(Outgoing(event.key.encode(), value))
                if len(written) % at_once == 0:
                    await flush()
            await flush()
        return written
