"""Attachments in parts: cut and put together again, and every way in which that can be lied about."""

from __future__ import annotations

import random
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from hub.envelope.session import max_sealed_bytes
from hub.producing.producer import MAX_EVENT_BYTES
from schemas import codec
from schemas.checks import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS
from schemas.codec import CodecError
from schemas.judging import PortalFindings, as_portal, judge
from schemas.parts import (
    MAX_PARTS,
    PART,
    PART_BYTES,
    AttachmentDamaged,
    AttachmentIncomplete,
    LargeAttachment,
    Part,
    PartName,
    completed,
    encode_section,
    join,
    name_beforehand,
    name_large,
    parts_of,
    read_part,
    read_section,
    split,
)
from schemas.sections import helpdesk_section, review_section
from schemas.submission_model import Attachment, Submission
from tests.unit.schemas.support import documents, good, smallest

MIB = 2**20
NOTHING = PortalFindings("0" * 16, ())


def with_sizes(*sizes: int, seed: int = 1) -> Submission:
    rng = random.Random(seed)
    made = tuple(Attachment(f"{n}.pdf", "application/pdf", rng.randbytes(size)) for n, size in enumerate(sizes))
    return replace(good(smallest()), attachments=made)


def named(submission: Submission, position: int) -> tuple[LargeAttachment, list[Part]]:
    parts = list(parts_of(submission, position))
    names = [PartName(f"event {position}/{part.part}", sha256(part.encode()).digest()) for part in parts]
    return name_large(submission, position, names), parts


def shortened(submission: Submission, *places: int) -> Submission:
    kept = [replace(each, content=b"") if n in places else each for n, each in enumerate(submission.attachments)]
    return replace(submission, attachments=tuple(kept))


@pytest.mark.parametrize(
    "size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 3 * PART_BYTES + 17, 50 * MIB]
)
def test_cut_and_put_together_is_the_same(size: int) -> None:
    submission = with_sizes(10, size)
    large, parts = named(submission, 1)
    assert [(part.part, part.parts) for part in parts] == [(n, len(parts)) for n in range(len(parts))]
    assert all(0 < len(part.content) <= PART_BYTES for part in parts)
    read = [read_part(part.encode()) for part in parts]
    assert read == parts
    whole = join(submission, large, read)
    assert whole == submission.attachments[1].content
    assert completed(shortened(submission, 1), {1: whole}) == submission


def test_a_framed_part_stays_within_four_mebibytes_and_its_padding() -> None:
    (part,) = parts_of(with_sizes(PART_BYTES), 0)
    framed = replace(part, receipt_number="R" * 64).encode()
    assert len(framed) < 4 * MIB
    assert max_sealed_bytes({"review-999997": len(framed), "helpdesk-999997": 2_000}) < 4 * MIB + 64 * 1_024


@pytest.mark.parametrize("seed", range(12))
def test_what_is_split_fits_into_one_event_and_nothing_is_lost(seed: int) -> None:
    rng = random.Random(seed)
    left = MAX_ATTACHMENT_BYTES // 4
    sizes = []
    for _ in range(rng.randrange(1, MAX_ATTACHMENTS)):
        sizes.append(min(left, rng.choice((0, 1, 100, 5_000, 200_000, 3 * MIB, 9 * MIB))))
        left -= sizes[-1]
    submission = with_sizes(*sizes, seed=seed)
    kept, places = split(submission)
    assert list(places) == sorted(set(places))
    assert kept == shortened(submission, *places)
    large = [named(submission, place)[0] for place in places]
    section = encode_section(kept, as_portal(judge(submission)), large)
    assert max_sealed_bytes({"r": len(section), "h": len(helpdesk_section(kept))}) <= MAX_EVENT_BYTES
    read = read_section(section)
    assert (read.submission, read.large, read.unseen) == (kept, tuple(large), frozenset(places))
    contents = {place: submission.attachments[place].content for place in places}
    assert completed(read.submission, contents) == submission
    if places:  # the smallest one that travels alone would not have fitted
        smallest_one = min(len(contents[place]) for place in places)
        assert len(review_section(kept)) + smallest_one > 7 * MIB - 4_096


def test_what_fits_is_left_as_it_is() -> None:
    submission = with_sizes(6 * MIB, 500_000)
    assert split(submission) == (submission, ())
    assert split(with_sizes()) == (with_sizes(), ())


def test_the_largest_goes_first_and_of_equals_the_first() -> None:
    assert split(with_sizes(3 * MIB, 4 * MIB, 3 * MIB))[1] == (1,)
    assert split(with_sizes(4 * MIB, 4 * MIB, 4 * MIB))[1] == (0, 1)


def test_many_items_take_the_room_of_attachments() -> None:
    """Both sections are in the event: masked items count, too."""
    document = max(documents(60), key=lambda each: len(str(each.get("items", ""))))
    group = next(name for name, each in document["items"].items() if isinstance(each, list) and each)
    row = {name: value if isinstance(value, int) else str(value) for name, value in document["items"][group][0].items()}
    document["items"][group] = [row] * 200
    document.pop("attachments", None)
    submission = good(document)
    review, helpdesk = len(review_section(submission)), len(helpdesk_section(submission))
    filler = Attachment("a.bin", "application/octet-stream", bytes(7 * MIB - review - helpdesk // 2))
    kept, places = split(replace(submission, attachments=(filler,)))
    assert places == (0,)
    assert len(review_section(kept)) < 7 * MIB


def test_small_and_empty_attachments_never_travel_alone() -> None:
    submission = replace(with_sizes(0, 4_096, 4_097), items={"applicant_name": "x" * 8 * MIB})
    assert split(submission)[1] == (2,)


def test_a_name_made_beforehand_is_as_long_as_the_real_one() -> None:
    submission = with_sizes(2 * PART_BYTES + 1)
    real = name_large(submission, 0, [PartName(f"{n:036}", bytes(32)) for n in range(3)])
    kept = shortened(submission, 0)
    before = encode_section(kept, NOTHING, [name_beforehand(submission, 0)])
    assert len(before) == len(encode_section(kept, NOTHING, [real]))
    read_section(before)


# --- lies about parts


@pytest.fixture(scope="module")
def two() -> tuple[Submission, list[tuple[LargeAttachment, list[Part]]]]:
    submission = with_sizes(2 * PART_BYTES + 5, 2 * PART_BYTES + 5)
    return submission, [named(submission, 0), named(submission, 1)]


Two = tuple[Submission, list[tuple[LargeAttachment, list[Part]]]]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_is_incomplete_not_shorter(two: Two, missing: int) -> None:
    submission, ((large, parts), _) = two
    with pytest.raises(AttachmentIncomplete):
        join(submission, large, [None if n == missing else part for n, part in enumerate(parts)])
    with pytest.raises(AttachmentIncomplete):
        join(submission, large, [part for n, part in enumerate(parts) if n != missing])
    with pytest.raises(AttachmentIncomplete):
        join(submission, large, [*parts, parts[missing]])
    with pytest.raises(AttachmentIncomplete):
        join(submission, large, [])


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 0, 2), (2, 1, 0), (0, 0, 2), (1, 2, 0)])
def test_parts_in_another_order_are_damaged(two: Two, order: tuple[int, ...]) -> None:
    submission, ((large, parts), _) = two
    with pytest.raises(AttachmentDamaged):
        join(submission, large, [parts[n] for n in order])


def test_a_part_of_the_other_attachment_is_damaged_even_if_it_holds_the_same(two: Two) -> None:
    submission, ((large, parts), (_, others)) = two
    for n in range(3):
        with pytest.raises(AttachmentDamaged):
            join(submission, large, [*parts[:n], others[n], *parts[n + 1 :]])
        with pytest.raises(AttachmentDamaged):
            join(submission, large, [*parts[:n], replace(others[n], content=parts[n].content), *parts[n + 1 :]])


@pytest.mark.parametrize("change", [{"receipt_number": "R7-13104-000000018"}, {"tenant": "999997"}, {"parts": 4}])
def test_a_part_of_another_filing_is_damaged_even_if_it_holds_the_same(two: Two, change: dict[str, Any]) -> None:
    submission, ((large, parts), _) = two
    assert join(submission, large, parts)
    for n in range(3):
        with pytest.raises(AttachmentDamaged):
            join(submission, large, [*parts[:n], replace(parts[n], **change), *parts[n + 1 :]])


def test_size_and_digest_are_held_to_what_was_said(two: Two) -> None:
    submission, ((large, parts), _) = two
    for wrong in (
        replace(large, size=large.size - 1),
        replace(large, size=large.size + 1),
        replace(large, sha256=bytes(32)),
    ):
        with pytest.raises(AttachmentDamaged):
            join(submission, wrong, parts)
    flipped = replace(parts[1], content=parts[1].content[:-1] + bytes([parts[1].content[-1] ^ 1]))
    with pytest.raises(AttachmentDamaged):
        join(submission, large, [parts[0], flipped, parts[2]])
    moved = [
        replace(parts[0], content=parts[0].content[:-1]),
        replace(parts[1], content=parts[0].content[-1:] + parts[1].content[:-1]),
        replace(parts[2], content=parts[1].content[-1:] + parts[2].content),
    ]
    assert join(submission, large, moved) == submission.attachments[0].content  # where it was cut says nothing


# --- bombs and contradictions in what a section names


def section(submission: Submission, *large: LargeAttachment) -> bytes:
    return encode_section(submission, NOTHING, large)


def names(count: int, of: int = 0) -> tuple[PartName, ...]:
    return tuple(PartName(f"event {of}/{n}", sha256(b"%d/%d" % (of, n)).digest()) for n in range(count))


def large_of(position: int, size: int, count: int) -> LargeAttachment:
    return LargeAttachment(position, size, bytes(32), names(count, position))


def empty(count: int) -> Submission:
    return with_sizes(*([0] * count))


GOOD = [
    (large_of(0, 1, 1),),
    (large_of(0, PART_BYTES, 1),),
    (large_of(0, MAX_ATTACHMENT_BYTES, -(-MAX_ATTACHMENT_BYTES // PART_BYTES)),),
    (large_of(0, MAX_PARTS, MAX_PARTS),),
    tuple(large_of(n, MIB, 1) for n in range(MAX_ATTACHMENTS)),
]
BAD = {
    "no part": (large_of(0, 1, 0),),
    "no byte": (large_of(0, 0, 1),),
    "less than nothing": (large_of(0, -1, 1),),
    "more than its parts can hold": (large_of(0, PART_BYTES + 1, 1),),
    "fewer bytes than parts": (large_of(0, 2, 3),),
    "a declared size that is huge": (large_of(0, 2**62, 15),),
    "more than all attachments may have": (large_of(0, MAX_ATTACHMENT_BYTES + 1, 15),),
    "more than all attachments may have together": (
        large_of(0, MAX_ATTACHMENT_BYTES // 2, 8),
        large_of(1, MAX_ATTACHMENT_BYTES // 2 + 1, 8),
    ),
    "too many tiny parts": (large_of(0, 1_000, MAX_PARTS + 1),),
    "too many tiny parts together": (large_of(0, 1_000, MAX_PARTS // 2), large_of(1, 1_000, MAX_PARTS // 2 + 1)),
    "a place that is not there": (large_of(MAX_ATTACHMENTS, 1, 1),),
    "a place before the first": (large_of(-1, 1, 1),),
    "one place twice": (large_of(0, 1, 1), LargeAttachment(0, 1, bytes(32), names(1, 9))),
    "places that go back": (large_of(1, 1, 1), large_of(0, 1, 1)),
    "one part for two attachments": (large_of(0, 1, 1), LargeAttachment(1, 1, bytes(32), names(1, 0))),
    "one part twice": (LargeAttachment(0, 2, bytes(32), names(1) * 2),),
}


@pytest.mark.parametrize("large", GOOD, ids=range(len(GOOD)))
def test_limits_are_reached(large: tuple[LargeAttachment, ...]) -> None:
    assert read_section(section(empty(MAX_ATTACHMENTS), *large)).large == large


@pytest.mark.parametrize("what", BAD)
def test_a_section_that_names_what_no_portal_sends_is_refused_before_a_part_is_fetched(what: str) -> None:
    with pytest.raises(CodecError):
        read_section(section(empty(MAX_ATTACHMENTS), *BAD[what]))


def test_an_attachment_is_here_or_in_parts_never_both() -> None:
    submission = with_sizes(1, 0)
    assert read_section(section(submission, large_of(1, 1, 1))).unseen == {1}
    with pytest.raises(CodecError):
        read_section(section(submission, large_of(0, 1, 1)))


def test_a_bare_record_of_a_procedure_is_a_section_too() -> None:
    submission = with_sizes(10)
    read = read_section(review_section(submission))
    assert (read.submission, read.section, read.portal, read.large) == (
        submission,
        review_section(submission),
        None,
        (),
    )


def test_every_truncation_of_a_section_is_refused() -> None:
    framed = section(empty(2), large_of(1, 10, 2))
    read_section(framed)
    for length in range(len(framed)):
        with pytest.raises(CodecError):
            read_section(framed[:length])


@pytest.mark.parametrize(
    "change",
    [
        {"part": -1},
        {"part": 3},
        {"parts": 0},
        {"parts": -1},
        {"parts": MAX_PARTS + 1},
        {"content": b""},
        {"content": bytes(PART_BYTES + 1)},
    ],
    ids=lambda change: str(change)[:30],
)
def test_a_part_that_no_portal_cuts_is_refused(change: dict[str, Any]) -> None:
    value = {"receipt_number": "R", "tenant": "999997", "position": 0, "part": 2, "parts": 3, "content": b"x"}
    assert read_part(codec.encode(PART, value)).part == 2
    with pytest.raises(CodecError):
        read_part(codec.encode(PART, value | change))


def test_contents_never_show() -> None:
    submission = with_sizes(PART_BYTES + 1)
    large, parts = named(submission, 0)
    read = read_section(section(shortened(submission, 0), large))
    shown = repr((parts, read, large))
    assert len(shown) < 2_000
    assert "見本" not in shown
