"""The audit desk over its topics: what it enters into its log, and what it alarms about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from consumers.audit.codec import Statement, decode
from consumers.audit.entries import Place as Entered
from consumers.audit.entries import SessionEntry
from consumers.audit.judge import Announcements, AuditJudge, resume
from consumers.audit.signatures import SignatureRules
from consumers.audit.tree import Tree
from consumers.audit.verify import Verification, verify
from consumers.store.sql import SqlStore
from hub.crypto.identity import IdentityKey
from hub.envelope.inspection import PRODUCED, STRIPPED
from hub.envelope.letters import Place
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.records import Confided, DeadLetterNotice, LetterResolved, RefusedEvent, StoredEvent, StoredReceipt
from hub.envelope.resolutions import receipt_fingerprint
from hub.envelope.sealed import parse
from hub.envelope.signed import Signed, sign
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Alarm, LogExtended
from hub.reading.at_hand import SessionsAtHand
from hub.reading.intake import Expectation, Intake
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit.consumers.world import (
    AUDIT,
    NAMESPACE,
    NOW,
    PARTITIONS,
    REVIEW,
    STATUS,
    TENANT,
    Event,
    ListWriter,
    Portal,
    World,
)
from topics import names

TOPIC = names.audit(NAMESPACE, TENANT)
SESSIONS = names.sessions(NAMESPACE)
LETTERS = names.dead_letters(NAMESPACE, AUDIT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def store(world: World) -> Iterator[SqlStore]:
    opened = world.store(AUDIT)
    yield opened
    opened.close()


def announce(world: World, portal: Portal) -> None:
    world.topics.append(SESSIONS, 0, portal.id.hex().encode(), portal.secrets.signed)


def close(world: World, portal: Portal) -> None:
    world.topics.append(SESSIONS, 0, *portal.close())


def checkpoints(world: World, portal: Portal) -> None:
    for partition in range(PARTITIONS):
        world.topics.append(TOPIC, partition, *portal.checkpoint(partition))


def receipt(world: World, *events: Event, desk: str = REVIEW) -> None:
    for event in events:
        header = event.header
        stored = (StoredEvent(header.sequence, header.event_id, event.out.leaf),)
        made = StoredReceipt(header.session, header.partition, TENANT, REVIEW, stored, NOW)
        value = sign(StoredReceipt.RECORD, made.encode(), world.identities[desk])
        world.topics.append(STATUS, header.partition, made.key.encode(), value)


def judge(world: World, store: SqlStore) -> AuditJudge:
    routed = Expectation(
        TENANT, Kind.SUBMISSION, names.submissions(NAMESPACE), STRIPPED, notices=True, resolutions="LetterResolved"
    )
    status = Expectation(TENANT, Kind.STATUS, STATUS, PRODUCED, receipts=True, noticing=REVIEW)
    sessions = SessionsAtHand(world.sessions)
    intake = Intake(
        None,
        {TOPIC: routed, STATUS: status}.__getitem__,
        lambda _: PARTITIONS,
        sessions,
        world.secrets(REVIEW),
        lambda: world.trust,
    )
    return AuditJudge(
        intake,
        Announcements(TENANT, sessions, lambda: world.trust),
        [SESSIONS],
        Tree.load(TENANT, world.identities[AUDIT], store),
        resume(store),
        world.letters(AUDIT),
        sessions.prepare,
        store.unknown,
    )


async def run(world: World, store: SqlStore, until: Callable[[], bool] | None = None) -> None:
    engine = world.engine(AUDIT, judge(world, store), store)
    reader = world.reader([TOPIC, STATUS, SESSIONS], await engine.places())
    stop = asyncio.Event()

    def done() -> bool:
        total = sum(
            len(lane) for (topic, _), lane in world.topics.records.items() if topic in (TOPIC, STATUS, SESSIONS)
        )
        return sum(store.positions().values()) == total and not store.waiting_count()

    async def watch() -> None:
        async with asyncio.timeout(20):
            while not (until or done)():  # noqa: ASYNC110 - facts and rows have no event to wait for
                await asyncio.sleep(0.01)
        stop.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run(reader, ListWriter(world.topics), stop))
        tasks.create_task(watch())


def checked(world: World, store: SqlStore, later: timedelta = timedelta()) -> Verification:
    rules = SignatureRules(world.trust, AUDIT)
    now_ms = world.now_ms + int(later.total_seconds() * 1_000)
    return verify(store, rules.statement_holds, rules.head_holds, now_ms)


def alarms(world: World) -> set[str]:
    return {fact.code for fact in world.told(Alarm)}  # type: ignore[attr-defined]


async def test_a_whole_session_is_verified_to_the_end(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    events = [portal.seal(n) for n in range(20)]
    world.route(TOPIC, None, *events)
    checkpoints(world, portal)
    close(world, portal)
    receipt(world, *events)
    await run(world, store)
    found = checked(world, store, timedelta(hours=2))
    assert found.verified, found
    assert (found.troubles, found.damage) == ({}, ())
    assert (found.events, found.checkpoints, found.gaps, found.duplicates, found.unconfirmed) == (
        20, PARTITIONS, 0, 0, 0,
    )  # fmt: skip
    assert found.size == 20 + PARTITIONS + 2 + 20
    assert found.receipted == 20
    assert not world.told(Alarm)
    assert LogExtended(TENANT, found.size) in world.facts


async def test_log_goes_on_after_a_restart(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    for part in range(3):
        world.route(TOPIC, None, *(portal.seal(part * 10 + n) for n in range(10)))
        checkpoints(world, portal)
        await run(world, store)
    close(world, portal)
    await run(world, store)
    found = checked(world, store)
    assert (found.verified, found.events, found.checkpoints) == (True, 30, 3 * PARTITIONS)


async def test_repeats_are_counted_and_do_not_break_the_proof(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    events = [portal.seal(n) for n in range(5)]
    world.route(TOPIC, None, *events, *events)
    checkpoints(world, portal)
    await run(world, store)
    found = checked(world, store)
    assert (found.verified, found.events, found.duplicates) == (True, 5, 5)
    assert store.counts()["replays"] == 5


async def test_withheld_event_and_withheld_checkpoint_are_found(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    first, second = portal.seal(1), portal.seal(2)
    world.route(TOPIC, None, first)
    checkpoints(world, portal)
    third = portal.seal(3)
    world.route(TOPIC, None, third)
    portal.checkpoint(third.header.partition)
    close(world, portal)
    await run(world, store)
    found = checked(world, store, timedelta(minutes=2))
    assert not found.verified
    assert found.troubles == {"checkpoint-gap": 1, "missing-event": 1, "unconfirmed-event": 1}
    assert (found.gaps, found.unconfirmed) == (2, 1)
    assert second.out.leaf not in {row.event.leaf for row in store.events()}


async def test_gap_alarms_when_it_stays(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    event = portal.seal(1)
    world.route(TOPIC, None, event)
    portal.checkpoint(event.header.partition)
    close(world, portal)
    await run(world, store, lambda: Alarm("checkpoint-gap", AUDIT) in world.facts)


async def test_gap_is_still_known_after_a_restart(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    event = portal.seal(1)
    world.route(TOPIC, None, event)
    portal.checkpoint(event.header.partition)
    close(world, portal)
    await run(world, store)
    world.facts.clear()
    await run(world, store, lambda: Alarm("checkpoint-gap", AUDIT) in world.facts)


async def test_notice_explains_a_missing_event(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    lost = portal.seal(1)
    world.notice(TOPIC, lost)
    checkpoints(world, portal)
    close(world, portal)
    await run(world, store)
    found = checked(world, store, timedelta(minutes=2))
    assert (found.verified, found.troubles, found.noticed) == (True, {}, 1)
    assert store.overdue(world.now_ms + 61_000).explained == 1
    world.route(TOPIC, None, lost)
    await run(world, store)
    assert checked(world, store).noticed == 0, "it came after all"
    assert "dead-letter-notice" in alarms(world)


async def test_forged_receipt_and_plaintext_become_letters_and_entries(
    world: World, store: SqlStore, attack: Attack
) -> None:
    tried = attack(Attacker.OUTSIDER, "completes the 個人番号 of a refused plaintext by trying, from a published log")
    portal = Portal(world)
    announce(world, portal)
    event = portal.seal(1)
    world.route(TOPIC, None, event)
    receipt(world, event, desk="portal")
    world.topics.append(TOPIC, 0, b"key", "見本太郎".encode())
    await run(world, store)
    found = checked(world, store)
    assert found.troubles["refused-record"] == 2
    assert len(world.topics.all(LETTERS)) == 2
    assert found.receipted == 0
    files = b"".join(file.read_bytes() for file in world.directory.iterdir())
    assert "見本太郎".encode() not in files
    logged = b"".join(each for _, _, each in store.log_entries())
    assert sha256("見本太郎".encode()).digest() not in logged, "a log that is published confirms no guess"
    forged = [each.value or b"" for each in world.topics.all(STATUS)]
    assert any(sha256(each).digest() in logged for each in forged), "what is signed can be told by its digest"
    tried.prevented(by="audit desk", how="no digest of what may be a plaintext is entered", within="the same entry")


async def test_copy_with_a_ciphertext_is_refused_by_audit(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    world.route(TOPIC, REVIEW, portal.seal(1))
    await run(world, store)
    assert store.events() == []
    assert len(world.topics.all(LETTERS)) == 1


async def test_receipt_for_an_event_that_never_passed_is_found(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    receipt(world, portal.seal(1))
    await run(world, store)
    found = checked(world, store)
    assert not found.verified
    assert found.troubles == {"receipt-without-event": 1}
    assert not world.told(Alarm)


async def test_receipt_for_an_event_that_stays_away_alarms(world: World, store: SqlStore, attack: Attack) -> None:
    tried = attack(Attacker.ROUTER, "passes an event to the review desk and not to the audit log", Verdict.DETECTED)
    portal = Portal(world)
    announce(world, portal)
    come, gone = portal.seal(1), portal.seal(2)
    receipt(world, come, gone)
    world.route(TOPIC, None, come)

    def later() -> bool:
        if sum(store.positions().values()) == 4:
            world.now_ms += 61_000
        return Alarm("receipt-without-event", AUDIT) in world.facts

    await run(world, store, later)
    tried.detected(by="audit desk", how="alarm `receipt-without-event`", within="60 s")


async def test_an_event_that_was_made_up_and_dated_ahead_is_found_by_verifying(
    world: World, store: SqlStore, attack: Attack
) -> None:
    row = attack(Attacker.ROUTER, "dates a made-up event ahead, so that it counts as just arrived", Verdict.DETECTED)
    portal = Portal(world)
    announce(world, portal)
    invented = portal.seal(1)
    del portal.leaves[invented.header.partition][:]
    (record,) = world.route(TOPIC, None, invented)
    lane = world.topics.records[record.topic, record.partition]
    lane[-1] = replace(record, timestamp_ms=world.now_ms + 365 * 24 * 3_600_000)
    close(world, portal)
    await run(world, store)
    found = checked(world, store)
    assert not found.verified and found.troubles["unconfirmed-event"] == 1
    row.detected(by="`audit verify`", how="`unconfirmed-event`", within="11 minutes")


async def test_session_chain_is_checked(world: World, store: SqlStore) -> None:
    first = Portal(world)
    second = Portal(world, previous=first.id)
    announce(world, second)
    await run(world, store)
    assert checked(world, store).troubles == {"missing-predecessor": 1}
    announce(world, first)
    await run(world, store)
    assert checked(world, store).troubles == {"missing-close": 1}
    first.seal(1)
    close(world, first)
    await run(world, store)
    assert checked(world, store).troubles == {}


async def test_second_leaf_for_an_id_alarms_and_fails_the_verification(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    world.route(TOPIC, None, portal.seal(1), portal.seal(1, review=b"other"))
    checkpoints(world, portal)
    await run(world, store)
    found = checked(world, store)
    assert (found.verified, found.troubles) == (False, {"second-leaf": 1})
    assert "second-leaf" in alarms(world)


async def test_other_tenants_sessions_are_not_entered(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    announcements = Announcements("131041", world.sessions, lambda: world.trust)
    record = world.topics.all(SESSIONS)[0]
    assert announcements.take(record, NOW) is None


async def test_a_forked_line_of_sessions_is_found(world: World, store: SqlStore, attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "starts two sessions after the same one, each for other readers", Verdict.DETECTED)
    first = Portal(world)
    announce(world, first)
    close(world, first)
    for _ in range(2):
        following = Portal(world, previous=first.id)
        announce(world, following)
        close(world, following)
    await run(world, store, lambda: Alarm("session-fork", AUDIT) in world.facts)
    found = checked(world, store)
    assert (found.verified, found.troubles) == (False, {"session-fork": 1})
    tried.detected(by="audit desk", how="alarm `session-fork`; `audit verify` fails", within="60 s")


async def test_forged_session_is_refused(world: World, store: SqlStore) -> None:
    world.identities["portal"] = world.identities[REVIEW]
    announce(world, Portal(world))
    await run(world, store)
    assert checked(world, store).troubles["refused-record"] == 1
    assert "refused-record" in alarms(world)


def test_signature_rules_want_the_right_signer(world: World) -> None:
    rules = SignatureRules(world.trust, AUDIT)
    portal = Portal(world)
    signed = Signed.parse(portal.secrets.signed)
    known: Mapping[bytes, SessionEntry] = {}
    place = Entered(SESSIONS, 0, 0, 0)
    assert rules.statement_holds(Statement(place, "Session", signed), known)
    key, value = portal.close()
    close_ = Statement(place, "SessionClose", Signed.parse(value))
    assert key
    assert not rules.statement_holds(close_, known)  # its session was never entered


def test_year_old_and_later_revoked_keys_still_verify_what_they_signed(world: World) -> None:
    portal = Portal(world)
    signed = Signed.parse(portal.secrets.signed)
    statement = Statement(Entered(SESSIONS, 0, 0, 0), "Session", signed)
    admin = IdentityKey.generate()
    key = world.identities["portal"]

    def holds(revoked_at: datetime) -> bool:
        builder = TrustBuilder.following(world.trust).audience(REVIEW, minimum_epoch=209901)
        builder.revoke(key.key_id, revoked_at)
        trust = Trust.load(builder.sign(NOW, admin), admin.public)
        return SignatureRules(trust, AUDIT).statement_holds(statement, {})

    assert holds(NOW + timedelta(days=1))
    assert not holds(NOW - timedelta(days=1))


def word(world: World, event: Event, *, signer: str = "operator", origin: str = "", discard: bool = True) -> None:
    """The operator's word on a letter about an event, on the audit topic."""
    header = event.header
    origin = origin or names.submissions(NAMESPACE)
    said = LetterResolved(
        letter=Place(names.dead_letters(NAMESPACE, "router"), header.partition, header.sequence),
        origin=Place(origin, header.partition, header.sequence),
        refused=Reason.UNKNOWN_SESSION,
        refused_at=NOW,
        tenant=TENANT,
        event=RefusedEvent(header.event_id, event.out.leaf),
        reason="damaged" if discard else None,
        replayed_to=None if discard else 70,
        generation=0,
        former=None,
        confided=Confided(
            bytes(32),
            bytes(32),
            receipt_fingerprint(header.receipt_number),
            "operator-1",
            "a line fault" if discard else None,
        ),
        resolved_at=NOW,
    )
    value = sign(said.RECORD, said.encode(), world.identities[signer])
    world.topics.append(TOPIC, header.partition, said.key.encode(), value)


async def test_a_discard_is_kept_as_it_was_signed_and_explains_the_missing_event(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    came, never, replayed = (portal.seal(n) for n in range(3))
    world.route(TOPIC, None, came)
    word(world, never)
    word(world, replayed, discard=False)
    checkpoints(world, portal)
    close(world, portal)
    await run(world, store)
    found = checked(world, store)
    assert not found.verified and found.troubles == {"missing-event": 1}, "a replay explains nothing: it must arrive"
    world.route(TOPIC, None, replayed)
    await run(world, store)
    found = checked(world, store)
    assert found.verified and found.damage == ()
    assert (found.discarded, found.replayed, found.gaps) == (1, 1, 0)
    assert Alarm("letter-discarded", "damaged") in world.facts
    logged = [each for _, kind, each in store.log_entries() if kind == "statement"]
    assert sum(b"LetterResolved" in each for each in logged) == 2, "the log holds the statements with their signatures"
    assert not any(b"operator-1" in each or b"a line fault" in each for each in logged), (
        "but not who and in which words"
    )
    resumed = resume(store)
    assert resumed.checkpoints == PARTITIONS


async def test_a_discard_at_another_desk_explains_nothing_here(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    never = portal.seal(1)
    word(world, never, origin=names.review(NAMESPACE, TENANT))
    checkpoints(world, portal)
    await run(world, store)
    assert checked(world, store).troubles["missing-event"] == 1


async def test_a_discard_that_another_signed_is_refused(world: World, store: SqlStore, attack: Attack) -> None:
    tried = attack(Attacker.ROUTER, "signs that the operator discarded what it dropped")
    portal = Portal(world)
    announce(world, portal)
    never = portal.seal(1)
    word(world, never, signer="router")
    checkpoints(world, portal)
    await run(world, store)
    found = checked(world, store)
    assert (found.discarded, found.troubles["refused-record"], found.troubles["missing-event"]) == (0, 1, 1)
    assert store.resolutions() == []
    tried.prevented(by="audit desk", how="dead letter `untrusted`; the event stays `missing-event`", within="its batch")


async def test_a_word_in_the_log_whose_signature_was_replaced_is_found(world: World, store: SqlStore) -> None:
    portal = Portal(world)
    announce(world, portal)
    word(world, portal.seal(1))
    await run(world, store)
    rules = SignatureRules(world.trust, AUDIT)
    (statement,) = [
        each
        for _, kind, framed in store.log_entries()
        if kind == "statement" and (each := decode(kind, framed)[1]) is not None and each.name == "LetterResolved"
    ]
    assert rules.statement_holds(statement, {})
    body = statement.signed.body
    forged = Signed.parse(sign("LetterResolved", body, world.identities["router"]))
    assert not rules.statement_holds(Statement(statement.place, statement.name, forged), {})


async def test_a_desks_word_that_it_refused_an_event_is_kept_and_explains_nothing(
    world: World, store: SqlStore
) -> None:
    portal = Portal(world)
    announce(world, portal)
    event = portal.seal(1)
    sealed = parse(event.out.value)
    body = DeadLetterNotice(TENANT, sealed.header, sealed.digests, Reason.PLAINTEXT_INVALID, NOW).encode()
    value = sign(DeadLetterNotice.RECORD, body, world.identities[REVIEW])
    world.topics.append(STATUS, event.header.partition, b"notice/" + event.out.leaf.hex().encode(), value)
    checkpoints(world, portal)
    await run(world, store)
    found = checked(world, store)
    assert found.damage == (), "its signature is asked again by `verify`"
    assert found.troubles["missing-event"] == 1, "that the review desk refused it does not explain why audit lacks it"
    assert Alarm("desk-refused", "plaintext-invalid") in world.facts
    assert store.notices() == []
