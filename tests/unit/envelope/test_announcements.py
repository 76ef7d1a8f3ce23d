"""What announcements show of themselves, and what they are before they have bytes."""

from __future__ import annotations

from dataclasses import fields

from hub.envelope.records import Quarantined, Session
from tests.unit.envelope.support import world


def test_ciphertexts_are_not_shown() -> None:
    session = world().session
    assert "sealed" not in repr(session.audiences[0]) and "sealed" not in repr(Quarantined(1, bytes(8), b"x"))


def test_session_has_no_id_before_it_has_bytes() -> None:
    session = world().session
    made = Session(*(getattr(session, each.name) for each in fields(Session) if each.name != "id"))
    assert made.id == b"" and made.key == ""
    assert Session.decode(made.encode()).id == session.id
