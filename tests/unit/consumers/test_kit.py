"""What the kit gives a tax team: its own, whole, each once by the team's own transaction; the rest is put aside."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

import consumers.kit
import schemas.parts
from consumers.kit import MAX_WAITING_PARTS, Delivery, PlaceInvalid, accepted_submissions
from hub.envelope.reasons import Reason
from hub.facts import DeadLettered
from hub.transport import OffsetGone
from schemas.submission_model import Attachment, Submission
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.returning import (
    ACCEPTED,
    EPOCH,
    RESIDENT,
    TENANT,
    TOBACCO,
    Cluster,
    Desk,
    World,
    cluster,
    submission,
)

__all__ = ["cluster"]
FILED = [submission(number) for number in range(8)]
PART = 1_000
"""bytes in a part, here: parts of 4 MiB take long; one test has them"""
BYTES = bytes(range(251)) * 14  # four parts
LARGE = submission(
    20, Attachment("架空.bin", "application/octet-stream", BYTES), Attachment("小.txt", "text/plain", b"x")
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas.parts, "PART_BYTES", PART)


@pytest.fixture
def world(cluster: Cluster) -> World:
    return World(cluster)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world, ACCEPTED)


async def taken(
    world: World, places: dict[int, str] | None = None, team: str = RESIDENT, **options: Any
) -> list[Delivery]:
    """Everything up to where the topic ends now; `places` is kept up to date as a database would be."""
    kept = {} if places is None else places
    found = []
    options.setdefault("progress", kept.__setitem__)
    given = accepted_submissions(
        world.role(team), dict(kept), world.facts.append, follow=False, wall=lambda: world.wall, **options
    )
    async with asyncio.timeout(30), aclosing(given):
        async for delivery in given:
            found.append(delivery)
            kept[delivery.partition] = delivery.place
    return found


def reasons(world: World, team: str = RESIDENT) -> list[Reason]:
    return [letter.reason for letter, _ in world.letters(team)]


async def test_an_accepted_submission_comes_as_it_was_filed(world: World, desk: Desk) -> None:
    record = desk.hand_over(FILED[0], revision=3, cause=7)
    (got,) = await taken(world)
    assert got.submission == FILED[0]
    name = desk.name(record)
    assert (got.event_id, got.leaf) == (name.event_id, name.leaf)
    assert (got.tenant, got.tax_item, got.receipt_number) == (TENANT, "resident-tax", FILED[0].receipt_number)
    assert (got.procedure, got.decision, got.revision) == (FILED[0].procedure, "accept", 3)
    assert got.submission_event_id.endswith("7")
    assert got.epoch == EPOCH


async def test_a_revocation_comes_without_a_submission(world: World, desk: Desk) -> None:
    desk.hand_over(FILED[0])
    desk.hand_over(FILED[0], decision="revoke", reason="decided-in-error", revision=2)
    first, second = await taken(world)
    assert (first.decision, second.decision, second.revision) == ("accept", "revoke", 2)
    assert second.submission is None


async def test_each_team_gets_its_own_and_passes_over_the_rest(world: World, desk: Desk, attack: Attack) -> None:
    tried = attack(Attacker.TAX, "reads the hand-overs to another tax team")
    desk.hand_over(FILED[0], RESIDENT)
    desk.hand_over(FILED[1], TOBACCO)
    desk.hand_over(FILED[2], TOBACCO)
    assert [each.receipt_number for each in await taken(world)] == [FILED[0].receipt_number]
    assert {each.receipt_number for each in await taken(world, team=TOBACCO)} == {
        FILED[1].receipt_number,
        FILED[2].receipt_number,
    }
    assert reasons(world) == reasons(world, TOBACCO) == []
    tried.prevented(by="envelope", how="passed over: no section is for it", within="its record")


async def test_another_teams_key_does_not_open_an_event(world: World, desk: Desk, attack: Attack) -> None:
    """The refusal is the cipher's: the team is given the other team's section as if it were its own."""
    tried = attack(Attacker.TAX, "takes another team's section for its own, with a key of its own")
    desk.hand_over(FILED[0], RESIDENT)
    thief = world.role(RESIDENT)
    stolen = world.private[TOBACCO, EPOCH]
    thief.keystore.held = {(RESIDENT, EPOCH, stolen.key_id): stolen}
    found = [each async for each in accepted_submissions(thief, {}, follow=False, wall=lambda: world.wall)]
    assert found == []
    assert reasons(world) == [Reason.SECRET]
    tried.prevented(by="cipher", how=f"dead letter `{Reason.SECRET.value}`", within="its record")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"item": "tobacco-tax"}, id="sealed for this team, meant for another"),
        pytest.param({"header": {"tax_item": "tobacco-tax"}}, id="header names another tax item"),
        pytest.param({"header": {"tax_item": None}}, id="header names no tax item"),
        pytest.param({"receipt_number": "R12-99999-000000777"}, id="another receipt number"),
        pytest.param({"tenant": "131041"}, id="another tenant"),
        pytest.param({"says": FILED[5]}, id="another filing inside"),
        pytest.param({"says": replace(FILED[0], tenant="131041")}, id="a filing to another tenant inside"),
        pytest.param({"header": {"procedure": FILED[5].procedure + "-x"}}, id="another procedure"),
    ],
)
async def test_a_record_that_disagrees_with_its_header_is_refused(
    world: World, desk: Desk, wrong: dict[str, Any]
) -> None:
    desk.hand_over(FILED[0], **wrong)
    desk.hand_over(FILED[1])
    assert [each.receipt_number for each in await taken(world)] == [FILED[1].receipt_number]
    # What contradicts itself inside is no valid record to begin with.
    itself = {"receipt_number", "tenant", "says"} & wrong.keys()
    assert reasons(world) == [Reason.PLAINTEXT_INVALID if itself else Reason.SECTION_MISMATCH]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"revision": 0}, id="revision 0"),
        pytest.param({"decided_at": -1}, id="before 1970"),
        pytest.param({"decided_at": 2**62}, id="after the year 9999"),
        pytest.param({"decision": "return"}, id="not accepted"),
        pytest.param({"decision": "nonsense"}, id="no decision"),
    ],
)
async def test_values_that_no_desk_gives_are_a_dead_letter_and_not_the_end(
    world: World, desk: Desk, wrong: dict[str, Any]
) -> None:
    desk.hand_over(FILED[0], **wrong)
    desk.hand_over(FILED[1])
    assert [each.receipt_number for each in await taken(world)] == [FILED[1].receipt_number]
    assert reasons(world) == [Reason.PLAINTEXT_INVALID]


# --- places


async def test_starting_again_with_the_places_goes_on_behind_the_last_delivery(world: World, desk: Desk) -> None:
    places: dict[int, str] = {}
    for each in FILED[:4]:
        desk.hand_over(each)
    first = await taken(world, places)
    for each in FILED[4:]:
        desk.hand_over(each)
    second = await taken(world, places)
    got = [each.receipt_number for each in (*first, *second)]
    assert sorted(got) == sorted(each.receipt_number for each in FILED)
    assert await taken(world, places) == []


async def test_a_delivery_that_was_not_kept_comes_again(world: World, desk: Desk) -> None:
    desk.hand_over(FILED[0])
    with pytest.raises(ZeroDivisionError):
        async with aclosing(
            accepted_submissions(world.role(RESIDENT), {}, follow=False, wall=lambda: world.wall)
        ) as given:
            async for _ in given:
                raise ZeroDivisionError
    assert len(await taken(world)) == 1


GOOD = {"next": 5, "parts": {"ab" * 32: 3}, "whole": ["cd" * 32]}


def changed(**change: Any) -> str:
    return json.dumps({**GOOD, **change})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "null",
        "[]",
        "not a place",
        "[" * 100_000,
        '{"next": 5}',
        changed(next=-1),
        changed(next=True),
        changed(next=1.0),
        changed(next="5"),
        changed(next=None),
        changed(next=2**63),
        changed(parts=[]),
        changed(parts=None),
        changed(parts={"ab" * 32: -1}),
        changed(parts={"ab" * 32: 5}),
        changed(parts={"ab" * 32: "3"}),
        changed(parts={"AB" * 32: 3}),
        changed(parts={"ab": 3}),
        changed(parts={f"{n:064x}": 1 for n in range(MAX_WAITING_PARTS + 1)}),
        changed(whole=["cd"]),
        changed(whole=[5]),
        changed(whole=[[]]),
        changed(whole="cd" * 32),
        changed(whole=[f"{n:064x}" for n in range(1_000)]),
    ],
)
async def test_a_place_that_the_kit_did_not_give_is_refused_before_anything_is_read(
    world: World, desk: Desk, text: str
) -> None:
    desk.hand_over(FILED[0])
    with pytest.raises(PlaceInvalid):
        await taken(world, {0: text})
    assert world.cluster.polls == 0


async def test_a_good_place_is_taken(world: World) -> None:
    world.cluster.records[ACCEPTED, 0] += [world.cluster.append("elsewhere", 0, None, None)] * 5
    assert await taken(world, {0: changed()}) == []


async def test_places_behind_the_retention_are_told_and_never_skipped(world: World, desk: Desk) -> None:
    for each in FILED:
        desk.hand_over(each)
    world.cluster.oldest[ACCEPTED, 0] = 2
    with pytest.raises(OffsetGone):
        await taken(world, {0: json.dumps({"next": 1, "parts": {}, "whole": []})})


async def test_progress_is_told_between_deliveries_at_the_end_and_seldom(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(consumers.kit.time, "monotonic", lambda: now)
    for _ in range(20):
        desk.hand_over(FILED[0], TOBACCO)
    at = desk.hand_over(FILED[0]).partition
    told: list[tuple[int, str]] = []
    (delivery,) = await taken(world, progress=lambda partition, place: told.append((partition, place)))
    assert told == []  # the delivery's own place is behind all that was passed over
    assert json.loads(delivery.place)["next"] == 21
    for _ in range(20):
        desk.hand_over(FILED[0], TOBACCO)
    await taken(world, {at: delivery.place}, progress=lambda partition, place: told.append((partition, place)))
    assert [(partition, json.loads(place)["next"]) for partition, place in told] == [(at, 41)]
    told.clear()

    def one_more(partition: int, place: str) -> None:
        nonlocal now
        told.append((partition, place))
        now += 0.5

    def clock() -> float:
        nonlocal now
        now += 0.25
        return now

    monkeypatch.setattr(consumers.kit.time, "monotonic", clock)
    await taken(world, {at: delivery.place}, progress=one_more)
    assert 2 <= len(told) <= 8  # twenty were passed over
    assert told == sorted(told, key=lambda each: json.loads(each[1])["next"])


async def test_who_keeps_no_progress_reads_what_is_not_his_again_and_gets_nothing_twice(
    world: World, desk: Desk
) -> None:
    desk.hand_over(FILED[0])
    desk.hand_over(FILED[0], TOBACCO)
    places: dict[int, str] = {}
    assert len(await taken(world, places, progress=None)) == 1
    assert await taken(world, places, progress=None) == []


async def test_a_dead_letter_is_told_at_once_and_not_written_again_after_a_restart(world: World, desk: Desk) -> None:
    desk.hand_over(FILED[0], revision=0)
    places: dict[int, str] = {}
    await taken(world, places)
    assert len(reasons(world)) == 1
    await taken(world, places)
    assert len(reasons(world)) == 1
    assert world.told(DeadLettered) == [DeadLettered(RESIDENT, "plaintext-invalid")]


def test_nothing_of_the_filing_is_in_the_representation_of_what_is_delivered() -> None:
    assert isinstance(FILED[0], Submission)
    fields = {name: (1 if name in ("revision", "epoch", "partition") else "x") for name in Delivery.__slots__}
    shown = repr(Delivery(**{**fields, "submission": FILED[0]}))  # type: ignore[arg-type]
    assert FILED[0].receipt_number not in shown
