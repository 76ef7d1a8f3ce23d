"""A copy is the same or it is said where it is not: nothing missing, doubled, altered or in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from assurance.copying import DIFFERS, MISSING, Behind, Compared, Standstill, in_order
from hub.transport.verbatim import Fingerprint, fingerprint

PLACE = ("eltax.131041.review", 3)
OLDEST = 1_000
"""what is from before may be gone on the copy"""


@dataclass
class Partition:
    """A partition as it lies there: records by their offsets, of which some are no records."""

    records: Sequence[Fingerprint]
    begun: int = field(default=0)

    @property
    def oldest(self) -> int:
        return self.records[0].offset if self.records else 0

    async def end(self) -> int:
        return self.records[-1].offset + 2 if self.records else 0  # behind the last one stands a marker

    async def next(self, end: int | None = None, *, seconds: float = 0.0) -> Fingerprint | None:
        if self.begun == len(self.records) or (end is not None and self.records[self.begun].offset >= end):
            return None
        self.begun += 1
        return self.records[self.begun - 1]


def written(*contents: str, first: int = 0, gap: int = 1, at: int = OLDEST) -> list[Fingerprint]:
    made = []
    for number, each in enumerate(contents):
        at_ms = at - 1 if each.startswith("old") else at
        made.append(Fingerprint(first + number * gap, at_ms, b"k", fingerprint(at_ms, b"k", each.encode(), ())))
    return made


async def compared(source: Sequence[Fingerprint], copy: Sequence[Fingerprint]) -> Compared:
    return await in_order(Partition(source), Partition(copy), PLACE, oldest_ms=OLDEST, seconds=0)


async def test_the_same_records_at_other_offsets_are_the_same() -> None:
    assert await compared(written("a", "b", "c"), written("a", "b", "c", first=70, gap=2)) == Compared(*PLACE, 3)
    assert await compared([], []) == Compared(*PLACE, 0)


async def test_what_the_copy_has_beyond_the_mark_is_no_trouble() -> None:
    assert await compared(written("a", "b"), written("a", "b", "c")) == Compared(*PLACE, 2)


async def test_what_the_source_deleted_in_the_meantime_is_counted_apart() -> None:
    assert await compared(written("c", "d", first=2), written("a", "b", "c", "d")) == Compared(*PLACE, 2, older=2)


async def test_what_stands_before_the_first_of_a_source_that_deleted_nothing_is_not_its_own() -> None:
    found = await compared(written("c", "d"), written("a", "c", "d"))
    assert (found.trouble, found.at) == (DIFFERS, 0)


async def test_what_is_past_its_retention_may_be_gone_on_the_copy() -> None:
    assert await compared(written("old1", "old2", "c"), written("c")) == Compared(*PLACE, 1, expired=2)
    assert await compared(written("old1", "old2", "c"), written("old2", "c")) == Compared(*PLACE, 2, expired=1)
    assert await compared(written("old1"), []) == Compared(*PLACE, 0, expired=1)


@pytest.mark.parametrize(
    ("copy", "trouble", "at", "same"),
    [
        ("", MISSING, 0, 0),
        ("ab", MISSING, 2, 2),
        ("acd", DIFFERS, 1, 1),  # one is missing in the midst
        ("abbcd", DIFFERS, 2, 2),  # doubled
        ("acbd", DIFFERS, 1, 1),  # in another order
        ("abxd", DIFFERS, 2, 2),  # altered
        ("xbcd", DIFFERS, 0, 0),  # altered at the beginning
        ("bcd", DIFFERS, 0, 0),
        ("abxcd", DIFFERS, 2, 2),  # something that the source has not
    ],
)
async def test_anything_else_is_trouble_at_its_first_place(copy: str, trouble: str, at: int, same: int) -> None:
    found = await compared(written(*"abcd"), written(*copy))
    assert (found.trouble, found.at, found.records) == (trouble, at, same)


async def test_a_draw_that_is_changed_anywhere_is_noticed() -> None:
    seed = 264
    print(f"seed {seed}")
    random = Random(seed)
    for _ in range(300):
        source = [str(random.random()) for _ in range(random.randint(1, 12))]
        copy = list(source)
        place = random.randrange(len(copy))
        match random.randrange(3):
            case 0:
                copy[place] = "x"
            case 1:
                del copy[place]
            case _:
                copy.insert(place + 1, copy[place])
        found = await compared(written(*source), written(*copy))
        doubled_last = (
            len(copy) > len(source) and place == len(source) - 1
        )  # is beyond the mark: new, as far as we know
        assert bool(found.trouble) is not doubled_last


def test_no_two_records_have_one_fingerprint() -> None:
    contents: list[tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]] = [
        (0, b"ab", b"c", ()),
        (0, b"a", b"bc", ()),
        (1, b"ab", b"c", ()),
        (0, None, b"c", ()),
        (0, b"", b"c", ()),
        (0, b"ab", None, ()),
        (0, b"ab", b"", ()),
        (0, b"ab", b"c", (("h", b"v"),)),
        (0, b"ab", b"c", (("h", None),)),
        (0, b"ab", b"c", (("h", b"v"), ("h", b"v"))),
        (0, b"ab", b"c", (("hv", b""),)),
        (0, b"ab", b"c", (("", b"hv"),)),
    ]
    assert len({fingerprint(*each) for each in contents}) == len(contents)


def test_a_mirror_stands_still_when_the_same_records_wait_first() -> None:
    still = Standstill(120)
    late = Behind("t", 0, 3, at=1)
    assert not still.look([late], 0)
    assert not still.look([late], 119)
    assert still.look([Behind("t", 0, 9, at=1)], 120), "more have come, none has gone"


def test_a_mirror_that_moves_or_has_nothing_to_do_does_not_stand_still() -> None:
    still = Standstill(120)
    for now in range(0, 1_000, 50):
        assert not still.look([Behind("t", 0, 5, at=now), Behind("t", 1, 7, at=1)], now)
    for now in range(1_000, 2_000, 50):
        assert not still.look([Behind("t", 0, 0), Behind("t", 1, 0)], now)
    assert not still.look([Behind("t", 1, 1, at=2_000)], 2_000), "it begins to count when something waits"
