"""Large attachments at the kit: put together from parts, or put aside; and what ends or waits with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

import consumers.kit
import schemas.parts
from consumers.kit import Delivery, accepted_submissions
from hub.envelope.reasons import Reason
from hub.facts import Paused
from hub.transport import BrokerUnavailable
from schemas.parts import PART_BYTES, Part, name_large, parts_of
from schemas.submission_model import Attachment
from tests.unit.consumers.test_kit import FILED, LARGE, PART, cluster, desk, reasons, small_parts, taken, world
from tests.unit.returning import ACCEPTED, KEYS, PARTITIONS, RESIDENT, TENANT, TOBACCO, Desk, World, submission
from topics.partition import partition_for

__all__ = ["cluster", "desk", "small_parts", "world"]


async def test_a_large_attachment_is_put_together_byte_for_byte(world: World, desk: Desk) -> None:
    about, large, records = desk.parts(LARGE)
    assert len(records) == 4
    desk.hand_over(about, large=[large])
    (got,) = await taken(world)
    assert got.submission == LARGE
    assert json.loads(got.place)["parts"] == {}
    assert reasons(world) == []


async def test_parts_of_four_mebibytes_are_put_together(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas.parts, "PART_BYTES", PART_BYTES)
    filed = submission(21, Attachment("架空.bin", "application/octet-stream", b"0123456789" * 900_000))
    about, large, records = desk.parts(filed)
    assert len(records) == 3
    desk.hand_over(about, large=[large])
    (got,) = await taken(world)
    assert got.submission == filed


async def test_parts_that_were_read_before_a_restart_are_found_again(world: World, desk: Desk) -> None:
    about, large, _ = desk.parts(LARGE)
    places: dict[int, str] = {}
    assert await taken(world, places) == []
    (text,) = places.values()
    assert len(json.loads(text)["parts"]) == 4
    desk.hand_over(about, large=[large])
    (got,) = await taken(world, places)
    assert got.submission == LARGE


async def test_a_broker_that_goes_away_while_parts_are_fetched_is_waited_for(world: World, desk: Desk) -> None:
    about, large, _ = desk.parts(LARGE)
    places: dict[int, str] = {}
    await taken(world, places)
    desk.hand_over(about, large=[large])
    world.cluster.trouble["position"] = [BrokerUnavailable()]
    world.cluster.trouble["poll"] = []
    given = accepted_submissions(
        world.role(RESIDENT), places, world.facts.append, follow=False, wall=lambda: world.wall
    )
    world.cluster.silent = 1
    async with aclosing(given):
        assert [each.submission async for each in given] == [LARGE]
    assert world.told(Paused)


def swapped(parts: list[Part]) -> list[Part]:
    return [parts[1], parts[0], *parts[2:]]


def forged(parts: list[Part]) -> list[Part]:
    return [*parts[:-1], replace(parts[-1], content=bytes(len(parts[-1].content)))]


def short(parts: list[Part]) -> list[Part]:
    return [*parts[:-1], replace(parts[-1], content=parts[-1].content[:-1])]


def misnumbered(parts: list[Part]) -> list[Part]:
    return [replace(each, part=0) for each in parts]


def misplaced(parts: list[Part]) -> list[Part]:
    return [replace(each, position=1) for each in parts]


@pytest.mark.parametrize("change", [swapped, forged, short, misnumbered, misplaced])
async def test_parts_that_do_not_give_the_attachment_make_a_dead_letter(
    world: World, desk: Desk, change: Callable[[list[Part]], list[Part]]
) -> None:
    records = [desk.part(each, LARGE) for each in change(list(parts_of(LARGE, 0)))]
    large = name_large(LARGE, 0, [desk.name(each) for each in records])
    about = replace(LARGE, attachments=(replace(LARGE.attachments[0], content=b""), LARGE.attachments[1]))
    desk.hand_over(about, large=[large])
    desk.hand_over(FILED[1])
    assert [each.receipt_number for each in await taken(world)] == [FILED[1].receipt_number]
    assert reasons(world) == [Reason.PLAINTEXT_INVALID]


async def test_a_missing_part_makes_a_dead_letter_and_both_can_be_replayed(world: World, desk: Desk) -> None:
    about, large, records = desk.parts(LARGE)
    lane = world.cluster.records[ACCEPTED, records[2].partition]
    lost = lane[records[2].offset]
    lane[records[2].offset] = replace(lost, value=(lost.value or b"")[:-40] + bytes(40))
    whole = desk.hand_over(about, large=[large])
    places: dict[int, str] = {}
    assert await taken(world, places) == []
    assert reasons(world) == [Reason.DIGEST_MISMATCH, Reason.PLAINTEXT_INVALID]
    desk.again(whole)  # the cause remains: the same reason again, once
    assert await taken(world, places) == []
    assert reasons(world)[2:] == [Reason.PLAINTEXT_INVALID]
    desk.again(lost)
    desk.again(whole)
    (got,) = await taken(world, places)
    assert got.submission == LARGE
    assert len(reasons(world)) == 3


async def test_a_part_that_retention_has_deleted_makes_a_dead_letter(world: World, desk: Desk) -> None:
    about, large, records = desk.parts(LARGE)
    places: dict[int, str] = {}
    await taken(world, places)
    desk.hand_over(about, large=[large])
    world.cluster.oldest[ACCEPTED, records[0].partition] = records[0].offset + 1
    assert await taken(world, places) == []
    assert reasons(world) == [Reason.PLAINTEXT_INVALID]


async def test_a_submission_that_is_sent_again_after_a_crash_is_passed_over(world: World, desk: Desk) -> None:
    """A desk that died before it knew of the acknowledgement sends the last event again, not its parts."""
    about, large, _ = desk.parts(LARGE)
    record = desk.hand_over(about, large=[large])
    desk.again(record)
    places: dict[int, str] = {}
    assert len(await taken(world, places)) == 1
    desk.again(record)
    assert await taken(world, places) == []
    assert reasons(world) == []


async def test_parts_of_another_filing_are_not_taken(world: World, desk: Desk) -> None:
    other = replace(
        LARGE,
        receipt_number=next(f"R12-99999-{n:09d}" for n in range(900, 999) if _same_partition(f"R12-99999-{n:09d}")),
    )
    _, large, _ = desk.parts(other)
    about = replace(LARGE, attachments=(replace(LARGE.attachments[0], content=b""), LARGE.attachments[1]))
    desk.hand_over(about, large=[large])
    assert await taken(world) == []
    assert reasons(world) == [Reason.PLAINTEXT_INVALID]


def _same_partition(receipt_number: str) -> bool:
    return partition_for(receipt_number, PARTITIONS) == partition_for(LARGE.receipt_number, PARTITIONS)


async def test_a_part_that_names_another_filing_than_its_header_is_refused(world: World, desk: Desk) -> None:
    part = next(parts_of(LARGE, 0))
    desk.part(replace(part, receipt_number="R12-99999-000000777"), LARGE)
    desk.part(replace(part, tenant="131041"), LARGE)
    await taken(world)
    assert reasons(world) == [Reason.SECTION_MISMATCH] * 2


async def test_places_of_parts_are_bounded_and_the_oldest_are_forgotten(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers.kit, "MAX_WAITING_PARTS", 3)
    about = submission(30, Attachment("架空.bin", "application/octet-stream", bytes(PART + 1)))
    small = [Part(about.receipt_number, TENANT, 0, n, 9, b"small") for n in range(2)]
    kept, large, _ = desk.parts(about)
    places: dict[int, str] = {}
    desk.part(small[0], about)
    await taken(world, places)
    assert len(json.loads(places.popitem()[1])["parts"]) == 3
    for each in small:
        desk.part(each, about)
    await taken(world, places)
    ((_, text),) = places.items()
    assert len(json.loads(text)["parts"]) == 3
    desk.hand_over(kept, large=[large])  # its parts are too old
    assert await taken(world, places) == []
    assert reasons(world) == [Reason.PLAINTEXT_INVALID]


async def test_parts_of_another_team_are_not_remembered(world: World, desk: Desk) -> None:
    desk.part(next(parts_of(LARGE, 0)), LARGE, TOBACCO)
    places: dict[int, str] = {}
    await taken(world, places)
    assert [json.loads(text)["parts"] for text in places.values()] == [{}]


# --- being told to stop, and what is away


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - facts have no event to wait for
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("where", ["at the start", "at a letter", "at a letter of parts", "at a part"])
async def test_it_ends_when_told_to_wherever_it_waits(world: World, desk: Desk, where: str) -> None:
    about, large, records = desk.parts(LARGE)
    places: dict[int, str] = {}
    await taken(world, places)
    before = dict(places)
    if where == "at the start":
        world.cluster.unreachable.add(KEYS)
    elif where == "at a letter":
        desk.hand_over(FILED[0], revision=0)
        world.cluster.trouble["write"] = [BrokerUnavailable() for _ in range(10_000)]
    elif where == "at a letter of parts":
        world.cluster.oldest[ACCEPTED, records[0].partition] = 1
        desk.hand_over(about, large=[large])
        world.cluster.trouble["write"] = [BrokerUnavailable() for _ in range(10_000)]
    stop = asyncio.Event()
    given = accepted_submissions(
        world.role(RESIDENT),
        dict(places),
        world.facts.append,
        stop=stop,
        progress=places.__setitem__,
        wall=lambda: world.wall,
    )

    async def run() -> list[Delivery]:
        async with aclosing(given):
            return [each async for each in given]

    task = asyncio.create_task(run())
    if where == "at a part":
        await until(lambda: world.cluster.polls > 5)
        world.cluster.trouble["start"] = [BrokerUnavailable() for _ in range(10_000)]
        desk.hand_over(about, large=[large])
    await until(lambda: world.told(Paused))
    stop.set()
    assert await asyncio.wait_for(task, 10) == []
    assert places == before  # nothing was passed that was not put aside


async def test_it_waits_at_the_start_until_brokers_and_keys_are_there(world: World, desk: Desk) -> None:
    desk.hand_over(FILED[0])
    world.cluster.away = True
    task = asyncio.create_task(taken(world))
    await until(lambda: world.told(Paused))
    world.cluster.away = False
    assert len(await asyncio.wait_for(task, 10)) == 1


async def test_a_part_counts_only_as_the_event_that_was_named(world: World, desk: Desk) -> None:
    """A place that came back changed leads to another event with the same content: it is not taken."""
    filed = submission(31, Attachment("架空.bin", "application/octet-stream", bytes(PART)))
    about, large, (first,) = desk.parts(filed)
    second = desk.part(next(parts_of(filed, 0)), filed)
    desk.hand_over(about, large=[large])
    named = desk.name(first).leaf.hex()
    place = {"next": 2, "parts": {named: second.offset}, "whole": []}
    assert await taken(world, {first.partition: json.dumps(place)}) == []
    assert reasons(world) == [Reason.PLAINTEXT_INVALID]
    assert len(await taken(world, {first.partition: json.dumps({**place, "parts": {named: first.offset}})})) == 1
