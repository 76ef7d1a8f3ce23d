"""Dead letters without a broker: what can heal, what is known of a record, states and generations, what may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.operator.book import Book, Filter, Known, State
from consumers.operator.discards import CODES, REASONS, discard_for
from consumers.operator.errors import (
    ActorRefused,
    DiscardReasonUnknown,
    LetterAstray,
    LetterHopeless,
    LetterResolved,
    LetterSealed,
    NoteRefused,
)
from consumers.operator.healing import Healing, healing_of
from consumers.operator.letters import EVENT, Declared, Letter, describe, open_nothing, read_letter
from consumers.operator.rules import (
    check_actor,
    check_discard,
    check_replay,
    declared_in,
    statement,
    timestamp_for,
    ways_of,
)
from consumers.operator.watch import LetterWatch, ended, open_letters
from hub.envelope import records
from hub.envelope.letters import Content, DeadLetter, Place, quarantine
from hub.envelope.reasons import Reason
from hub.envelope.resolutions import receipt_fingerprint
from hub.envelope.sealed import build, parse
from hub.envelope.signed import sign
from hub.envelope.statements import Checkpoint
from hub.facts import Alarm, Fact, LetterEnded, LettersOpen
from hub.transport import KafkaRecord
from tests.unit.envelope.support import NOW, NS, SUBMISSIONS, T, audience_key, identity, world
from topics.declaration import load
from topics.expanding import expand

TOPOLOGY = expand(load(), NS)
DECLARED = declared_in(TOPOLOGY)
WAYS = ways_of(TOPOLOGY)
LETTERS = f"{NS}.dead-letters.router"
OTHER = "999997"


def event_content() -> Content:
    return Content(world().key, world().event.value)


def dead(
    number: int = 0,
    reason: Reason = Reason.UNKNOWN_SESSION,
    content: Content | None = None,
    *,
    stage: str = "router",
    origin: Place | None = None,
) -> DeadLetter:
    place = origin or Place(SUBMISSIONS, 3, 40 + number)
    return DeadLetter(reason, stage, place, NOW - timedelta(hours=2), NOW, content or event_content(), None)


def record(letter: DeadLetter, offset: int = 0, topic: str = LETTERS) -> KafkaRecord:
    return KafkaRecord(topic, 3, offset, 0, letter.key.encode(), letter.encode())


def letter(number: int = 0, reason: Reason = Reason.UNKNOWN_SESSION, **more: object) -> Letter:
    found = read_letter(record(dead(number, reason, **more), number), DECLARED, open_nothing)  # type: ignore[arg-type]
    assert found is not None
    return found[0]


def replayed(known: Known, to: int, hours: float = 1) -> records.LetterResolved:
    return statement(known, actor="operator-1", now=NOW + timedelta(hours=hours), replayed_to=to)


def discarded(known: Known) -> records.LetterResolved:
    return statement(known, actor="operator-1", now=NOW, discard=discard_for("damaged", "a line fault"))


# what heals

HEALS = {
    Reason.UNKNOWN_SESSION: (Healing.SESSION, Healing.SESSION),
    Reason.BAD_SIGNATURE: (Healing.SESSION, Healing.NEVER),
    Reason.INVALID_SESSION: (Healing.CLOCK, Healing.CLOCK),
    Reason.PRODUCED_OUTSIDE_SESSION: (Healing.NEVER, Healing.CLOCK),
    Reason.EXPIRED: (Healing.NEVER, Healing.CLOCK),
    Reason.UNTRUSTED: (Healing.TRUST, Healing.TRUST),
    Reason.NOT_PERMITTED: (Healing.TRUST, Healing.TRUST),
    Reason.SUITE: (Healing.TRUST, Healing.TRUST),
    Reason.OLD_EPOCH: (Healing.TRUST, Healing.TRUST),
    Reason.SECRET: (Healing.KEY, Healing.NEVER),
    Reason.TENANT_NOT_READY: (Healing.TENANT, Healing.TENANT),
    Reason.TENANT_UNKNOWN: (Healing.TENANT, Healing.TENANT),
    Reason.REFUSED_BY_BROKER: (Healing.BROKER, Healing.BROKER),
    Reason.UNKNOWN_SCHEMA: (Healing.SOFTWARE, Healing.SOFTWARE),
    Reason.FOREIGN_SCHEMA: (Healing.SOFTWARE, Healing.SOFTWARE),
    Reason.PLAINTEXT_INVALID: (Healing.SOFTWARE, Healing.NEVER),
    Reason.SECTION_MISMATCH: (Healing.SOFTWARE, Healing.NEVER),
}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_it_waits_for(reason: Reason) -> None:
    expected = HEALS.get(reason, (Healing.NEVER, Healing.NEVER))
    assert (healing_of(reason, event=True), healing_of(reason, event=False)) == expected


def test_every_kind_of_healing_says_what_to_do_in_two_languages() -> None:
    for each in Healing:
        assert each.english and each.english.isascii()
        assert not each.japanese.isascii()


# discards


@pytest.mark.parametrize(
    "note", ["", "  ", "x" * 201, "two\nlines", "tab\there", "12345678", "03-1234-5678", "１２３４ ５６７８"]
)
def test_a_note_is_one_line_without_long_numbers(note: str) -> None:
    with pytest.raises(NoteRefused):
        discard_for("damaged", note)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=12), st.sampled_from(["", " ", "-", "・", "　", "－", "/"]))
def test_no_note_carries_a_number_of_twelve_digits(digits: list[int], between: str) -> None:
    with pytest.raises(NoteRefused):
        discard_for("damaged", "about " + between.join(map(str, digits)))


def test_only_a_declared_reason_discards() -> None:
    assert discard_for("sent-again", " R8-13104 sent again on 2026-04 ").note == "R8-13104 sent again on 2026-04"
    assert len(CODES) == len(REASONS) and all(each.japanese and each.english for each in REASONS)
    with pytest.raises(DiscardReasonUnknown):
        discard_for("because", "x")


# what is known of a record


def test_an_event_is_known_by_ids_and_hashes_only() -> None:
    content = event_content()
    found = describe(content, Place(SUBMISSIONS, 3, 42), DECLARED)
    assert found.digest == sha256(content.value or b"").digest()
    assert (found.record, found.tenant, found.kind) == (EVENT, T, "submission")
    assert found.event is not None and found.event.leaf == world().event.leaf
    assert found.receipt == receipt_fingerprint(world().header.receipt_number)
    assert found.session == world().session.id
    assert found.audiences == (f"helpdesk-{T}", f"review-{T}")
    assert world().header.receipt_number not in repr(letter())


def test_text_of_a_record_that_is_no_event_reaches_nobody() -> None:
    text = "見本太郎 東京都新宿区"
    for value in (text.encode(), b"\x00\x00\x00\x00\x0e" + text.encode(), None):
        found = read_letter(record(dead(content=Content(text.encode(), value))), DECLARED, open_nothing)
        assert found is not None
        described = found[0].described
        assert described is not None and described.record == "unknown"
        assert (described.tenant, described.event, described.audiences) == (None, None, ())
        assert text not in repr(found[0])


def test_undeclared_names_of_an_unproven_record_are_not_repeated() -> None:
    sealed = parse(world().event.value)
    strange = build(sealed.header, [("mihon-taro", bytes(32), None)], None)
    few = Declared({OTHER}, DECLARED.audiences, DECLARED.stages)
    found = describe(Content(world().key, strange), Place(SUBMISSIONS, 3, 42), few)
    assert (found.tenant, found.audiences) == (None, ())
    of_desk = describe(Content(world().key, strange), Place(f"{NS}.{T}.review", 3, 42), DECLARED)
    assert of_desk.tenant == T, "whose topic it was refused on is known whatever it says"


def test_a_signed_record_is_known_by_its_contract() -> None:
    body = Checkpoint(world().session.id, 3, 0, (), None, NOW).encode()
    value = sign(Checkpoint.RECORD, body, identity("portal"))
    assert describe(Content(b"k", value), Place(SUBMISSIONS, 3, 42), DECLARED).record == "Checkpoint"


def test_a_letter_in_another_hops_name_or_no_letter_at_all_is_not_read() -> None:
    for bad in (
        record(dead(stage="portal")),
        record(dead(), topic=f"{NS}.dead-letters.nobody"),
        KafkaRecord(LETTERS, 3, 0, 0, b"k", b"garbage"),
        KafkaRecord(LETTERS, 3, 0, 0, b"k", None),
    ):
        assert read_letter(bad, DECLARED, open_nothing) is None


def sealed_letter() -> Letter:
    place = Place(SUBMISSIONS, 3, 142)
    sealed = quarantine(place, Content(b"k", b"garbage"), audience_key("quarantine"))
    made = DeadLetter(Reason.NOT_FRAMED, "router", place, NOW, NOW, None, sealed)
    found = read_letter(record(made), DECLARED, open_nothing)
    assert found is not None
    return found[0]


# states and generations


def book_of(letters: Sequence[Letter], said: Sequence[records.LetterResolved] = ()) -> Book:
    book = Book()
    for each in letters:
        book.add_letter(each)
    for one in said:
        book.add_statement(one)
    return book


def test_a_letter_is_open_until_it_is_replayed_or_discarded() -> None:
    one, other, third = letter(0), letter(1), letter(2)
    book = book_of([one, other, third], [replayed(Known(one), 90), discarded(Known(other))])
    assert [known.state for known in book.all()] == [State.REPLAYED, State.DISCARDED, State.OPEN]
    assert book.find(Place(LETTERS, 3, 9)) is None


def test_a_letter_that_came_back_names_the_former_one_and_counts() -> None:
    first = letter(0)
    said = replayed(Known(first), 90)
    back = letter(1, origin=Place(SUBMISSIONS, 3, 90))
    book = book_of([first, back], [said])
    known = book.find(back.place)
    assert known is not None
    assert (known.generation, known.former, known.returned, known.state) == (1, said, True, State.OPEN)
    again = replayed(known, 95, 2)
    assert (again.generation, again.former) == (1, first.place)
    third = letter(2, Reason.BAD_MAC, origin=Place(SUBMISSIONS, 3, 95))
    book.add_statement(again)
    book.add_letter(third)
    last = book.find(third.place)
    assert last is not None
    assert (last.generation, last.returned) == (2, False), "another reason is another cause"


def test_a_letter_elsewhere_is_no_return() -> None:
    first = letter(0)
    book = book_of([first], [replayed(Known(first), 90)])
    for number, origin in enumerate((Place(SUBMISSIONS, 4, 90), Place(SUBMISSIONS, 3, 91), Place(f"{NS}.x", 3, 90))):
        other = letter(10 + number, origin=origin)
        book.add_letter(other)
        known = book.find(other.place)
        assert known is not None and known.generation == 0


def test_copies_of_one_letter_are_one_letter() -> None:
    """A desk that crashed between send and mark sends its letter again."""
    first, copy = letter(0), replace(letter(0), place=Place(LETTERS, 3, 5))
    book = book_of([first, copy], [replayed(Known(copy), 90)])
    (known,) = book.all()
    assert (known.letter, known.copies, known.state) == (first, 2, State.REPLAYED)
    assert book.find(copy.place) == known


@given(st.permutations(range(5)), st.booleans())
def test_the_order_of_reading_changes_nothing(order: list[int], statements_first: bool) -> None:
    letters = [letter(0), letter(1), letter(2), letter(3, origin=Place(SUBMISSIONS, 3, 90)), letter(4)]
    said = [replayed(Known(letters[0]), 90), discarded(Known(letters[1]))]
    expected = book_of(letters, said)
    book = Book()
    if statements_first:
        for one in said:
            book.add_statement(one)
    for place in order:
        book.add_letter(letters[place])
    if not statements_first:
        for one in said:
            book.add_statement(one)
    assert [*book.all()] == [*expected.all()]


def test_what_retention_has_deleted_is_forgotten_with_what_was_said_of_it() -> None:
    old = replace(letter(0), written_at=NOW - timedelta(days=31))
    said = replayed(Known(old), 90)
    book = book_of([old, letter(1), letter(2, origin=Place(SUBMISSIONS, 3, 90))], [said])
    book.forget(NOW - timedelta(days=30))
    assert len(book) == 2 and book.find(old.place) is None
    assert [known.generation for known in book.all()] == [0, 0]


def test_filters_take_what_they_name() -> None:
    known = Known(letter(0))
    described = known.letter.described
    assert described is not None and described.receipt is not None
    for good in (
        Filter(),
        Filter(tenant=T, topic=SUBMISSIONS, stage="router", reason="unknown-session"),
        Filter(older_than=timedelta(hours=3)),
        Filter(receipt=described.receipt),
        Filter(states=None),
    ):
        assert good.takes(known, NOW + timedelta(hours=3)), good
    for bad in (
        Filter(states=frozenset({State.REPLAYED})),
        Filter(tenant=OTHER),
        Filter(topic=f"{NS}.{T}.review"),
        Filter(stage="portal"),
        Filter(reason="bad-mac"),
        Filter(older_than=timedelta(hours=4)),
        Filter(receipt=bytes(16)),
    ):
        assert not bad.takes(known, NOW + timedelta(hours=3)), bad


# what may be done


def test_a_resolved_letter_is_replayed_only_when_told_again() -> None:
    first = letter(0)
    for said in (replayed(Known(first), 90), discarded(Known(first))):
        known = replace(Known(first), statements=(said,))
        with pytest.raises(LetterResolved):
            check_replay(known, WAYS, again=False)
        check_replay(known, WAYS, again=True)
        with pytest.raises(LetterResolved):
            check_discard(known)
    check_replay(Known(first), WAYS, again=False)
    check_discard(Known(first))


@pytest.mark.parametrize("again", [False, True])
def test_what_can_never_succeed_is_not_sent(again: bool) -> None:
    for reason in Reason:
        known = Known(letter(0, reason))
        if known.healing is Healing.NEVER:
            with pytest.raises(LetterHopeless):
                check_replay(known, WAYS, again=again)
        else:
            check_replay(known, WAYS, again=again)
    with pytest.raises(LetterSealed):
        check_replay(Known(sealed_letter()), WAYS, again=again)
    check_discard(Known(sealed_letter()))


def test_letters_lead_back_only_to_what_their_hop_reads() -> None:
    good = [
        ("router", SUBMISSIONS),
        ("portal", f"{NS}.{T}.status"),
        (f"review-{T}", f"{NS}.{T}.review"),
        (f"helpdesk-{T}", f"{NS}.{T}.status"),
        (f"audit-{T}", f"{NS}.{T}.accepted"),
        (f"tax-resident-tax-{T}", f"{NS}.{T}.accepted"),
    ]
    for stage, topic in good:
        assert WAYS.lead_back(stage, Place(topic, 5, 1)), (stage, topic)
        assert not WAYS.lead_back(stage, Place(topic, 6, 1)), "there is no such partition"
    bad = [
        (f"review-{T}", SUBMISSIONS),
        (f"review-{T}", f"{NS}.{OTHER}.review"),
        (f"review-{T}", f"{NS}.{T}.status"),
        ("router", f"{NS}.{T}.review"),
        ("portal", SUBMISSIONS),
        ("portal", f"{NS}.sessions"),
        ("router", f"{NS}.resolutions"),
        ("operator", SUBMISSIONS),
        ("nobody", SUBMISSIONS),
    ]
    for stage, topic in bad:
        assert not WAYS.lead_back(stage, Place(topic, 0, 1)), (stage, topic)
    with pytest.raises(LetterAstray):
        check_replay(Known(letter(0, origin=Place(f"{NS}.{T}.review", 3, 1))), WAYS, again=False)


def test_a_record_keeps_its_time_unless_retention_could_delete_it_unread() -> None:
    week = timedelta(days=7)
    assert timestamp_for(NOW - timedelta(days=3), NOW, week) == NOW - timedelta(days=3)
    assert timestamp_for(NOW - timedelta(days=4), NOW, week) == NOW
    assert timestamp_for(NOW - timedelta(days=400), NOW, None) == NOW - timedelta(days=400)
    assert timestamp_for(NOW + timedelta(days=1), NOW, week) == NOW, "whatever its sender claimed"


@pytest.mark.parametrize("actor", ["", "x" * 129, "a\nb", "見" * 43])
def test_who_acts_has_a_name(actor: str) -> None:
    with pytest.raises(ActorRefused):
        check_actor(actor)
    assert check_actor("operator-1") == "operator-1"


def test_the_statement_of_what_nobody_can_open_says_so() -> None:
    said = discarded(Known(sealed_letter()))
    assert said.opened is not None
    assert (said.opened.digest, said.opened.receipt, said.event, said.tenant) == (bytes(32), None, None, None)
    assert records.LetterResolved.hear(said.tell()) == said


# what the monitor tells


def test_open_letters_are_counted_by_tenant_and_reason_with_the_oldest() -> None:
    letters = [letter(0), replace(letter(1), written_at=NOW - timedelta(hours=5)), letter(2, Reason.BAD_MAC)]
    closed = letter(3)
    book = book_of([*letters, closed, replace(sealed_letter(), place=Place(LETTERS, 3, 9))], [discarded(Known(closed))])
    assert open_letters(book.all(), NOW + timedelta(hours=1)) == {
        (T, "unknown-session"): (2, 6 * 3600.0),
        (T, "bad-mac"): (1, 3600.0),
        ("shared", "not-framed"): (1, 3600.0),
    }
    said = [replayed(Known(letters[0]), 90), replayed(Known(letters[1]), 91), discarded(Known(sealed_letter()))]
    assert ended(said) == {
        (T, "unknown-session", "replayed"): 2,
        ("shared", "not-framed", "discarded"): 1,
    }


class Watching:
    """A role as the watch needs it before it connects."""

    namespace = NS
    topology = TOPOLOGY


def watch(facts: list[Fact], days: float = 0) -> LetterWatch:
    return LetterWatch(Watching(), facts.append, lambda: NOW + timedelta(days=days))  # type: ignore[arg-type]


def test_a_statement_is_counted_once_and_none_that_was_there_before_the_watch() -> None:
    facts: list[Fact] = []
    watching = watch(facts)
    before, after = replayed(Known(letter(0)), 90), replayed(Known(letter(1)), 91)
    watching._count([before])
    watching._count([before, after])  # everything is read anew after any trouble
    watching._count([before, after])
    assert facts == [LetterEnded(T, "unknown-session", "replayed", 1)]
    watching._count([replayed(Known(letter(1)), 92, hours=2)])
    assert len(facts) == 2, "the same letter again is another replay"


def test_a_group_that_has_emptied_is_told_as_zero() -> None:
    facts: list[Fact] = []
    watching, one = watch(facts), letter(0)
    watching._tell(book_of([one]))
    watching._tell(book_of([one], [discarded(Known(one))]))
    assert facts == [LettersOpen({(T, "unknown-session"): (1, 0.0)}), LettersOpen({(T, "unknown-session"): (0, 0.0)})]


def test_a_week_before_retention_takes_an_open_letter_the_watch_rings_once() -> None:
    facts: list[Fact] = []
    watching = watch(facts, days=23.5)
    for _ in range(2):
        watching._tell(book_of([letter(0)]))
    assert [fact for fact in facts if isinstance(fact, Alarm)] == [Alarm("letters.about-to-expire", "dead-letters")]
    early: list[Fact] = []
    watch(early, days=22)._tell(book_of([letter(0)]))
    assert not [fact for fact in early if isinstance(fact, Alarm)]
