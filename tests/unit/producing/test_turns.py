"""Everybody gets a turn, and nobody's own order changes: one city's flood holds up another's filing by one event."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.producing.audience_keys import SealingKey
from hub.producing.budget import Budget
from hub.producing.journal import Journal
from hub.producing.turns import Turns
from tests.unit.producing.memory import TOPIC, Memory, draft, producer
from tests.unit.producing.support import open_journal

FLOOD, STEADY = "131041", "999997"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_own_order_stays_and_no_name_waits_for_two_of_another(steps: list[tuple[str, bool]]) -> None:
    turns: Turns[tuple[str, int]] = Turns()
    waiting: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    passed: dict[tuple[str, str], int] = {}
    for number, (name, take) in enumerate(steps):
        if not take:
            turns.put(name, (name, number))
            waiting[name].append(number)
        elif len(turns):
            assert turns.first() == turns.first()
            expected = turns.first()
            whose, item = turns.take()
            assert (whose, item) == expected
            assert item == waiting[whose].pop(0)
            for other in waiting:
                if other != whose and waiting[other]:
                    passed[other, whose] = passed.get((other, whose), 0) + 1
                    assert passed[other, whose] <= 1, f"{other} waits, {whose} had two turns"
            passed = {pair: count for pair, count in passed.items() if pair[0] != whose}
    assert len(turns) == sum(map(len, waiting.values()))
    assert sorted(turns) == sorted((name, number) for name, numbers in waiting.items() for number in numbers)


def test_nobody_waits_in_an_empty_queue() -> None:
    turns: Turns[int] = Turns()
    for ask in (turns.first, turns.take):
        with pytest.raises(IndexError):
            ask()


async def test_room_goes_to_each_city_in_turn() -> None:
    budget = Budget(max_bytes=1_000, max_items=1)
    await budget.take(1, FLOOD)
    order: list[str] = []

    async def use(name: str) -> None:
        await budget.take(1, name)
        order.append(name)
        budget.give_back(1)

    waiting = [asyncio.create_task(use(FLOOD)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting += [asyncio.create_task(use(STEADY)) for _ in range(3)]
    await asyncio.sleep(0)
    budget.give_back(1)
    await asyncio.gather(*waiting)
    assert order[:6] == [FLOOD, STEADY] * 3
    assert len(order) == 23


async def test_a_filing_goes_out_ahead_of_another_citys_flood(journal: Journal) -> None:
    """All of them are for one partition, the flood is accepted before; the filing shares the next batch with it."""
    memory = Memory()
    one = draft(1, FLOOD)

    def of(number: int, tenant: str) -> asyncio.Task[object]:
        same_place = dataclasses.replace(draft(10_000 + number, tenant), receipt_number=one.receipt_number)
        return asyncio.create_task(out.publish(same_place))

    async with producer(memory, journal) as out:
        flood = [of(number, FLOOD) for number in range(1_500)]
        await asyncio.sleep(0)
        filing = of(1_500, STEADY)
        answers = await asyncio.gather(*flood, filing)
    ids = [answer.event_id for answer in answers]  # type: ignore[attr-defined]
    (partition,) = {place for place in memory.records if place[0] == TOPIC and memory.records[place]}
    sent = [key.decode() for key, _ in memory.records[partition] if not key.startswith(b"checkpoint/")]
    assert sent.index(ids[-1]) < 600
    assert [each for each in sent if each != ids[-1]] == ids[:-1]


async def test_sessions_of_many_cities_are_opened_together(journal: Journal) -> None:
    """Of one batch; one after the other, a morning of 1,788 cities would take minutes."""
    memory, at_once, most = Memory(), 0, 0
    cities = [f"{number:06d}" for number in range(20)]
    made = producer(memory, journal)
    keys = made._keeper._keys
    current = keys.current

    async def slowly(audiences: Sequence[str], now: datetime) -> tuple[SealingKey, ...]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        at_once -= 1
        return await current(audiences, now)

    keys.current = slowly  # type: ignore[method-assign]
    one = draft(1, cities[0])
    async with made as out:
        drafts = [
            dataclasses.replace(draft(number, city), receipt_number=one.receipt_number)
            for number, city in enumerate(cities)
        ]
        await asyncio.gather(*(out.publish(each) for each in drafts))
    assert most == len(cities)
    assert len(memory.seen().sessions) == len(cities)
