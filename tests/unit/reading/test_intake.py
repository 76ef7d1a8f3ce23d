"""A desk believes nobody: each way in which a record can lie is refused with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.envelope.inspection import routed_to
from hub.envelope.letters import Place
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.records import Checkpoint, CheckpointEntry, Confided, DeadLetterNotice, LetterResolved
from hub.envelope.sealed import build, parse
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import sign
from hub.reading.errors import KeyNotLoaded
from hub.reading.intake import (
    Arrived,
    DeskNoticed,
    Expectation,
    Intake,
    Listed,
    Noticed,
    Refused,
    Resolved,
    Skipped,
    session_named,
)
from hub.transport import KafkaRecord
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.consumers.world import (
    EPOCH,
    HELPDESK,
    NAMESPACE,
    NOW,
    NOW_MS,
    PARTITIONS,
    REVIEW,
    STATUS,
    TENANT,
    Event,
    Portal,
    World,
)
from topics import names

TOPIC = names.review(NAMESPACE, TENANT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def portal(world: World) -> Portal:
    return Portal(world)


def record(event: Event, keep: str | None = REVIEW) -> KafkaRecord:
    return KafkaRecord(TOPIC, event.header.partition, 7, 0, event.key, event.copy(keep))


def judged(world: World, given: KafkaRecord, audience: str | None = REVIEW) -> object:
    return world.intake(audience).take(given, NOW)


def reason(outcome: object) -> Reason:
    assert isinstance(outcome, Refused), outcome
    assert not outcome.authentic
    return outcome.reason


def test_own_section_is_opened(world: World, portal: Portal) -> None:
    event = portal.seal(1, review=b"for review", helpdesk=b"for helpdesk")
    outcome = judged(world, record(event))
    assert isinstance(outcome, Arrived)
    assert (outcome.plaintext, outcome.leaf, outcome.header) == (b"for review", event.out.leaf, event.header)
    outcome = judged(world, record(event, HELPDESK), HELPDESK)
    assert isinstance(outcome, Arrived)
    assert outcome.plaintext == b"for helpdesk"


def test_plaintext_is_not_shown_by_repr(world: World, portal: Portal) -> None:
    outcome = judged(world, record(portal.seal(1, review=b"for review")))
    assert "for review" not in repr(outcome)


def test_audit_sees_the_leaf_and_opens_nothing(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    outcome = judged(world, record(event, None), None)
    assert isinstance(outcome, Arrived)
    assert (outcome.plaintext, outcome.leaf) == (None, event.out.leaf)


@pytest.mark.parametrize("audience", [REVIEW, None])
def test_helpdesk_copy_is_refused_elsewhere(world: World, portal: Portal, audience: str | None) -> None:
    refused = reason(judged(world, record(portal.seal(1), HELPDESK), audience))
    assert refused in (Reason.STRIPPED_CIPHERTEXT, Reason.FOREIGN_CIPHERTEXT)


def test_stripped_copy_never_counts_as_delivered(world: World, portal: Portal) -> None:
    assert reason(judged(world, record(portal.seal(1), None))) is Reason.STRIPPED_CIPHERTEXT


def test_event_of_a_session_without_its_reader_is_not_taken_for_one_without_content(
    world: World, portal: Portal
) -> None:
    portal.secrets = SessionSecrets.create(
        producer="portal",
        instance="a",
        topic=names.submissions(NAMESPACE),
        tenant=TENANT,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        audiences=[world.audience_keys[name] for name in ("router", HELPDESK)],
        identity=world.identities["portal"],
    )
    world.sessions.known[portal.id] = portal.secrets.session
    header = portal.header(1)
    event = Event(header, portal.secrets.seal(header, {HELPDESK: b"helpdesk"}))
    assert reason(judged(world, record(event))) is Reason.NOT_ADDRESSED
    assert isinstance(judged(world, record(event, HELPDESK), HELPDESK), Arrived)
    assert isinstance(judged(world, record(event, None), None), Arrived)


def test_whole_event_with_foreign_ciphertexts_is_refused(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    given = replace(record(event), value=event.out.value)
    assert reason(judged(world, given)) is Reason.FOREIGN_CIPHERTEXT


Change = Callable[[KafkaRecord], KafkaRecord]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda r: replace(r, value=None), Reason.NOT_FRAMED),
        (lambda r: replace(r, value=b""), Reason.NOT_FRAMED),
        (lambda r: replace(r, value='{"decedent_name": "見本太郎"}'.encode()), Reason.NOT_FRAMED),
        (lambda r: replace(r, value=b"\x00\x00\x00\xff\xff" + r.value[5:]), Reason.FOREIGN_SCHEMA),
        (lambda r: replace(r, value=r.value[:-1]), Reason.TRUNCATED),
        (lambda r: replace(r, value=r.value[:60]), Reason.TRUNCATED),
        (lambda r: replace(r, value=r.value + b"\x00"), Reason.TRAILING_BYTES),
        (lambda r: replace(r, key=b"0190f3d4-0000-7000-8000-00000000ffff"), Reason.WRONG_KEY),
        (lambda r: replace(r, key=None), Reason.WRONG_KEY),
        (lambda r: replace(r, partition=(r.partition + 1) % PARTITIONS), Reason.WRONG_PARTITION),
    ],
)
def test_record_that_was_tampered_with_is_refused(
    world: World, portal: Portal, change: Change, expected: Reason
) -> None:
    assert reason(judged(world, change(record(portal.seal(1))))) is expected


def test_changed_ciphertext_is_refused(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    value = event.copy(REVIEW)
    ciphertext = parse(value).ciphertext(REVIEW)
    assert ciphertext is not None
    changed = value.replace(ciphertext, bytes([ciphertext[0] ^ 1]) + ciphertext[1:])
    assert reason(judged(world, replace(record(event), value=changed))) is Reason.DIGEST_MISMATCH


def test_changed_ciphertext_with_its_own_digest_is_refused(world: World, portal: Portal) -> None:
    """A router that forges a consistent record still cannot make the section open."""
    first, second = portal.seal(1), portal.seal(2)
    mine, other = parse(first.copy(REVIEW)), parse(second.copy(REVIEW))
    forged = build(mine.header, [(s.audience, s.digest, s.ciphertext) for s in other.sections], mine.mac)
    assert reason(judged(world, replace(record(first), value=forged))) is Reason.NOT_AUTHENTIC


def test_changed_header_does_not_open(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    value = event.copy(REVIEW).replace(b"heir-representative-designation", b"heir-representative-designatiox")
    assert reason(judged(world, replace(record(event), value=value))) is Reason.NOT_AUTHENTIC


def test_event_of_an_unknown_session_is_refused(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    world.sessions.known.clear()
    outcome = judged(world, record(event))
    assert reason(outcome) is Reason.UNKNOWN_SESSION
    assert isinstance(outcome, Refused)
    assert outcome.session == portal.id


def test_event_of_another_tenants_session_is_refused(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    foreign = replace(portal.secrets.session, tenant="131041")
    world.sessions.known[portal.id] = foreign
    assert reason(judged(world, record(event))) is Reason.WRONG_TENANT


def test_whole_event_of_another_tenant_is_refused(world: World) -> None:
    """Consistent in itself, and delivered to the wrong ward."""
    event = Portal(world, tenant="131041").seal(1)
    assert reason(judged(world, record(event))) is Reason.WRONG_TENANT


def test_event_that_names_the_wrong_partition_for_its_receipt_is_refused(world: World, portal: Portal) -> None:
    right = portal.header(1).partition
    event = portal.seal(1, partition=(right + 1) % PARTITIONS)
    assert reason(judged(world, record(event))) is Reason.WRONG_PARTITION


def test_event_of_a_session_for_another_topic_is_refused(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    world.sessions.known[portal.id] = replace(portal.secrets.session, topic="eltax.submissions")
    assert reason(judged(world, record(event))) is Reason.WRONG_TOPIC


def test_event_outside_its_sessions_time_is_refused(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    late = replace(portal.secrets.session, expires_at=NOW - timedelta(seconds=1))
    world.sessions.known[portal.id] = late
    assert reason(judged(world, record(event))) is Reason.PRODUCED_OUTSIDE_SESSION


def test_session_whose_secret_is_not_the_committed_one_is_refused(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    session = portal.secrets.session
    audiences = tuple(
        replace(each, commitment=bytes(32)) if each.audience == REVIEW else each for each in session.audiences
    )
    world.sessions.known[portal.id] = replace(session, audiences=audiences)
    assert reason(judged(world, record(event))) is Reason.COMMITMENT


def test_missing_own_key_asks_for_a_pause_and_gives_no_letter(world: World, portal: Portal) -> None:
    world.missing.add(REVIEW)
    with pytest.raises(KeyNotLoaded) as caught:
        judged(world, record(portal.seal(1)))
    assert caught.value.retriable


def test_destroyed_epoch_is_skipped(world: World, portal: Portal) -> None:
    world.missing.add(REVIEW)
    world.destroyed.add(EPOCH)
    assert isinstance(judged(world, record(portal.seal(1))), Skipped)


def test_a_key_that_arrives_later_is_found(world: World, portal: Portal) -> None:
    world.missing.add(REVIEW)
    intake = world.intake(REVIEW)
    given = record(portal.seal(1))
    with pytest.raises(KeyNotLoaded):
        intake.take(given, NOW)
    key = world.private[REVIEW]
    intake._secrets._store.held[REVIEW, EPOCH, key.key_id] = key  # type: ignore[attr-defined]
    assert isinstance(intake.take(given, NOW), Arrived)


def checkpoint_record(portal: Portal, partition: int) -> KafkaRecord:
    key, value = portal.checkpoint(partition)
    return KafkaRecord(TOPIC, partition, 9, 0, key, value)


def test_checkpoint_of_the_producer_is_taken(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    outcome = judged(world, checkpoint_record(portal, event.header.partition))
    assert isinstance(outcome, Listed)
    assert [entry.leaf for entry in outcome.checkpoint.entries] == [event.out.leaf]


def test_checkpoint_signed_by_another_is_refused(world: World, portal: Portal) -> None:
    body = Checkpoint(portal.id, 0, 0, (CheckpointEntry(bytes(32)),), None, NOW).encode()
    for signer in ("router", REVIEW):
        value = sign(Checkpoint.RECORD, body, world.identities[signer])
        given = KafkaRecord(TOPIC, 0, 1, 0, Checkpoint.decode(body).key.encode(), value)
        assert reason(judged(world, given)) in (Reason.BAD_SIGNATURE, Reason.UNTRUSTED)


def test_checkpoint_on_another_partition_or_key_is_refused(world: World, portal: Portal) -> None:
    given = checkpoint_record(portal, 0)
    assert reason(judged(world, replace(given, partition=1))) is Reason.WRONG_PARTITION
    assert reason(judged(world, replace(given, key=b"checkpoint/x"))) is Reason.WRONG_KEY


def test_checkpoint_of_an_unknown_session_is_refused(world: World, portal: Portal) -> None:
    given = checkpoint_record(portal, 0)
    world.sessions.known.clear()
    assert reason(judged(world, given)) is Reason.UNKNOWN_SESSION


def test_notice_of_the_router_names_the_leaf(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    outcome = judged(world, world.notice(TOPIC, event))
    assert isinstance(outcome, Noticed)
    assert outcome.leaf == event.out.leaf


def test_notice_of_anybody_else_is_refused(world: World, portal: Portal) -> None:
    world.identities["router"] = world.identities["portal"]
    refused = reason(judged(world, world.notice(TOPIC, portal.seal(1))))
    assert refused in (Reason.BAD_SIGNATURE, Reason.UNTRUSTED)


def word(
    world: World, tenant: str | None, signer: str = "operator", key: bytes | None = None, *, told: bool = True
) -> KafkaRecord:
    letter = Place(names.dead_letters(NAMESPACE, "router"), 1, 7)
    confided = Confided(bytes(32), bytes(32), None, "operator-1", "an incident is open")
    said = LetterResolved(
        letter, letter, Reason.BAD_MAC, NOW, tenant, None, "forged", None, 0, None, confided, NOW
    )  # fmt: skip
    name, body = (said.TOLD, said.tell()) if told else (said.RECORD, said.encode())
    value = sign(name, body, world.identities[signer])
    return KafkaRecord(TOPIC, 1, 0, NOW_MS, said.key.encode() if key is None else key, value)


def with_words(world: World, given: KafkaRecord, **change: Any) -> object:
    expected = Expectation(TENANT, Kind.SUBMISSION, names.submissions(NAMESPACE), routed_to(REVIEW), **change)
    intake = Intake(
        REVIEW, lambda _: expected, lambda _: PARTITIONS, world.sessions, world.secrets(REVIEW), lambda: world.trust
    )
    return intake.take(given, NOW)


def test_the_operators_word_is_taken_where_it_belongs_and_from_nobody_else(world: World) -> None:
    told, bare = LetterResolved.TOLD, LetterResolved.RECORD
    for tenant in (TENANT, None):
        outcome = with_words(world, word(world, tenant), resolutions=told)
        assert isinstance(outcome, Resolved) and outcome.said.tenant == tenant
        assert outcome.said.opened is not None and outcome.said.opened.actor == "operator-1"
        outcome = with_words(world, word(world, tenant, told=False), resolutions=bare)
        assert isinstance(outcome, Resolved) and outcome.said.opened is None
    assert reason(with_words(world, word(world, TENANT), resolutions=bare)) is Reason.FOREIGN_SCHEMA
    assert reason(with_words(world, word(world, TENANT, told=False), resolutions=told)) is Reason.FOREIGN_SCHEMA
    assert reason(with_words(world, word(world, "131041"), resolutions=told)) is Reason.WRONG_TENANT
    assert reason(with_words(world, word(world, TENANT, "router"), resolutions=told)) is Reason.UNTRUSTED
    assert reason(with_words(world, word(world, TENANT, key=b"resolved/x"), resolutions=told)) is Reason.WRONG_KEY
    assert reason(with_words(world, word(world, TENANT), notices=True)) is Reason.FOREIGN_SCHEMA


def test_a_desks_notice_counts_on_its_own_topic_and_explains_nothing(
    world: World, portal: Portal, attack: Attack
) -> None:
    tried = attack(Attacker.BROKER, "puts a desk's signed word under another Kafka key, or under none")
    event = portal.seal(1)
    sealed = parse(event.out.value)
    body = DeadLetterNotice(TENANT, sealed.header, sealed.digests, Reason.PLAINTEXT_INVALID, NOW).encode()

    own = b"notice/" + event.out.leaf.hex().encode()

    def said(by: str, key: bytes | None = own) -> KafkaRecord:
        value = sign(DeadLetterNotice.RECORD, body, world.identities[by])
        return KafkaRecord(STATUS, event.header.partition, 0, NOW_MS, key, value)

    outcome = with_words(world, said(REVIEW), noticing=REVIEW)
    assert isinstance(outcome, DeskNoticed)
    assert (outcome.desk, outcome.leaf, outcome.header) == (REVIEW, event.out.leaf, event.header)
    for key in (event.key, None):
        assert reason(with_words(world, said(REVIEW, key), noticing=REVIEW)) is Reason.WRONG_KEY
    tried.prevented(by="every reader", how=f"dead letter `{Reason.WRONG_KEY}`", within="the same record")
    for other in ("router", HELPDESK, "operator"):
        assert reason(with_words(world, said(other), noticing=REVIEW)) is Reason.UNTRUSTED
    assert reason(with_words(world, said(REVIEW))) is Reason.FOREIGN_SCHEMA
    assert reason(with_words(world, said(REVIEW), notices=True)) is Reason.UNTRUSTED, "it is not the router"


def test_session_record_on_an_event_topic_is_refused(world: World, portal: Portal) -> None:
    given = KafkaRecord(TOPIC, 0, 0, 0, portal.id.hex().encode(), portal.secrets.signed)
    assert reason(judged(world, given)) is Reason.FOREIGN_SCHEMA


def test_named_session_is_read_without_judging(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    assert session_named(event.out.value) == portal.id
    assert session_named(checkpoint_record(portal, 0).value) == portal.id
    for nothing in (None, b"", b"\x00\x00\x00\x00\x01", b"plain", event.out.value[:40]):
        assert session_named(nothing) is None


def test_every_prefix_and_bit_flip_is_refused_without_raising(world: World, portal: Portal) -> None:
    event = portal.seal(1)
    intake = world.intake(REVIEW)
    value = event.copy(REVIEW)
    given = record(event)
    for length in range(0, len(value), 7):
        assert isinstance(intake.take(replace(given, value=value[:length]), NOW), Refused)
    taken = []
    for place in range(len(value)):
        changed = bytearray(value)
        changed[place] ^= 0x10
        outcome = intake.take(replace(given, value=bytes(changed)), NOW)
        if isinstance(outcome, Arrived):
            taken.append(outcome)
    # The mac is the router's to check. Another audience's digest changes the leaf: such a row is never
    # confirmed by a checkpoint, and is an alarm beside the true one.
    assert [outcome.leaf == event.out.leaf for outcome in taken].count(True) == 32
    assert [outcome.leaf == event.out.leaf for outcome in taken].count(False) == 32
