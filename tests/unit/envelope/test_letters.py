"""Dead letters: kept whole, and sealed unless they are known to be sealed already."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.envelope.contracts import encode_body
from hub.envelope.letters import Content, DeadLetter, Place, open_quarantine, quarantine
from hub.envelope.reasons import EnvelopeError, Reason
from tests.unit.envelope.support import NOW, SUBMISSIONS, audience_key, private_key, seed, world

PLACE = Place(SUBMISSIONS, 3, 42)
PLAINTEXT = Content("受付".encode(), '{"氏名": "見本太郎"}'.encode())


def letter(place: Place = PLACE) -> DeadLetter:
    sealed = quarantine(place, PLAINTEXT, audience_key("quarantine"))
    return DeadLetter(Reason.NOT_FRAMED, "router", place, NOW, NOW, None, sealed)


def test_plaintext_in_a_dead_letter_is_for_the_operator_only() -> None:
    record = letter().encode()
    for hidden in (PLAINTEXT.value, PLAINTEXT.key, "見本".encode()):
        assert hidden is not None and hidden not in record
    again = DeadLetter.decode(record)
    assert again.place == PLACE
    assert not again.authentic and again.reason is Reason.NOT_FRAMED
    assert open_quarantine(again, private_key("quarantine")) == PLAINTEXT
    with pytest.raises(EnvelopeError) as refused:
        open_quarantine(again, private_key("router"))
    assert refused.value.reason is Reason.SECRET


def test_quarantined_content_is_bound_to_its_place() -> None:
    for other in (Place(SUBMISSIONS, 3, 43), Place(SUBMISSIONS, 4, 42), Place("eltax.submissions", 3, 42)):
        with pytest.raises(EnvelopeError):
            open_quarantine(replace(letter(), place=other), private_key("quarantine"))


def test_authentic_letter_keeps_the_bytes_as_they_were() -> None:
    content = Content(world().key, world().event.value)
    made = DeadLetter(
        Reason.TENANT_NOT_READY, "router", PLACE, NOW, NOW, content, None, world().session.id, world().event.leaf
    )
    again = DeadLetter.decode(made.encode())
    assert again == made and again.authentic and again.key == f"{SUBMISSIONS}/3/42"
    with pytest.raises(EnvelopeError) as refused:
        open_quarantine(again, private_key("quarantine"))
    assert refused.value.reason is Reason.NOT_ADDRESSED


def test_tombstone_can_be_a_dead_letter() -> None:
    sealed = quarantine(PLACE, Content(None, None), audience_key("quarantine"))
    made = DeadLetter.decode(replace(letter(), quarantine=sealed).encode())
    assert open_quarantine(made, private_key("quarantine")) == Content(None, None)


def test_letter_is_authentic_or_quarantined_never_both_or_neither() -> None:
    for bad in (replace(letter(), content=PLAINTEXT), replace(letter(), quarantine=None)):
        with pytest.raises(EnvelopeError):
            bad.encode()


def _fields() -> dict[str, object]:
    sealed = letter().quarantine
    assert sealed is not None
    return {
        "reason": "not-framed",
        "stage": "router",
        "topic": SUBMISSIONS,
        "partition": 3,
        "offset": 42,
        "appended_at": 0,
        "written_at": 0,
        "authentic": False,
        "key": None,
        "value": None,
        "quarantine": {"epoch": sealed.epoch, "key_id": sealed.key_id, "sealed": sealed.sealed},
        "session": None,
        "leaf": None,
    }


@pytest.mark.parametrize(
    "change",
    [{"reason": "bored"}, {"authentic": True}, {"key": b""}, {"value": b"x"}, {"offset": -1}, {"appended_at": -1}],
)
def test_letter_that_contradicts_itself_is_not_read(change: dict[str, object]) -> None:
    assert DeadLetter.decode(encode_body("DeadLetter", _fields())).place == PLACE
    with pytest.raises(EnvelopeError):
        DeadLetter.decode(encode_body("DeadLetter", _fields() | change))


def test_content_is_not_shown() -> None:
    assert "見本" not in repr(PLAINTEXT) and repr(PLAINTEXT) == "Content()"


def test_place_of_a_letter_is_bound_byte_by_byte() -> None:
    """The HPKE info of the module's page; another implementation opens a letter only with the same."""
    info = Place("ab", 0x01020304, 0x05060708090A0B0C).info()
    assert info == b"eltax-hub/v1/quarantine\x00" + bytes.fromhex("00000002") + b"ab" + bytes.fromhex(
        "0102030405060708090a0b0c"
    )


def test_letter_keeps_each_field_in_its_place() -> None:
    content = Content(b"key", b"value")
    later = NOW + timedelta(seconds=1)
    made = DeadLetter(
        Reason.BAD_MAC, "review", replace(PLACE, partition=0, offset=0), NOW, later, content, None, seed("s"), seed("l")
    )
    again = DeadLetter.decode(made.encode())
    assert again == made and (again.session, again.leaf) == (seed("s"), seed("l"))
    assert (again.appended_at, again.written_at) == (NOW, later)
    assert again.content is not None and (again.content.key, again.content.value) == (b"key", b"value")
    for change in ({"partition": -1}, {"written_at": -1}):
        with pytest.raises(EnvelopeError) as refused:
            DeadLetter.decode(encode_body("DeadLetter", _fields() | change))
        assert refused.value.reason is Reason.MALFORMED
