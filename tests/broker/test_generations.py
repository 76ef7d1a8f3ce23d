"""A reader of a topic in two generations: the earlier one to its end, then both; also when its client is replaced."""

from __future__ import annotations

import itertools

import pytest

from hub.reading.stream import earlier_places
from hub.transport import PartitionReader
from tests.broker.test_stalled import PARTITIONS, by_partition, ends, made, wait_for, write
from tests.kafka import TestKafka
from topics import names

pytestmark = pytest.mark.broker


async def test_what_was_written_before_the_topic_grew_is_read_first(kafka: TestKafka, namespace: str) -> None:
    old, middle, new = topics = [names.submissions(namespace, number) for number in (1, 2, 3)]
    where = await made(kafka, old)
    await made(kafka, middle)
    await made(kafka, new)
    await write(where, new, range(20))
    await write(where, middle, range(10))
    await write(where, old, range(30))
    starts = {(topic, number): None for topic in reversed(topics) for number in range(PARTITIONS)}
    first = earlier_places(starts)
    assert first == [{(topic, number) for number in range(PARTITIONS)} for topic in (old, middle)]
    ticks = itertools.count()
    async with PartitionReader(where, starts, first=first, clock=lambda: float(next(ticks))) as reader:
        assert set(await reader.end_offsets()) == set(starts)
        found = await wait_for(lambda: reader.poll(20, 100), 30)
        ends(reader._running()._fetcher)  # in the midst of the earlier one
        found += await wait_for(lambda: reader.poll(20, 100), 120 - len(found))
        assert reader.replaced == 1
        assert [each.topic for each in found] == [old] * 60 + [middle] * 20 + [new] * 40
        await write(where, old, range(30, 35))  # sent back by the operator
        await write(where, new, range(20, 25))
        found += await wait_for(lambda: reader.poll(2**20, 100), 20)
    for topic, count in ((old, 35), (middle, 10), (new, 25)):
        of_it = [each for each in found if each.topic == topic]
        assert by_partition(of_it) == {number: list(range(count)) for number in range(PARTITIONS)}


async def test_a_reader_that_has_read_the_earlier_one_begins_with_the_next(kafka: TestKafka, namespace: str) -> None:
    old, new = (names.review(namespace, "131041", number) for number in (1, 2))
    where = await made(kafka, old)
    await made(kafka, new)
    await write(where, old, range(3))
    await write(where, new, range(3))
    starts = {(old, 0): 3, (old, 1): 3, (new, 0): None, (new, 1): 1}
    async with PartitionReader(where, starts, first=earlier_places(starts)) as reader:
        found = await reader.read_to_end()
    assert by_partition(found) == {0: [0, 1, 2], 1: [1, 2]}
    assert {each.topic for each in found} == {new}
