"""What a producer accepts is journaled, sent once, in order, listed by checkpoints and closed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.facts import Alarm, Fact, JournalDepth, Paused, SessionEnded, SessionStarted
from hub.producing.drafts import Draft
from hub.producing.errors import EventTooLarge, EventVoid, JournalUnavailable, ProducerClosed
from hub.producing.journal import Journal
from hub.producing.journal_rows import EventState
from tests.unit.producing.memory import PARTITIONS, TOPIC, Clock, Memory, draft, producer
from tests.unit.producing.support import open_journal
from tests.unit.producing.wire import assert_whole


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


async def _eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.01)


async def test_everything_published_is_listed_and_closed(journal: Journal) -> None:
    memory = Memory()
    async with producer(memory, journal) as out:
        published = await asyncio.gather(
            *(out.publish(draft(number, tenant)) for number in range(600) for tenant in ("131041",))
        )
    seen = memory.seen()
    assert_whole(seen)
    assert {event_id for event_id, _ in seen.events.values()} == {one.event_id for one in published}
    assert len(seen.events) == 600
    assert seen.copies == 0
    assert journal.open_sessions() == []
    assert journal.depth() == (600, 0)


async def test_tenants_have_sessions_of_their_own(journal: Journal) -> None:
    memory = Memory()
    async with producer(memory, journal) as out:
        await asyncio.gather(*(out.publish(draft(n, ("131041", "999997")[n % 2])) for n in range(100)))
    seen = memory.seen()
    assert_whole(seen)
    assert sorted(session.tenant for session in seen.sessions.values()) == ["131041", "999997"]


async def test_events_of_a_receipt_keep_their_order_under_pressure(journal: Journal) -> None:
    memory = Memory(away=1, lost_answers=2)
    one = draft(1)
    async with producer(memory, journal) as out:
        sent = [asyncio.create_task(out.publish(_like(one, number, size=20_000))) for number in range(300)]
        published = [await task for task in sent]
    seen = memory.seen()
    assert_whole(seen)
    (partition,) = {place[1] for place in seen.events}
    first_copies = list(dict.fromkeys(key.decode() for key, _ in memory.records[TOPIC, partition]))
    in_topic = [key for key in first_copies if not key.startswith("checkpoint/")]
    assert in_topic == [one.event_id for one in published]


def _like(one: Draft, number: int, size: int) -> Draft:
    """Return another input with the same receipt number."""
    return dataclasses.replace(draft(10_000 + number, size=size), receipt_number=one.receipt_number)


async def test_journaled_is_told_before_acknowledged(journal: Journal) -> None:
    memory = Memory(gate=asyncio.Event())
    told: list[str] = []
    async with producer(memory, journal) as out:
        assert memory.gate is not None
        memory.gate.set()
        first = await out.publish(draft(0), told.append)
        memory.gate.clear()
        second = asyncio.create_task(out.publish(draft(1), told.append))
        await _eventually(lambda: len(told) == 2)
        assert not second.done()
        found = journal.find(draft(1).index_key)
        assert found is not None
        assert found.state is EventState.JOURNALED
        memory.gate.set()
        assert told == [first.event_id, (await second).event_id]


async def test_who_waits_for_the_brokers_is_counted_before_the_journal_too(journal: Journal) -> None:
    """A worker that cannot get its checkpoint away takes nothing from its inbox; what is there waits all the same."""
    memory = Memory(gate=asyncio.Event())
    assert memory.gate is not None
    memory.gate.set()
    depths: list[JournalDepth] = []

    def observer(fact: Fact) -> None:
        if isinstance(fact, JournalDepth):
            depths.append(fact)

    async with producer(memory, journal, observer=observer) as out:
        await out.publish(draft(0))
        memory.gate.clear()
        await _eventually(lambda: memory.at_gate)  # the checkpoint of its partition
        waiting = [asyncio.create_task(out.publish(_like(draft(0), number, 10))) for number in range(1, 4)]
        await _eventually(lambda: depths[-1].unacknowledged == 3)
        assert journal.depth() == (1, 0), "none of them is in the journal"
        memory.gate.set()
        await asyncio.gather(*waiting)
        await _eventually(lambda: depths[-1] == JournalDepth(4, 0))


async def test_checkpoint_comes_soon_after_the_last_event_and_by_itself(journal: Journal) -> None:
    memory = Memory()
    async with producer(memory, journal) as out:
        await out.publish(draft(0))
        await _eventually(lambda: memory.seen().checkpoints)
    assert_whole(memory.seen())


async def test_open_session_shows_a_sign_of_life_each_minute(journal: Journal) -> None:
    memory = Memory()
    ahead = 0.0
    start = asyncio.get_running_loop().time
    facts: list[Fact] = []
    out = producer(memory, journal, observer=facts.append, monotonic=lambda: start() + ahead)  # type: ignore[arg-type]
    async with out:
        await out.publish(draft(0))
        await _eventually(lambda: memory.seen().checkpoints)
        ahead = 61.0
        for worker in out._workers:
            worker._wake.set()
        await _eventually(lambda: len(memory.seen().checkpoints) == PARTITIONS)
    seen = memory.seen()
    assert_whole(seen)
    assert sum(not checkpoint.entries for chain in seen.checkpoints.values() for checkpoint in chain) >= 2


async def test_outage_loses_nothing_and_is_reported(journal: Journal) -> None:
    memory = Memory(away=3)
    facts: list[Fact] = []
    async with producer(memory, journal, observer=facts.append) as out:
        await asyncio.gather(*(out.publish(draft(number)) for number in range(20)))
    assert_whole(memory.seen())
    paused = [fact for fact in facts if isinstance(fact, Paused)]
    assert [fact.paused for fact in paused if fact.stage == paused[0].stage][:2] == [True, False]


async def test_lost_answer_sends_identical_bytes_again(journal: Journal) -> None:
    memory = Memory()
    async with producer(memory, journal) as out:
        await out.publish(draft(0))
        memory.lost_answers = 1
        await out.publish(draft(1))
    seen = memory.seen()
    assert seen.copies >= 1
    assert_whole(seen)
    assert len(seen.values) == 2


async def test_event_the_broker_refuses_for_good_becomes_void_and_the_rest_goes_on(journal: Journal) -> None:
    memory = Memory(max_bytes=30_000)
    facts: list[Fact] = []
    sizes = [100, 40_000, 100, 40_000, 100]
    async with producer(memory, journal, observer=facts.append) as out:
        results = await asyncio.gather(
            *(out.publish(_like(draft(1), at, size)) for at, size in enumerate(sizes)),
            return_exceptions=True,
        )
    assert [isinstance(result, EventVoid) for result in results] == [size > 30_000 for size in sizes]
    seen = memory.seen()
    assert_whole(seen)
    voids = [e.void for chain in seen.checkpoints.values() for c in chain for e in c.entries]
    assert voids.count(True) == 2 and len(voids) == 5
    assert sum(isinstance(fact, Alarm) and fact.code == "produce.refused" for fact in facts) == 2
    assert [event.state for event in journal.events()].count(EventState.VOID) == 2
    assert memory.writers >= 3, "each refused record was retried alone by a new producer instance"


async def test_event_over_the_limit_is_refused_before_it_takes_a_number(journal: Journal) -> None:
    memory = Memory()
    async with producer(memory, journal) as out:
        with pytest.raises(EventTooLarge):
            await out.publish(draft(0, size=9 << 20))
        await out.publish(draft(1))
    seen = memory.seen()
    assert_whole(seen)
    assert [place[2] for place in seen.events] == [0]


async def test_session_is_renewed_at_the_end_of_the_epoch_and_chained(journal: Journal) -> None:
    memory = Memory()
    clock = Clock(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    facts: list[Fact] = []
    async with producer(memory, journal, clock, facts.append) as out:
        await out.publish(draft(0))
        clock.forward(timedelta(minutes=2))
        await asyncio.gather(*(out.publish(draft(number)) for number in range(1, 50)))
        await _eventually(lambda: sum(isinstance(fact, SessionEnded) for fact in facts) == 1)
    seen = memory.seen()
    assert_whole(seen)
    old, new = seen.sessions.values()
    assert old.expires_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert new.previous == old.id
    assert {audience.epoch for audience in new.audiences} == {202612}
    assert sum(isinstance(fact, SessionStarted) for fact in facts) == 2


async def test_session_renewed_while_its_events_are_in_flight_lists_them_before_its_close(
    journal: Journal,
) -> None:
    memory = Memory(gate=asyncio.Event())
    clock = Clock(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    facts: list[Fact] = []
    async with producer(memory, journal, clock, facts.append) as out:
        one_partition = [_like(draft(1), number, size=100) for number in range(10)]
        early = [asyncio.create_task(out.publish(each)) for each in one_partition]
        await _eventually(lambda: len(list(journal.events())) == 10)
        clock.forward(timedelta(minutes=2))
        late = [asyncio.create_task(out.publish(draft(number))) for number in range(10, 20)]
        await _eventually(lambda: sum(isinstance(fact, SessionStarted) for fact in facts) == 2)
        assert memory.gate is not None
        memory.gate.set()
        await asyncio.gather(*early, *late)
        await _eventually(lambda: sum(isinstance(fact, SessionEnded) for fact in facts) == 1)
    seen = memory.seen()
    assert_whole(seen)
    old, new = seen.sessions.values()
    by_session = [sum(place[0] == each.id for place in seen.events) for each in (old, new)]
    assert by_session == [10, 10]


async def test_session_lives_a_day_at_most_and_is_closed_with_nobody_asking(journal: Journal) -> None:
    memory = Memory()
    clock = Clock(datetime(2026, 11, 10, tzinfo=UTC))
    async with producer(memory, journal, clock) as out:
        await out.publish(draft(0))
        clock.forward(timedelta(hours=24))
        await out._keeper._retire_expired()
        await _eventually(lambda: memory.seen().closes)
        (session,) = memory.seen().sessions.values()
        assert session.expires_at - session.created_at == timedelta(hours=24)
    assert_whole(memory.seen())


async def test_full_journal_answers_with_a_retriable_error_and_goes_on(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, max_bytes=1_500_000)
    memory = Memory()
    async with producer(memory, journal) as out:
        failures = 0
        for number in range(200):
            try:
                await out.publish(draft(number, size=30_000))
            except JournalUnavailable as full:
                assert full.retriable
                failures += 1
                if failures == 5:
                    break
        assert failures == 5
        journal._writer.execute("PRAGMA max_page_count = 100000")
        await out.publish(draft(1_000))
    seen = memory.seen()
    assert_whole(seen)
    assert len(seen.events) == len(list(journal.events()))
    journal.close()


async def test_overload_waits_and_drops_nothing(journal: Journal) -> None:
    memory = Memory()
    async with producer(memory, journal, max_in_flight_bytes=200_000) as out:
        tasks = [asyncio.create_task(out.publish(draft(number))) for number in range(500)]
        await asyncio.gather(*tasks)
        assert out._budget.used_bytes == 0
    assert len(memory.seen().events) == 500


async def test_leaving_while_the_broker_is_away_gives_up_and_the_next_start_finishes(tmp_path: Path) -> None:
    memory = Memory()
    journal = open_journal(tmp_path)
    facts: list[Fact] = []
    out = producer(memory, journal, observer=facts.append, close_seconds=0.2)
    async with out:
        await out.publish(draft(0))
        memory.away = 1_000
        late = asyncio.create_task(out.publish(draft(1)))
        await _eventually(lambda: journal.find(draft(1).index_key))
    with pytest.raises(ProducerClosed):
        await late
    assert Alarm("produce.left-open", TOPIC) in facts
    journal.close()
    memory.away = 0
    again = open_journal(tmp_path)
    async with producer(memory, again) as out:
        await out.publish(draft(2))
    seen = memory.seen()
    assert_whole(seen)
    assert len(seen.events) == 3
    assert {event.event_id for event in again.events()} == set(seen.values)
    again.close()


async def test_caller_that_gives_up_does_not_stop_the_others(journal: Journal) -> None:
    memory = Memory(gate=asyncio.Event())
    async with producer(memory, journal) as out:
        tasks = [asyncio.create_task(out.publish(draft(number))) for number in range(10)]
        await asyncio.sleep(0.05)
        tasks[3].cancel()
        assert memory.gate is not None
        memory.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result).__name__ for result in results].count("Published") == 9
    assert_whole(memory.seen())


@pytest.mark.parametrize("arrived", [False, True], ids=["before Kafka had it", "after Kafka had it"])
async def test_what_a_broken_off_process_left_is_finished_with_identical_bytes(tmp_path: Path, arrived: bool) -> None:
    memory = Memory()
    journal = open_journal(tmp_path)
    under_way = asyncio.Event()

    async def broken_off() -> None:
        async with producer(memory, journal) as out:
            await asyncio.gather(*(out.publish(draft(number)) for number in range(40)))
            if arrived:
                memory.lost_answers = 1_000
            else:
                memory.away = 1_000
            async with asyncio.TaskGroup() as group:
                for number in range(40, 60):
                    group.create_task(out.publish(draft(number), lambda _: under_way.set()))

    process = asyncio.create_task(broken_off())
    await under_way.wait()
    await asyncio.sleep(0.02)
    process.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await process
    sealed = {event.event_id: event.leaf for event in journal.events()}
    journal.close()
    memory.away = memory.lost_answers = 0
    again = open_journal(tmp_path)
    facts: list[Fact] = []
    async with producer(memory, again, observer=facts.append) as out:
        await out.publish(draft(100))
    seen = memory.seen()
    assert_whole(seen)
    assert len(seen.sessions) == 2
    assert [fact.resumed for fact in facts if isinstance(fact, SessionEnded)] == [True, False]
    assert sealed.items() <= dict(seen.events.values()).items()
    assert len(seen.events) == len(sealed) + 1
    again.close()
