"""The loop of a desk: nothing lost, nothing twice, whatever fails in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from consumers.desk import DeskJudge, Reading
from consumers.store.errors import StorePositionLost, StoreUnavailable
from consumers.store.model import Batch, Committed, Outgoing
from consumers.store.sql import SqlStore
from hub.envelope.header import EventHeader
from hub.envelope.letters import DeadLetter, open_quarantine
from hub.envelope.reasons import Reason
from hub.facts import Alarm, DeadLettered, EventsConfirmed, EventsStored, Paused, Ready, ReceiptsSent, Unconfirmed
from hub.reading.at_hand import SessionsAtHand
from hub.reading.intake import Arrived
from hub.transport import KafkaRecord
from tests.unit.consumers.world import (
    NAMESPACE,
    PARTITIONS,
    REVIEW,
    STATUS,
    TENANT,
    ListWriter,
    Portal,
    World,
    uuid7,
)
from topics import names

TOPIC = names.review(NAMESPACE, TENANT)
LETTERS = names.dead_letters(NAMESPACE, REVIEW)


class PlainDesk:
    """A desk whose section is any text; answers with one line per event."""

    status_topic = STATUS

    def read(self, header: EventHeader, plaintext: bytes) -> Reading | Reason:
        return Reason.PLAINTEXT_INVALID if plaintext == b"invalid" else Reading(plaintext, 1)

    def tell_refused(self, arrived: Arrived, record: KafkaRecord, reason: Reason, at_ms: int) -> tuple[Outgoing, ...]:
        return ()

    def answer(self, stored: Sequence[tuple[Arrived, KafkaRecord]], at_ms: int) -> tuple[Outgoing, ...]:
        return tuple(
            Outgoing(self.status_topic, record.partition, b"stored", arrived.header.event_id.encode(), "receipt")
            for arrived, record in stored
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def portal(world: World) -> Portal:
    return Portal(world)


@pytest.fixture
def store(world: World) -> Iterator[SqlStore]:
    opened = world.store()
    yield opened
    opened.close()


def judge(world: World, store: SqlStore) -> DeskJudge:
    sessions = SessionsAtHand(world.sessions)
    return DeskJudge(
        REVIEW,
        PlainDesk(),
        world.intake(REVIEW, sessions=sessions),
        world.vault(REVIEW, store),
        world.letters(REVIEW),
        sessions.prepare,
    )


async def run(
    world: World,
    store: SqlStore,
    until: Callable[[], bool] | None = None,
    *,
    writer: ListWriter | None = None,
    **limits: object,
) -> None:
    """Run a desk until something holds, by default until its topic is read and its outbox is empty."""
    engine = world.engine(REVIEW, judge(world, store), store, **limits)
    reader = world.reader([TOPIC], await engine.places())
    stop = asyncio.Event()

    def done() -> bool:
        total = sum(len(world.topics.records[TOPIC, p]) for p in range(PARTITIONS))
        return sum(store.positions().values()) == total and not store.waiting_count()

    async def watch() -> None:
        async with asyncio.timeout(20):
            while not (until or done)():  # noqa: ASYNC110 - facts and rows have no event to wait for
                await asyncio.sleep(0.01)
        stop.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run(reader, writer or ListWriter(world.topics), stop))
        tasks.create_task(watch())


def stored_ids(store: SqlStore) -> list[str]:
    return sorted(row.event.event_id for row in store.events())


def receipts(world: World) -> list[str]:
    return sorted((record.value or b"").decode() for record in world.topics.all(STATUS))


async def test_events_are_stored_answered_and_confirmed(world: World, portal: Portal, store: SqlStore) -> None:
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(30)))
    for partition in range(PARTITIONS):
        world.topics.append(TOPIC, partition, *portal.checkpoint(partition))
    await run(world, store)
    assert stored_ids(store) == receipts(world) == [uuid7(n) for n in range(30)]
    assert all(row.confirmed_at_ms for row in store.events())
    confirmed = [dict(fact.events) for fact in world.told(EventsConfirmed)]  # type: ignore[attr-defined]
    assert sum(sum(each.values()) for each in confirmed) == 30
    assert sum(fact.count for fact in world.told(ReceiptsSent)) == 30  # type: ignore[attr-defined]
    counted = [dict(fact.stored) for fact in world.told(EventsStored)]  # type: ignore[attr-defined]
    assert sum(sum(each.values()) for each in counted) == 30
    assert {what for each in confirmed for what in each} == {what for each in counted for what in each}
    assert not world.told(Alarm)


async def test_nothing_of_a_section_is_in_the_files(world: World, portal: Portal, store: SqlStore) -> None:
    text = "見本太郎 テスト区架空町".encode()
    world.route(TOPIC, REVIEW, *(portal.seal(n, review=text) for n in range(5)))
    await run(world, store)
    vault = world.vault(REVIEW, store)
    row = store.events()[0]
    content = store.content(row.number)
    assert content is not None
    assert vault.open(TENANT, row.event.event_id, row.event.leaf, content) == text
    files = b"".join(file.read_bytes() for file in world.directory.iterdir())
    for spelled in (text, text.decode().encode("utf-16-le"), text.decode().encode("cp932")):
        assert spelled[:12] not in files


async def test_restart_goes_on_where_it_was(world: World, portal: Portal, store: SqlStore) -> None:
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(5)))
    await run(world, store)
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(5, 9)))
    await run(world, store)
    assert stored_ids(store) == receipts(world) == [uuid7(n) for n in range(9)]
    assert store.counts()["replays"] == 0


async def test_same_event_again_is_stored_once_and_answered_again(
    world: World, portal: Portal, store: SqlStore
) -> None:
    event = portal.seal(1)
    world.route(TOPIC, REVIEW, event, event)
    await run(world, store)
    world.route(TOPIC, REVIEW, event)
    await run(world, store)
    assert (len(store.events()), store.counts()["replays"]) == (1, 2)
    assert len(receipts(world)) == 3


async def test_crash_between_commit_and_outbox_sends_after_restart(
    world: World, portal: Portal, store: SqlStore
) -> None:
    world.topics.away = True
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(4)))
    await run(world, store, lambda: len(store.events()) == 4)
    assert receipts(world) == []
    world.topics.away = False
    await run(world, store)
    assert receipts(world) == [uuid7(n) for n in range(4)]
    assert len(store.events()) == 4


async def test_lost_acknowledgement_sends_the_same_bytes_again(world: World, portal: Portal, store: SqlStore) -> None:
    world.route(TOPIC, REVIEW, portal.seal(1))
    await run(world, store, writer=ListWriter(world.topics, lost_acknowledgements=1))
    sent = [(record.key, record.value) for record in world.topics.all(STATUS)]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert store.waiting_count() == 0


async def test_unsealed_record_becomes_a_letter_in_quarantine_and_work_goes_on(
    world: World, portal: Portal, store: SqlStore
) -> None:
    plain = '{"decedent_name": "見本太郎"}'.encode()
    world.topics.append(TOPIC, 0, b"key", plain)
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(3)))
    world.topics.append(TOPIC, 1, None, None)
    await run(world, store)
    assert len(store.events()) == 3
    letters = [DeadLetter.decode(record.value or b"") for record in world.topics.all(LETTERS)]
    assert [letter.reason for letter in letters] == [Reason.NOT_FRAMED, Reason.NOT_FRAMED]
    assert all(plain not in (record.value or b"") for record in world.topics.all(LETTERS))
    opened = open_quarantine(letters[0], world.private["quarantine"])
    assert (opened.key, opened.value) == (b"key", plain)
    assert sum(fact.count for fact in world.told(DeadLettered)) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("timestamp_ms", [-1, 2**63 - 1])
async def test_impossible_append_time_does_not_stop_the_desk(world: World, store: SqlStore, timestamp_ms: int) -> None:
    world.topics.records[TOPIC, 0].append(KafkaRecord(TOPIC, 0, 0, timestamp_ms, b"key", b"plain"))
    await run(world, store)
    assert len(world.topics.all(LETTERS)) == 1


async def test_letter_of_an_opened_section_keeps_the_sealed_bytes(
    world: World, portal: Portal, store: SqlStore
) -> None:
    event = portal.seal(1, review=b"invalid")
    world.route(TOPIC, REVIEW, event)
    await run(world, store)
    letter = DeadLetter.decode(world.topics.all(LETTERS)[0].value or b"")
    assert letter.content is not None
    assert (letter.reason, letter.content.value) == (Reason.PLAINTEXT_INVALID, event.copy(REVIEW))
    assert letter.leaf == event.out.leaf
    assert store.events() == []


async def test_unknown_session_is_looked_for_before_judging(world: World, portal: Portal, store: SqlStore) -> None:
    world.sessions.later = dict(world.sessions.known)
    world.sessions.known.clear()
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(5)))
    await run(world, store)
    assert len(store.events()) == 5
    assert world.sessions.asked == 1
    assert world.topics.all(LETTERS) == []


async def test_session_that_stays_unknown_is_a_letter_and_an_alarm(
    world: World, portal: Portal, store: SqlStore
) -> None:
    world.sessions.known.clear()
    world.route(TOPIC, REVIEW, portal.seal(1))
    await run(world, store)
    letter = DeadLetter.decode(world.topics.all(LETTERS)[0].value or b"")
    assert (letter.reason, letter.session) == (Reason.UNKNOWN_SESSION, portal.id)
    assert "unknown-session" in {fact.code for fact in world.told(Alarm)}  # type: ignore[attr-defined]


async def test_unreachable_sessions_topic_pauses_without_letters(world: World, portal: Portal, store: SqlStore) -> None:
    world.sessions.later = dict(world.sessions.known)
    world.sessions.known.clear()
    world.sessions.unreachable = True
    world.route(TOPIC, REVIEW, portal.seal(1))

    def paused() -> bool:
        return any(fact.paused for fact in world.told(Paused))  # type: ignore[attr-defined]

    await run(world, store, paused)
    assert (store.events(), store.positions(), world.topics.all(LETTERS)) == ([], {}, [])
    assert Ready("sessions", False) in world.facts
    world.sessions.unreachable = False
    await run(world, store)
    assert len(store.events()) == 1


async def test_missing_own_key_pauses_without_letters(world: World, portal: Portal, store: SqlStore) -> None:
    world.route(TOPIC, REVIEW, portal.seal(1))
    world.missing.add(REVIEW)
    await run(world, store, lambda: Ready("audiences", False) in world.facts)
    assert (store.events(), world.topics.all(LETTERS)) == ([], [])
    world.missing.clear()
    await run(world, store)
    assert len(store.events()) == 1


async def test_missing_quarantine_key_pauses(world: World, store: SqlStore) -> None:
    key = world.audience_keys.pop("quarantine")
    world.topics.append(TOPIC, 0, None, b"plain")
    await run(world, store, lambda: Ready("audiences", False) in world.facts)
    assert store.positions() == {}
    world.audience_keys["quarantine"] = key
    await run(world, store)
    assert len(world.topics.all(LETTERS)) == 1


async def test_full_disk_pauses_and_goes_on(
    world: World, portal: Portal, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(5)))
    whole = store.commit
    failures = iter([True, True, False])

    def commit(batch: Batch) -> Committed:
        if next(failures, False):
            raise StoreUnavailable("SQLITE_FULL")
        return whole(batch)

    monkeypatch.setattr(store, "commit", commit)
    await run(world, store)
    assert len(store.events()) == 5
    assert world.told(Paused) == [
        Paused(REVIEW, "store-unavailable", True),
        Paused(REVIEW, "store-unavailable", False),
    ]


async def test_second_process_on_the_same_store_ends(world: World, portal: Portal, store: SqlStore) -> None:
    zombie = world.engine(REVIEW, judge(world, store), store)
    reader = world.reader([TOPIC], await zombie.places())
    world.route(TOPIC, REVIEW, portal.seal(1))
    await run(world, store)
    with pytest.raises(BaseExceptionGroup) as caught:
        await zombie.run(reader, ListWriter(world.topics), asyncio.Event())
    assert caught.group_contains(StorePositionLost)
    assert len(store.events()) == 1


async def test_second_leaf_under_one_id_alarms_and_both_are_kept(world: World, portal: Portal, store: SqlStore) -> None:
    world.route(TOPIC, REVIEW, portal.seal(1), portal.seal(1, review=b"other"))
    await run(world, store)
    assert [row.conflict for row in store.events()] == [True, True]
    assert "second-leaf" in {fact.code for fact in world.told(Alarm)}  # type: ignore[attr-defined]


async def test_unconfirmed_event_alarms_once(world: World, portal: Portal, store: SqlStore) -> None:
    world.route(TOPIC, REVIEW, portal.seal(1))
    await run(world, store)
    world.now_ms += 61_000
    await run(world, store, lambda: len(world.told(Unconfirmed)) > 8)
    (told,) = {(fact.consumer, fact.count) for fact in world.told(Unconfirmed) if fact.count}  # type: ignore[attr-defined]
    assert told == (REVIEW, 1)
    assert max(fact.oldest_seconds for fact in world.told(Unconfirmed)) > 0  # type: ignore[attr-defined]
    assert world.told(Alarm) == [Alarm("unconfirmed-event", REVIEW)]


async def test_announced_leaf_that_never_comes_alarms_unless_a_notice_explains_it(
    world: World, portal: Portal, store: SqlStore
) -> None:
    lost = portal.seal(1)
    world.topics.append(TOPIC, lost.header.partition, *portal.checkpoint(lost.header.partition))
    await run(world, store)
    world.now_ms += 61_000
    await run(world, store, lambda: Alarm("missing-event", REVIEW) in world.facts)
    world.notice(TOPIC, lost)
    await run(world, store)
    assert store.overdue(world.now_ms).missing == 0
    assert [notice.leaf for notice in store.notices()] == [lost.out.leaf]


async def test_backlog_of_the_outbox_stops_reading(world: World, portal: Portal, store: SqlStore) -> None:
    world.topics.away = True
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(60)))
    await run(
        world,
        store,
        lambda: Ready("outbox", False) in world.facts and len(store.events()) > 10,
        max_waiting_rows=10,
        max_poll_bytes=8_000,
    )
    assert len(store.events()) < 60
    world.topics.away = False
    await run(world, store, max_waiting_rows=10, max_poll_bytes=8_000)
    assert len(receipts(world)) == len(store.events()) == 60
