"""The router's rules, one record at a time; each refusal through the running router is in tests/broker."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.envelope.limits import MAX_SEALED_BYTES
from hub.envelope.reasons import Reason
from hub.envelope.sealed import SCHEMA_ID, build, outputs, parse
from hub.envelope.times import to_ms
from hub.envelope.wire import frame
from hub.router.rules import Announce, Deliver, Erased, Known, Place, Refuse, Unknown, judge
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.envelope.support import new_session
from tests.unit.router.world import (
    NOW,
    PARTITION,
    PARTITIONS,
    PLACE,
    REVIEW,
    ROUTES,
    T,
    checkpoint,
    known,
    record,
    record_of,
    seal,
    session,
    trust,
    verdict_on,
)

HOUR_MS = 3_600_000


def test_good_event_goes_to_every_route_with_only_that_routes_ciphertext() -> None:
    event = seal(1)
    verdict = verdict_on(record_of(event))
    assert isinstance(verdict, Deliver)
    assert verdict.routes == ROUTES
    assert verdict.copies == outputs(parse(event.value), [REVIEW, ROUTES[1].audience, None])
    assert verdict.header.event_id == event.event_id
    assert not verdict.late


def test_event_appended_after_its_session_is_delivered_late_and_not_refused() -> None:
    event = seal(2)
    ended = to_ms(session().session.expires_at)
    for stamp, late in ((ended - 1, False), (ended, True)):
        verdict = verdict_on(record(event.event_id.encode(), event.value, timestamp_ms=stamp))
        assert isinstance(verdict, Deliver)
        assert verdict.late is late


def test_event_that_is_dated_back_into_its_session_is_late_by_the_routers_clock(attack: Attack) -> None:
    row = attack(
        Attacker.PORTAL, "backdates a session, its event and the append time, an hour or more", Verdict.DETECTED
    )
    event = seal(0)
    ended = to_ms(session().session.expires_at)
    for now_ms, late in ((ended, False), (ended + HOUR_MS - 1, False), (ended + HOUR_MS, True)):
        dated = record(event.event_id.encode(), event.value, timestamp_ms=ended - 1)
        found = verdict_on(dated, place=replace(PLACE, now_ms=now_ms))
        assert isinstance(found, Deliver)
        assert found.late is late
    row.detected(by="router", how="alarm `appended-late`", within="its batch")


def test_event_on_another_partition_than_its_receipts_is_refused_and_its_tenant_told() -> None:
    event = seal(3, receipt_number="R8-13104-000000001")
    verdict = verdict_on(record_of(event))
    assert verdict == Refuse(Reason.WRONG_PARTITION, True, session().session.id, event.leaf, T, parse(event.value))


def test_session_that_is_not_at_hand_is_asked_for() -> None:
    other = new_session()
    event = seal(4, other)
    assert verdict_on(record_of(event)) == Unknown(other.session.id)
    at_hand = known()
    for reason in (Reason.UNKNOWN_SESSION, Reason.REVOKED, Reason.WRONG_TOPIC):
        refused = Known(at_hand.lanes, at_hand.sessions, {other.session.id: reason})
        assert verdict_on(record_of(event), refused) == Refuse(reason, session=other.session.id)


def test_event_of_a_destroyed_epoch_is_erased_and_leaves_no_letter() -> None:
    other = new_session()
    refused = Known({}, {}, {other.session.id: Reason.ERASED})
    assert verdict_on(record_of(seal(5, other)), refused) == Erased()


@pytest.mark.parametrize("routes", [{}, {"999997": ROUTES}])
def test_event_of_a_tenant_that_is_not_ready_is_kept_whole_for_replay(routes: dict[str, object]) -> None:
    event = seal(6)
    verdict = verdict_on(record_of(event), place=Place(PARTITION, PARTITIONS, routes, (T,), 0))  # type: ignore[arg-type]
    assert isinstance(verdict, Refuse)
    assert (verdict.reason, verdict.authentic, verdict.tenant) == (Reason.TENANT_NOT_READY, True, T)


def test_event_of_a_tenant_that_was_removed_is_kept_whole_under_a_code_of_its_own() -> None:
    for found in (record_of(seal(6)), checkpoint(seal(7).leaf)):
        verdict = verdict_on(found, place=Place(PARTITION, PARTITIONS, {}, ("999997",), 0))
        assert isinstance(verdict, Refuse)
        assert verdict.reason is Reason.TENANT_UNKNOWN


def test_checkpoint_goes_to_every_route_and_only_its_producers_counts() -> None:
    leaf = seal(7).leaf
    assert verdict_on(checkpoint(leaf)) == Announce(ROUTES)
    forged = verdict_on(checkpoint(leaf, signer="router"))
    assert isinstance(forged, Refuse) and forged.reason is Reason.UNTRUSTED
    elsewhere = verdict_on(checkpoint(leaf, partition=PARTITION + 1))
    assert isinstance(elsewhere, Refuse) and elsewhere.reason is Reason.WRONG_PARTITION
    assert verdict_on(checkpoint(leaf), Known({}, {}, {})) == Unknown(session().session.id)
    not_ready = verdict_on(checkpoint(leaf), place=Place(PARTITION, PARTITIONS, {}, (T,), 0))
    assert isinstance(not_ready, Refuse) and not_ready.reason is Reason.TENANT_NOT_READY


def test_more_than_the_limit_is_refused_before_anything_is_done_with_it() -> None:
    verdict = verdict_on(record(b"k", frame(SCHEMA_ID) + bytes(MAX_SEALED_BYTES)))
    assert isinstance(verdict, Refuse) and verdict.reason is Reason.TOO_LARGE


def test_header_that_names_another_tenant_tells_nobody() -> None:
    event = seal(8)
    sealed = parse(event.value)
    header = sealed.header.replace(b"\x0c131041", b"\x0c999997", 1)
    assert header != sealed.header
    changed = build(header, [(each.audience, each.digest, each.ciphertext) for each in sealed.sections], sealed.mac)
    verdict = verdict_on(record(event.event_id.encode(), changed))
    assert isinstance(verdict, Refuse)
    assert verdict.tenant is None and not verdict.authentic


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_changed_byte_is_ever_delivered(data: st.DataObject) -> None:
    event = seal(9)
    at = data.draw(st.integers(0, len(event.value) - 1))
    changed = bytearray(event.value)
    changed[at] ^= data.draw(st.integers(1, 255))
    verdict = verdict_on(record(event.event_id.encode(), bytes(changed)))
    assert isinstance(verdict, (Refuse, Unknown))
    if isinstance(verdict, Refuse):
        assert not verdict.authentic


@settings(max_examples=300, deadline=None)
@given(value=st.binary(max_size=300), framed=st.booleans())
def test_garbage_is_refused_and_never_raises(value: bytes, framed: bool) -> None:
    made = frame(SCHEMA_ID) + value if framed else value
    assert isinstance(verdict_on(record(b"k", made)), (Refuse, Unknown))


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 3_000))
def test_no_part_of_an_event_is_an_event(cut: int) -> None:
    event = seal(10)
    part = event.value[: min(cut, len(event.value) - 1)]
    verdict = verdict_on(record(event.event_id.encode(), part))
    assert isinstance(verdict, Refuse)
    # A cut through an audience's name leaves another one, which may be out of order.
    reasons = (Reason.TRUNCATED, Reason.NOT_FRAMED, Reason.MALFORMED, Reason.FOREIGN_SCHEMA, Reason.AUDIENCE_ORDER)
    assert verdict.reason in reasons


def test_same_record_gives_the_same_verdict() -> None:
    found = record_of(seal(11))
    assert judge(found, known(), PLACE, trust(), NOW) == judge(replace(found), known(), PLACE, trust(), NOW)
