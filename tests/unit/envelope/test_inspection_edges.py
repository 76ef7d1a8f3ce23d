"""What a refusal says of its event, and the bounds and combinations that the table of attacks leaves out."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from hub.crypto import sections as keys
from hub.envelope import header as headers
from hub.envelope.header import SESSION_END, Cause, EventHeader
from hub.envelope.inspection import PRODUCED, STRIPPED, Inspected, Lane, Refusal, inspect, lane, peek_session, routed_to
from hub.envelope.leaf import leaf
from hub.envelope.reasons import Reason
from hub.envelope.sealed import build, outputs, parse
from tests.unit.envelope.support import (
    HELPDESK,
    NS,
    PARTITION,
    REVIEW,
    SUBMISSIONS,
    TAX,
    T,
    header_for,
    new_session,
    trust,
    world,
)

MAC_KEY = world().lane.mac_key or b""
Sections = list[tuple[str, bytes, bytes | None]]


def contents(*names: str, wrong: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Sections:
    """Sections for `names`: with their digests, but for those that are `wrong` or `without` a ciphertext."""
    made: Sections = []
    for name in names:
        text = name.encode()
        digest = sha256(text).digest()
        made.append((name, digest, None if name in without else b"other" if name in wrong else text))
    return made


def forged(header: bytes, sections: Sections, mac_key: bytes | None = MAC_KEY) -> bytes:
    """An event by someone who has the mac key."""
    digest = leaf(header, [each[:2] for each in sorted(sections)])
    return build(header, sections, None if mac_key is None else keys.mac(mac_key, digest))


HEADER = headers.encode(world().header)
BOTH = contents(HELPDESK, REVIEW)


def judged(value: bytes, one: Lane | None = None) -> Refusal | Inspected:
    return inspect(value, world().key, {world().session.id: one or world().lane})


def refusal(value: bytes, one: Lane | None = None) -> Refusal:
    result = judged(value, one)
    assert isinstance(result, Refusal)
    return result


def everything_told(result: Refusal, value: bytes) -> bool:
    """Session, leaf and the parsed event stand where they belong, and the mac was good."""
    sealed = parse(value)
    told = (result.session, result.leaf, result.mac_good, result.sealed)
    return told == (world().session.id, sealed.leaf(), True, sealed)


def test_header_that_ends_in_its_session_id_names_none() -> None:
    for end, named in ((SESSION_END - 1, False), (SESSION_END, True)):
        value = forged(HEADER[:end], BOTH)
        assert (peek_session(value) == world().session.id) is named
        result = refusal(value)
        assert (result.reason, result.session) == (Reason.HEADER_INVALID, world().session.id if named else None)
        assert result.sealed == parse(value)
    peeked = peek_session(forged(HEADER[: SESSION_END - 1], BOTH))
    assert isinstance(peeked, Refusal) and peeked.sealed is not None


@pytest.mark.parametrize(
    "header",
    [
        HEADER[:-1],
        HEADER + b"\x00",
        HEADER[:-2] + b"\x09\x00",
        HEADER[: SESSION_END + 1],
        HEADER[:SESSION_END] + b"\x7f",
    ],
    ids=["cut", "longer", "no such check", "ends in its tenant", "no such kind"],
)
def test_authentic_header_that_cannot_be_read_is_told_with_all_that_is_known(header: bytes) -> None:
    value = forged(header, BOTH)
    result = refusal(value)
    assert result.reason is Reason.HEADER_INVALID and result.authentic
    assert everything_told(result, value)


def test_wrong_contents_are_told_with_all_that_is_known_and_are_not_authentic() -> None:
    for value, reason in (
        (forged(HEADER, contents(HELPDESK, REVIEW, wrong=(REVIEW,))), Reason.DIGEST_MISMATCH),
        (forged(HEADER, contents(HELPDESK, REVIEW, without=(HELPDESK,))), Reason.STRIPPED_CIPHERTEXT),
        (forged(HEADER, contents(REVIEW)), Reason.SECTIONS),
        (forged(HEADER, contents(HELPDESK, REVIEW, TAX)), Reason.SECTIONS),
    ):
        result = refusal(value)
        assert result.reason is reason and not result.authentic
        assert everything_told(result, value)


def test_wrong_place_and_key_are_told_with_all_that_is_known() -> None:
    value = forged(headers.encode(world().header._replace(partition=4)), BOTH)
    result = refusal(value)
    assert result.reason is Reason.WRONG_PARTITION and result.authentic and everything_told(result, value)
    value = forged(HEADER, BOTH)
    other = inspect(value, b"other", world().lanes)
    assert isinstance(other, Refusal) and other.reason is Reason.WRONG_KEY
    assert other.authentic and everything_told(other, value)


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        (contents(HELPDESK, REVIEW, wrong=(REVIEW,), without=(HELPDESK,)), Reason.STRIPPED_CIPHERTEXT),
        (contents(HELPDESK, REVIEW, wrong=(HELPDESK,), without=(REVIEW,)), Reason.DIGEST_MISMATCH),
        (contents(REVIEW, wrong=(REVIEW,)), Reason.DIGEST_MISMATCH),
    ],
)
def test_of_several_faults_the_first_is_told(sections: Sections, reason: Reason) -> None:
    assert refusal(forged(HEADER, sections)).reason is reason


def test_readers_first_fault_is_told_too() -> None:
    one = replace(world().lane, mac_key=None)
    value = forged(HEADER, contents(HELPDESK, REVIEW, without=(REVIEW,)))
    for own, reason in ((REVIEW, Reason.FOREIGN_CIPHERTEXT), (HELPDESK, None)):
        result = inspect(value, world().key, {world().session.id: one}, routed_to(own))
        assert (result.reason if isinstance(result, Refusal) else None) is reason
    value = forged(HEADER, contents(HELPDESK, REVIEW, wrong=(HELPDESK,)))
    result = inspect(value, world().key, {world().session.id: one}, routed_to(HELPDESK))
    assert isinstance(result, Refusal) and result.reason is Reason.DIGEST_MISMATCH


def test_mac_is_good_only_where_it_was_checked() -> None:
    unchecked = refusal(forged(HEADER, contents(REVIEW)), replace(world().lane, mac_key=None))
    assert unchecked.reason is Reason.SECTIONS and not unchecked.mac_good
    missing = refusal(forged(HEADER, BOTH, None))
    assert missing.reason is Reason.BAD_MAC and not missing.mac_good and not missing.authentic
    assert missing.leaf == parse(forged(HEADER, BOTH)).leaf()


def test_session_under_anothers_id_is_noticed() -> None:
    """A caller that mixed up its lanes delivers nothing of it."""
    other = bytes(32)
    value = forged(headers.encode(world().header._replace(session=other)), BOTH)
    result = inspect(value, world().key, {other: world().lane})
    assert isinstance(result, Refusal) and result.reason is Reason.FOREIGN_SESSION


def test_first_and_last_millisecond_of_a_session() -> None:
    def at(milliseconds: int) -> Refusal | Inspected:
        header: EventHeader = world().header._replace(produced_at_ms=milliseconds)
        return judged(forged(headers.encode(header), BOTH))

    begin, end = world().lane.from_ms, world().lane.until_ms
    assert isinstance(at(begin), Inspected) and isinstance(at(end - 1), Inspected)
    for outside in (begin - 1, end):
        result = at(outside)
        assert isinstance(result, Refusal) and result.reason is Reason.PRODUCED_OUTSIDE_SESSION


def test_procedure_that_is_granted_passes() -> None:
    one = replace(world().lane, procedures=frozenset({world().header.procedure, "advance-payment-offer"}))
    assert isinstance(judged(world().event.value, one), Inspected)


# events of desks: some of the session's sections, no mac

TOPIC = f"{NS}.{T}.accepted"
DESK = new_session(topic=TOPIC, producer=REVIEW, audiences=(TAX, "portal"))
DESK_HEADER = header_for(DESK, cause=Cause(world().event.event_id, world().event.leaf))


def of_a_desk(*names: str, without: tuple[str, ...] = (), own: str | None = None) -> Reason | None:
    one = lane(DESK.session, PARTITION, trust(), topic=TOPIC, mac_key=bytes(32))
    assert isinstance(one, Lane)
    value = forged(headers.encode(DESK_HEADER), contents(*names, without=without), None)
    expect = PRODUCED if own is None else routed_to(own)
    result = inspect(value, DESK_HEADER.event_id.encode(), {DESK.session.id: one}, expect)
    return result.reason if isinstance(result, Refusal) else None


def test_event_of_a_desk_has_at_least_one_section_and_no_foreign_one() -> None:
    for names in (("portal",), (TAX,), ("portal", TAX)):
        assert of_a_desk(*names) is None
    for names in ((), (REVIEW,), ("portal", REVIEW)):
        assert of_a_desk(*names) is Reason.SECTIONS


def test_copy_for_a_desk_has_that_desks_section() -> None:
    assert of_a_desk("portal", TAX, without=("portal",), own=TAX) is None
    assert of_a_desk(TAX, own=TAX) is None
    assert of_a_desk("portal", without=("portal",), own=TAX) is Reason.SECTIONS
    assert of_a_desk("portal", without=("portal",), own="nobody") is Reason.NOT_ADDRESSED


def test_fault_that_was_found_first_is_told_before_the_missing_section() -> None:
    assert of_a_desk("portal", own=TAX) is Reason.FOREIGN_CIPHERTEXT
    assert of_a_desk("portal", own="nobody") is Reason.FOREIGN_CIPHERTEXT


def test_stripped_copy_of_a_submission_keeps_all_its_digests() -> None:
    one = lane(world().session, PARTITION, trust(), topic=SUBMISSIONS)
    assert isinstance(one, Lane)
    for names, good in (((HELPDESK, REVIEW), True), ((REVIEW,), False)):
        value = outputs(parse(forged(HEADER, contents(*names))), [None])[0]
        result = inspect(value, world().key, {world().session.id: one}, STRIPPED)
        assert isinstance(result, Inspected) is good


def test_refusal_knows_nothing_unless_it_says_so_and_shows_no_content() -> None:
    assert Refusal(Reason.BAD_MAC) == Refusal(Reason.BAD_MAC, None, None, False, False, None)
    told = refusal(forged(HEADER, contents(REVIEW)))
    assert told.sealed is not None and "sealed" not in repr(told)


def test_topic_without_events_has_no_lane() -> None:
    topic = f"{NS}.{T}.review"
    assert lane(replace(world().session, topic=topic), PARTITION, trust(), topic=topic) is Reason.WRONG_TOPIC
