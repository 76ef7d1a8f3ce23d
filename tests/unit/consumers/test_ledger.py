"""The audit ledger: chains of checkpoints, sessions and closes, in any order that Kafka may give."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.audit.entries import (
    CheckpointEntry,
    CloseEntry,
    Entry,
    EventEntry,
    NoticeEntry,
    Place,
    ReceiptEntry,
    RefusalEntry,
    SessionEntry,
)
from consumers.audit.ledger import Chains, Ledger, Trouble
from tests.unit.consumers.making import NOW, SESSION, TENANT, event_id, leaf

HOUR = 3_600_000
LATER = NOW + 2 * HOUR


def place(offset: int = 0, partition: int = 0) -> Place:
    return Place("rehearsal.999997.audit", partition, offset, NOW)


def event(number: int, *, variant: str = "", session: bytes = SESSION, partition: int = 0) -> EventEntry:
    return EventEntry(
        place(number, partition),
        session,
        "submission",
        TENANT,
        "portal",
        number,
        event_id(number),
        leaf(number, variant),
        "heir-representative-designation",
        NOW,
        None,
    )


def hash_of(first: int, count: int, previous: bytes | None, salt: str = "") -> bytes:
    return hashlib.sha256(f"{first} {count} {previous!r} {salt}".encode()).digest()


def chain(*counts: int, session: bytes = SESSION, partition: int = 0) -> list[CheckpointEntry]:
    made: list[CheckpointEntry] = []
    first, previous = 0, None
    for count in counts:
        entries = tuple((leaf(number), False) for number in range(first, first + count))
        mine = hash_of(first, count, previous, str(len(made)))
        made.append(CheckpointEntry(session, partition, first, entries, previous, mine))
        first, previous = first + count, mine
    return made


def session(name: bytes = SESSION, previous: bytes | None = None) -> SessionEntry:
    return SessionEntry(name, "portal", "a", "rehearsal.submissions", TENANT, NOW, NOW + HOUR, previous)


def close(checkpoints: list[CheckpointEntry], name: bytes = SESSION) -> CloseEntry:
    last = checkpoints[-1]
    return CloseEntry(name, {0: (last.first_sequence + len(last.entries) - 1, last.hash)})


def whole() -> list[Entry]:
    checkpoints = chain(2, 0, 3)
    events = [event(number) for number in range(5)]
    return [session(), *events, *checkpoints, close(checkpoints)]


def troubles(*entries: Entry, now_ms: int = LATER) -> dict[Trouble, int]:
    ledger = Ledger()
    for entry in entries:
        ledger.add(entry)
    return dict(ledger.troubles(now_ms))


def test_a_whole_session_has_no_troubles() -> None:
    assert troubles(*whole()) == {}


@given(st.integers(0, 2**32))
def test_order_does_not_matter(seed: int) -> None:
    entries = whole()
    random.Random(seed).shuffle(entries)
    assert troubles(*entries) == {}


def test_repeats_are_counted_and_do_no_harm() -> None:
    ledger = Ledger()
    for entry in whole() + whole():
        ledger.add(entry)
    assert ledger.troubles(LATER) == {}
    assert (ledger.duplicates, ledger.chains.checkpoints, ledger.chains.repeated) == (5, 3, 3)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_checkpoint_is_a_gap(lost: int) -> None:
    checkpoints = chain(2, 2, 2)
    del checkpoints[lost]
    found = troubles(session(), *(event(n) for n in range(6)), *checkpoints, close(chain(2, 2, 2)))
    assert found == {Trouble.GAP: 1, Trouble.UNCONFIRMED: 2}


def test_a_lost_last_checkpoint_is_seen_by_the_close() -> None:
    checkpoints = chain(2, 2)
    found = troubles(session(), *(event(n) for n in range(4)), checkpoints[0], close(checkpoints))
    assert found == {Trouble.GAP: 1, Trouble.UNCONFIRMED: 2}


def test_a_lost_empty_last_checkpoint_is_seen_by_the_close() -> None:
    checkpoints = chain(2, 0)
    found = troubles(session(), event(0), event(1), checkpoints[0], close(checkpoints))
    assert found == {Trouble.GAP: 1}


def test_a_partition_that_only_the_close_knows_is_a_gap() -> None:
    ended = CloseEntry(SESSION, {3: (0, bytes(32))})
    assert troubles(session(), ended) == {Trouble.GAP: 1}


def test_two_checkpoints_for_one_place_are_a_fork() -> None:
    first, second = chain(1)[0], chain(1)[0]
    other = CheckpointEntry(SESSION, 0, 0, ((leaf(9), False),), None, hash_of(0, 1, None, "other"))
    found = troubles(session(), event(0), first, second, other, close([first]))
    assert found[Trouble.FORK] == 1


def test_a_signed_checkpoint_that_skips_a_sequence_is_a_fork() -> None:
    first = chain(1)[0]
    skipping = CheckpointEntry(SESSION, 0, 2, ((leaf(2), False),), first.hash, hash_of(2, 1, first.hash))
    assert troubles(session(), event(0), event(2), first, skipping, close([skipping]))[Trouble.FORK] == 1


def test_an_announced_leaf_that_never_came_is_missing_unless_explained() -> None:
    checkpoints = chain(2)
    entries = [session(), event(0), *checkpoints, close(checkpoints)]
    assert troubles(*entries) == {Trouble.MISSING_EVENT: 1}
    notice = NoticeEntry(SESSION, 0, TENANT, 1, event_id(1), leaf(1), "wrong-key")
    assert troubles(*entries, notice) == {}


def test_a_void_leaf_is_not_missing() -> None:
    voided = CheckpointEntry(SESSION, 0, 0, ((leaf(0), True),), None, hash_of(0, 1, None))
    assert troubles(session(), voided, close([voided])) == {}


def test_an_event_in_no_checkpoint_is_unconfirmed_after_a_minute() -> None:
    assert troubles(session(), event(0), now_ms=NOW + 1_000) == {}
    assert troubles(session(), event(0), now_ms=NOW + 61_000) == {Trouble.UNCONFIRMED: 1}
    dated = replace(event(0), place=replace(place(), appended_at_ms=NOW + 10 * 60_000))
    assert troubles(session(), dated, now_ms=NOW) == {}, "clocks differ"
    for ahead in (10 * 60_000 + 1, 365 * 24 * HOUR):
        dated = replace(event(0), place=replace(place(), appended_at_ms=NOW + ahead))
        assert troubles(session(), dated, now_ms=NOW) == {Trouble.UNCONFIRMED: 1}, "its writer makes it no younger"


def test_an_event_listed_at_another_sequence_is_unconfirmed() -> None:
    swapped = CheckpointEntry(SESSION, 0, 0, ((leaf(1), False), (leaf(0), False)), None, hash_of(0, 2, None))
    assert troubles(session(), event(0), event(1), swapped, close([swapped])) == {Trouble.UNCONFIRMED: 2}


def test_a_second_leaf_for_an_id_is_seen() -> None:
    found = troubles(*whole(), event(0, variant="other"))
    assert found == {Trouble.SECOND_LEAF: 1, Trouble.UNCONFIRMED: 1}


def test_nothing_may_come_beyond_a_close() -> None:
    checkpoints = chain(2, 1)
    entries: list[Entry] = [session(), event(0), event(1), checkpoints[0], close(checkpoints[:1])]
    assert troubles(*entries) == {}
    assert troubles(*entries, event(2))[Trouble.BEYOND_CLOSE] == 1
    assert troubles(*entries, checkpoints[1])[Trouble.BEYOND_CLOSE] == 1


def test_a_second_close_that_disagrees_is_a_fork() -> None:
    checkpoints = chain(1)
    other = CloseEntry(SESSION, {0: (7, bytes(32))})
    assert troubles(session(), event(0), *checkpoints, close(checkpoints), other)[Trouble.FORK] == 1


def test_a_session_that_expired_or_was_followed_must_be_closed() -> None:
    following = hashlib.sha256(b"next").digest()
    assert troubles(session(), now_ms=NOW + 1_000) == {}
    assert troubles(session(), now_ms=LATER) == {Trouble.MISSING_CLOSE: 1}
    assert troubles(session(), session(following, SESSION), now_ms=NOW + 1_000) == {Trouble.MISSING_CLOSE: 1}


def test_a_session_that_names_an_unknown_predecessor_is_seen() -> None:
    assert troubles(session(previous=bytes(32)), now_ms=NOW) == {Trouble.MISSING_PREDECESSOR: 1}


def test_two_sessions_after_one_or_after_another_producers_are_a_fork() -> None:
    first, second = (hashlib.sha256(name).digest() for name in (b"first", b"second"))
    checkpoints = chain(1)
    closed: list[Entry] = [session(), event(0), *checkpoints, close(checkpoints)]
    one, two = session(first, SESSION), session(second, SESSION)
    assert troubles(*closed, one, one, now_ms=NOW) == {}
    for entries in ((*closed, one, two), (one, two, *closed)):
        assert troubles(*entries, now_ms=NOW) == {Trouble.SESSION_FORK: 1}
    stranger = replace(one, producer="review-999997")
    assert troubles(*closed, stranger, now_ms=NOW) == {Trouble.SESSION_FORK: 1}
    assert troubles(session(), stranger, now_ms=NOW) == {Trouble.SESSION_FORK: 1}, "and nobody's close is missing"


def test_a_receipt_for_a_leaf_that_never_passed_is_seen() -> None:
    receipt = ReceiptEntry(SESSION, 0, ((0, event_id(0), leaf(0)), (1, event_id(1), leaf(77))))
    assert troubles(*whole(), receipt) == {Trouble.RECEIPT_WITHOUT_EVENT: 1}


def test_refused_records_are_counted() -> None:
    assert troubles(RefusalEntry(place(), "bad-signature")) == {Trouble.REFUSED: 1}


def test_lanes_do_not_mix() -> None:
    first, second = chain(2), chain(3, partition=1)
    events = [*(event(n) for n in range(2)), *(event(n + 100, partition=1) for n in range(0))]
    ended = CloseEntry(SESSION, {0: (1, first[-1].hash), 1: (2, second[-1].hash)})
    found = troubles(session(), *events, *first, *second, ended)
    assert Trouble.GAP not in found
    assert Trouble.FORK not in found


def test_a_compacted_ledger_still_tells_repeats_from_gaps() -> None:
    chains = Chains()
    for entry in whole():
        chains.add(entry)
    chains.compact()
    for entry in whole():
        chains.add(entry)
    assert chains.troubles(LATER) == {}
    assert not any(lane.following for state in chains.sessions.values() for lane in state.lanes.values())
    later = CheckpointEntry(SESSION, 0, 5, ((leaf(5), False),), chain(2, 0, 3)[-1].hash, bytes(32))
    chains.add(later)
    assert chains.troubles(LATER)[Trouble.BEYOND_CLOSE] == 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.data())
def test_any_single_loss_in_any_order_is_found(counts: list[int], data: st.DataObject) -> None:
    checkpoints = chain(*counts)
    lost = data.draw(st.integers(0, len(checkpoints) - 1))
    order = data.draw(st.permutations([c for n, c in enumerate(checkpoints) if n != lost]))
    events = [event(number) for number in range(sum(counts))]
    found = troubles(session(), close(checkpoints), *events, *order)
    assert found[Trouble.GAP] == 1
    assert sum(found.values()) == 1 + counts[lost]
