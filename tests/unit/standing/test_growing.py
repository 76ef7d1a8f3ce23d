"""What `topics grow` waits for, without a broker: sessions and their closes, and how it says what is left."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.envelope.records import SessionClose
from hub.envelope.signed import Signed, sign
from hub.growing import Left, UnderWay, _still_kept, _unclosed
from tests.unit.envelope.test_validation import LATER, NOW, SESSION, identity, trust
from topics.declaration import load
from topics.expanding import expand

CLOSE = SessionClose(SESSION.id, (), LATER)
KEY = CLOSE.key.encode()


def closed(close: SessionClose, signer: str = "portal") -> Signed:
    return Signed.parse(sign(SessionClose.RECORD, close.encode(), identity(signer)))


@pytest.mark.parametrize(
    ("close", "signer", "key", "open_"),
    [
        (CLOSE, "portal", KEY, False),
        (CLOSE, "admin", KEY, False),
        (CLOSE, "router", KEY, True),
        (CLOSE, "portal", b"close/another", True),
        (SessionClose(bytes(32), (), LATER), "portal", None, True),
        (SessionClose(SESSION.id, (), NOW - timedelta(days=1)), "portal", KEY, True),
    ],
    ids=["producer", "administrator", "another's", "another key", "another session", "before it began"],
)
def test_a_session_ends_with_a_close_that_counts(
    close: SessionClose, signer: str, key: bytes | None, open_: bool
) -> None:
    left = _unclosed({SESSION.id: SESSION}, [(key, closed(close, signer))], trust(), LATER)
    expected = ((SESSION.producer, SESSION.instance, SESSION.tenant, SESSION.id.hex()[:16]),)
    assert left == (expected if open_ else ())


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (Left(sessions=(("portal", "portal-1", "131041", "00"),)), "1 open sessions"),
        (Left(unrouted=3), "3 records not routed"),
        (Left(unstored={"131041": 2, "999997": 5}), "7 events not stored"),
        (Left(letters=4, unrouted=1), "1 records not routed, 4 open dead letters"),
    ],
)
def test_what_is_left_is_said(left: Left, words: str) -> None:
    assert left
    assert left.summary == words
    assert words in str(UnderWay(left))


def test_nothing_left_is_nothing() -> None:
    assert not Left()


def test_what_retention_may_have_taken_the_answer_of_is_not_asked() -> None:
    since = _still_kept(expand(load(), "eltax"), NOW)
    assert since == NOW - timedelta(hours=167)
