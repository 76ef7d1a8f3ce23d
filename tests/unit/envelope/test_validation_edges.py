"""The very bounds of the rules: the last value that counts and the first that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.crypto.identity import key_id
from hub.envelope import validation as v
from hub.envelope.limits import MAX_CLOCK_AHEAD_MS, MAX_NAME_BYTES, MAX_SESSION_MS
from hub.envelope.reasons import Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    DeadLetterNotice,
    KeyDestroyed,
    ReportEntry,
    RoleReport,
    Session,
    SessionClose,
    StoredEvent,
    StoredReceipt,
)
from hub.envelope.signed import sign
from tests.unit.envelope.support import (
    HELPDESK,
    NOW,
    NS,
    PARTITION,
    REVIEW,
    YEAR,
    T,
    audience_key,
    identity,
    new_session,
    signed_audience_key,
    trust,
    world,
)
from tests.unit.envelope.test_resolutions import REPLAYED
from tests.unit.envelope.test_validation import SESSION, changed, resigned

AHEAD = timedelta(milliseconds=MAX_CLOCK_AHEAD_MS)
TICK = timedelta(milliseconds=1)
LATER = NOW + timedelta(days=200)


@pytest.mark.parametrize(
    ("number", "good"),
    [
        (197001, True),
        (999912, True),
        (202601, True),
        (202612, True),
        (196912, False),
        (1000001, False),
        (202600, False),
        (202613, False),
        (0, False),
    ],
)
def test_an_epoch_is_a_month_of_1970_to_9999(number: int, good: bool) -> None:
    assert v.is_epoch(number) is good


# sessions


def judged(session: Session, now: datetime = NOW) -> Session | Reason:
    return v.validate_session(resigned(session), trust(), now)


def test_session_lasts_24_hours_at_most() -> None:
    assert timedelta(hours=24) == timedelta(milliseconds=MAX_SESSION_MS)
    longest = replace(SESSION, expires_at=NOW + timedelta(hours=24))
    assert isinstance(judged(longest), Session)
    assert judged(replace(longest, expires_at=longest.expires_at + TICK)) is Reason.INVALID_SESSION


def test_session_is_dated_10_minutes_ahead_at_most() -> None:
    assert timedelta(minutes=10) == AHEAD
    assert isinstance(judged(SESSION, NOW - AHEAD), Session)
    assert judged(SESSION, NOW - AHEAD - TICK) is Reason.INVALID_SESSION


def test_name_of_an_instance_has_128_bytes_at_most() -> None:
    assert MAX_NAME_BYTES == 128
    assert isinstance(judged(replace(SESSION, instance="x")), Session)
    assert isinstance(judged(replace(SESSION, instance="x" * 128)), Session)
    assert judged(replace(SESSION, instance="x" * 129)) is Reason.INVALID_SESSION
    assert judged(replace(SESSION, instance="見" * 43)) is Reason.INVALID_SESSION, "bytes, not characters"


def test_audience_has_1_to_63_bytes() -> None:
    for name, reason in (("", "invalid"), ("a", "suite"), ("a" * 63, "suite"), ("a" * 64, "invalid")):
        audiences = (replace(SESSION.audiences[0], audience=name), *SESSION.audiences)
        expected = {"invalid": Reason.INVALID_SESSION, "suite": Reason.SUITE}[reason]
        assert judged(replace(SESSION, audiences=audiences)) is expected, "not listed, if its name can be one"


def test_topic_without_events_takes_no_session_whoever_reads() -> None:
    session = replace(SESSION, topic=f"{NS}.{T}.review", audiences=SESSION.audiences[:1])
    assert judged(session) is Reason.INVALID_SESSION


def test_session_of_a_desk_needs_a_reader_too() -> None:
    status = new_session(topic=f"{NS}.{T}.status", producer=REVIEW, audiences=("portal",)).session
    nobody = replace(status, audiences=())
    assert v.validate_session(resigned(nobody, REVIEW), trust(), NOW) is Reason.INVALID_SESSION


def test_minimum_epoch_and_end_of_a_key_are_the_last_good_ones() -> None:
    lifted = changed(lambda b: b.audience("router", minimum_epoch=202604))
    assert v.validate_session(world().secrets.signed, lifted, NOW) == SESSION
    assert isinstance(v.validate_audience_key(signed_audience_key(audience_key("router")), lifted, NOW), AudienceKey)

    def until(end: datetime) -> Session | Reason:
        def keys(audience: str, epoch: int) -> AudienceKey:
            return replace(audience_key(audience, epoch=epoch), not_after=end)

        return v.validate_session(world().secrets.signed, trust(), NOW, audience_keys=keys)

    assert until(SESSION.expires_at) == SESSION
    assert until(SESSION.expires_at - TICK) is Reason.EXPIRED


# audience keys


def test_audience_key_is_valid_for_some_time_and_as_long_as_its_suite_says() -> None:
    good = audience_key("router")
    for bad in (
        replace(good, not_after=good.not_before),
        replace(good, public_key=good.public_key + b"x", key_id=key_id(good.public_key + b"x")),
    ):
        assert v.validate_audience_key(signed_audience_key(bad), trust(), NOW) is Reason.MALFORMED
    shortest = replace(good, not_after=good.not_before + TICK)
    assert v.validate_audience_key(signed_audience_key(shortest), trust(), NOW) == shortest


# statements: what is no record, what is old, what comes from the future

LEAF = world().event.leaf
EVENT = world().event.event_id


def close(at: datetime) -> SessionClose:
    return SessionClose(SESSION.id, (), at)


def checkpoint(at: datetime) -> Checkpoint:
    return Checkpoint.decode(Checkpoint(SESSION.id, PARTITION, 0, (), None, at).encode())


def receipt(at: datetime) -> StoredReceipt:
    return StoredReceipt(SESSION.id, PARTITION, T, REVIEW, (StoredEvent(0, EVENT, LEAF),), at)


def notice(at: datetime) -> DeadLetterNotice:
    return DeadLetterNotice(T, b"header", (("a", bytes(32)),), Reason.TENANT_NOT_READY, at)


def destroyed(at: datetime) -> KeyDestroyed:
    return KeyDestroyed("quarantine", 202604, bytes(8), at)


def report(at: datetime) -> RoleReport:
    return RoleReport(REVIEW, NS, "stored", at, (ReportEntry(T, EVENT, LEAF, "stored"),))


Statement = tuple[Callable[[datetime], Any], str, Callable[[bytes, datetime], Any], Reason]
STATEMENTS: dict[str, Statement] = {
    "checkpoint": (
        checkpoint,
        "portal",
        lambda value, now: v.validate_checkpoint(value, SESSION, trust(), now),
        Reason.PRODUCED_OUTSIDE_SESSION,
    ),
    "close": (
        close,
        "portal",
        lambda value, now: v.validate_close(value, SESSION, trust(), now),
        Reason.PRODUCED_OUTSIDE_SESSION,
    ),
    "receipt": (receipt, REVIEW, lambda value, now: v.validate_receipt(value, trust(), now), Reason.EXPIRED),
    "notice": (notice, "router", lambda value, now: v.validate_notice(value, trust(), now), Reason.EXPIRED),
    "destroyed": (
        destroyed,
        "operator",
        lambda value, now: v.validate_key_destroyed(value, trust(), now),
        Reason.EXPIRED,
    ),
    "resolution": (
        lambda at: replace(REPLAYED.withheld, resolved_at=at),
        "operator",
        lambda value, now: v.validate_resolution(value, trust(), now),
        Reason.EXPIRED,
    ),
    "report": (report, REVIEW, lambda value, now: v.validate_report(value, trust(), now), Reason.EXPIRED),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_counts_for_ever_but_not_from_the_future(name: str) -> None:
    make, signer, validate, reason = STATEMENTS[name]
    said = make(NOW)
    value = sign(said.RECORD, said.encode(), identity(signer))
    for now in (NOW, NOW - AHEAD, LATER, NOW + 3 * YEAR):
        assert validate(value, now) == said
    assert validate(value, NOW - AHEAD - TICK) is reason


@pytest.mark.parametrize("name", [*STATEMENTS, "audience key"])
def test_what_is_no_record_is_refused_for_what_it_is(name: str) -> None:
    if name == "audience key":
        validate: Callable[[bytes, datetime], Any] = lambda value, now: v.validate_audience_key(value, trust(), now)  # noqa: E731
    else:
        validate = STATEMENTS[name][2]
    assert validate(b"", NOW) is Reason.NOT_FRAMED
    assert validate(world().event.value, NOW) is Reason.FOREIGN_SCHEMA


def test_nobody_closes_a_session_before_it_began() -> None:
    said = close(NOW - TICK)
    value = sign(said.RECORD, said.encode(), identity("portal"))
    assert v.validate_close(value, SESSION, trust(), NOW) is Reason.PRODUCED_OUTSIDE_SESSION


def test_waivers_need_the_owner_as_well_as_the_administrator() -> None:
    waived = replace(destroyed(NOW), waivers=(LEAF,))
    value = sign(waived.RECORD, waived.encode(), identity("admin"))
    assert v.validate_key_destroyed(value, trust(), NOW) is Reason.UNTRUSTED


def test_desk_of_something_that_is_no_tenant_confirms_nothing() -> None:
    listed = changed(lambda b: b.identity("review-staff", identity("staff").public, NOW - YEAR, NOW + YEAR))
    said = replace(receipt(NOW), tenant="staff", desk="review-staff")
    value = sign(said.RECORD, said.encode(), identity("staff"))
    assert v.validate_receipt(value, listed, NOW) is Reason.NOT_PERMITTED


def test_owner_of_an_audience_that_is_not_listed_destroys_nothing() -> None:
    said = replace(destroyed(datetime(2026, 4, 1, tzinfo=UTC)), audience=HELPDESK)
    value = sign(said.RECORD, said.encode(), identity(HELPDESK))
    assert v.validate_key_destroyed(value, trust(), NOW) == said
    assert v.validate_key_destroyed(value, changed(lambda b: b), NOW) == said


def test_statement_counts_under_its_own_kafka_key_or_where_none_is_asked() -> None:
    cases: list[tuple[Any, str, Callable[..., Any]]] = [
        (receipt(NOW), REVIEW, lambda value, **key: v.validate_receipt(value, trust(), NOW, **key)),
        (notice(NOW), "router", lambda value, **key: v.validate_notice(value, trust(), NOW, **key)),
        (checkpoint(NOW), "portal", lambda value, **key: v.validate_checkpoint(value, SESSION, trust(), NOW, **key)),
        (close(NOW), "portal", lambda value, **key: v.validate_close(value, SESSION, trust(), NOW, **key)),
    ]
    for said, signer, validate in cases:
        value = sign(said.RECORD, said.encode(), identity(signer))
        assert validate(value) == validate(value, key=said.key.encode()) == said
        for other in (b"", b"other", said.key.encode() + b"x"):
            assert validate(value, key=other) is Reason.WRONG_KEY


def test_notice_is_given_by_whom_its_topic_says() -> None:
    said = notice(NOW)
    by_desk = sign(said.RECORD, said.encode(), identity(REVIEW))
    assert v.validate_notice(by_desk, trust(), NOW) is Reason.UNTRUSTED
    assert v.validate_notice(by_desk, trust(), NOW, signer=REVIEW) == said


def test_destroyed_key_is_of_an_epoch() -> None:
    said = replace(destroyed(NOW), epoch=202613)
    value = sign(said.RECORD, said.encode(), identity("operator"))
    assert v.validate_key_destroyed(value, trust(), NOW) is Reason.MALFORMED
