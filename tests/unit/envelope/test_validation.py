"""Which announcements and statements count: each rule broken once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.crypto.audience import Suite
from hub.crypto.identity import IdentityKey
from hub.envelope import validation as v
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    CheckpointEntry,
    ClosedPartition,
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
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.envelope.support import (
    HELPDESK,
    NOW,
    NS,
    PARTITION,
    REVIEW,
    SESSIONS,
    T,
    audience_key,
    identity,
    new_session,
    signed_audience_key,
    trust,
    world,
)

LATER = NOW + timedelta(hours=1)
MONTHS_LATER = NOW + timedelta(days=300)
SESSION = world().session


def changed(builder: Callable[[TrustBuilder], TrustBuilder]) -> Trust:
    admin = identity("admin")
    return Trust.load(builder(TrustBuilder.following(trust())).sign(NOW, admin), admin.public)


# sessions


def test_session_of_the_portal_is_accepted_by_every_reader() -> None:
    assert (
        v.validate_session(world().secrets.signed, trust(), LATER, topic=SESSIONS, key=SESSION.key.encode()) == SESSION
    )


def test_desks_session_is_accepted_on_its_own_topic_only() -> None:
    secrets = new_session(topic=f"{NS}.{T}.status", producer=REVIEW, audiences=(HELPDESK, "portal"))
    assert v.validate_session(secrets.signed, trust(), NOW, topic=f"{NS}.{T}.sessions") == secrets.session
    for topic in (SESSIONS, f"{NS}.999997.sessions"):
        assert v.validate_session(secrets.signed, trust(), NOW, topic=topic) is Reason.WRONG_TOPIC


def test_session_of_a_generation_is_accepted_on_its_own_sessions_topic_only() -> None:
    for topic, where in ((f"{NS}.submissions.g2", f"{NS}.sessions.g2"), (f"{NS}.submissions", SESSIONS)):
        secrets = new_session(topic=topic)
        assert v.validate_session(secrets.signed, trust(), NOW, topic=where) == secrets.session
        for other in {f"{NS}.sessions.g2", f"{NS}.sessions.g3", f"{NS}.{T}.sessions.g2", SESSIONS} - {where}:
            assert v.validate_session(secrets.signed, trust(), NOW, topic=other) is Reason.WRONG_TOPIC


def resigned(session: Session, signer: str = "portal") -> bytes:
    return sign("Session", session.encode(), identity(signer))


SESSIONS_REFUSED: dict[str, tuple[Session, Reason]] = {
    "25 hours": (replace(SESSION, expires_at=NOW + timedelta(hours=25)), Reason.INVALID_SESSION),
    "no time at all": (replace(SESSION, expires_at=NOW), Reason.INVALID_SESSION),
    "made for tomorrow": (
        replace(SESSION, created_at=NOW + timedelta(days=1), expires_at=NOW + timedelta(days=2)),
        Reason.INVALID_SESSION,
    ),
    "a topic that takes no events": (replace(SESSION, topic=f"{NS}.{T}.review"), Reason.INVALID_SESSION),
    "no tenant": (replace(SESSION, tenant="tenant"), Reason.INVALID_SESSION),
    "no instance": (replace(SESSION, instance=""), Reason.INVALID_SESSION),
    "no router": (replace(SESSION, audiences=SESSION.audiences[:1]), Reason.INVALID_SESSION),
    "nobody": (replace(SESSION, audiences=()), Reason.INVALID_SESSION),
    "another tenant's topic": (
        replace(SESSION, topic=f"{NS}.999997.status", audiences=SESSION.audiences[:1]),
        Reason.WRONG_TENANT,
    ),
    "a tenant that is not granted": (replace(SESSION, tenant="131059"), Reason.NOT_PERMITTED),
    "another namespace": (replace(SESSION, topic="eltax.submissions"), Reason.NOT_PERMITTED),
    "another producer": (replace(SESSION, producer=REVIEW), Reason.NOT_PERMITTED),
    "an unknown producer": (replace(SESSION, producer="nobody"), Reason.UNTRUSTED),
    "audiences out of order": (replace(SESSION, audiences=SESSION.audiences[::-1]), Reason.AUDIENCE_ORDER),
    "an audience twice": (replace(SESSION, audiences=SESSION.audiences[:1] * 2), Reason.AUDIENCE_ORDER),
    "an audience that is not listed": (
        replace(SESSION, audiences=(*SESSION.audiences, replace(SESSION.audiences[0], audience="zzz"))),
        Reason.SUITE,
    ),
    "a suite that is not allowed": (
        replace(SESSION, audiences=(*SESSION.audiences[:2], replace(SESSION.audiences[2], sealed=bytes(80)))),
        Reason.SUITE,
    ),
    "an epoch that is none": (
        replace(SESSION, audiences=(*SESSION.audiences[:2], replace(SESSION.audiences[2], epoch=202613))),
        Reason.INVALID_SESSION,
    ),
}


@pytest.mark.parametrize("case", SESSIONS_REFUSED)
def test_session_that_breaks_a_rule_is_refused(case: str) -> None:
    session, reason = SESSIONS_REFUSED[case]
    assert v.validate_session(resigned(session), trust(), NOW) is reason


def test_session_that_another_signed_is_refused() -> None:
    stranger = IdentityKey.generate()
    assert v.validate_session(resigned(SESSION, REVIEW), trust(), NOW) is Reason.UNTRUSTED
    value = sign("Session", SESSION.encode(), stranger)
    assert v.validate_session(value, trust(), NOW) is Reason.UNTRUSTED
    after = changed(lambda b: b.revoke(identity("portal").key_id, NOW))
    assert v.validate_session(world().secrets.signed, after, NOW) is Reason.REVOKED


def test_session_under_another_kafka_key_is_refused() -> None:
    assert v.validate_session(world().secrets.signed, trust(), NOW, key=b"other") is Reason.WRONG_KEY


def test_session_below_the_minimum_epoch_or_of_an_unlisted_instance_is_refused(attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "seals to the key of a month that is out of use")
    lifted = changed(lambda b: b.audience("router", minimum_epoch=202605))
    assert v.validate_session(world().secrets.signed, lifted, NOW) is Reason.OLD_EPOCH
    named = changed(
        lambda b: b.principal("portal", may_produce=trust().principals["portal"].may_produce, instances=["other"])
    )
    assert v.validate_session(world().secrets.signed, named, NOW) is Reason.UNTRUSTED
    tried.prevented(by="router and every desk", how="`old-epoch`", within="its batch")


def test_session_that_outlives_an_audiences_key_is_refused_by_who_knows_the_key(attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "announces a session that outlives the key of an audience")

    def keys(audience: str, epoch: int) -> AudienceKey:
        return replace(audience_key(audience, epoch=epoch), not_after=NOW + timedelta(hours=1))

    signed = world().secrets.signed
    assert v.validate_session(signed, trust(), NOW, audience_keys=keys) is Reason.EXPIRED
    assert v.validate_session(signed, trust(), NOW, audience_keys=lambda *_: None) == SESSION
    tried.prevented(by="router and every desk", how="`expired`", within="its batch")


def test_garbage_is_no_session() -> None:
    for value, reason in ((b"", Reason.NOT_FRAMED), (world().event.value, Reason.FOREIGN_SCHEMA)):
        assert v.validate_session(value, trust(), NOW) is reason


# audience keys


def test_audience_key_needs_its_owner_and_the_administrator() -> None:
    record = audience_key("quarantine")
    good = signed_audience_key(record)
    assert v.validate_audience_key(good, trust(), NOW, key=record.key.encode()) == record
    body = record.encode()
    for signers in ([identity("operator")], [identity("admin")], [identity("admin"), identity("router")]):
        value = sign("AudienceKey", body, *signers)
        assert v.validate_audience_key(value, trust(), NOW) is Reason.UNTRUSTED
    assert v.validate_audience_key(good, trust(), NOW, key=b"quarantine") is Reason.WRONG_KEY


AUDIENCE_KEYS: dict[str, tuple[AudienceKey, Reason]] = {
    "not listed": (audience_key("nobody"), Reason.UNTRUSTED),
    "suite not allowed": (audience_key("router", Suite.X25519), Reason.SUITE),
    "another key's id": (replace(audience_key("router"), key_id=bytes(8)), Reason.MALFORMED),
    "short key": (replace(audience_key("router"), public_key=bytes(32)), Reason.MALFORMED),
    "ends before it begins": (
        replace(audience_key("router"), not_after=NOW - 40 * timedelta(days=1)),
        Reason.MALFORMED,
    ),
    "month 13": (replace(audience_key("router"), epoch=202613), Reason.MALFORMED),
}


@pytest.mark.parametrize("case", AUDIENCE_KEYS)
def test_audience_key_that_breaks_a_rule_is_refused(case: str) -> None:
    record, reason = AUDIENCE_KEYS[case]
    assert v.validate_audience_key(signed_audience_key(record), trust(), NOW) is reason


def test_audience_key_below_the_minimum_epoch_is_refused() -> None:
    lifted = changed(lambda b: b.audience("router", minimum_epoch=202605))
    value = signed_audience_key(audience_key("router"))
    assert v.validate_audience_key(value, lifted, NOW) is Reason.OLD_EPOCH


# checkpoints and closes


def checkpoint(first: int = 0, count: int = 2, previous: bytes | None = None) -> Checkpoint:
    entries = tuple(CheckpointEntry(bytes([number]) * 32, number == 1) for number in range(count))
    made = Checkpoint(SESSION.id, PARTITION, first, entries, previous, LATER)
    return Checkpoint.decode(made.encode())


def test_checkpoints_of_the_producer_follow_each_other() -> None:
    first = checkpoint()
    second = checkpoint(2, 0, first.hash)
    third = checkpoint(2, 1, second.hash)
    for record in (first, second, third):
        value = sign("Checkpoint", record.encode(), identity("portal"))
        key = record.key.encode()
        got = v.validate_checkpoint(value, SESSION, trust(), LATER, partition=PARTITION, key=key)
        assert got == record
    assert first.follows(None) and second.follows(first) and third.follows(second)
    assert not third.follows(first) and not second.follows(None) and not first.follows(first)
    assert not checkpoint(3, 1, second.hash).follows(second)


def test_administrator_may_close_for_a_lost_machine_and_nobody_else() -> None:
    record = checkpoint()
    close = SessionClose(SESSION.id, (ClosedPartition(PARTITION, 1, record.hash),), MONTHS_LATER)
    for signer, good in (("portal", True), ("admin", True), ("router", False), (REVIEW, False)):
        value = sign("Checkpoint", record.encode(), identity(signer))
        assert (v.validate_checkpoint(value, SESSION, trust(), LATER) == record) is good
        value = sign("SessionClose", close.encode(), identity(signer))
        got = v.validate_close(value, SESSION, trust(), MONTHS_LATER, key=close.key.encode())
        assert (got == close) is good
    assert close.partition(PARTITION) == close.partitions[0] and close.partition(9) is None


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(checkpoint(), session=bytes(32)), Reason.FOREIGN_SESSION),
        (replace(checkpoint(), partition=4), Reason.WRONG_PARTITION),
        (checkpoint(3, 1), Reason.BROKEN_CHAIN),
        (replace(checkpoint(), produced_at=NOW - timedelta(seconds=1)), Reason.PRODUCED_OUTSIDE_SESSION),
        (replace(checkpoint(), produced_at=NOW + timedelta(days=1)), Reason.PRODUCED_OUTSIDE_SESSION),
    ],
)
def test_checkpoint_that_breaks_a_rule_is_refused(record: Checkpoint, reason: Reason) -> None:
    value = sign("Checkpoint", record.encode(), identity("portal"))
    assert v.validate_checkpoint(value, SESSION, trust(), LATER, partition=PARTITION) is reason


def test_checkpoint_under_another_key_or_of_another_record_is_refused() -> None:
    value = sign("Checkpoint", checkpoint().encode(), identity("portal"))
    assert v.validate_checkpoint(value, SESSION, trust(), LATER, key=b"x") is Reason.WRONG_KEY
    assert v.validate_close(value, SESSION, trust(), LATER) is Reason.FOREIGN_SCHEMA
    other = SessionClose(bytes(32), (), LATER)
    value = sign("SessionClose", other.encode(), identity("portal"))
    assert v.validate_close(value, SESSION, trust(), LATER) is Reason.FOREIGN_SESSION
    own = SessionClose(SESSION.id, (), LATER)
    value = sign("SessionClose", own.encode(), identity("portal"))
    assert v.validate_close(value, SESSION, trust(), LATER, key=b"x") is Reason.WRONG_KEY


def test_statements_are_bounded_and_in_order() -> None:
    entry = CheckpointEntry(bytes(32))
    with pytest.raises(EnvelopeError):
        replace(checkpoint(), entries=(entry,) * 4_097).encode()
    with pytest.raises(EnvelopeError):
        Checkpoint.decode(replace(checkpoint(), first_sequence=-1).encode())
    twice = (ClosedPartition(1, 0, None),) * 2
    for partitions in (twice, (ClosedPartition(-1, 0, None),), (ClosedPartition(1, -2, None),)):
        with pytest.raises(EnvelopeError):
            SessionClose.decode(SessionClose(SESSION.id, partitions, NOW).encode())


# receipts, notices, destroyed keys, reports

STORED = StoredEvent(0, world().event.event_id, world().event.leaf)
RECEIPT = StoredReceipt(SESSION.id, PARTITION, T, REVIEW, (STORED,), LATER)


def test_only_the_tenants_review_desk_confirms() -> None:
    value = sign("StoredReceipt", RECEIPT.encode(), identity(REVIEW))
    assert v.validate_receipt(value, trust(), LATER, tenant=T, partition=PARTITION) == RECEIPT
    assert RECEIPT.key == f"stored/{SESSION.id.hex()}/3/0"
    assert v.validate_receipt(value, trust(), LATER, tenant="999997") is Reason.WRONG_TENANT
    assert v.validate_receipt(value, trust(), LATER, partition=4) is Reason.WRONG_PARTITION
    assert v.validate_receipt(value, trust(), NOW) is Reason.EXPIRED
    for desk, signer, reason in (
        (REVIEW, HELPDESK, Reason.UNTRUSTED),
        (HELPDESK, HELPDESK, Reason.NOT_PERMITTED),
        ("review-999997", "review-999997", Reason.NOT_PERMITTED),
    ):
        value = sign("StoredReceipt", replace(RECEIPT, desk=desk).encode(), identity(signer))
        assert v.validate_receipt(value, trust(), LATER) is reason


def test_receipt_is_bounded_and_in_order() -> None:
    other = StoredEvent(1, world().event.event_id, world().event.leaf)
    for entries in ((), (other, STORED), (STORED, STORED), (replace(STORED, event_id="x"),), (STORED,) * 4_097):
        with pytest.raises(EnvelopeError):
            replace(RECEIPT, entries=entries).encode()


def test_only_the_router_gives_dead_letter_notices() -> None:
    notice = DeadLetterNotice(T, b"header", (("a", bytes(32)),), Reason.TENANT_NOT_READY, LATER)
    value = sign("DeadLetterNotice", notice.encode(), identity("router"))
    assert v.validate_notice(value, trust(), LATER, tenant=T) == notice
    assert v.validate_notice(value, trust(), LATER, tenant="999997") is Reason.WRONG_TENANT
    value = sign("DeadLetterNotice", notice.encode(), identity("portal"))
    assert v.validate_notice(value, trust(), LATER) is Reason.UNTRUSTED


def test_destroyed_key_is_said_by_its_owner_and_waivers_by_the_administrator() -> None:
    record = KeyDestroyed("quarantine", 202604, bytes(8), LATER)
    waived = replace(record, waivers=(bytes(32),))

    def judged(what: KeyDestroyed, *signers: str) -> KeyDestroyed | Reason:
        value = sign("KeyDestroyed", what.encode(), *(identity(name) for name in signers))
        return v.validate_key_destroyed(value, trust(), LATER)

    assert judged(record, "operator") == record
    assert judged(record, "admin") is Reason.UNTRUSTED
    assert judged(waived, "operator") is Reason.UNTRUSTED
    assert judged(waived, "operator", "admin") == waived
    assert judged(replace(record, audience="nobody"), "operator") is Reason.UNTRUSTED
    with pytest.raises(EnvelopeError):
        KeyDestroyed.decode(replace(record, waivers=(bytes(32),) * 2).encode())


def test_report_counts_for_its_own_principal_and_namespace() -> None:
    entry = ReportEntry(T, world().event.event_id, world().event.leaf, "stored")
    report = RoleReport(REVIEW, NS, "stored", LATER, (entry,))
    value = sign("RoleReport", report.encode(), identity(REVIEW))
    assert v.validate_report(value, trust(), LATER) == report
    value = sign("RoleReport", report.encode(), identity("portal"))
    assert v.validate_report(value, trust(), LATER) is Reason.UNTRUSTED
    value = sign("RoleReport", replace(report, namespace="eltax").encode(), identity(REVIEW))
    assert v.validate_report(value, trust(), LATER) is Reason.WRONG_TOPIC
    assert v.validate_report(b"", trust(), LATER) is Reason.NOT_FRAMED
    for bad in (replace(report, part=2), replace(report, part=0)):
        with pytest.raises(EnvelopeError):
            RoleReport.decode(bad.encode())
    with pytest.raises(EnvelopeError):
        replace(report, entries=(entry,) * 20_001).encode()
