"""What a refusal carries on into its letter and notice, and what a batch makes of each verdict."""

from __future__ import annotations

from hashlib import sha256

import pytest

from hub.crypto import sections as keys
from hub.envelope import header as headers
from hub.envelope.header import EventHeader
from hub.envelope.leaf import leaf
from hub.envelope.letters import DeadLetter, DeadLetterNotice
from hub.envelope.reasons import Reason
from hub.envelope.records import SessionClose
from hub.envelope.sealed import build, parse
from hub.envelope.signed import Signed, sign
from hub.envelope.wire import frame
from hub.router.batch import Clerk, collect
from hub.router.rules import Announce, Deliver, Erased, Known, Place, Refuse, Unknown, Verdict
from hub.transport import KafkaRecord, Outgoing
from tests.unit.envelope.support import HELPDESK, audience_key, header_for, identity
from tests.unit.router.world import (
    NOW,
    PARTITION,
    PARTITIONS,
    REVIEW,
    ROUTES,
    SUBMISSIONS,
    T,
    checkpoint,
    known,
    numbers,
    record,
    record_of,
    seal,
    session,
    verdict_on,
)

ID = session().session.id
MAC_KEY = known().lanes[ID].mac_key or b""
HEADER = header_for(session(), 20)._replace(receipt_number=f"R8-13104-{numbers()[20]:09d}")


def by_the_producer(
    header: EventHeader, *, cut: int = 0, missing: str = "", wrong: str = "", mac_key: bytes = MAC_KEY
) -> KafkaRecord:
    """An event by whoever has the session's mac key, with faults that only a look inside finds."""
    encoded = headers.encode(header)
    encoded = encoded[: len(encoded) - cut]
    sections: list[tuple[str, bytes, bytes | None]] = []
    for name in (HELPDESK, REVIEW):
        if name != missing:
            sections.append((name, sha256(name.encode()).digest(), b"other" if name == wrong else name.encode()))
    mac = keys.mac(mac_key, leaf(encoded, [each[:2] for each in sections]))
    return record(header.event_id.encode(), build(encoded, sections, mac))


def letter_of(found: KafkaRecord, reason: Reason, *, authentic: bool, tenant: str | None) -> Refuse:
    assert found.value is not None
    sealed = parse(found.value)
    return Refuse(reason, authentic, ID, sealed.leaf(), tenant, sealed)


def test_good_event_of_the_producer_is_delivered() -> None:
    assert isinstance(verdict_on(by_the_producer(HEADER)), Deliver)


def test_tenant_is_told_of_what_its_producer_sealed_and_of_nothing_else() -> None:
    for found, reason, authentic, tenant in (
        (by_the_producer(HEADER, wrong=REVIEW), Reason.DIGEST_MISMATCH, False, T),
        (by_the_producer(HEADER, missing=HELPDESK), Reason.SECTIONS, False, T),
        (by_the_producer(HEADER._replace(partition=PARTITION + 1)), Reason.WRONG_PARTITION, True, T),
        (by_the_producer(HEADER, mac_key=bytes(32)), Reason.BAD_MAC, False, None),
        (by_the_producer(HEADER._replace(tenant="999997")), Reason.WRONG_TENANT, True, None),
        (by_the_producer(HEADER, cut=1), Reason.HEADER_INVALID, True, None),
    ):
        assert verdict_on(found) == letter_of(found, reason, authentic=authentic, tenant=tenant)


def test_session_whose_record_is_not_at_hand_has_no_tenant_to_tell() -> None:
    found = by_the_producer(HEADER, wrong=REVIEW)
    lanes_only = Known(known().lanes, {}, {})
    assert verdict_on(found, lanes_only) == letter_of(found, Reason.DIGEST_MISMATCH, authentic=False, tenant=None)


def test_tenant_that_is_not_ready_gets_whole_letters() -> None:
    nowhere = Place(PARTITION, PARTITIONS, {}, (T,), 0)
    found = by_the_producer(HEADER)
    assert verdict_on(found, place=nowhere) == letter_of(found, Reason.TENANT_NOT_READY, authentic=True, tenant=T)
    assert verdict_on(checkpoint(seal(21).leaf), place=nowhere) == Refuse(Reason.TENANT_NOT_READY, True, ID)
    assert nowhere.refuses("999997") is Reason.TENANT_UNKNOWN


def test_what_is_neither_event_nor_checkpoint_is_refused() -> None:
    close = SessionClose(ID, (), NOW)
    signed = sign(SessionClose.RECORD, close.encode(), identity("portal"))
    for value, reason in (
        (None, Reason.NOT_FRAMED),
        (b"{}", Reason.NOT_FRAMED),
        (frame(headers.SCHEMA_ID), Reason.FOREIGN_SCHEMA),
        (frame(0xFFFF), Reason.FOREIGN_SCHEMA),
        (signed, Reason.FOREIGN_SCHEMA),
        (Signed(frame(0xFFFF_FFFF), Signed.parse(signed).signatures).encode(), Reason.UNKNOWN_SCHEMA),
        (signed[:-1], Reason.TRUNCATED),
    ):
        assert verdict_on(record(b"k", value)) == Refuse(reason)


def test_checkpoint_of_a_session_that_was_refused_is_refused_for_its_reason() -> None:
    refused = Known({}, {}, {ID: Reason.REVOKED})
    found = checkpoint(seal(22).leaf)
    assert verdict_on(found, refused) == Refuse(Reason.REVOKED, session=ID)
    assert verdict_on(checkpoint(seal(22).leaf, signer="router")) == Refuse(Reason.UNTRUSTED, session=ID)


def test_refusal_is_not_authentic_unless_it_says_so_and_shows_no_content() -> None:
    refused = verdict_on(record(b"k", b"{}"))
    assert refused == Refuse(Reason.NOT_FRAMED, False, None, None, None, None)
    told = verdict_on(by_the_producer(HEADER, wrong=REVIEW))
    assert isinstance(told, Refuse) and told.sealed is not None and "sealed" not in repr(told)


# batches

LETTERS = "rehearsal.dead-letters.router"
OPEN = ROUTES[:2]
CLERK = Clerk("router", LETTERS, identity("router"), lambda: audience_key("quarantine"), lambda _: OPEN)


def batch_of(
    *judged: tuple[KafkaRecord, Verdict],
) -> tuple[dict[tuple[str, int], list[Outgoing]], set[tuple[str, str]]]:
    made = collect(PARTITION, [each[0] for each in judged], [each[1] for each in judged], CLERK, NOW)
    return dict(made.outputs), made.alarms


def test_event_is_written_to_each_route_and_counted() -> None:
    found = record_of(seal(23))
    verdict = verdict_on(found)
    assert isinstance(verdict, Deliver)
    made = collect(PARTITION, [found], [verdict], CLERK, NOW)
    assert made.outputs == {
        (route.topic, PARTITION): [Outgoing(found.key, copy)]
        for route, copy in zip(verdict.routes, verdict.copies, strict=True)
    }
    assert made.events == {(T, verdict.header.procedure): 1} and made.produced_ms == [verdict.header.produced_at_ms]
    assert (made.checkpoints, made.letters, made.alarms) == (0, {}, set())
    late = collect(PARTITION, [found, found], [verdict._replace(late=True), verdict], CLERK, NOW)
    assert late.alarms == {("appended-late", T)} and late.events == {(T, verdict.header.procedure): 2}


def test_checkpoint_is_written_unchanged_to_each_route() -> None:
    found = checkpoint(seal(24).leaf)
    made = collect(PARTITION, [found, found], [Announce(ROUTES), Announce(ROUTES)], CLERK, NOW)
    assert made.outputs == {(route.topic, PARTITION): [Outgoing(found.key, found.value)] * 2 for route in ROUTES}
    assert made.checkpoints == 2


def test_erased_event_is_an_alarm_and_no_letter() -> None:
    assert batch_of((record_of(seal(25)), Erased())) == ({}, {("erased-event", SUBMISSIONS)})


def test_nothing_is_dropped_where_lists_do_not_fit() -> None:
    found, verdict = record_of(seal(26)), verdict_on(record_of(seal(26)))
    assert isinstance(verdict, Deliver)
    for records, verdicts in (([found, found], [verdict]), ([found], [verdict, verdict])):
        with pytest.raises(ValueError, match="zip"):
            collect(PARTITION, records, verdicts, CLERK, NOW)
    with pytest.raises(ValueError, match="zip"):
        collect(PARTITION, [found], [verdict._replace(copies=verdict.copies[:1])], CLERK, NOW)
    with pytest.raises(AssertionError, match="not judged"):
        collect(PARTITION, [found], [Unknown(ID)], CLERK, NOW)


def test_letter_holds_the_record_and_readers_that_can_be_told_get_a_notice() -> None:
    found = by_the_producer(HEADER, wrong=REVIEW)
    verdict = verdict_on(found)
    assert isinstance(verdict, Refuse) and verdict.sealed is not None and verdict.leaf is not None
    outputs, alarms = batch_of((found, verdict))
    assert alarms == set() and set(outputs) == {(LETTERS, PARTITION), *((route.topic, PARTITION) for route in OPEN)}
    (out,) = outputs[LETTERS, PARTITION]
    letter = DeadLetter.decode(out.value or b"")
    assert out.key == letter.key.encode() and letter.quarantine is not None
    assert (letter.reason, letter.stage, letter.session, letter.leaf) == (verdict.reason, "router", ID, verdict.leaf)
    for route in OPEN:
        (notice,) = outputs[route.topic, PARTITION]
        assert notice.key == b"notice/" + verdict.leaf.hex().encode()
        signed = Signed.parse(notice.value or b"")
        assert signed.verify(identity("router").key_id, identity("router").public)
        said = DeadLetterNotice.decode(signed.body)
        assert said == DeadLetterNotice(T, verdict.sealed.header, verdict.sealed.digests, Reason.DIGEST_MISMATCH, NOW)


@pytest.mark.parametrize("missing", ["tenant", "sealed", "leaf"])
def test_no_notice_of_what_is_not_known_whole(missing: str) -> None:
    found = by_the_producer(HEADER, wrong=REVIEW)
    verdict = verdict_on(found)
    assert isinstance(verdict, Refuse)
    parts = {"tenant": verdict.tenant, "sealed": verdict.sealed, "leaf": verdict.leaf} | {missing: None}
    outputs, _ = batch_of((found, Refuse(verdict.reason, False, ID, **parts)))  # type: ignore[arg-type]
    assert set(outputs) == {(LETTERS, PARTITION)}


@pytest.mark.parametrize("reason", list(Reason))
def test_alarm_is_raised_for_what_the_operator_can_do_something_about(reason: Reason) -> None:
    """The tenant is named if it is known to be the producer's word, else the topic."""
    looked_at = {"unknown-session", "tenant-not-ready", "tenant-unknown", "bad-mac", "refused-by-broker"}
    found = record_of(seal(27))
    for tenant, named in ((T, T), (None, SUBMISSIONS)):
        _, alarms = batch_of((found, Refuse(reason, tenant=tenant)))
        assert alarms == ({(reason.value, named)} if reason.value in looked_at else set())


def test_checkpoint_without_a_kafka_key_is_refused() -> None:
    found = checkpoint(seal(28).leaf)
    assert verdict_on(record(None, found.value)) == Refuse(Reason.WRONG_KEY, session=ID)
