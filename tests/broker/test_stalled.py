"""A Kafka client that stops fetching, which it does without a word, is replaced; nothing is left out or read twice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from hub.transport import BatchWriter, Endpoint, GroupReader, KafkaRecord, Outgoing, PartitionReader, TlsIdentity
from hub.transport.admin import Admin
from tests.kafka import TestKafka
from topics.plan import CreateTopic, Plan

pytestmark = pytest.mark.broker

PARTITIONS = 2


class NeverLetsGo(set[int]):
    """The nodes with requests under way: who comes in stays, as if its answer never came."""

    def discard(self, node: int) -> None:
        pass


def ends(fetcher: Any) -> None:
    """As when a cancelled future is among what it waits for."""
    fetcher._fetch_task.cancel()


def hangs(fetcher: Any) -> None:
    """As when an answer never comes."""
    fetcher._in_flight = NeverLetsGo((1, *fetcher._in_flight))


def endpoint(kafka: TestKafka) -> Endpoint:
    admin = kafka.identity("admin")
    return Endpoint(kafka.bootstrap, TlsIdentity(admin.certificate, admin.private_key, admin.ca), "test")


async def made(kafka: TestKafka, topic: str) -> Endpoint:
    found = endpoint(kafka)
    async with Admin(found) as client:
        await client.execute(Plan((CreateTopic(topic, PARTITIONS, 1, {}),), ()))
    return found


async def write(where: Endpoint, topic: str, values: range) -> None:
    async with BatchWriter(where) as writer:
        for partition in range(PARTITIONS):
            await writer.write(topic, partition, [Outgoing(b"", str(value).encode()) for value in values])


async def wait_for(poll: Callable[[], Any], count: int) -> list[KafkaRecord]:
    found: list[KafkaRecord] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += await poll()
    return found


def by_partition(records: list[KafkaRecord]) -> dict[int, list[int]]:
    return {
        partition: [int(each.value or b"") for each in records if each.partition == partition]
        for partition in range(PARTITIONS)
    }


@pytest.mark.parametrize("stand_still", [ends, hangs])
async def test_a_reader_goes_on_where_its_client_stood(
    kafka: TestKafka, namespace: str, stand_still: Callable[[Any], None]
) -> None:
    where, topic = await made(kafka, namespace), namespace
    await write(where, topic, range(50))
    ticks = itertools.count()
    starts = {(topic, partition): None for partition in range(PARTITIONS)}
    async with PartitionReader(where, starts, clock=lambda: float(next(ticks))) as reader:
        found = await wait_for(lambda: reader.poll(2**20, 100), 100)
        stand_still(reader._running()._fetcher)
        await write(where, topic, range(50, 120))
        found += await wait_for(lambda: reader.poll(2_000, 100), 140)
        assert reader.replaced == 1
        found += await reader.poll(2**20, 300)
    assert by_partition(found) == {partition: list(range(120)) for partition in range(PARTITIONS)}


async def test_a_reader_that_has_nothing_to_read_keeps_its_client(kafka: TestKafka, namespace: str) -> None:
    where = await made(kafka, namespace)
    await write(where, namespace, range(3))
    ticks = itertools.count(step=5)
    starts = {(namespace, partition): None for partition in range(PARTITIONS)}
    async with PartitionReader(where, starts, clock=lambda: float(next(ticks))) as reader:
        await wait_for(lambda: reader.poll(2**20, 100), 6)
        for _ in range(10):
            assert await reader.poll(2**20, 20) == []
        assert reader.replaced == 0


async def test_a_member_of_a_group_joins_again_with_another_client(kafka: TestKafka, namespace: str) -> None:
    where, topic = await made(kafka, namespace), namespace
    await write(where, topic, range(20))
    let_go: list[frozenset[int]] = []
    places = dict.fromkeys(range(PARTITIONS), 0)

    async def revoked(partitions: frozenset[int]) -> None:
        let_go.append(partitions)

    reader = GroupReader(where, topic, f"{namespace}.group", on_revoked=revoked)
    await reader.start()

    async def poll() -> list[KafkaRecord]:
        for partition in sorted(reader.take_assignment() or ()):
            await reader.release(partition, places[partition])
        records = await reader.poll(2**20, 100)
        for record in records:
            places[record.partition] = record.offset + 1
        return records

    try:
        found = await wait_for(poll, 40)
        before = len(let_go)
        ends(reader._running()._fetcher)
        await write(where, topic, range(20, 60))
        found += await wait_for(poll, 80)
        assert reader.replaced == 1
        assert let_go[before] == frozenset(range(PARTITIONS)), "work under way was ended first"
    finally:
        await reader.close()
    assert by_partition(found) == {partition: list(range(60)) for partition in range(PARTITIONS)}


async def test_closing_while_a_request_waits_to_be_made_again_cancels_nobody(kafka: TestKafka, namespace: str) -> None:
    """The client waits a moment after a request that failed, and was seen to cancel whoever closed it just then."""
    where = await made(kafka, namespace)
    reader = PartitionReader(where, {(namespace, 0): None})
    await reader.start()
    waits = asyncio.create_task(asyncio.sleep(60))
    reader._running()._fetcher._pending_tasks.add(waits)
    connections = dict(reader._running()._client._conns)
    await asyncio.sleep(0)
    await reader.close()
    assert waits.cancelled()
    assert connections and not any(each.connected() for each in connections.values())
