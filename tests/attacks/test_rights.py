"""Each certificate does what the declaration says and nothing else: every principal is tried on every topic.

Requests go out by hand to the partition leader, so that what refuses is the broker's code, not a client's manners.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from hub.transport import Endpoint, TlsIdentity
from hub.transport.admin import Admin
from tests.kafka import TestKafka
from topics import declaration, names
from topics.layout import Operation, Resource, Topology, expand
from topics.plan import plan

pytestmark = pytest.mark.broker

TOPIC_AUTHORIZATION_FAILED = 29
NODE = 1
SUPER_USER = "admin"


def endpoint(kafka: TestKafka, principal: str) -> Endpoint:
    issued = kafka.identity(principal)
    return Endpoint(kafka.bootstrap, TlsIdentity(issued.certificate, issued.private_key, issued.ca), principal)


@asynccontextmanager
async def speaking(kafka: TestKafka, principal: str) -> AsyncIterator[AIOKafkaClient]:
    client = AIOKafkaClient(**endpoint(kafka, principal).client_options())
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def topology(kafka: TestKafka, namespace: str) -> Topology:
    wanted = expand(declaration.load(), namespace)
    async with Admin(endpoint(kafka, "admin")) as admin:
        await admin.execute(plan(await admin.current(wanted), wanted))
        assert (await admin.settle(wanted)).empty
    return wanted


def allowed(topology: Topology, principal: str, operation: Operation) -> set[str]:
    if principal == SUPER_USER:
        return {topic.name for topic in topology.topics}
    rights = [
        acl
        for acl in topology.acls
        if (acl.principal, acl.resource, acl.operation) == (principal, Resource.TOPIC, operation)
    ]
    return {
        topic.name
        for topic in topology.topics
        if any(topic.name == acl.name or (acl.prefixed and topic.name.startswith(acl.name)) for acl in rights)
    }


async def fetched(client: AIOKafkaClient, topics: list[str]) -> dict[str, int]:
    """The broker's error code for a fetch from partition 0 of each topic."""
    request = FetchRequest(0, 0, 2**20, 1, [(topic, [(0, 0, 2**16)]) for topic in topics])
    answer = await client.send(NODE, request)
    return {topic: partitions[0][1] for topic, partitions in answer.topics}


async def produced(client: AIOKafkaClient, topics: list[str]) -> dict[str, int]:
    """The broker's error code for a record to partition 0 of each topic."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 2**16)
    builder.append(0, 1_775_000_000_000, b"attack", b"attack", [])
    batch = bytes(builder.build())
    answer = await client.send(NODE, ProduceRequest(None, -1, 10_000, [(topic, [(0, batch)]) for topic in topics]))
    return {topic: partitions[0][1] for topic, partitions in answer.topics}


async def test_every_principal_reads_what_is_declared_and_nothing_else(kafka: TestKafka, topology: Topology) -> None:
    topics = [topic.name for topic in topology.topics]
    for principal in topology.principals:
        async with speaking(kafka, principal.name) as client:
            codes = await fetched(client, topics)
        may = allowed(topology, principal.name, Operation.READ)
        assert codes == {topic: 0 if topic in may else TOPIC_AUTHORIZATION_FAILED for topic in topics}, principal.name


async def test_every_principal_writes_what_is_declared_and_nothing_else(kafka: TestKafka, topology: Topology) -> None:
    topics = [topic.name for topic in topology.topics]
    for principal in topology.principals:
        async with speaking(kafka, principal.name) as client:
            codes = await produced(client, topics)
        may = allowed(topology, principal.name, Operation.WRITE)
        assert codes == {topic: 0 if topic in may else TOPIC_AUTHORIZATION_FAILED for topic in topics}, principal.name


async def test_helpdesk_cannot_read_the_review_topic(kafka: TestKafka, namespace: str, topology: Topology) -> None:
    own, reviews = names.helpdesk(namespace, "131041"), names.review(namespace, "131041")
    async with speaking(kafka, "helpdesk-131041") as client:
        assert await fetched(client, [own, reviews]) == {own: 0, reviews: TOPIC_AUTHORIZATION_FAILED}
    denied = (kafka.node.logs / "authorizer.log").read_text("utf-8")
    assert any("CN=helpdesk-131041" in line and "Denied" in line and reviews in line for line in denied.splitlines())


async def test_a_desk_cannot_read_another_tenants_topics(kafka: TestKafka, namespace: str, topology: Topology) -> None:
    own, other = names.review(namespace, "131041"), names.review(namespace, "999997")
    async with speaking(kafka, "review-131041") as client:
        assert await fetched(client, [own, other]) == {own: 0, other: TOPIC_AUTHORIZATION_FAILED}


async def test_a_desk_cannot_write_what_only_the_router_writes(
    kafka: TestKafka, namespace: str, topology: Topology
) -> None:
    reviews = names.review(namespace, "131041")
    async with speaking(kafka, "review-131041") as client:
        assert await produced(client, [reviews]) == {reviews: TOPIC_AUTHORIZATION_FAILED}
    async with speaking(kafka, "router") as client:
        assert await produced(client, [reviews]) == {reviews: 0}


async def test_a_topic_that_nobody_was_given_a_right_to_is_nobodys(
    kafka: TestKafka, namespace: str, topology: Topology
) -> None:
    forgotten = f"undeclared-{namespace}"
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


async def test_a_certificate_without_rights_learns_of_no_topic(kafka: TestKafka, topology: Topology) -> None:
    """Our authority signed it, but nobody gave it a right: it is not even told which topics there are."""
    topics = [topic.name for topic in topology.topics]
    async with speaking(kafka, "stranger") as client:
        assert set((await fetched(client, topics)).values()) == {TOPIC_AUTHORIZATION_FAILED}
        assert set((await produced(client, topics)).values()) == {TOPIC_AUTHORIZATION_FAILED}
        answer = await client.send(NODE, MetadataRequest(topics))
        assert {code for code, *_ in answer.topics} == {TOPIC_AUTHORIZATION_FAILED}
        assert (await client.send(NODE, MetadataRequest(None))).topics == []
    async with speaking(kafka, "admin") as client:
        answer = await client.send(NODE, MetadataRequest(None))
        assert set(topics) <= {topic[1] for topic in answer.topics}
