"""A tax team reads an earlier generation of its topic to the end before it reads the next; its places know both."""

from __future__ import annotations

import json

import pytest

import schemas.parts
from consumers.kit import Delivery, PlaceInvalid, accepted_submissions
from schemas.submission_model import Attachment, Submission
from tests.unit.consumers.test_kit import reasons, taken
from tests.unit.returning import ACCEPTED, PARTITIONS, RESIDENT, Cluster, Desk, World, cluster, submission
from topics.declaration import PACKAGED, parse
from topics.expanding import expand
from topics.generations import grown

__all__ = ["cluster"]
FILED = [submission(number) for number in range(12)]
LARGE = submission(20, Attachment("架空.bin", "application/octet-stream", bytes(range(251)) * 14))


@pytest.fixture
def world(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(schemas.parts, "PART_BYTES", 1_000)
    return World(cluster)


def grow(world: World) -> Desk:
    """From now on the second generation is declared; return the desk's session on its topic."""
    text = grown(PACKAGED.read_text("utf-8"), PARTITIONS, PARTITIONS + 1)
    world.topology = expand(parse(text), world.topology.namespace)
    return Desk(world, f"{ACCEPTED}.g2")


def receipts(found: list[Delivery]) -> list[str]:
    return [each.receipt_number for each in found]


def filed(some: list[Submission]) -> set[str]:
    return {each.receipt_number for each in some}


async def test_the_earlier_generation_comes_first_whatever_was_written_when(world: World) -> None:
    world.cluster.backwards = True
    first = Desk(world, ACCEPTED)
    second = grow(world)
    for each in FILED[6:]:
        second.hand_over(each)
    for each in FILED[:6]:
        first.hand_over(each)
    found = await taken(world)
    assert set(receipts(found[:6])) == filed(FILED[:6])
    assert set(receipts(found[6:])) == filed(FILED[6:])
    assert reasons(world) == []


async def test_places_of_before_go_on_and_nothing_comes_twice(world: World) -> None:
    first, places = Desk(world, ACCEPTED), dict[int, str]()
    for each in FILED[:4]:
        first.hand_over(each)
    assert len(await taken(world, places)) == 4
    assert all("generations" not in json.loads(text) for text in places.values())
    first.hand_over(FILED[4])
    second = grow(world)
    for each in FILED[5:9]:
        second.hand_over(each)
    assert receipts(await taken(world, places))[0] == FILED[4].receipt_number
    assert await taken(world, places) == []
    first.hand_over(FILED[9])  # a record that was refused is sent back to where it was
    second.hand_over(FILED[10])
    assert set(receipts(await taken(world, places))) == filed(FILED[9:11])
    assert await taken(world, places) == []
    world.topology = expand(parse(_without_the_first()), world.topology.namespace)
    second.hand_over(FILED[11])
    assert receipts(await taken(world, places)) == [FILED[11].receipt_number]


async def test_three_generations_are_read_in_their_order(world: World) -> None:
    world.cluster.backwards = True
    desks = [Desk(world, ACCEPTED), grow(world)]
    text = grown(grown(PACKAGED.read_text("utf-8"), PARTITIONS, 3), 3, 5)
    world.topology = expand(parse(text), world.topology.namespace)
    desks.append(Desk(world, f"{ACCEPTED}.g3"))
    for number, desk in reversed(list(enumerate(desks))):
        for each in FILED[4 * number : 4 * number + 4]:
            desk.hand_over(each)
    found = receipts(await taken(world))
    for number in range(3):
        assert set(found[4 * number : 4 * number + 4]) == filed(FILED[4 * number : 4 * number + 4])


def _without_the_first() -> str:
    text = grown(PACKAGED.read_text("utf-8"), PARTITIONS, PARTITIONS + 1)
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("earlier:"))


async def test_parts_belong_to_the_generation_that_they_came_in(world: World) -> None:
    first = Desk(world, ACCEPTED)
    first.parts(LARGE)  # and before the rest could be told the topics grew
    second = grow(world)
    kept, large, _ = second.parts(LARGE)
    second.hand_over(kept, large=[large])
    (got,) = await taken(world)
    assert got.submission == LARGE


@pytest.mark.parametrize(
    "text", ['{"generations":{"0":{}}}', '{"generations":{"x":{}}}', '{"generations":[]}', '{"generations":{"1":{}}}']
)
async def test_a_place_that_is_none_of_ours_is_refused(world: World, text: str) -> None:
    grow(world)
    with pytest.raises(PlaceInvalid):
        await anext(accepted_submissions(world.role(RESIDENT), {0: text}))
