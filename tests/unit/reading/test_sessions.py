"""The session registry: what it believes, what it remembers, and what garbage can do to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from hub.crypto.identity import IdentityKey
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey, Session, SessionClose
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import Signed, sign
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Alarm, Fact
from hub.reading.errors import SessionsUnavailable
from hub.reading.sessions import SessionRegistry
from hub.transport import BrokerUnavailable, Endpoint, KafkaRecord
from tests.unit.envelope.support import NOW, SESSIONS, audience_key, identity, new_session, trust, trust_builder
from tests.unit.reading.lists import Lists

NOWHERE: Endpoint = None  # type: ignore[assignment]  # never asked: the lists are read instead


@dataclass
class Given:
    """A registry over lists, with a clock and a trust file that a test may change."""

    lists: Lists = field(default_factory=Lists)
    now: datetime = NOW
    trust: Trust = field(default_factory=trust)
    facts: list[Fact] = field(default_factory=list)

    def registry(self, **bounds: object) -> SessionRegistry:
        return SessionRegistry(
            NOWHERE,
            [SESSIONS],
            lambda: self.trust,
            lambda: self.now,
            self.facts.append,
            open_reader=self.lists.open,
            **bounds,  # type: ignore[arg-type]
        )

    def announce(self, session: SessionSecrets, value: bytes | None = None, key: str | None = None) -> KafkaRecord:
        return self.lists.append(SESSIONS, (key or session.session.key).encode(), value or session.signed)


@pytest.fixture
def given() -> Given:
    return Given()


def signed_by(session: SessionSecrets, key: IdentityKey) -> bytes:
    return sign(Session.RECORD, Signed.parse(session.signed).body, key)


async def test_announced_session_is_found_and_an_unannounced_one_is_not(given: Given) -> None:
    session, withheld = new_session(), new_session()
    given.announce(session)
    registry = given.registry()
    await registry.ensure([session.session.id, withheld.session.id])
    assert registry.find(session.session.id) == session.session
    assert registry.find(withheld.session.id) is Reason.UNKNOWN_SESSION


async def test_known_sessions_are_not_read_again(given: Given) -> None:
    session = new_session()
    given.announce(session)
    registry = given.registry()
    for _ in range(3):
        await registry.ensure([session.session.id])
    assert given.lists.reads == 1


async def test_session_announced_later_is_found_by_reading_on(given: Given) -> None:
    session = new_session()
    registry = given.registry()
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) is Reason.UNKNOWN_SESSION
    given.announce(session)
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) == session.session


async def test_unreachable_topic_says_nothing_of_any_session(given: Given) -> None:
    registry = given.registry()
    given.lists.trouble = [BrokerUnavailable()]
    with pytest.raises(SessionsUnavailable) as raised:
        await registry.ensure([bytes(32)])
    assert raised.value.retriable


async def test_session_that_another_signed_is_refused_with_its_reason(given: Given) -> None:
    session = new_session()
    given.announce(session, signed_by(session, identity("router")))
    registry = given.registry()
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) is Reason.UNTRUSTED
    assert Alarm("session.refused", "untrusted") in given.facts


async def test_forged_copy_before_or_after_does_not_spoil_the_true_session(given: Given) -> None:
    first, second = new_session(), new_session()
    given.announce(first, signed_by(first, identity("router")))
    given.announce(first)
    given.announce(second)
    given.announce(second, signed_by(second, identity("router")))
    registry = given.registry()
    await registry.ensure([first.session.id, second.session.id])
    assert registry.find(first.session.id) == first.session
    assert registry.find(second.session.id) == second.session


async def test_every_copy_is_read_again_when_the_bytes_were_let_go(given: Given) -> None:
    session = new_session()
    given.announce(session)
    given.announce(session, signed_by(session, identity("router")))
    for _ in range(5):
        given.announce(new_session())
    registry = given.registry(max_held_bytes=6_000)
    await registry.ensure([])
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) == session.session


async def test_true_copy_that_comes_later_heals_a_refusal(given: Given) -> None:
    session = new_session()
    given.announce(session, signed_by(session, identity("router")))
    registry = given.registry()
    await registry.ensure([session.session.id])
    given.announce(session)
    await registry.ensure([])
    assert registry.find(session.session.id) == session.session


async def test_forged_copies_do_not_fill_the_place_of_the_true_one(given: Given) -> None:
    session = new_session()
    for _ in range(9):
        given.announce(session, signed_by(session, identity("router")))
    registry = given.registry()
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) is Reason.UNTRUSTED
    given.announce(session)
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) == session.session
    for _ in range(9):
        given.announce(session, signed_by(session, identity("router")))
    later = given.registry(max_held_bytes=1, max_verdicts=1)
    await later.ensure([session.session.id])
    assert later.find(session.session.id) == session.session


async def test_copies_of_one_session_take_bounded_memory(given: Given) -> None:
    session = new_session()
    for _ in range(50):
        given.announce(session)
    registry = given.registry()
    await registry.ensure([])
    assert registry.sizes["held_bytes"] <= 4 * (len(session.signed) + len(session.session.key))
    assert registry.find(session.session.id) == session.session


async def test_session_under_another_key_is_no_session(given: Given) -> None:
    session, other = new_session(), new_session()
    given.announce(session, key=other.session.key)
    registry = given.registry()
    await registry.ensure([session.session.id, other.session.id])
    assert registry.find(session.session.id) is Reason.UNKNOWN_SESSION
    assert registry.find(other.session.id) is Reason.UNKNOWN_SESSION


async def test_refusal_is_judged_anew_when_the_clock_has_moved_on(given: Given) -> None:
    session = new_session(created_at=NOW + timedelta(minutes=12))
    given.announce(session)
    registry = given.registry()
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) is Reason.INVALID_SESSION
    given.now += timedelta(minutes=5)
    assert registry.find(session.session.id) == session.session


async def test_session_of_a_revoked_key_is_refused_under_the_new_trust_file(given: Given) -> None:
    session = new_session()
    given.announce(session)
    registry = given.registry()
    await registry.ensure([session.session.id])
    assert isinstance(registry.find(session.session.id), Session)
    builder = trust_builder()
    builder.revoke(identity("portal").key_id, NOW)
    given.trust = Trust.load(builder.sign(NOW, identity("admin")), identity("admin").public)
    assert registry.find(session.session.id) is Reason.REVOKED


async def test_session_that_outlives_an_audiences_key_is_refused(given: Given) -> None:
    def ends_early(audience: str, epoch: int) -> AudienceKey | None:
        key = audience_key(audience)
        return AudienceKey(audience, epoch, key.key_id, key.suite, key.public_key, key.not_before, NOW)

    session = new_session()
    given.announce(session)
    registry = SessionRegistry(
        NOWHERE,
        [SESSIONS],
        lambda: given.trust,
        lambda: given.now,
        given.facts.append,
        audience_keys=ends_early,
        open_reader=given.lists.open,
    )
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) is Reason.EXPIRED


async def test_session_whose_bytes_were_let_go_is_read_again_at_its_place(given: Given) -> None:
    sessions = [new_session() for _ in range(6)]
    for session in sessions:
        given.announce(session)
    registry = given.registry(max_held_bytes=10_000, max_verdicts=2)
    await registry.ensure([])
    for session in [*sessions, *reversed(sessions)]:
        await registry.ensure([session.session.id])
        assert registry.find(session.session.id) == session.session
    assert registry.sizes["held_bytes"] <= 10_000
    assert given.lists.reads == 1, "what is in the index needs no catching up"
    assert given.lists.open_now == 1


async def test_garbage_fills_no_memory_and_displaces_no_session(given: Given) -> None:
    session = new_session()
    given.announce(session)
    for number in range(40):
        given.lists.append(SESSIONS, b"%064d" % number, b"\x00" * 5_000)
        forged = new_session(producer="portal")
        given.announce(forged, signed_by(forged, IdentityKey.generate()))
    registry = given.registry(max_index_entries=20, max_held_bytes=100_000)
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) == session.session
    assert registry.sizes["index"] <= 20
    assert registry.sizes["held_bytes"] <= 100_000


async def test_full_index_alarms_once_and_forgets_the_oldest(given: Given) -> None:
    sessions = [new_session() for _ in range(8)]
    for session in sessions:
        given.announce(session)
    registry = given.registry(max_index_entries=4)
    await registry.ensure([sessions[-1].session.id])
    assert registry.sizes["index"] == 4
    assert [fact for fact in given.facts if isinstance(fact, Alarm)] == [Alarm("sessions.index-full", SESSIONS)]
    assert isinstance(registry.find(sessions[-1].session.id), Session)


async def test_closes_and_other_records_are_passed_over(given: Given) -> None:
    session = new_session()
    close = SessionClose(session.session.id, (), NOW)
    given.lists.append(SESSIONS, close.key.encode(), sign("SessionClose", close.encode(), identity("portal")))
    given.lists.append(SESSIONS, None, b"x")
    given.lists.append(SESSIONS, session.session.key.encode(), None)
    given.announce(session)
    registry = given.registry()
    await registry.ensure([session.session.id])
    assert registry.sizes["index"] == 1
    await registry.close()
    assert given.lists.open_now == 0


async def test_a_sender_that_was_listed_meanwhile_is_known_before_it_is_refused(given: Given) -> None:
    """Whoever sends for a new tenant has heard of it; so shall we, before we call it untrusted."""
    session, newer = new_session(), trust()
    given.trust = Trust.load(TrustBuilder(newer.namespace).sign(NOW, identity("admin")), identity("admin").public)
    given.announce(session)
    asked: list[int] = []

    async def catch_up() -> None:
        asked.append(len(asked))
        if len(asked) == 2:
            given.trust = newer

    registry = given.registry(catch_up=catch_up)
    await registry.ensure([session.session.id])
    assert isinstance(registry.find(session.session.id), Reason)
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) == session.session
    await registry.ensure([session.session.id])
    assert len(asked) == 2, "who is known needs no asking"


async def test_forged_copy_that_fell_out_of_memory_does_not_hide_the_true_one_behind_it(given: Given) -> None:
    session = new_session()
    given.announce(session, signed_by(session, identity("router")))
    registry = given.registry(max_held_bytes=5_000, max_verdicts=1)
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) is Reason.UNTRUSTED
    other = new_session()
    given.announce(other)
    await registry.ensure([other.session.id])  # bytes and verdict of the forged copy are let go
    given.announce(session)
    await registry.ensure([session.session.id])
    assert registry.find(session.session.id) == session.session
