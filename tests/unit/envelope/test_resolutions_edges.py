"""Resolutions at their bounds, by our writer and by one that knows none of our rules."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from hub.envelope.contracts import encode_body
from hub.envelope.letters import Place
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Confided, LetterResolved
from hub.envelope.resolutions import receipt_fingerprint
from tests.unit.envelope.test_resolutions import CONFIDED, DISCARDED, LETTER, REPLAYED

LEAST = Place("t", 0, 0)
NOTED = replace(CONFIDED, receipt=None, note="n")


@pytest.mark.parametrize(
    "said",
    [
        replace(REPLAYED, replayed_to=0),
        replace(REPLAYED, letter=LEAST, origin=LEAST),
        replace(REPLAYED, letter=replace(LETTER, topic="t" * 249)),
        replace(REPLAYED, tenant=None),
        replace(REPLAYED, generation=1, former=LEAST),
        replace(DISCARDED, reason="r" * 128),
        replace(DISCARDED, reason="r"),
        replace(REPLAYED, confided=replace(CONFIDED, actor="x" * 128)),
        replace(REPLAYED, confided=replace(CONFIDED, actor="x")),
        replace(DISCARDED, confided=replace(NOTED, note="理由" * 100)),
        replace(DISCARDED, confided=NOTED),
    ],
)
def test_least_and_most_that_a_resolution_says(said: LetterResolved) -> None:
    assert LetterResolved.hear(said.tell()) == said
    assert LetterResolved.decode(said.encode()) == said.withheld
    assert said.withheld.opened is None and said.withheld.commitment == said.commitment


BEYOND = [
    replace(REPLAYED, letter=replace(LETTER, topic="t" * 250)),
    replace(REPLAYED, letter=replace(LETTER, topic="")),
    replace(REPLAYED, letter=replace(LETTER, partition=-1)),
    replace(REPLAYED, origin=replace(LETTER, partition=-1)),
    replace(REPLAYED, origin=replace(LETTER, offset=-1)),
    replace(REPLAYED, generation=1, former=replace(LEAST, offset=-1)),
    replace(REPLAYED, generation=1, former=None),
    replace(DISCARDED, former=None),
    replace(DISCARDED, generation=0),
    replace(DISCARDED, generation=-1),
    replace(DISCARDED, reason="r" * 129),
    replace(DISCARDED, reason="区" * 43),
    replace(DISCARDED, reason=""),
    replace(DISCARDED, replayed_to=1),
    replace(REPLAYED, replayed_to=None),
    replace(REPLAYED, replayed_to=-1),
    replace(REPLAYED, tenant="x"),
    replace(REPLAYED, event=replace(REPLAYED.event, event_id="x")),  # type: ignore[type-var]
]


@pytest.mark.parametrize("said", BEYOND)
def test_what_says_more_or_less_is_neither_written_nor_read(said: LetterResolved) -> None:
    for refuse in (
        lambda: said.withheld.encode(),
        lambda: LetterResolved.decode(encode_body("LetterResolved", fields_of(said))),
    ):
        with pytest.raises(EnvelopeError) as refused:
            refuse()
        assert refused.value.reason is Reason.MALFORMED


def fields_of(said: LetterResolved) -> dict[str, object]:
    """The record's fields by a writer that does not look at them."""

    def place(at: Place | None) -> dict[str, object] | None:
        return None if at is None else {"topic": at.topic, "partition": at.partition, "offset": at.offset}

    event = said.event
    return {
        "letter": place(said.letter),
        "origin": place(said.origin),
        "refused": said.refused.value,
        "refused_at": 0,
        "tenant": said.tenant,
        "event": None if event is None else {"event_id": event.event_id, "leaf": event.leaf},
        "kind": said.kind.value,
        "reason": said.reason,
        "replayed_to": said.replayed_to,
        "generation": said.generation,
        "former": place(said.former),
        "confided": bytes(32),
        "resolved_at": 0,
    }


@pytest.mark.parametrize(
    "confided",
    [
        replace(CONFIDED, actor=""),
        replace(CONFIDED, actor="x" * 129),
        replace(CONFIDED, actor="区" * 43),
        replace(CONFIDED, note=""),
        replace(CONFIDED, note="x" * 201),
        replace(CONFIDED, note="two\nlines"),
    ],
)
def test_what_is_confided_is_bounded_for_writer_and_reader(confided: Confided) -> None:
    fields = {name: getattr(confided, name) for name in ("salt", "digest", "receipt", "actor", "note")}
    for refuse in (
        lambda: confided.encode(),
        lambda: confided.commitment,
        lambda: Confided.decode(encode_body("LetterConfided", fields)),
    ):
        with pytest.raises(EnvelopeError) as refused:
            refuse()
        assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("said", "confided"),
    [
        (REPLAYED, replace(CONFIDED, note="n")),
        (REPLAYED, replace(CONFIDED, receipt=None)),
        (DISCARDED, replace(NOTED, note=None)),
        (DISCARDED, replace(NOTED, receipt=bytes(16))),
    ],
)
def test_note_and_receipt_are_there_for_a_discard_and_an_event_alone(said: LetterResolved, confided: Confided) -> None:
    with pytest.raises(EnvelopeError) as refused:
        replace(said, confided=confided).encode()
    assert refused.value.reason is Reason.MALFORMED


def test_fresh_salt_is_32_random_bytes() -> None:
    made = Confided.fresh(bytes(32), None, "a", "n", lambda count: b"\x05" * count)
    assert made == Confided(b"\x05" * 32, bytes(32), None, "a", "n") == Confided.decode(made.encode())


def test_fingerprint_of_a_receipt_number_has_16_bytes() -> None:
    assert receipt_fingerprint("R8") == sha256(b"eltax-hub/v1/receipt\x00R8").digest()[:16]
