"""A stream yields what is valid in order, puts the rest aside once, waits for what can heal, and ends when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from hub.envelope.inspection import PRODUCED
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.facts import Alarm, DeadLettered, Paused
from hub.reading.errors import AudiencesUnavailable
from hub.reading.intake import Arrived, Expectation
from hub.reading.stream import SealedStream, Stopped
from hub.transport import BrokerUnavailable, FinalRefusal, KafkaRecord, NotAuthorized, OffsetGone
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.returning import (
    EPOCH,
    HELPDESK,
    KEYS,
    PORTAL,
    REVIEW,
    SESSIONS,
    STATUS,
    TENANT,
    Cluster,
    Desk,
    World,
    cluster,
    submission,
)
from topics import names

__all__ = ["cluster"]
STAGE = "portal-read"
LETTERS = names.dead_letters("rehearsal", PORTAL)
FILED = [submission(number) for number in range(8)]


@pytest.fixture
def world(cluster: Cluster) -> World:
    return World(cluster)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world, STATUS)


def read_receipt(record: KafkaRecord, arrived: Arrived) -> str | Reason | None:
    """What these streams make of an event; one procedure is refused, one is not for this reader."""
    if arrived.header.procedure == "refused":
        return Reason.SECTION_MISMATCH
    return None if arrived.header.procedure == "passed-over" else arrived.header.receipt_number


def stream(world: World, starts: Mapping[tuple[str, int], int] | None = None, **options: Any) -> SealedStream[str]:
    return SealedStream(
        world.role(PORTAL),
        PORTAL,
        {STATUS: Expectation(TENANT, Kind.STATUS, STATUS, PRODUCED, receipts=True)},
        [SESSIONS],
        starts or {},
        options.pop("read", read_receipt),
        world.facts.append,
        letters=options.pop("letters", True),
        wall=lambda: world.wall,
        **options,
    )


async def drained(made: SealedStream[str], **options: Any) -> list[str]:
    async with asyncio.timeout(20), made, aclosing(made.events(follow=False, **options)) as events:
        return [read async for _, read in events]


async def test_valid_events_come_in_order_and_the_reading_ends_where_the_topic_ends_now(
    world: World, desk: Desk
) -> None:
    for each in FILED:
        desk.status(each)
    desk.checkpoint()
    made = stream(world)
    got = await drained(made)
    assert sorted(got) == sorted(each.receipt_number for each in FILED)
    by_partition = [[r.offset for r in world.on(STATUS) if r.partition == p] for p in (0, 1)]
    assert all(by_partition)
    assert made.places == {(STATUS, p): len(offsets) for p, offsets in enumerate(by_partition)}
    assert (made.refused, world.letters(PORTAL)) == (0, [])


async def test_begins_at_the_places_that_it_is_given(world: World, desk: Desk) -> None:
    records = [desk.status(each) for each in FILED]
    first = next(r for r in records if r.partition == 0)
    got = await drained(stream(world, {(STATUS, 0): first.offset + 1}))
    assert len(got) == len(FILED) - 1


async def test_a_place_moves_only_after_the_event_was_handled(world: World, desk: Desk) -> None:
    one, two = [each for each in FILED if desk.status(each).partition == 0][:2]
    made = stream(world)
    async with made, aclosing(made.events(follow=False)) as events:
        assert (await anext(events))[1] == one.receipt_number
        assert made.places == {}
        assert (await anext(events))[1] == two.receipt_number
        assert made.places == {(STATUS, 0): 1}
    assert made.places == {(STATUS, 0): 1}  # the second was never handled to the end
    assert (await drained(stream(world, made.places)))[0] == two.receipt_number


async def test_what_the_caller_raises_while_it_handles_an_event_leaves_the_place_where_it_was(
    world: World, desk: Desk
) -> None:
    desk.status(FILED[0])
    made = stream(world)
    with pytest.raises(ZeroDivisionError):
        async with made, aclosing(made.events(follow=True)) as events:
            async for _ in events:
                raise ZeroDivisionError
    assert made.places == {}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        pytest.param({"damage": 40}, Reason.DIGEST_MISMATCH, id="a bit of a ciphertext"),
        pytest.param({"partition": 1}, Reason.WRONG_PARTITION, id="another partition"),
        pytest.param({"procedure": "refused"}, Reason.SECTION_MISMATCH, id="refused by the reading"),
    ],
)
async def test_a_record_that_is_not_valid_becomes_one_dead_letter_and_the_next_one_is_read(
    world: World, desk: Desk, how: dict[str, Any], reason: Reason
) -> None:
    about = next(each for each in FILED if desk.status(each).partition == 0)
    world.cluster.records[STATUS, 0].clear()
    world.cluster.records[STATUS, 1].clear()
    record = desk.decide(about)
    sections = {PORTAL: record.encode(with_message=True), HELPDESK: record.encode(with_message=False)}
    bad = desk.send(about, sections, **how)
    desk.status(about)
    heard: list[KafkaRecord] = []
    made = stream(world, put_aside=heard.append)
    assert await drained(made) == [about.receipt_number]
    ((letter, content),) = world.letters(PORTAL)
    assert (letter.reason, letter.stage, letter.place.offset) == (reason, PORTAL, bad.offset)
    assert (letter.place.topic, letter.place.partition) == (STATUS, bad.partition)
    assert (content.key, content.value) == (bad.key, bad.value)
    assert heard == [bad]
    assert made.refused == 1
    assert DeadLettered(PORTAL, reason.value) in world.facts
    again = stream(world, made.places)
    assert await drained(again) == []
    assert len(world.letters(PORTAL)) == 1  # read again from the places: not put aside again


@pytest.mark.parametrize("value", [None, b"", "見本太郎".encode(), b"\x00\x00\x00\x00\x63garbage"])
async def test_garbage_is_put_aside_sealed(world: World, desk: Desk, value: bytes | None) -> None:
    world.cluster.append(STATUS, 1, b"key", value)
    desk.status(FILED[0])
    assert await drained(stream(world)) == [FILED[0].receipt_number]
    ((letter, content),) = world.letters(PORTAL)
    assert not letter.authentic
    assert content.value == value
    assert not value or all(value not in (r.value or b"") for r in world.on(LETTERS))


async def test_without_letters_what_is_not_valid_is_counted_and_passed(world: World, desk: Desk) -> None:
    desk.status(FILED[0])
    desk.send(FILED[1], {PORTAL: b"x", HELPDESK: b"x"}, damage=40)
    heard: list[KafkaRecord] = []
    made = stream(world, letters=False, put_aside=heard.append)
    assert await drained(made) == [FILED[0].receipt_number]
    assert (made.refused, world.on(LETTERS), heard) == (1, [], [])
    assert sum(made.places.values()) == 2


async def test_an_event_of_a_session_that_only_a_stranger_signed_is_refused(world: World, attack: Attack) -> None:
    tried = attack(Attacker.HELPDESK, "tells the portal a decision in a session of its own")
    Desk(world, STATUS, signer=HELPDESK).status(FILED[0])
    assert await drained(stream(world)) == []
    ((letter, _),) = world.letters(PORTAL)
    assert letter.reason is Reason.NOT_PERMITTED
    tried.prevented(by="portal", how=f"dead letter `{letter.reason.value}`", within="its record")


async def test_a_session_that_is_announced_late_is_looked_for(world: World) -> None:
    desk = Desk(world, STATUS, announce=False)
    made = stream(world)
    async with made:
        desk.announce()
        desk.status(FILED[0])
        async with aclosing(made.events(follow=False)) as events:
            assert [read async for _, read in events] == [FILED[0].receipt_number]


async def test_a_session_that_never_comes_is_a_dead_letter_that_can_be_replayed(world: World) -> None:
    desk = Desk(world, STATUS, announce=False)
    record = desk.status(FILED[0])
    made = stream(world)
    assert await drained(made) == []
    ((letter, _),) = world.letters(PORTAL)
    assert letter.reason is Reason.UNKNOWN_SESSION
    desk.announce()
    desk.again(record)
    assert await drained(stream(world, made.places)) == [FILED[0].receipt_number]


# --- waiting


@pytest.mark.parametrize("where", ["poll", "end_offsets", "position"])
async def test_a_broker_that_fails_is_waited_for_and_nothing_is_lost(world: World, desk: Desk, where: str) -> None:
    desk.status(FILED[0])
    world.cluster.trouble[where] = [BrokerUnavailable(), BrokerUnavailable()]
    assert await drained(stream(world)) == [FILED[0].receipt_number]
    assert world.told(Paused) == [
        Paused(STAGE, BrokerUnavailable.code, True),
        Paused(STAGE, BrokerUnavailable.code, False),
    ]


async def test_letters_wait_for_the_broker_and_are_written_once(world: World, desk: Desk) -> None:
    desk.send(FILED[0], {PORTAL: b"x", HELPDESK: b"x"}, damage=40)
    world.cluster.trouble["write"] = [BrokerUnavailable(), BrokerUnavailable()]
    heard: list[KafkaRecord] = []
    made = stream(world, put_aside=heard.append)
    assert await drained(made) == []
    assert len(world.letters(PORTAL)) == len(heard) == len(world.told(DeadLettered)) == 1


async def test_of_two_causes_the_first_one_ends_when_the_second_begins(world: World, desk: Desk) -> None:
    desk.status(FILED[0])
    world.cluster.trouble["poll"] = [BrokerUnavailable(), AudiencesUnavailable(), BrokerUnavailable()]
    await drained(stream(world))
    open_now: set[str] = set()
    for fact in world.told(Paused):
        (open_now.add if fact.paused else open_now.remove)(fact.code)
        assert len(open_now) <= 1
    assert open_now == set()


@pytest.mark.parametrize(("where", "what"), [("poll", OffsetGone), ("poll", NotAuthorized), ("write", FinalRefusal)])
async def test_what_cannot_heal_is_raised(world: World, desk: Desk, where: str, what: type[Exception]) -> None:
    desk.send(FILED[0], {PORTAL: b"x", HELPDESK: b"x"}, damage=40)
    world.cluster.trouble[where] = [what()]  # type: ignore[list-item]
    made = stream(world)
    with pytest.raises(what):
        await drained(made)
    assert made.places == {}


async def test_retention_that_was_faster_is_raised_and_never_skipped(world: World, desk: Desk) -> None:
    for each in FILED:
        desk.status(each)
    world.cluster.oldest[STATUS, 0] = 2
    with pytest.raises(OffsetGone):
        await drained(stream(world, {(STATUS, 0): 1}))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the facts of a stream have no event to wait for
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("where", ["the session", "the letter", "the broker"])
async def test_stopping_is_heard_while_it_waits(world: World, where: str) -> None:
    desk = Desk(world, STATUS)
    if where == "the letter":
        desk.send(FILED[0], {PORTAL: b"x", HELPDESK: b"x"}, damage=40)
        world.cluster.trouble["write"] = [BrokerUnavailable() for _ in range(10_000)]
    elif where == "the session":
        desk.status(FILED[0])
        world.cluster.unreachable.add(SESSIONS)
    else:
        world.cluster.trouble["poll"] = [BrokerUnavailable() for _ in range(10_000)]
    stop = asyncio.Event()
    made = stream(world)

    async def run() -> list[str]:
        async with made, aclosing(made.events(follow=True, stop=stop)) as events:
            return [read async for _, read in events]

    task = asyncio.create_task(run())
    await until(lambda: world.told(Paused))
    stop.set()
    assert await asyncio.wait_for(task, 10) == []
    assert made.places == {}
    assert world.letters(PORTAL) == []


async def test_stopping_is_heard_between_two_events_of_one_poll(world: World, desk: Desk) -> None:
    for each in FILED:
        desk.status(each)
    stop = asyncio.Event()
    made = stream(world)
    got = []
    async with asyncio.timeout(10), made, aclosing(made.events(follow=True, stop=stop)) as events:
        async for _, read in events:
            got.append(read)
            stop.set()
    assert len(got) == 1
    assert sum(made.places.values()) == 1  # what was handed out before it was told to stop counts as handled


async def test_stopped_before_it_began_it_yields_nothing(world: World, desk: Desk) -> None:
    desk.status(FILED[0])
    stop = asyncio.Event()
    stop.set()
    assert await drained(stream(world), stop=stop) == []


async def test_following_it_goes_on_with_what_comes_later(world: World, desk: Desk) -> None:
    stop = asyncio.Event()
    made = stream(world)
    got: list[str] = []

    async def run() -> None:
        async with made, aclosing(made.events(follow=True, stop=stop)) as events:
            async for _, read in events:
                got.append(read)

    task = asyncio.create_task(run())
    await until(lambda: world.cluster.polls > 3)
    desk.status(FILED[3])
    await until(lambda: got)
    stop.set()
    await asyncio.wait_for(task, 10)
    assert got == [FILED[3].receipt_number]


# --- beginning


async def test_entering_says_at_once_that_no_broker_is_there(world: World) -> None:
    world.cluster.away = True
    with pytest.raises(AudiencesUnavailable):
        await stream(world).__aenter__()


async def test_connecting_waits_until_a_broker_is_there(world: World, desk: Desk) -> None:
    desk.status(FILED[0])
    world.cluster.away = True
    made = stream(world)
    task = asyncio.create_task(made.connect())
    await until(lambda: world.told(Paused))
    world.cluster.away = False
    world.cluster.trouble["start"] = [BrokerUnavailable()]  # audiences can be read, events not yet
    await asyncio.wait_for(task, 10)
    async with aclosing(made.events(follow=False)) as events:
        assert [read async for _, read in events] == [FILED[0].receipt_number]
    await made.close()


async def test_connecting_ends_when_it_is_told_to_stop(world: World, desk: Desk) -> None:
    desk.status(FILED[0])
    world.cluster.away = True
    stop = asyncio.Event()
    made = stream(world)
    task = asyncio.create_task(made.connect(stop))
    await until(lambda: world.told(Paused))
    stop.set()
    await asyncio.wait_for(task, 10)
    world.cluster.away = False
    async with aclosing(made.events(follow=True, stop=stop)) as events:
        assert [read async for _, read in events] == []
    await made.close()


async def test_connecting_does_not_wait_for_rights(world: World) -> None:
    world.cluster.trouble["start"] = [NotAuthorized()]
    with pytest.raises(NotAuthorized):
        await stream(world).connect()


# --- months go by while it runs


async def test_a_key_that_was_announced_after_the_start_and_is_not_here_yet_is_waited_for(world: World) -> None:
    """Never a dead letter: the operator puts the key file of a new month into place, and reading goes on."""
    made = stream(world)
    held = made._intake._secrets._store.held  # type: ignore[attr-defined]
    await made.connect()
    world.publish(PORTAL, EPOCH + 1)
    world.publish(HELPDESK, EPOCH + 1)
    desk = Desk(world, STATUS, epoch=EPOCH + 1)
    world.wall = desk.at
    desk.status(FILED[0])

    async def run() -> list[str]:
        async with aclosing(made.events(follow=False)) as events:
            return [read async for _, read in events]

    task = asyncio.create_task(run())
    await until(lambda: world.told(Paused) or task.done())
    assert [fact.code for fact in world.told(Paused)] == ["key.not-loaded"]
    held.update(world.keys(PORTAL).held)
    assert await asyncio.wait_for(task, 10) == [FILED[0].receipt_number]
    await made.close()


async def test_a_desk_that_was_listed_a_moment_ago_is_heard(world: World) -> None:
    """A newer trust list is asked for before anything is a dead letter for want of trust."""
    desk = Desk(world, STATUS, signer=HELPDESK)
    desk.status(FILED[0])
    made = stream(world)
    made._role.newer = world.trust_of(world.identities, HELPDESK)  # type: ignore[attr-defined]
    assert await drained(made) == [FILED[0].receipt_number]
    assert world.letters(PORTAL) == []


# --- reading one record again


async def test_a_record_is_read_again_and_judged_again(world: World, desk: Desk) -> None:
    record = desk.status(FILED[0])
    other = desk.send(FILED[1], {PORTAL: b"x", HELPDESK: b"x"}, damage=40)
    async with stream(world) as made:
        assert await made.again((STATUS, record.partition), record.offset) == FILED[0].receipt_number
        assert await made.again((STATUS, other.partition), other.offset) is None


async def test_a_record_that_retention_has_deleted_is_gone(world: World, desk: Desk) -> None:
    record = desk.status(FILED[0])
    world.cluster.oldest[STATUS, record.partition] = record.offset + 1
    async with stream(world) as made:
        assert await made.again((STATUS, record.partition), record.offset) is None


async def test_a_broker_that_falls_silent_while_a_record_is_read_again_is_waited_for(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka says nothing of a broker that is away; to take that for a record that is gone would lose it."""
    monkeypatch.setattr("hub.reading.stream._TRIES", 3)
    record = desk.status(FILED[0])
    async with stream(world) as made:
        world.cluster.silent = 5
        assert await made.again((STATUS, record.partition), record.offset) == FILED[0].receipt_number
    assert Paused(STAGE, BrokerUnavailable.code, True) in world.told(Paused)


async def test_reading_again_is_given_up_when_told_to_stop(world: World, desk: Desk) -> None:
    desk.status(FILED[0])
    stop = asyncio.Event()
    made = stream(world)
    with pytest.raises(Stopped):
        async with made, aclosing(made.events(follow=True, stop=stop)) as events:
            record, _ = await anext(events)
            world.cluster.trouble["start"] = [BrokerUnavailable() for _ in range(10_000)]
            asyncio.get_running_loop().call_later(0.05, stop.set)
            await asyncio.wait_for(made.again((STATUS, record.partition), record.offset), 10)


async def test_nothing_is_said_about_people(world: World, desk: Desk) -> None:
    desk.status(FILED[0], message="見本太郎様の秘密")
    desk.send(FILED[1], {PORTAL: "見本太郎".encode(), HELPDESK: b"x"}, procedure="refused")
    await drained(stream(world))
    assert world.told(Alarm)
    assert "見本" not in repr(world.facts)
    assert all(
        record.topic in (STATUS, SESSIONS, KEYS, LETTERS) for lane in world.cluster.records.values() for record in lane
    )
    assert all("見本太郎".encode() not in (record.value or b"") for record in world.on(LETTERS))
    assert REVIEW not in repr(world.told(DeadLettered))
