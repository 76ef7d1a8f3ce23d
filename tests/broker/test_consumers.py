"""The desks on a real Kafka: their own certificates and rights, transactions of the router, broker restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.assembly import Surroundings, routed
from consumers.audit.consumer import AuditConsumer, verify_store
from consumers.desk import DeskJudge
from consumers.store.sql import SqlStore
from hub.crypto.identity import IdentityKey
from hub.envelope.letters import DeadLetter
from hub.envelope.reasons import Reason
from hub.envelope.trust import Trust
from hub.facts import Alarm, Lag
from hub.reading.sessions import SessionRegistry
from hub.transport import (
    BatchWriter,
    Endpoint,
    KafkaRecord,
    NotAuthorized,
    Outgoing,
    PartitionReader,
    TlsIdentity,
    TransactionalWriter,
)
from hub.transport.admin import Admin
from tests.kafka import TestKafka
from tests.unit.consumers.test_engine import PlainDesk
from tests.unit.consumers.world import (
    AUDIT,
    HELPDESK,
    NOW,
    PARTITIONS,
    REVIEW,
    TENANT,
    Event,
    MemoryKeys,
    Portal,
    World,
    uuid7,
)
from topics import declaration, names
from topics.expanding import expand
from topics.layout import Topology
from topics.plan import plan

pytestmark = pytest.mark.broker


@dataclass(frozen=True)
class TestRole:
    """A role with a certificate of the test node and keys in memory."""

    __test__ = False

    principal: str
    namespace: str
    endpoint: Endpoint
    topology: Topology
    identity: IdentityKey
    keystore: MemoryKeys
    trust: Trust


class Stage:
    """A namespace on the test node with the declared topics and rights."""

    def __init__(self, kafka: TestKafka, namespace: str, directory: Path) -> None:
        self.kafka = kafka
        self.namespace = namespace
        self.world = World(directory, namespace)
        self.topology = expand(declaration.load(), namespace, partitions=PARTITIONS)
        self.review = names.review(namespace, TENANT)
        self.audit = names.audit(namespace, TENANT)
        self.status = names.status(namespace, TENANT)
        self.sessions = names.sessions(namespace)

    def endpoint(self, principal: str) -> Endpoint:
        issued = self.kafka.identity(principal)
        tls = TlsIdentity(issued.certificate, issued.private_key, issued.ca)
        return Endpoint(self.kafka.bootstrap, tls, f"{principal}-test")

    async def prepare(self) -> None:
        async with Admin(self.endpoint("admin")) as admin:
            await admin.execute(plan(await admin.current(self.topology), self.topology))
            await admin.settle(self.topology)

    def role(self, principal: str) -> TestRole:
        world = self.world
        held = MemoryKeys()
        if principal in world.private:
            key = world.private[principal]
            held.held[principal, 203001, key.key_id] = key
        return TestRole(
            principal,
            self.namespace,
            self.endpoint(principal),
            self.topology,
            world.identities[principal],
            held,
            world.trust,
        )

    def surroundings(self, principal: str, store: SqlStore) -> Surroundings:
        world = self.world
        return Surroundings(
            self.role(principal),  # type: ignore[arg-type]
            store,
            world.facts.append,
            world.clocks(),
            world.sessions,
            lambda: world.audience_keys["quarantine"],
        )

    async def route(self, topic: str, keep: str | None, *events: Event) -> None:
        """Write as the router does: one transaction, with one of an aborted transaction before it."""
        for partition in range(PARTITIONS):
            mine = [Outgoing(e.key, e.copy(keep)) for e in events if e.header.partition == partition]
            if mine:
                transactional_id = f"{self.namespace}.router/{topic}/{partition}"
                writer = TransactionalWriter(self.endpoint("router"), transactional_id)
                await writer.fence()
                offsets = {(names.submissions(self.namespace), partition): 0}
                await writer.commit({(topic, partition): mine}, offsets, f"{self.namespace}.router")
                await writer.close()

    async def write(self, topic: str, partition: int, *records: tuple[bytes | None, bytes | None]) -> None:
        async with BatchWriter(self.endpoint("admin")) as writer:
            await writer.write(topic, partition, [Outgoing(*record) for record in records])

    async def read(self, topic: str, principal: str = "admin") -> Sequence[KafkaRecord]:
        partitions = next(t.partitions for t in self.topology.topics if t.name == topic)
        starts = {(topic, partition): None for partition in range(partitions)}
        async with PartitionReader(self.endpoint(principal), starts) as reader:
            return await reader.read_to_end()

    async def checkpoints(self, topic: str, portal: Portal) -> None:
        for partition in range(PARTITIONS):
            await self.write(topic, partition, portal.checkpoint(partition))


@pytest.fixture
async def stage(kafka: TestKafka, namespace: str, tmp_path: Path) -> Stage:
    made = Stage(kafka, namespace, tmp_path)
    await made.prepare()
    return made


@asynccontextmanager
async def running(work: Callable[[asyncio.Event], object]) -> AsyncIterator[None]:
    """Run a desk while the block runs, then stop it."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work(stop))  # type: ignore[arg-type]
        try:
            yield
        finally:
            stop.set()


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - rows and facts have no event to wait for
            await asyncio.sleep(0.05)


def review_desk(around: Surroundings) -> Callable[[asyncio.Event], object]:
    role = around.role
    topic = names.review(role.namespace, TENANT)
    keys = around.keys()
    sessions = around.sessions()

    class Desk(PlainDesk):
        status_topic = names.status(role.namespace, TENANT)

    judge = DeskJudge(
        REVIEW,
        Desk(),
        around.intake(sessions, REVIEW, {topic: routed(role.namespace, TENANT, REVIEW)}),
        around.vault(keys),
        around.letters(),
        sessions.prepare,
    )
    return lambda stop: around.run(judge, [topic], stop, keys)


async def test_routed_transactions_are_stored_receipted_and_confirmed(stage: Stage) -> None:
    portal = Portal(stage.world)
    store = stage.world.store()
    async with running(review_desk(stage.surroundings(REVIEW, store))):
        await stage.route(stage.review, REVIEW, *(portal.seal(n) for n in range(50)))
        await stage.checkpoints(stage.review, portal)
        await stage.route(stage.review, REVIEW, *(portal.seal(n) for n in range(50, 70)))
        await until(lambda: len(store.events()) == 70 and not store.waiting_count())
        await stage.checkpoints(stage.review, portal)
        await until(lambda: store.counts()["confirmed"] == 70)
    receipts = await stage.read(stage.status)
    assert sorted((r.value or b"").decode() for r in receipts) == [uuid7(n) for n in range(70)]
    assert store.counts()["replays"] == 0
    assert not stage.world.told(Alarm)
    store.close()


async def test_desk_goes_on_exactly_where_it_was(stage: Stage) -> None:
    portal = Portal(stage.world)
    for part in range(3):
        await stage.route(stage.review, REVIEW, *(portal.seal(part * 10 + n) for n in range(10)))
        store = stage.world.store()
        async with running(review_desk(stage.surroundings(REVIEW, store))):
            await until(lambda part=part, store=store: len(store.events()) == (part + 1) * 10)  # type: ignore[misc]
        assert store.counts()["replays"] == 0
        store.close()
    assert len(await stage.read(stage.status)) == 30


async def test_session_is_found_on_its_topic_with_the_desks_own_certificate(stage: Stage) -> None:
    """The registry that a desk has in production, not the one in memory."""
    world = stage.world
    first, second = Portal(world), Portal(world)
    store = world.store()
    registry = SessionRegistry(
        stage.endpoint(REVIEW),
        (stage.sessions, names.desk_sessions(stage.namespace, TENANT)),
        lambda: world.trust,
        lambda: NOW,
        world.facts.append,
    )
    around = replace(stage.surroundings(REVIEW, store), registry=registry)
    await stage.write(stage.sessions, 0, (first.id.hex().encode(), first.secrets.signed))
    await stage.route(stage.review, REVIEW, *(first.seal(n) for n in range(5)))
    async with running(review_desk(around)):
        await until(lambda: len(store.events()) == 5)
        await stage.write(stage.sessions, 0, (second.id.hex().encode(), second.secrets.signed))
        await stage.route(stage.review, REVIEW, *(second.seal(n) for n in range(5, 10)))
        await stage.route(stage.review, REVIEW, Portal(world).seal(11))  # this one is never announced
        await until(lambda: len(store.events()) == 10 and sum(store.positions().values()) > 10)
        await until(lambda: not store.waiting_count())
    letters = await stage.read(names.dead_letters(stage.namespace, REVIEW))
    assert [DeadLetter.decode(letter.value or b"").reason for letter in letters] == [Reason.UNKNOWN_SESSION]
    await registry.close()
    store.close()


async def test_poison_goes_to_the_desks_own_dead_letters(stage: Stage) -> None:
    portal = Portal(stage.world)
    store = stage.world.store()
    await stage.write(stage.review, 0, (b"key", "見本太郎".encode()), (None, None))
    await stage.route(stage.review, REVIEW, *(portal.seal(n) for n in range(5)))
    async with running(review_desk(stage.surroundings(REVIEW, store))):
        await until(lambda: len(store.events()) == 5 and not store.waiting_count())
    letters = await stage.read(names.dead_letters(stage.namespace, REVIEW))
    assert [DeadLetter.decode(letter.value or b"").reason for letter in letters] == [Reason.NOT_FRAMED] * 2
    assert all("見本太郎".encode() not in (letter.value or b"") for letter in letters)
    store.close()


async def test_lag_is_none_when_all_is_read_behind_transaction_markers(stage: Stage) -> None:
    portal = Portal(stage.world)
    store = stage.world.store()
    await stage.route(stage.review, REVIEW, *(portal.seal(n) for n in range(9)))
    async with running(review_desk(stage.surroundings(REVIEW, store))):
        await until(lambda: len(store.events()) == 9)
        stage.world.facts.clear()
        await until(lambda: len(stage.world.told(Lag)) >= PARTITIONS)
    assert {fact.records for fact in stage.world.told(Lag)} == {0}  # type: ignore[attr-defined]
    store.close()


async def test_desk_without_rights_is_refused_and_ends(stage: Stage) -> None:
    """The helpdesk's certificate opens neither the review topic nor the review desk's place."""
    with pytest.raises(NotAuthorized):
        await stage.read(stage.review, HELPDESK)
    store = stage.world.store()
    around = stage.surroundings(REVIEW, store)
    foreign = stage.role(REVIEW)
    object.__setattr__(foreign, "endpoint", stage.endpoint(HELPDESK))
    object.__setattr__(around, "role", foreign)
    with pytest.raises(NotAuthorized):
        await asyncio.wait_for(review_desk(around)(asyncio.Event()), 60)  # type: ignore[arg-type]
    assert store.events() == []
    store.close()


async def test_audit_desk_proves_a_session_from_kafka_alone(stage: Stage) -> None:
    world = stage.world
    portal = Portal(world)
    store = world.store(AUDIT)
    await stage.write(stage.sessions, 0, (portal.id.hex().encode(), portal.secrets.signed))
    async with running(AuditConsumer(stage.surroundings(AUDIT, store)).run):
        await stage.route(stage.audit, None, *(portal.seal(n) for n in range(40)))
        await stage.checkpoints(stage.audit, portal)
        await stage.write(stage.sessions, 0, portal.close())
        await until(lambda: store.counts()["confirmed"] == 40)
        await until(lambda: (store.log_head() or _NONE).size == 40 + PARTITIONS + 2)
    role = stage.role(AUDIT)
    later = world.now_ms + int(timedelta(hours=2).total_seconds() * 1_000)
    found = verify_store(role, store, later)  # type: ignore[arg-type]
    assert found.verified, found
    assert (found.events, found.checkpoints, found.gaps, found.troubles) == (40, PARTITIONS, 0, {})

    store.close()


class _NONE:
    size = 0


async def test_broker_restart_in_mid_load_loses_nothing(stage: Stage) -> None:
    portal = Portal(stage.world)
    store = stage.world.store()
    async with running(review_desk(stage.surroundings(REVIEW, store))):
        await stage.route(stage.review, REVIEW, *(portal.seal(n) for n in range(30)))
        await until(lambda: len(store.events()) > 0)
        await asyncio.to_thread(stage.kafka.stop)
        await asyncio.sleep(1)
        await asyncio.to_thread(stage.kafka.start)
        await stage.route(stage.review, REVIEW, *(portal.seal(n) for n in range(30, 60)))
        await until(lambda: len(store.events()) == 60 and not store.waiting_count(), 120)
    assert sorted(row.event.event_id for row in store.events()) == [uuid7(n) for n in range(60)]
    receipts = {(r.value or b"").decode() for r in await stage.read(stage.status)}
    assert receipts == {uuid7(n) for n in range(60)}

    store.close()
