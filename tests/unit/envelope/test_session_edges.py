"""Sessions and sealing at their bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hub.crypto import sections as keys
from hub.envelope.header import Cause, Check, EventHeader
from hub.envelope.inspection import Lane, lane
from hub.envelope.padding import padded_bytes
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import AudienceKey, Session
from hub.envelope.sealed import build
from hub.envelope.session import SealedOut, SessionSecrets, max_sealed_bytes, session_info
from hub.envelope.times import to_ms
from hub.envelope.trust import Right
from tests.unit.envelope.support import (
    HELPDESK,
    NOW,
    NS,
    PARTITION,
    PLAINTEXTS,
    REVIEW,
    SUBMISSIONS,
    TAX,
    T,
    audience_key,
    header_for,
    identity,
    new_session,
    trust_builder,
    world,
)
from tests.unit.envelope.test_trust import reloaded

TICK = timedelta(milliseconds=1)
KEYS = [audience_key(name) for name in ("router", REVIEW)]
BEGIN, END = KEYS[0].not_before, KEYS[0].not_after


def created(
    created_at: datetime, expires_at: datetime, *, topic: str = SUBMISSIONS, audiences: list[AudienceKey] = KEYS
) -> Session | Reason:
    try:
        return SessionSecrets.create(
            producer="portal",
            instance="test-1",
            topic=topic,
            tenant=T,
            created_at=created_at,
            expires_at=expires_at,
            audiences=audiences,
            identity=identity("portal"),
        ).session
    except EnvelopeError as problem:
        return problem.reason


def test_session_lies_within_each_keys_validity_and_a_day() -> None:
    day = timedelta(hours=24)
    for begin, end in ((BEGIN, BEGIN + TICK), (BEGIN, BEGIN + day), (END - TICK, END), (END - day, END)):
        assert isinstance(created(begin, end), Session)
    for begin, end in (
        (BEGIN - TICK, BEGIN + TICK),
        (BEGIN, BEGIN + day + TICK),
        (BEGIN, BEGIN),
        (END - TICK, END + TICK),
        (END, END + TICK),
    ):
        assert created(begin, end) is Reason.INVALID_SESSION
    longer = replace(KEYS[1], not_after=END + day)
    assert created(END, END + TICK, audiences=[KEYS[0], longer]) is Reason.INVALID_SESSION
    assert created(END, END + TICK, audiences=[replace(KEYS[0], not_after=END + day), longer]) is not None


def test_topic_without_events_gets_no_session() -> None:
    for topic in (f"{NS}.{T}.review", "submissions"):
        assert created(NOW, NOW + TICK, topic=topic, audiences=KEYS[1:]) is Reason.INVALID_SESSION
        assert created(NOW, NOW + TICK, topic=topic) is Reason.INVALID_SESSION
    assert created(NOW, NOW + TICK, audiences=[*KEYS, KEYS[1]]) is Reason.INVALID_SESSION


# headers and sealing


def test_header_of_a_session_has_each_value_in_its_place() -> None:
    secrets = world().secrets
    given = {
        "partition": 5,
        "sequence": 6,
        "event_id": world().event.event_id,
        "receipt_number": "R8",
        "procedure": "p",
        "procedure_version": 7,
        "tax_item": "t",
        "accepted_at_ms": 8,
        "produced_at_ms": 9,
        "calculation_check": Check.PASSED,
        "signature_check": Check.FAILED,
        "cause": None,
    }
    header = secrets.header(**given)  # type: ignore[arg-type]
    assert {name: getattr(header, name) for name in given} == given
    session = secrets.session
    assert header[:4] == (session.id, session.kind, session.tenant, session.producer)


def sealed(secrets: SessionSecrets, header: EventHeader, sections: dict[str, bytes]) -> SealedOut | Reason:
    try:
        return secrets.seal(header, sections)
    except EnvelopeError as problem:
        return problem.reason


def test_event_is_produced_within_its_session() -> None:
    secrets, session = world().secrets, world().session
    begin, end = to_ms(session.created_at), to_ms(session.expires_at)
    for at, good in ((begin - 1, False), (begin, True), (end - 1, True), (end, False)):
        made = sealed(secrets, world().header._replace(produced_at_ms=at), PLAINTEXTS)
        assert isinstance(made, SealedOut) if good else made is Reason.PRODUCED_OUTSIDE_SESSION


def test_event_of_a_desk_is_for_somebody() -> None:
    secrets = new_session(topic=f"{NS}.{T}.status", producer=REVIEW, audiences=(TAX, "portal"))
    header = header_for(secrets, cause=Cause(world().event.event_id, world().event.leaf))
    assert sealed(secrets, header, {}) is Reason.SECTIONS
    for names in ((TAX,), ("portal",), (TAX, "portal")):
        assert isinstance(sealed(secrets, header, dict.fromkeys(names, b"\x00")), SealedOut)


def test_largest_event_has_exactly_the_size_that_is_foretold() -> None:
    length, names = 1_050_000, ["a" * 63, "b" * 63]
    content = bytes(padded_bytes(length) + keys.TAG_BYTES)
    value = build(bytes(4_096), [(name, bytes(32), content) for name in names], bytes(32))
    assert len(value) == max_sealed_bytes(dict.fromkeys(names, length))
    assert max_sealed_bytes({}) == len(build(bytes(4_096), [("a", bytes(32), None)], bytes(32))) - 35


def test_event_is_refused_as_soon_as_it_might_be_too_large() -> None:
    """8,257,536 is the last padded size that leaves room for names and the smallest other section."""
    last = 8_257_535
    assert (
        max_sealed_bytes({REVIEW: last, HELPDESK: 0})
        <= 8 * 1024 * 1024
        < max_sealed_bytes({REVIEW: last + 1, HELPDESK: 0})
    )
    header = world().header
    assert isinstance(sealed(world().secrets, header, {REVIEW: bytes(last), HELPDESK: b""}), SealedOut)
    assert sealed(world().secrets, header, {REVIEW: bytes(last + 1), HELPDESK: b""}) is Reason.TOO_LARGE


def test_secrets_that_were_let_go_are_gone() -> None:
    secrets = new_session()
    assert secrets.audiences == (HELPDESK, REVIEW)
    secrets.forget()
    assert secrets.audiences == ()


# lanes


def test_lane_grants_what_all_rights_together_grant() -> None:
    def procedures(*rights: Right) -> frozenset[str] | None:
        known = reloaded(trust_builder().principal("portal", may_produce=rights))
        made = lane(world().session, PARTITION, known, topic=SUBMISSIONS)
        assert isinstance(made, Lane)
        return made.procedures

    one, other = Right("submissions", None, frozenset({"a"})), Right("submissions", None, frozenset({"b"}))
    every = Right("submissions")
    assert procedures(one) == {"a"} and procedures(one, other) == {"a", "b"}
    assert procedures(every) is procedures(one, every) is procedures(every, one) is None


def test_info_of_a_sealed_secret_is_as_specified() -> None:
    info = session_info(b"salt", "p", "t", "131041", "a", 202604)
    parts = b"".join(len(each).to_bytes(4, "big") + each for each in (b"p", b"t", b"131041", b"a", b"202604"))
    assert info == b"eltax-hub/v1/session\x00salt" + parts
