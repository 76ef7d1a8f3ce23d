"""A namespace on the test node for the router: enrolled roles, and a portal by hand that can also misbehave."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.crypto.keyfile import ScryptCost
from hub.enrolment import Enrolled, enrol, publish_audience_keys
from hub.envelope.event_ids import new_event_id
from hub.envelope.header import Check, EventHeader
from hub.envelope.letters import Content, DeadLetter, open_quarantine
from hub.envelope.records import AudienceKey, Checkpoint, CheckpointEntry
from hub.envelope.session import SealedOut, SessionSecrets
from hub.envelope.signed import Signed, sign
from hub.envelope.times import to_ms
from hub.facts import Fact
from hub.role import Role, load_role
from hub.router.engine import Router
from hub.settings import RoleSettings
from hub.transport import BatchWriter, KafkaRecord, Outgoing, PartitionReader
from hub.transport.admin import Admin
from tests.kafka import TestKafka
from topics import declaration, names
from topics.expanding import expand
from topics.layout import Topology
from topics.partition import partition_for
from topics.plan import plan

CHEAP = ScryptCost(log2_n=4)
TENANT, OTHER = "131041", "999997"
PARTITIONS = 3
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Event:
    """A sealed event and where it belongs."""

    header: EventHeader
    out: SealedOut

    @property
    def key(self) -> bytes:
        return self.out.event_id.encode()

    @property
    def partition(self) -> int:
        return self.header.partition

    @property
    def outgoing(self) -> Outgoing:
        return Outgoing(self.key, self.out.value)


class Session:
    """A portal's session towards one tenant, made by hand."""

    def __init__(self, stage: Stage, tenant: str = TENANT, topic: str | None = None, hours: float = 2) -> None:
        now = datetime.now(UTC)
        self.stage = stage
        self.tenant = tenant
        self.review, self.helpdesk = f"review-{tenant}", f"helpdesk-{tenant}"
        portal = stage.role("portal")
        self.secrets = SessionSecrets.create(
            producer="portal",
            instance=portal.instance,
            topic=topic or names.submissions(stage.namespace),
            tenant=tenant,
            created_at=now - timedelta(minutes=5),
            expires_at=now - timedelta(minutes=5) + timedelta(hours=hours),
            audiences=[stage.audience_key(name) for name in ("router", self.review, self.helpdesk)],
            identity=portal.identity,
        )
        self.sequences: defaultdict[int, int] = defaultdict(int)
        self.leaves: defaultdict[int, list[bytes]] = defaultdict(list)

    @property
    def id(self) -> bytes:
        return self.secrets.session.id

    async def announce(self) -> Session:
        record = Outgoing(self.secrets.session.key.encode(), self.secrets.signed)
        await self.stage.write(names.sessions(self.stage.namespace), 0, [record])
        return self

    def header(self, number: int, **changes: object) -> EventHeader:
        receipt = f"R8-13104-{number:09d}"
        partition = partition_for(receipt, PARTITIONS)
        now_ms = to_ms(datetime.now(UTC))
        header = self.secrets.header(
            partition=partition,
            sequence=self.sequences[partition],
            event_id=new_event_id(now_ms),
            receipt_number=receipt,
            procedure="heir-representative-designation",
            procedure_version=1,
            tax_item=None,
            accepted_at_ms=now_ms,
            produced_at_ms=now_ms,
            calculation_check=Check.PASSED,
            signature_check=Check.NOT_PERFORMED,
        )
        return header._replace(**changes)  # type: ignore[arg-type]

    def seal(self, number: int, size: int = 700, **changes: object) -> Event:
        header = self.header(number, **changes)
        out = self.secrets.seal(header, {self.review: b"\x00" * size, self.helpdesk: b"\x00" * (size // 4)})
        self.sequences[header.partition] += 1
        self.leaves[header.partition].append(out.leaf)
        return Event(header, out)

    def seal_many(self, count: int, first: int = 0, size: int = 700) -> list[Event]:
        return [self.seal(number, size) for number in range(first, first + count)]

    def checkpoint(self, partition: int) -> Outgoing:
        """Return the first checkpoint of a partition: everything sealed so far."""
        entries = tuple(CheckpointEntry(leaf) for leaf in self.leaves[partition])
        body = Checkpoint(self.id, partition, 0, entries, None, datetime.now(UTC)).encode()
        value = sign(Checkpoint.RECORD, body, self.stage.role("portal").identity)
        return Outgoing(Checkpoint.decode(body).key.encode(), value)


@dataclass
class Stage:
    """The namespace: its roles' directories, and topics to write and read."""

    kafka: TestKafka
    namespace: str
    home: Path
    topology: Topology
    enrolled: Enrolled | None = None
    facts: list[Fact] = field(default_factory=list)
    _roles: dict[str, Role] = field(default_factory=dict)

    @classmethod
    async def prepare(
        cls,
        kafka: TestKafka,
        namespace: str,
        home: Path,
        *,
        without: Collection[str] = (),
        without_keys: Collection[str] = (),
    ) -> Stage:
        """Make topics, rights, roles and audience keys; `without` names topics (audiences) that are not there yet."""
        stage = cls(kafka, namespace, home, expand(declaration.load(), namespace, partitions=PARTITIONS))
        stage.enrolled = enrol(home, stage.topology, kafka.authority, now=datetime.now(UTC), cost=CHEAP)
        await stage.apply(without=without)
        await stage.publish_keys(without_keys)
        return stage

    async def publish_keys(self, without: Collection[str] = ()) -> None:
        """Publish the audience keys, but for some audiences."""
        assert self.enrolled is not None
        keys = tuple(each for each in self.enrolled.audience_keys if each[0].partition("/")[0] not in without)
        await publish_audience_keys(self.kafka.bootstrap, self.home, self.topology, Enrolled(keys))

    async def apply(self, *, without: Collection[str] = ()) -> None:
        """Create what the declaration names, but for some topics."""
        wanted = replace(
            self.topology,
            topics=tuple(topic for topic in self.topology.topics if topic.name not in without),
            only_acls=frozenset(acl for acl in self.topology.acls if acl.name not in without),
        )
        async with Admin(self.role("admin").endpoint) as admin:
            await admin.execute(plan(await admin.current(wanted), wanted))
            await admin.settle(wanted)

    def settings(self, principal: str) -> RoleSettings:
        return RoleSettings(
            role_dir=self.home / "roles" / principal,
            bootstrap=self.kafka.bootstrap,
            namespace=self.namespace,
            partitions=PARTITIONS,
        )

    def role(self, principal: str) -> Role:
        if principal not in self._roles:
            self._roles[principal] = load_role(self.settings(principal), allow_weak=True)
        return self._roles[principal]

    def audience_key(self, audience: str) -> AudienceKey:
        """Return the audience's key of the current month."""
        assert self.enrolled is not None
        keys = [AudienceKey.decode(Signed.parse(value).body) for _, value in self.enrolled.audience_keys]
        return min((key for key in keys if key.audience == audience), key=lambda key: key.epoch)

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing], principal: str = "portal") -> None:
        async with BatchWriter(self.role(principal).endpoint) as writer:
            await writer.write(topic, partition, records)

    async def submit(self, *events: Event | tuple[int, Outgoing]) -> None:
        """Write events where they belong, and other records where they are told to go."""
        by_partition: defaultdict[int, list[Outgoing]] = defaultdict(list)
        for event in events:
            partition, record = (event.partition, event.outgoing) if isinstance(event, Event) else event
            by_partition[partition].append(record)
        async with BatchWriter(self.role("portal").endpoint) as writer:
            for partition, records in by_partition.items():
                await writer.write(names.submissions(self.namespace), partition, records)

    async def read(self, topic: str) -> list[KafkaRecord]:
        """Read a topic whole, committed records only."""
        partitions = next(t.partitions for t in self.topology.topics if t.name == topic)
        starts = {(topic, partition): None for partition in range(partitions)}
        async with PartitionReader(self.role("admin").endpoint, starts) as reader:
            return await reader.read_to_end()

    async def outputs(self, tenant: str = TENANT) -> dict[str, list[KafkaRecord]]:
        return {route.name: await self.read(route.topic) for route in self.topology.routes_of(tenant)}

    async def letters(self) -> list[DeadLetter]:
        found = await self.read(names.dead_letters(self.namespace, "router"))
        return [DeadLetter.decode(record.value or b"") for record in found]

    def opened(self, letter: DeadLetter) -> Content:
        """Return what a letter holds, opened as the operator does if it was quarantined."""
        if letter.content is not None:
            return letter.content
        assert letter.quarantine is not None
        key = self.role("operator").keystore.load_audience(
            "quarantine", letter.quarantine.epoch, letter.quarantine.key_id
        )
        return open_quarantine(letter, key)

    async def committed(self) -> dict[int, int]:
        """Return how far the router has come: committed offset per partition, by what is left to read."""
        from hub.transport import GroupReader

        async def nothing(_: frozenset[int]) -> None:
            return None

        reader = GroupReader(
            self.role("admin").endpoint,
            names.submissions(self.namespace),
            f"{self.namespace}.router",
            on_revoked=nothing,
        )
        await reader.start()
        try:
            return {partition: await reader.committed(partition) or 0 for partition in range(PARTITIONS)}
        finally:
            await reader.close()

    @asynccontextmanager
    async def router(
        self, role: Role | None = None, now: Callable[[], datetime] | None = None
    ) -> AsyncIterator[list[Fact]]:
        """Run a router in this process; what it says goes to the list."""
        facts: list[Fact] = []
        stop = asyncio.Event()
        clock = {} if now is None else {"now": now}
        made = Router(role or self.role("router"), facts.append, **clock)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(made.run(stop))
            try:
                yield facts
            finally:
                stop.set()
                await asyncio.wait([task])

    def environment(self, crash_point: str = "", mark: Path | None = None, freeze_at: str = "") -> dict[str, str]:
        """Return the environment of a router process of its own; at `freeze_at` it stops as by SIGSTOP."""
        settings = self.settings("router")
        made = {
            **os.environ,
            "HUB_ROLE_DIR": str(settings.role_dir),
            "HUB_BOOTSTRAP": settings.bootstrap,
            "HUB_NAMESPACE": settings.namespace,
            "HUB_PARTITIONS": str(settings.partitions),
        }
        if crash_point:
            made |= {"HUB_CRASH_POINT": crash_point, "HUB_CRASH_MARK": str(mark)}
        if freeze_at:
            made |= {"TEST_FREEZE_AT": freeze_at, "TEST_FREEZE_MARK": str(mark)}
        return made

    async def process(
        self, crash_point: str = "", mark: Path | None = None, freeze_at: str = ""
    ) -> asyncio.subprocess.Process:
        """Start a router process; it ends on SIGTERM, or as the crash point says."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.broker.router_process",
            env=self.environment(crash_point, mark, freeze_at),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition holds; fail if it never does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process's doing
            await asyncio.sleep(0.02)


async def until_routed(
    stage: Stage, count: int, tenant: str = TENANT, seconds: float = 60.0
) -> dict[str, list[KafkaRecord]]:
    """Wait until every output of a tenant has at least `count` records; return them."""
    async with asyncio.timeout(seconds):
        while True:
            found = await stage.outputs(tenant)
            if all(len(records) >= count for records in found.values()):
                return found
            await asyncio.sleep(0.1)


async def until_letters(stage: Stage, count: int, seconds: float = 60.0) -> list[DeadLetter]:
    """Wait until there are that many dead letters; return them in no particular order."""
    async with asyncio.timeout(seconds):
        while len(found := await stage.letters()) < count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
    return found


def events_of(records: Sequence[KafkaRecord]) -> Counter[bytes]:
    """Count a topic's events by their Kafka key; checkpoints and notices are left out."""
    return Counter(
        record.key or b"" for record in records if not (record.key or b"").startswith((b"checkpoint/", b"notice/"))
    )


def assert_exactly_once(outputs: Mapping[str, Sequence[KafkaRecord]], events: Sequence[Event]) -> None:
    """Each output has each event once, in the order of its partition's sequence numbers, and nothing else."""
    wanted = Counter(event.key for event in events)
    order: defaultdict[int, list[bytes]] = defaultdict(list)
    for event in sorted(events, key=lambda each: each.header.sequence):
        order[event.partition].append(event.key)
    for name, records in outputs.items():
        assert events_of(records) == wanted, name
        for partition, keys in order.items():
            assert [r.key for r in records if r.partition == partition and r.key in wanted] == keys, name
