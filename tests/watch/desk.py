"""A namespace on the test node for the analysis: enrolled as of the month's beginning, and its lines written."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from hub.crypto.keyfile import ScryptCost
from hub.crypto.keystore import FileKeyStore
from hub.enrolment import enrol
from hub.envelope.operations import OperationEvent
from hub.operations.sender import partition_of
from hub.role import Role, load_role
from hub.settings import RoleSettings
from hub.transport import BatchWriter, Outgoing, PartitionReader
from hub.transport.admin import Admin
from monitoring.analysis.findings import FILE, Finding, read_findings
from tests.kafka import TestKafka
from tests.watch.month import ERASED, Month, records
from topics import declaration
from topics.expanding import expand
from topics.layout import Topic, Topology
from topics.plan import plan

CHEAP = ScryptCost(log2_n=4)
PARTITIONS = 3
_AT_ONCE = 2_000


@dataclass
class Desk:
    """Where the analysis of a month runs."""

    kafka: TestKafka
    home: Path
    topology: Topology
    _ours: set[bytes] = field(default_factory=set)

    @classmethod
    async def prepare(cls, kafka: TestKafka, home: Path, month: Month) -> Desk:
        """Enrol everybody as of the month's first day, and make topics and rights of what the analysis touches."""
        topology = expand(declaration.load(), month.namespace, partitions=PARTITIONS)
        desk = cls(kafka, home, topology)
        enrol(home, topology, kafka.authority, now=month.ends - timedelta(days=32), cost=CHEAP)
        needed = {"operations", "analysis-marks", "analysis-state", "control"}
        names = {topic.name for topic in topology.topics if topic.key in needed}
        wanted = replace(
            topology,
            topics=tuple(topic for topic in topology.topics if topic.name in names),
            only_acls=frozenset(
                acl for acl in topology.acls if acl.name in names or acl.name == f"{month.namespace}.analysis"
            ),
        )
        async with Admin(desk.role("admin").endpoint) as admin:
            await admin.execute(plan(await admin.current(wanted), wanted))
            await admin.settle(wanted)
        desk.strengthen("analysis")
        return desk

    def settings(self, principal: str) -> RoleSettings:
        return RoleSettings(
            role_dir=self.home / "roles" / principal,
            bootstrap=self.kafka.bootstrap,
            namespace=self.topology.namespace,
            partitions=PARTITIONS,
        )

    def role(self, principal: str) -> Role:
        return load_role(self.settings(principal), allow_weak=True)

    async def write(self, month: Month, *, late: str, repeats: random.Random, written: Callable[[int], None]) -> int:
        """Sign the month's lines and write them; return how many lines there are.

        The lines of the principal `late` come behind all others. Some requests, by `repeats`, are written twice.
        `written` hears how many lines are there.
        """
        names = {line.principal for line in month.lines()}
        keys = {name: self.role(name).identity for name in names}
        topic = self._operations
        count = 0
        waiting: dict[int, list[Outgoing]] = defaultdict(list)
        held: list[tuple[int, Outgoing]] = []
        async with BatchWriter(self.role("monitor").endpoint) as writer:

            async def flush() -> None:
                again = repeats.random() < 0.1
                for partition, values in waiting.items():
                    for _ in range(1 + again):
                        await writer.write(topic.name, partition, values)
                waiting.clear()

            for event, value in records(month, keys):
                count += 1
                self._ours.add(event.key.encode())
                place = partition_of(event.log, topic.partitions), Outgoing(event.key.encode(), value)
                if event.principal == late:
                    held.append(place)
                else:
                    waiting[place[0]].append(place[1])
                if count % _AT_ONCE == 0:
                    await flush()
                    written(count)
            await flush()
            for partition, record in held:
                waiting[partition].append(record)
            await flush()
        return count

    @property
    def _operations(self) -> Topic:
        return next(topic for topic in self.topology.topics if topic.key == "operations")

    async def put(self, partition: int, *lines: Outgoing) -> None:
        """Write records as they are."""
        self._ours.update(each.key for each in lines if each.key is not None)
        async with BatchWriter(self.role("monitor").endpoint) as writer:
            await writer.write(self._operations.name, partition, lines)

    async def ends(self) -> dict[tuple[str, int], int | None]:
        """Where the operations log ends now."""
        places = {(self._operations.name, number): None for number in range(self._operations.partitions)}
        async with PartitionReader(self.role("monitor").endpoint, places) as reader:
            return dict(await reader.end_offsets())

    async def told(self, since: Mapping[tuple[str, int], int | None]) -> list[OperationEvent]:
        """The lines that the analysis has written after `since`, each judged by the trust list."""
        role = self.role("monitor")
        found: list[OperationEvent] = []
        async with PartitionReader(role.endpoint, since) as reader:
            for record in await reader.read_to_end():
                if record.key is not None and record.key not in self._ours and record.value is not None:
                    if not record.key.startswith(b"operation/"):
                        continue  # a report of standing
                    line = OperationEvent.read(record.value, role.trust)
                    assert isinstance(line, OperationEvent), line
                    assert line.principal == "analysis"
                    found.append(line)
        return found

    def strengthen(self, principal: str) -> None:
        """Write a role's keys anew as a process wants them: the others' are made cheaply, for nobody guesses here."""
        directory = self.home / "roles" / principal
        passphrase = (directory / "passphrase").read_bytes().strip()
        (key,) = FileKeyStore(directory / "keys", passphrase, cost=CHEAP, allow_weak=True).load_identities()
        shutil.rmtree(directory / "keys")
        FileKeyStore(directory / "keys", passphrase).save_identity(key)

    def environment(self, principal: str) -> dict[str, str]:
        """What a process of a role is told; its log is `<principal>.log`."""
        settings = self.settings(principal)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
            "HUB_ROLE_DIR": str(settings.role_dir),
            "HUB_BOOTSTRAP": settings.bootstrap,
            "HUB_NAMESPACE": settings.namespace,
            "HUB_PARTITIONS": str(PARTITIONS),
            "HUB_PARENT_PID": str(os.getpid()),
            "HUB_LOG_FILE": str(self.home / f"{principal}.log"),
        }

    @contextmanager
    def analysing(self, month: Month, until: datetime | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """`monitor analyse --until` the month's end or another moment, as a process; killed on leaving."""
        listed = self.home / "erased"
        listed.write_text(f"{ERASED} {month.days()[0].isoformat()}T00:00:00+09:00\n")
        environment = {
            **self.environment("analysis"),
            "HUB_ANALYSIS_ERASED_FILE": str(listed),
            "HUB_ANALYSIS_AUTOMATIC": '["nightly"]',
        }
        command = [sys.executable, "-m", "cli", "monitor", "analyse", "--until", (until or month.ends).isoformat()]
        with (self.home / "analysis.out").open("ab") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def findings(self, month: Month) -> list[Finding]:
        """What is in the store of the analysis."""
        path = self.settings("analysis").role_dir / "state" / FILE
        return read_findings(path, month.ends - timedelta(days=62), month.ends)
