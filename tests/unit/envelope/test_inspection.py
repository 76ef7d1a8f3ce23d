"""What the router and the desks refuse, as a table of attacks on one event."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

import pytest

from hub.crypto import sections as keys
from hub.crypto.hkdf import expand
from hub.envelope import header as headers
from hub.envelope.header import Cause, EventHeader
from hub.envelope.inspection import (
    PRODUCED,
    STRIPPED,
    Expect,
    Inspected,
    Lane,
    Refusal,
    inspect,
    lane,
    peek_session,
    routed_to,
)
from hub.envelope.leaf import leaf
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.sealed import build, outputs, parse
from hub.envelope.session import open_session
from tests.attacking import plugin
from tests.attacking.rows import Attacker
from tests.unit.envelope.support import (
    HELPDESK,
    NS,
    PARTITION,
    PLAINTEXTS,
    REVIEW,
    SUBMISSIONS,
    TAX,
    T,
    header_for,
    new_session,
    private_key,
    router_lane,
    trust,
    world,
)


def judge(value: bytes, key: bytes | None = None, expect: Expect = PRODUCED) -> Inspected | Refusal:
    return inspect(value, world().key if key is None else key, world().lanes, expect)


def refused(value: bytes, key: bytes | None = None, expect: Expect = PRODUCED) -> Refusal:
    result = judge(value, key, expect)
    assert isinstance(result, Refusal)
    return result


def test_sealed_event_passes_the_router_and_every_reader() -> None:
    here = world()
    result = judge(here.event.value)
    assert isinstance(result, Inspected)
    assert (result.header, result.leaf) == (here.header, here.event.leaf)
    reader = lane(here.session, PARTITION, trust(), topic=SUBMISSIONS)
    assert isinstance(reader, Lane)
    keeps = [REVIEW, HELPDESK, None]
    for keep, copy in zip(keeps, outputs(result.sealed, keeps), strict=True):
        expect = STRIPPED if keep is None else routed_to(keep)
        got = inspect(copy, here.key, {here.session.id: reader}, expect)
        assert isinstance(got, Inspected) and got.leaf == here.event.leaf


def sealed_again(change: Callable[[EventHeader], EventHeader], *, mac_key: bytes | None = None) -> tuple[bytes, bytes]:
    """What an attacker with the producer's secrets could seal: any header, correct digests and mac."""
    here = world()
    header = headers.encode(change(here.header))
    sections: list[tuple[str, bytes, bytes | None]] = []
    for name, plaintext in sorted(PLAINTEXTS.items()):
        content = b"ciphertext of " + plaintext
        sections.append((name, sha256(content).digest(), content))
    mac = keys.mac(mac_key or here.lane.mac_key or b"", leaf(header, [(name, digest) for name, digest, _ in sections]))
    return build(header, sections, mac), change(here.header).event_id.encode()


@dataclass(frozen=True)
class Attack:
    change: Callable[[EventHeader], EventHeader]
    reason: Reason


def _at(header: EventHeader, delta: timedelta) -> EventHeader:
    return header._replace(produced_at_ms=header.produced_at_ms + int(delta.total_seconds() * 1000))


HEADERS = {
    "another tenant": Attack(lambda h: h._replace(tenant="999997"), Reason.WRONG_TENANT),
    "another producer": Attack(lambda h: h._replace(producer="portal-x"), Reason.WRONG_PRODUCER),
    "another partition": Attack(lambda h: h._replace(partition=4), Reason.WRONG_PARTITION),
    "another kind": Attack(
        lambda h: h._replace(kind=Kind.STATUS, cause=Cause(h.event_id, bytes(32))), Reason.WRONG_TOPIC
    ),
    "before its session": Attack(lambda h: _at(h, timedelta(hours=-1)), Reason.PRODUCED_OUTSIDE_SESSION),
    "after its session": Attack(lambda h: _at(h, timedelta(hours=8)), Reason.PRODUCED_OUTSIDE_SESSION),
}


@pytest.mark.parametrize("case", HEADERS)
def test_authentic_event_with_a_wrong_header_is_refused_and_its_bytes_may_be_kept(case: str) -> None:
    value, key = sealed_again(HEADERS[case].change)
    result = refused(value, key)
    assert result.reason is HEADERS[case].reason
    assert result.mac_good and result.authentic
    assert result.session == world().session.id and result.leaf == parse(value).leaf()


def test_record_under_another_key_is_refused() -> None:
    for key in (b"", b"x", world().key.upper(), world().key + b" "):
        assert refused(world().event.value, key).reason is Reason.WRONG_KEY
    assert isinstance(inspect(world().event.value, None, world().lanes), Refusal)


def test_forged_mac_is_refused_and_not_kept_in_the_clear() -> None:
    value, key = sealed_again(lambda h: h, mac_key=bytes(32))
    result = refused(value, key)
    assert result.reason is Reason.BAD_MAC
    assert not result.mac_good and not result.authentic


def test_event_without_a_mac_is_refused_on_submissions() -> None:
    sealed = parse(world().event.value)
    sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
    assert refused(build(sealed.header, sections, None)).reason is Reason.BAD_MAC


def test_procedure_that_the_trust_file_does_not_grant_is_refused(attack: plugin.Attack) -> None:
    tried = attack(Attacker.PORTAL, "files a procedure that it was not granted")
    only = replace(world().lane, procedures=frozenset({"advance-payment-offer"}))
    result = inspect(world().event.value, world().key, {world().session.id: only})
    assert isinstance(result, Refusal) and result.reason is Reason.NOT_PERMITTED
    tried.prevented(by="router and every desk", how="`not-permitted`", within="its batch")


def test_exchanged_ciphertext_is_refused_although_the_mac_is_good(attack: plugin.Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "exchanges a ciphertext for another of the same session's")
    sealed = parse(world().event.value)
    sections: list[tuple[str, bytes, bytes | None]] = [
        (each.audience, each.digest, b"other") for each in sealed.sections
    ]
    result = refused(build(sealed.header, sections, sealed.mac))
    assert result.reason is Reason.DIGEST_MISMATCH
    assert result.mac_good and not result.authentic
    tried.prevented(by="router and every desk", how="`digest-mismatch`", within="its batch")


def test_sections_swapped_between_audiences_are_refused() -> None:
    sealed = parse(world().event.value)
    one, other = sealed.sections
    swapped = [(one.audience, other.digest, other.ciphertext), (other.audience, one.digest, one.ciphertext)]
    assert refused(build(sealed.header, swapped, sealed.mac)).reason is Reason.BAD_MAC


def test_dropped_or_added_section_is_refused() -> None:
    sealed = parse(world().event.value)
    sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
    assert refused(build(sealed.header, sections[:1], sealed.mac)).reason is Reason.BAD_MAC
    more = [*sections, (TAX, sha256(b"").digest(), b"")]
    assert refused(build(sealed.header, more, sealed.mac)).reason is Reason.BAD_MAC


def test_producer_that_leaves_out_a_section_is_refused() -> None:
    here = world()
    header = headers.encode(here.header)
    content = b"only one"
    section = (REVIEW, sha256(content).digest(), content)
    mac = keys.mac(here.lane.mac_key or b"", leaf(header, [section[:2]]))
    result = refused(build(header, [section], mac))
    assert result.reason is Reason.SECTIONS and result.mac_good


@pytest.mark.parametrize("keep", [REVIEW, None])
def test_stripped_copy_never_passes_where_events_are_produced(keep: str | None) -> None:
    copy = outputs(parse(world().event.value), [keep])[0]
    result = refused(copy)
    assert result.reason is Reason.STRIPPED_CIPHERTEXT and not result.authentic


def test_stripped_copy_never_counts_as_delivered_to_a_desk() -> None:
    copy = outputs(parse(world().event.value), [None])[0]
    assert refused(copy, expect=routed_to(REVIEW)).reason is Reason.STRIPPED_CIPHERTEXT


def test_other_audiences_ciphertext_is_refused_by_a_desk() -> None:
    whole = world().event.value
    helpdesk = outputs(parse(whole), [HELPDESK])[0]
    assert refused(whole, expect=routed_to(REVIEW)).reason is Reason.FOREIGN_CIPHERTEXT
    assert refused(whole, expect=STRIPPED).reason is Reason.FOREIGN_CIPHERTEXT
    assert refused(helpdesk, expect=STRIPPED).reason is Reason.FOREIGN_CIPHERTEXT
    reasons = {Reason.FOREIGN_CIPHERTEXT, Reason.STRIPPED_CIPHERTEXT}
    assert refused(helpdesk, expect=routed_to(REVIEW)).reason in reasons


def test_event_of_an_unknown_session_is_refused_as_such() -> None:
    other = new_session()
    event = other.seal(header_for(other), PLAINTEXTS)
    result = inspect(event.value, event.event_id.encode(), world().lanes)
    assert isinstance(result, Refusal)
    assert (result.reason, result.session) == (Reason.UNKNOWN_SESSION, other.session.id)


def test_event_moved_to_another_session_is_refused() -> None:
    other = new_session()
    event = other.seal(header_for(other), PLAINTEXTS)
    lanes = {other.session.id: replace(router_lane(other.session), mac_key=world().lane.mac_key)}
    result = inspect(event.value, event.event_id.encode(), lanes)
    assert isinstance(result, Refusal) and result.reason is Reason.BAD_MAC


def test_event_on_another_partition_is_refused() -> None:
    lanes = {world().session.id: router_lane(world().session, PARTITION + 1)}
    result = inspect(world().event.value, world().key, lanes)
    assert isinstance(result, Refusal) and result.reason is Reason.WRONG_PARTITION


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('{"items": {"氏名": "見本太郎"}}'.encode(), Reason.NOT_FRAMED),
        (b"", Reason.NOT_FRAMED),
        (b"\x00\x00\x00\xff\xff", Reason.FOREIGN_SCHEMA),
        (build(b"", [], None), Reason.HEADER_INVALID),
        (build(b"\x00" * 40, [], None), Reason.UNKNOWN_SCHEMA),
        (build(b"\x00\x00\x01\x00\x00", [], None), Reason.UNKNOWN_SCHEMA),
        (build(b"\x00\x00\x00\x00\x0b", [], None), Reason.HEADER_INVALID),
        (build(b"\x00\x00\x00\x00\x0e" + bytes(40), [], None), Reason.HEADER_INVALID),
        (build(b"\x01" + bytes(40), [], None), Reason.HEADER_INVALID),
    ],
)
def test_what_is_no_event_is_refused(value: bytes, reason: Reason) -> None:
    result = refused(value)
    assert result.reason is reason and not result.authentic
    peeked = peek_session(value)
    assert isinstance(peeked, Refusal) and peeked.reason is reason


def test_session_of_an_event_can_be_seen_before_it_is_known() -> None:
    assert peek_session(world().event.value) == world().session.id


def test_desks_event_goes_straight_to_its_readers_without_a_mac() -> None:
    topic = f"{NS}.{T}.accepted"
    secrets = new_session(topic=topic, producer=REVIEW, audiences=(TAX, "portal"))
    cause = Cause(world().event.event_id, world().event.leaf)
    event = secrets.seal(header_for(secrets, cause=cause), {TAX: b"\x00framed"})
    reader = lane(secrets.session, PARTITION, trust(), topic=topic)
    assert isinstance(reader, Lane)
    result = inspect(event.value, event.event_id.encode(), {secrets.session.id: reader})
    assert isinstance(result, Inspected) and result.sealed.mac is None
    with_mac = build(result.sealed.header, [each[:3] for each in result.sealed.sections], bytes(32))
    again = inspect(with_mac, event.event_id.encode(), {secrets.session.id: reader})
    assert isinstance(again, Refusal) and again.reason is Reason.BAD_MAC


def test_lane_needs_the_sessions_topic_and_a_right_to_it() -> None:
    session = world().session
    assert lane(session, 0, trust(), topic=f"{NS}.{T}.status") is Reason.WRONG_TOPIC
    assert lane(session, 0, trust(), topic=f"{NS}.{T}.review") is Reason.WRONG_TOPIC
    unlisted = new_session(tenant="131059").session
    assert lane(unlisted, 0, trust(), topic=SUBMISSIONS) is Reason.NOT_PERMITTED


def test_lane_shows_nothing_and_is_not_pickled() -> None:
    mac_key = world().lane.mac_key
    assert mac_key is not None
    secret = open_session(world().session, "router", private_key("router"))
    assert mac_key == expand(secret.reveal(), b"eltax-hub/v1/mac\x00")
    assert repr(world().lane) == "<Lane>"
    with pytest.raises(TypeError):
        pickle.dumps(world().lane)
