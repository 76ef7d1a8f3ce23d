"""What every store promises, run against each implementation named in `stores`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.store.errors import StoreError, StoreMismatch, StorePositionLost
from consumers.store.model import Committed, LogAppend, Outgoing, Remark
from consumers.store.port import Store
from consumers.store.sql import open_sqlite
from tests.unit.consumers.making import (
    KEY,
    NOW,
    SESSION,
    TOPIC,
    batch,
    checkpoint,
    event_id,
    leaf,
    new_event,
    notice,
    resolution,
    with_content,
)


def rows(outcome: Committed) -> int:
    return sum(sum(kinds.values()) for kinds in outcome.stored.values())


Opening = Callable[[str], Store]


@pytest.fixture(params=["sqlite"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    """Open the same database again and again, as processes that come and go would."""
    opened: list[Store] = []

    def open_again(owner: str = "rehearsal/review-999997") -> Store:
        assert request.param == "sqlite"
        opened.append(open_sqlite(tmp_path / "state" / "store.db", owner))
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


@pytest.fixture
def store(opening: Opening) -> Store:
    return opening("rehearsal/review-999997")


def test_place_and_rows_come_back_after_reopening(opening: Opening, store: Store) -> None:
    outcome = store.commit(batch(None, 3, new_event(0), new_event(1)))
    assert outcome.stored == {0: {("999997", "heir-representative-designation"): 2}}
    store.close()
    again = opening("rehearsal/review-999997")
    assert again.positions() == {(TOPIC, 0): 3}
    assert [row.event for row in again.events()] == [new_event(0), new_event(1)]


def test_a_second_process_cannot_write(opening: Opening, store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    zombie = opening("rehearsal/review-999997")
    store.commit(batch(1, 2, new_event(1)))
    with pytest.raises(StorePositionLost):
        zombie.commit(batch(1, 2, new_event(2)))
    with pytest.raises(StorePositionLost):
        zombie.commit(batch(None, 1, new_event(2)))
    assert [row.event.event_id for row in store.events()] == [event_id(0), event_id(1)]
    assert store.positions() == {(TOPIC, 0): 2}


def test_a_refused_batch_leaves_nothing(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    refused = batch(
        7,
        8,
        with_content(new_event(1)),
        store_keys=(KEY,),
        outgoing=(Outgoing("t", 0, b"k", b"v", "receipt"),),
        notices=(notice(1),),
        checkpoints=(checkpoint(1, (leaf(1), False)),),
    )
    with pytest.raises(StorePositionLost):
        store.commit(refused)
    assert (len(store.events()), store.waiting_count(), store.notices()) == (1, 0, [])
    assert store.store_key(KEY.epoch) is None


def test_same_event_again_is_stored_once_and_counted(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    outcome = store.commit(batch(1, 3, new_event(0), new_event(0)))
    assert (outcome.replays, outcome.stored) == (2, {})
    assert [row.replays for row in store.events()] == [2]


def test_same_event_twice_in_one_batch_is_stored_once(store: Store) -> None:
    outcome = store.commit(batch(None, 2, new_event(0), new_event(0)))
    assert (outcome.replays, rows(outcome)) == (1, 1)


def test_second_leaf_under_one_id_is_kept_and_alarms(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    outcome = store.commit(batch(1, 2, new_event(0, variant="other")))
    assert [(c.tenant, c.event_id) for c in outcome.conflicts] == [("999997", event_id(0))]
    assert [(row.event.leaf, row.conflict) for row in store.events()] == [
        (leaf(0), True),
        (leaf(0, "other"), True),
    ]


def test_checkpoint_after_event_confirms(store: Store) -> None:
    store.commit(batch(None, 2, new_event(0), new_event(1)))
    outcome = store.commit(batch(2, 3, checkpoints=(checkpoint(0, (leaf(0), False), (leaf(1), False)),)))
    assert outcome.confirmed == 2
    assert [row.confirmed_at_ms for row in store.events()] == [NOW + 1_000, NOW + 1_000]
    assert store.overdue(NOW * 2) == type(store.overdue(0))(0, 0, 0)


def test_event_after_its_checkpoint_is_confirmed_too(store: Store) -> None:
    store.commit(batch(None, 1, checkpoints=(checkpoint(0, (leaf(0), False)),)))
    assert store.overdue(NOW * 2).missing == 1
    assert store.commit(batch(1, 2, new_event(0))).confirmed == 1
    assert store.overdue(NOW * 2).missing == 0


def test_checkpoint_in_the_same_batch_confirms(store: Store) -> None:
    made = batch(None, 2, new_event(0), checkpoints=(checkpoint(0, (leaf(0), False)),))
    assert store.commit(made).confirmed == 1


def test_same_checkpoint_again_changes_nothing(store: Store) -> None:
    seen = checkpoint(0, (leaf(0), False), (leaf(1), False))
    store.commit(batch(None, 2, new_event(0), checkpoints=(seen,)))
    outcome = store.commit(batch(2, 3, checkpoints=(seen,)))
    assert (outcome.confirmed, outcome.contradictions) == (0, 0)
    assert store.overdue(NOW * 2).missing == 1


def test_checkpoint_of_another_leaf_does_not_confirm(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    outcome = store.commit(batch(1, 2, checkpoints=(checkpoint(0, (leaf(0, "other"), False)),)))
    assert (outcome.confirmed, outcome.contradictions) == (0, 1)
    assert store.overdue(NOW * 2).unconfirmed == 1


def test_checkpoint_of_another_partition_does_not_confirm(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    seen = checkpoint(0, (leaf(0), False), partition=1)
    assert store.commit(batch(1, 2, checkpoints=(seen,))).confirmed == 0


def test_two_checkpoints_that_disagree_are_counted(store: Store) -> None:
    store.commit(batch(None, 1, checkpoints=(checkpoint(0, (leaf(0), False)),)))
    outcome = store.commit(batch(1, 2, checkpoints=(checkpoint(0, (leaf(0, "b"), False)),)))
    assert outcome.contradictions == 1


def test_void_leaf_is_not_missed_and_its_arrival_cancels_the_void(store: Store) -> None:
    store.commit(batch(None, 1, checkpoints=(checkpoint(0, (leaf(0), True)),)))
    assert store.overdue(NOW * 2).missing == 0
    outcome = store.commit(batch(1, 2, new_event(0)))
    assert (outcome.confirmed, outcome.unvoided) == (1, 1)


def test_a_notice_explains_a_missing_leaf(store: Store) -> None:
    store.commit(batch(None, 1, checkpoints=(checkpoint(0, (leaf(0), False)),), notices=(notice(0),)))
    store.commit(batch(1, 2, notices=(notice(0),)))
    waiting = store.overdue(NOW * 2)
    assert (waiting.missing, waiting.explained) == (0, 1)
    assert store.notices(receipt_number=notice(0).receipt_number) == [notice(0)]
    store.commit(batch(2, 3, new_event(0)))  # the operator replayed the letter
    assert store.overdue(NOW * 2).explained == 0


def test_words_on_letters_are_kept_once_and_found_by_receipt(store: Store) -> None:
    one, other = resolution(0), resolution(1, "replayed")
    store.commit(batch(None, 1, resolutions=(one, other)))
    store.commit(batch(1, 2, resolutions=(one,)))
    assert store.resolutions() == [one, other]
    assert store.resolutions(receipt=leaf(1)[:16]) == [other]
    assert store.resolutions(discarded=True) == [one]
    store.commit(batch(2, 3, resolutions=(resolution(0, "replayed", at_ms=NOW + 1),)))
    assert store.resolutions(discarded=True) == [], "it was sent back after all"
    nobodys = replace(one, letter="x/0/0", tenant=None, event_id=None, leaf=None, receipt=None)
    store.commit(batch(3, 4, resolutions=(nobodys,)))
    assert nobodys in store.resolutions(discarded=True)


def test_a_discard_explains_a_missing_leaf_where_it_was_refused(store: Store) -> None:
    entries = tuple((leaf(n), False) for n in range(4))
    store.commit(batch(None, 1, checkpoints=(checkpoint(0, *entries),)))
    here = resolution(1, origin=TOPIC, hop="review-999997")
    elsewhere = resolution(2, origin=TOPIC, hop="helpdesk-999997")
    store.commit(batch(1, 2, resolutions=(resolution(0), here, elsewhere, resolution(3, "replayed"))))
    waiting = store.overdue(NOW * 2)
    assert (waiting.missing, waiting.explained) == (2, 2)


def test_only_what_has_waited_long_enough_is_overdue(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    assert (store.overdue(NOW).unconfirmed, store.overdue(NOW + 1).unconfirmed) == (0, 1)


def test_outbox_keeps_order_and_forgets_what_was_sent(store: Store) -> None:
    rows = tuple(Outgoing("t", n, b"k", bytes(100), "receipt", n) for n in range(4))
    store.commit(batch(None, 1, outgoing=rows))
    first = store.waiting(2, 10**6)
    assert [row.outgoing for row in first] == list(rows[:2])
    store.sent([row.number for row in first])
    assert [row.outgoing for row in store.waiting(10, 10**6)] == list(rows[2:])
    store.sent([row.number for row in store.waiting(10, 10**6)])
    store.commit(batch(1, 2, outgoing=rows[:1]))
    store.sent([row.number for row in first])  # late word of an earlier sender
    assert store.waiting_count() == 1


def test_outbox_is_bounded_by_bytes_but_never_stuck(store: Store) -> None:
    rows = tuple(Outgoing("t", 0, b"k", bytes(1_000), "receipt") for _ in range(3))
    store.commit(batch(None, 1, outgoing=rows))
    assert [len(store.waiting(10, limit)) for limit in (10, 1_000, 2_999, 3_000)] == [1, 1, 2, 3]


def test_content_comes_back_and_its_key_is_never_replaced(store: Store) -> None:
    store.commit(batch(None, 1, with_content(new_event(0), b"c"), store_keys=(KEY,)))
    held = store.content(1)
    assert held is not None
    assert (held.epoch, held.ciphertext, held.wrapped_key) == (KEY.epoch, b"c", b"wrapped")
    assert store.store_key(KEY.epoch) == KEY
    store.commit(batch(1, 2, store_keys=(KEY,)))
    with pytest.raises(StorePositionLost):
        store.commit(batch(2, 3, store_keys=(replace(KEY, sealed=b"another"),)))
    assert store.content(2) is None


def test_rows_are_found_by_receipt_and_id_and_read_in_pages(store: Store) -> None:
    store.commit(batch(None, 5, *(new_event(n) for n in range(5))))
    assert [r.event.event_id for r in store.events(receipt_number="R7-99999-000000003")] == [event_id(3)]
    assert [r.number for r in store.events(event_id=event_id(4))] == [5]
    assert [r.number for r in store.events(after=2, limit=2)] == [3, 4]


def test_history_tells_stored_then_confirmed(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0), checkpoints=(checkpoint(0, (leaf(0), False)),)))
    assert [(h.at_ms, h.what) for h in store.history(1)] == [(NOW, "stored"), (NOW + 1_000, "confirmed")]
    assert store.history(99) == []


def test_counts_add_up(store: Store) -> None:
    seen = checkpoint(0, (leaf(0), False))
    store.commit(
        batch(
            None,
            4,
            new_event(0),
            new_event(0),
            new_event(0, variant="x"),
            checkpoints=(seen,),
            notices=(notice(9),),
        )
    )
    assert store.counts() == {"events": 2, "replays": 1, "confirmed": 1, "conflicts": 2, "notices": 1}


def test_another_owner_is_refused(opening: Opening, store: Store) -> None:
    for owner in ("eltax/review-999997", "rehearsal/review-131041"):
        with pytest.raises(StoreMismatch):
            opening(owner)


def test_log_grows_only_at_its_end(store: Store) -> None:
    def step(expected: int, *entries: bytes) -> LogAppend:
        return LogAppend(expected, tuple(("event", e) for e in entries), bytes(32), b"frontier", b"head")

    assert store.log_head() is None
    store.commit(batch(None, 1, log=step(0, b"a", b"b")))
    store.commit(batch(1, 2, log=step(2, b"c")))
    with pytest.raises(StorePositionLost):
        store.commit(batch(2, 3, log=step(2, b"d")))
    assert list(store.log_entries()) == [(0, "event", b"a"), (1, "event", b"b"), (2, "event", b"c")]
    assert list(store.log_entries(1, ["other"])) == []
    head = store.log_head()
    assert head is not None
    assert (head.size, head.frontier, head.head) == (3, b"frontier", b"head")


def test_log_is_read_whole_over_many_pages(store: Store) -> None:
    entries = tuple(("event", str(n).encode()) for n in range(1_203))
    store.commit(batch(None, 1, log=LogAppend(0, entries, bytes(32), b"", b"")))
    assert [int(entry) for _, _, entry in store.log_entries()] == list(range(1_203))


def test_thousands_of_events_in_one_batch(store: Store) -> None:
    outcome = store.commit(batch(None, 3_000, *(new_event(n) for n in range(3_000))))
    assert rows(outcome) == 3_000
    entries = tuple((leaf(n), False) for n in range(3_000))
    assert store.commit(batch(3_000, 3_001, checkpoints=(checkpoint(0, *entries),))).confirmed == 3_000


def test_same_id_from_another_producer_is_another_event(store: Store) -> None:
    other = replace(new_event(0), producer="review-999997")
    outcome = store.commit(batch(None, 2, new_event(0), other))
    assert (rows(outcome), outcome.conflicts) == (2, ())


def test_writable_says_nothing_when_all_is_well(store: Store) -> None:
    store.writable()
    assert issubclass(StorePositionLost, StoreError)
    assert SESSION


def test_repeated_receipt_numbers_are_told(store: Store) -> None:
    twice = replace(new_event(2), receipt_number=new_event(1).receipt_number)
    store.commit(batch(None, 3, new_event(0), new_event(1), twice))
    wanted = [new_event(0).receipt_number, new_event(1).receipt_number, "R7-unknown"]
    assert store.repeated(wanted) == {new_event(1).receipt_number}


def test_remarks_join_the_history_whichever_comes_first(store: Store) -> None:
    late = Remark(leaf(0), NOW + 2_000, "decided", "accepted")
    early = Remark(leaf(0), NOW - 1, "review-stored")
    store.commit(batch(None, 1, remarks=(early, early)))
    store.commit(batch(1, 2, new_event(0), remarks=(late, early)))
    assert [(entry.what, entry.detail) for entry in store.history(1)] == [
        ("review-stored", ""),
        ("stored", ""),
        ("decided", "accepted"),
    ]


def test_unknown_events_are_counted_by_id_and_leaf(store: Store) -> None:
    store.commit(batch(None, 1, new_event(0)))
    wanted = [(event_id(0), leaf(0)), (event_id(0), leaf(1)), (event_id(1), leaf(1))]
    assert store.unknown(wanted) == 2
    assert store.unknown([]) == 0
