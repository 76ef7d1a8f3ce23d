"""Reading announcements to their end: shared where that is safe, bounded in time, never half done in silence."""

from __future__ import annotations

import asyncio

import pytest

from hub.reading.errors import SessionsUnavailable
from hub.reading.following import Follower
from hub.transport import BrokerUnavailable, KafkaRecord, NotAuthorized, OffsetGone
from tests.unit.reading.lists import Lists

TOPIC = "rehearsal.sessions"


def follower(lists: Lists, patience: float = 5.0) -> tuple[Follower, list[KafkaRecord]]:
    taken: list[KafkaRecord] = []
    return Follower([TOPIC], lists.open, taken.append, SessionsUnavailable, patience_seconds=patience), taken


async def test_every_record_is_taken_once_and_in_order() -> None:
    lists = Lists()
    follow, taken = follower(lists)
    for batch in range(3):
        for number in range(10):
            lists.append(TOPIC, b"k", b"%d" % (batch * 10 + number))
        await follow.catch_up()
        await follow.catch_up()
    assert [record.value for record in taken] == [b"%d" % number for number in range(30)]
    assert len(lists.opened) == 1


async def test_readers_that_ask_together_share_one_reading_but_never_an_older_one() -> None:
    lists = Lists(slow=asyncio.Event())
    follow, taken = follower(lists)
    first = asyncio.create_task(follow.catch_up())
    await asyncio.sleep(0.01)
    lists.append(TOPIC, b"k", b"v")  # too late for the first: it has its end offset already
    others = [asyncio.create_task(follow.catch_up()) for _ in range(10)]
    await asyncio.sleep(0.01)
    assert lists.slow is not None
    lists.slow.set()
    await asyncio.gather(first, *others)
    assert [record.value for record in taken] == [b"v"]
    assert lists.reads == 2


async def test_a_failed_reading_counts_for_nobody() -> None:
    lists = Lists(slow=asyncio.Event())
    lists.append(TOPIC, b"k", b"v")
    follow, taken = follower(lists)
    asked = [asyncio.create_task(follow.catch_up()) for _ in range(3)]
    await asyncio.sleep(0.01)
    lists.trouble = [BrokerUnavailable(), BrokerUnavailable()]
    assert lists.slow is not None
    lists.slow.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SessionsUnavailable, SessionsUnavailable, type(None)]
    assert len(taken) == 1


@pytest.mark.parametrize("trouble", [BrokerUnavailable, NotAuthorized])
async def test_after_trouble_a_new_reader_goes_on_where_the_last_record_was_taken(
    trouble: type[BrokerUnavailable],
) -> None:
    lists = Lists()
    lists.append(TOPIC, b"k", b"1")
    follow, taken = follower(lists)
    await follow.catch_up()
    lists.append(TOPIC, b"k", b"2")
    lists.trouble = [trouble()]
    with pytest.raises(SessionsUnavailable):
        await follow.catch_up()
    await follow.catch_up()
    assert [record.value for record in taken] == [b"1", b"2"]
    assert lists.opened == [{(TOPIC, 0): None}, {(TOPIC, 0): 1}]
    await follow.close()
    assert lists.open_now == 0


async def test_what_retention_deleted_is_skipped_and_the_rest_is_read() -> None:
    lists = Lists()
    for number in range(5):
        lists.append(TOPIC, b"k", b"%d" % number)
    follow, taken = follower(lists)
    await follow.catch_up()
    await follow.close()
    for number in range(5, 9):
        lists.append(TOPIC, b"k", b"%d" % number)
    lists.oldest = 7
    with pytest.raises(SessionsUnavailable):
        await follow.catch_up()
    await follow.catch_up()
    assert [record.value for record in taken][5:] == [b"7", b"8"]


async def test_a_broker_that_says_nothing_is_given_up_on() -> None:
    lists = Lists(slow=asyncio.Event())
    follow, _ = follower(lists, patience=0.05)
    with pytest.raises(SessionsUnavailable):
        await follow.catch_up()
    assert lists.open_now == 0


async def test_a_long_topic_may_take_long_as_long_as_it_goes_on() -> None:
    lists = Lists(pace=0.03)
    for number in range(10):
        lists.append(TOPIC, b"k", bytes(3 * 2**20) + b"%d" % number)  # one record a poll
    follow, taken = follower(lists, patience=0.2)
    await follow.catch_up()
    assert len(taken) == 10


async def test_cancelled_reading_leaves_no_reader_behind() -> None:
    lists = Lists(slow=asyncio.Event())
    follow, _ = follower(lists)
    task = asyncio.create_task(follow.catch_up())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lists.open_now == 0


async def test_one_old_record_is_read_again_or_is_gone() -> None:
    lists = Lists()
    for number in range(5):
        lists.append(TOPIC, b"k", b"%d" % number)
    follow, _ = follower(lists)
    found = await follow.read_one(TOPIC, 3)
    assert found is not None and found.value == b"3"
    lists.oldest = 4
    assert await follow.read_one(TOPIC, 3) is None
    lists.trouble = [BrokerUnavailable()]
    with pytest.raises(SessionsUnavailable):
        await follow.read_one(TOPIC, 4)
    assert lists.open_now == 0
    assert OffsetGone.retriable is False
