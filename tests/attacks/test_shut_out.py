"""Who is shut out loses everything within a minute, on connections that are open too; and nobody else loses anything.

What the commands do to the whole hub is in whole_hub.py; this is the broker's half, on the shared node, with a
principal of our own: a denial holds in every namespace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from hub.transport import BatchWriter, NotAuthorized, Outgoing, PartitionReader
from hub.transport.admin import Admin
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.attacks import probes
from tests.attacks.laid_out import endpoint, lay_out, wired
from tests.attacks.probes import CLUSTER_DENIED, GOOD, GROUP_DENIED, TOPIC_DENIED, TRANSACTION_DENIED
from tests.attacks.wire import Wire, batch
from tests.kafka import TestKafka
from topics import names
from topics.access import Deed
from topics.layout import Acl, Operation, Resource, Topology
from topics.plan import AllowAcl, LetIn, Plan, ShutOut, plan

pytestmark = [pytest.mark.broker, pytest.mark.one_broker]

TENANT = "131041"
A_MINUTE = 60


@pytest.fixture
async def topology(kafka: TestKafka, namespace: str) -> Topology:
    return await lay_out(kafka, namespace)


@pytest.fixture
async def thief(kafka: TestKafka, topology: Topology) -> AsyncIterator[str]:
    """A principal with more rights than anybody has: every topic, a group, transactional ids."""
    name = f"thief-{topology.namespace.rpartition('-')[2]}"
    every = [(Resource.TOPIC, topic.name, False) for topic in topology.topics]
    every += [(Resource.GROUP, f"{topology.namespace}.", True), (Resource.TRANSACTIONAL_ID, topology.namespace, True)]
    steps = [AllowAcl(Acl(name, kind, on, op, prefixed)) for kind, on, prefixed in every for op in Operation]
    async with Admin(endpoint(kafka, "admin")) as admin:
        await admin.execute(Plan(tuple(steps), ()))
        with wired(kafka, "admin") as wire:
            await asyncio.to_thread(probes.warm_up, wire)
        yield name
        await admin.execute(Plan((LetIn(name),), ()))


async def _until_refused(run: AsyncIterator[None]) -> float:
    started = time.monotonic()
    with pytest.raises(NotAuthorized):
        async with asyncio.timeout(A_MINUTE):
            async for _ in run:
                pass
    return time.monotonic() - started


async def _consumes(kafka: TestKafka, who: str, topic: str) -> AsyncIterator[None]:
    """Our own reader, which waits at the broker for what comes."""
    async with PartitionReader(endpoint(kafka, who), {(topic, 0): None}) as reader:
        while True:
            await reader.poll(2**20, 500)
            yield


async def _produces(kafka: TestKafka, who: str, topic: str) -> AsyncIterator[None]:
    async with BatchWriter(endpoint(kafka, who)) as writer:
        while True:
            await writer.write(topic, 0, [Outgoing(b"k", b"attack")])
            yield
            await asyncio.sleep(0.02)


def _hung_up(wire: Wire) -> bool:
    """Wait for an answer to what is parked; True if the broker closes the connection instead."""
    try:
        wire.receive_fetch()
    except ConnectionError:
        return True
    return False


async def test_who_is_shut_out_has_nothing_left_and_all_others_go_on(
    kafka: TestKafka, topology: Topology, thief: str, attack: Attack
) -> None:
    reading = attack(Attacker.CONTRACTOR, "reads on over a connection that was open when it was shut out")
    writing = attack(Attacker.CONTRACTOR, "writes on over a connection that was open when it was shut out")
    anew = attack(Attacker.CONTRACTOR, "connects anew with a certificate that is shut out")
    parked = attack(
        Attacker.CONTRACTOR, "parks fetches of ten minutes at the broker before it is shut out", Verdict.CONTAINED
    )
    prune = attack(Attacker.CONTRACTOR, "is let in again by an `apply --prune` that tidies up what nobody declared")
    review, status = names.review(topology.namespace, TENANT), names.status(topology.namespace, TENANT)
    sessions, operations = names.sessions(topology.namespace), names.operations(topology.namespace)
    with wired(kafka, thief) as live, wired(kafka, thief) as waiting, wired(kafka, thief) as early:
        assert live.produce([review], batch()) == {review: GOOD}
        held, producer, epoch = live.init_producer(f"{topology.namespace}/held")
        waiting.send_fetch({sessions: 0}, wait_ms=600_000)
        early.send_fetch({names.control(topology.namespace): 0}, wait_ms=600_000)
        parked_at = time.monotonic()
        consuming = asyncio.create_task(_until_refused(_consumes(kafka, thief, status)))
        producing = asyncio.create_task(_until_refused(_produces(kafka, thief, operations)))
        going_on = asyncio.create_task(_go_on(kafka, status))
        await asyncio.sleep(1)
        assert not consuming.done() and not producing.done()

        async with Admin(endpoint(kafka, "admin")) as admin:
            await admin.execute(Plan((ShutOut(thief),), ()))
            assert max(await consuming, await producing) < A_MINUTE
            await _nothing_works(kafka, live, thief, topology, (f"{topology.namespace}/held", held, producer, epoch))
            async with BatchWriter(endpoint(kafka, "admin")) as writer:
                await writer.write(names.control(topology.namespace), 0, [Outgoing(b"since", b"since")])
            ((code, given),) = early.receive_fetch().values()
            assert code == GOOD and b"since" in given, "what waited before is answered once: hence the bound below"
            assert early.fetch([review])[review] == (TOPIC_DENIED, b"")
            with wired(kafka, thief) as fresh:
                await _nothing_works(kafka, fresh, thief, topology, None)
            found = plan(await admin.current(topology), topology, prune=True, shut_out=[thief])
            assert found.shut_out == (thief,)
            assert not [step for step in found.steps if isinstance(step, LetIn)]
            assert thief in await admin.denied()
        assert await asyncio.to_thread(_hung_up, waiting), "or it would have been given what came since"
        assert time.monotonic() - parked_at < A_MINUTE
        going_on.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going_on
    said = "TOPIC_AUTHORIZATION_FAILED"
    reading.prevented(by="broker", how=f"{said} to the next fetch", within="a minute")
    writing.prevented(by="broker", how=f"{said} to the next record", within="a minute")
    anew.prevented(by="broker", how="each topic, group, transactional id and the cluster are denied", within="a minute")
    parked.contained(by="broker", how="at most one answer to each; then `connections.max.idle.ms`", within="20 s")
    prune.prevented(
        by="topics apply", how="the denial is the operator's: only `let-in` takes it away", within="at once"
    )


async def _go_on(kafka: TestKafka, topic: str) -> None:
    """Somebody else with the same topics, all the while."""
    async for _ in _produces(kafka, f"review-{TENANT}", topic):
        pass


async def _nothing_works(
    kafka: TestKafka, wire: Wire, who: str, topology: Topology, transaction: tuple[str, int, int, int] | None
) -> None:
    topics = [topic.name for topic in topology.topics]
    answers = probes.on_topics(wire, topics, ruler=False)
    assert answers.keys() == set(Deed)
    assert {code for each in answers.values() for answer in each for code in answer.values()} == {TOPIC_DENIED}
    assert wire.metadata(None) == {}, "it is not even told which topics there are"
    common = names.audiences(topology.namespace)
    on_group = probes.on_group(wire, f"{topology.namespace}.router", common)
    assert {code for codes in on_group.values() for code in codes} == {GROUP_DENIED}
    cluster = probes.on_cluster(wire, who, common, 7, ruler=False)
    assert set(cluster.values()) == {CLUSTER_DENIED}
    if transaction is not None:
        name, code, producer, epoch = transaction
        assert code == GOOD
        codes = probes.in_transaction(wire, name, producer, epoch, f"{topology.namespace}.router", common)
        assert set(codes) == {TRANSACTION_DENIED}
