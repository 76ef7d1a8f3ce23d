"""What is beside the access matrix: refusals are written down, and what nobody declared is nobody's.

Requests go out by hand to the partition leader, so that what refuses is the broker's code, not a client's manners.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.attacks.laid_out import endpoint, laid_out
from tests.kafka import TestKafka
from topics import names
from topics.layout import Topology

pytestmark = pytest.mark.broker

TOPIC_AUTHORIZATION_FAILED = 29
ANY_NODE = 1


@asynccontextmanager
async def speaking(kafka: TestKafka, principal: str) -> AsyncIterator[AIOKafkaClient]:
    client = AIOKafkaClient(**endpoint(kafka, principal).client_options())
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture(scope="module")
def topology(kafka: TestKafka) -> Topology:
    return laid_out(kafka)


async def _by_leader(client: AIOKafkaClient, topics: list[str]) -> dict[int, list[str]]:
    """Topics by who leads partition 0 of each; what we may not see goes to any broker."""
    metadata = await client.fetch_all_metadata()
    found: dict[int, list[str]] = {}
    for topic in topics:
        found.setdefault(metadata.leader_for_partition(TopicPartition(topic, 0)) or ANY_NODE, []).append(topic)
    return found


async def fetched(client: AIOKafkaClient, topics: list[str]) -> dict[str, int]:
    """The leader's error code for a fetch from partition 0 of each topic."""
    codes: dict[str, int] = {}
    for node, led in (await _by_leader(client, topics)).items():
        answer = await client.send(node, FetchRequest(0, 0, 2**20, 1, [(topic, [(0, 0, 2**16)]) for topic in led]))
        codes |= {topic: partitions[0][1] for topic, partitions in answer.topics}
    return codes


async def produced(client: AIOKafkaClient, topics: list[str]) -> dict[str, int]:
    """The leader's error code for a record to partition 0 of each topic."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 2**16)
    builder.append(0, 1_775_000_000_000, b"attack", b"attack", [])
    batch, codes = bytes(builder.build()), dict[str, int]()
    for node, led in (await _by_leader(client, topics)).items():
        answer = await client.send(node, ProduceRequest(None, -1, 10_000, [(topic, [(0, batch)]) for topic in led]))
        codes |= {topic: partitions[0][1] for topic, partitions in answer.topics}
    return codes


async def test_what_the_broker_refuses_it_writes_down(kafka: TestKafka, topology: Topology, attack: Attack) -> None:
    tried = attack(Attacker.HELPDESK, "tries unseen to read the review desk's topic", Verdict.DETECTED)
    own, reviews = names.helpdesk(topology.namespace, "131041"), names.review(topology.namespace, "131041")
    async with speaking(kafka, "helpdesk-131041") as client:
        assert await fetched(client, [own, reviews]) == {own: 0, reviews: TOPIC_AUTHORIZATION_FAILED}
    denied = kafka.logged("authorizer.log")
    assert any("CN=helpdesk-131041" in line and "Denied" in line and reviews in line for line in denied.splitlines())
    tried.detected(by="broker", how="`Denied` with principal and topic in authorizer.log", within="the same request")


async def test_a_topic_that_nobody_was_given_a_right_to_is_nobodys(
    kafka: TestKafka, topology: Topology, attack: Attack
) -> None:
    tried = attack(Attacker.TENANT, "reads or writes a topic that the declaration does not name")
    forgotten = f"undeclared-{topology.namespace}"
    client = AIOKafkaAdminClient(**endpoint(kafka, "admin").client_options())
    await client.start()
    try:
        await client.create_topics([NewTopic(forgotten, 1, 1)])
    finally:
        await client.close()
    async with speaking(kafka, "admin") as admin:
        assert await fetched(admin, [forgotten]) == {forgotten: 0}
    for principal in ("portal", "router", "operator", "monitor", "stranger"):
        async with speaking(kafka, principal) as peer:
            assert await fetched(peer, [forgotten]) == {forgotten: TOPIC_AUTHORIZATION_FAILED}
            assert await produced(peer, [forgotten]) == {forgotten: TOPIC_AUTHORIZATION_FAILED}
    tried.prevented(by="broker", how="TOPIC_AUTHORIZATION_FAILED", within="the same request")
