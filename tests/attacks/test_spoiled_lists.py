"""What the administrator and the keys' owners publish, spoiled byte by byte; and every way to make readers step back.

Keys and lists lie on compacted topics, where the newest value of a key is the one: so what is spoiled is read from
the topic with the role's own certificate, and the role's own directory is asked after each single record.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.envelope.declared import AppliedDeclaration
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey, KeyDestroyed
from hub.envelope.sealed import build, parse
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Alarm, Fact
from hub.producing.errors import AudienceKeyMissing
from hub.producing.key_directory import KeyDirectory
from hub.reading.audiences import AudienceDirectory
from hub.reading.control import TRUST_KEY, Control
from hub.role import Role
from hub.transport import KafkaRecord, Outgoing, PartitionReader
from schemas.errors import HubError
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.attacks.spoiling import Sweep, cuts, flips, spoil
from tests.broker.router_stage import PARTITIONS, Event, Session, Stage, until_letters, until_routed
from tests.kafka import TestKafka, fresh_namespace
from topics import declaration, names

pytestmark = pytest.mark.broker

REVIEW = "review-131041"


@pytest.fixture
async def stage(kafka: TestKafka, tmp_path: Path) -> Stage:
    return await Stage.prepare(kafka, fresh_namespace(), tmp_path)


def now() -> datetime:
    return datetime.now(UTC)


class OneByOne:
    """The reader of a compacted topic that gives its records one at a time."""

    def __init__(self, records: list[KafkaRecord]) -> None:
        self.records = records

    async def read_to_end(self) -> list[KafkaRecord]:
        return [self.records.pop(0)] if self.records else []


async def _read(stage: Stage, role: Role, topic: str) -> list[KafkaRecord]:
    async with PartitionReader(role.endpoint, {(topic, 0): None}) as reader:
        return await reader.read_to_end()


async def _spoiled(stage: Stage, key: bytes, value: bytes) -> tuple[Sweep, list[KafkaRecord]]:
    """Write spoiled forms to the topic of keys and then the good one; return what a portal reads there."""
    topic = names.audiences(stage.namespace)
    sweep = await spoil(stage, "admin", topic, 0, key, value)
    await stage.write(topic, 0, [Outgoing(key, value)], "admin")
    return sweep, [each for each in await _read(stage, stage.role("portal"), topic) if each.key == key]


async def test_spoiled_audience_key_is_no_key(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of a published audience key, or cuts it")
    assert stage.enrolled is not None
    announced = stage.audience_key(REVIEW)
    ((key, value),) = [(k.encode(), v) for k, v in stage.enrolled.audience_keys if k == announced.key]
    sweep, records = await _spoiled(stage, key, value)
    role, facts = stage.role("portal"), list[Fact]()
    reader = OneByOne([])
    producing = KeyDirectory(reader, lambda: role.trust, lambda _: None, facts.append)
    reading = AudienceDirectory(role.endpoint, names.audiences(stage.namespace), lambda: role.trust, now)
    spoiled = 0
    for record in records:
        reader.records.append(record)
        reading._take(record)
        if record.offset in sweep.written:
            spoiled += 1
            with pytest.raises(AudienceKeyMissing):
                await producing.current([REVIEW], now())
            assert reading.announced(REVIEW, announced.epoch) == ()
            assert reading.current(REVIEW) is None
        else:
            assert [each.key for each in await producing.current([REVIEW], now())] == [announced]
            assert reading.announced(REVIEW, announced.epoch) == (announced,)
    assert spoiled == sweep.count > 1_000
    assert {fact.code for fact in facts if isinstance(fact, Alarm)} == {"audience-key.refused"}
    tried.prevented(
        by="producers and every reader",
        how="the key does not count: alarm `audience-key.refused`, and nothing is sealed to the audience",
        within="at once",
    )


async def test_spoiled_word_of_a_destroyed_key_erases_nothing(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of the word that a key was destroyed, or cuts it")
    announced = stage.audience_key(REVIEW)
    said = KeyDestroyed(REVIEW, announced.epoch, announced.key_id, now())
    value = sign(KeyDestroyed.RECORD, said.encode(), stage.role(REVIEW).identity)
    topic, key = names.audiences(stage.namespace), said.key.encode()
    sweep, records = await _spoiled(stage, key, value)
    assert stage.enrolled is not None
    role = stage.role("portal")
    directory = AudienceDirectory(role.endpoint, topic, lambda: role.trust, now)
    for known in await _read(stage, role, topic):
        if known.key == announced.key.encode():
            directory._take(known)
    gone = []
    for record in records:
        directory._take(record)
        gone.append(directory.destroyed(REVIEW, announced.epoch))
    assert gone == [False] * sweep.count + [True]
    tried.prevented(by="every reader", how="the key is not gone; its events are no erased ones", within="at once")


def _newer(stage: Stage, role: Role, by: int = 1) -> bytes:
    builder = TrustBuilder.following(role.trust).at_least(role.trust.serial + by)
    return builder.sign(now(), stage.role("admin").identity)


def _declared(stage: Stage, serial: int) -> bytes:
    text = declaration.read()
    return AppliedDeclaration(stage.namespace, serial, now(), PARTITIONS, text).sign(stage.role("admin").identity)


async def test_spoiled_trust_list_changes_nothing(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of a newer trust list or declaration, or cuts it")
    older = attack(Attacker.BROKER, "offers an older trust list, or a second one under the same serial")
    role, facts = stage.role("review-131041"), list[Fact]()
    before, value = role.trust, _newer(stage, role, by=2)
    for each in (*flips(value, every_bit=False), *cuts(value, every_one=False)):
        with pytest.raises(HubError) as refused:
            role.take_trust(each.value)
        assert refused.value.code == "trust.refused", (each.at, each.bit)
    assert role.trust is before
    control = Control(role, facts.append)
    topic = names.control(stage.namespace)

    async def offer(text: bytes) -> list[str]:
        facts.clear()
        await stage.write(topic, 0, [Outgoing(TRUST_KEY, text)], "admin")
        await control.refresh()
        return [fact.code for fact in facts if isinstance(fact, Alarm)]

    for each in list(flips(value, every_bit=False))[:: len(value) // 12]:
        assert await offer(each.value) == ["trust.refused"]
    assert role.trust is before
    assert await offer(value) == []
    assert role.trust.serial == before.serial + 2
    taken = role.trust
    old = TrustBuilder.following(before).sign(now(), stage.role("admin").identity)
    assert await offer(old) == ["trust.rolled-back"]
    second = (
        TrustBuilder.following(before)
        .at_least(taken.serial)
        .sign(now() + timedelta(seconds=1), stage.role("admin").identity)
    )
    assert await offer(second) == ["trust.rolled-back"]
    assert role.trust is taken
    applied, topology = _declared(stage, 5), role.topology
    for each in (*flips(applied, every_bit=False), *cuts(applied, every_one=False)):
        with pytest.raises(HubError) as refused:
            role.take_declaration(each.value)
        assert refused.value.code == "declaration.refused", (each.at, each.bit)
    assert role.topology is topology
    assert role.take_declaration(applied)
    with pytest.raises(HubError) as refused:
        role.take_declaration(_declared(stage, 4))
    assert refused.value.code == "trust.rolled-back"
    await control.close()
    tried.prevented(
        by="every role", how="alarm `trust.refused`, `declaration.refused`; what it has holds", within="1 s"
    )
    older.prevented(by="every role", how="alarm `trust.rolled-back`; the list that it has holds", within="1 s")


def _with_x25519(stage: Stage) -> SessionSecrets:
    """A portal's session whose review secret is sealed with X25519 alone, where the trust list demands the hybrid."""
    weak = AudiencePrivateKey.generate(Suite.X25519)
    demanded = stage.audience_key(REVIEW)
    begin, end = epoch_bounds(demanded.epoch)
    key = AudienceKey(REVIEW, demanded.epoch, weak.key_id, Suite.X25519, weak.public, begin, end)
    portal, at = stage.role("portal"), now() - timedelta(minutes=5)
    return SessionSecrets.create(
        producer="portal",
        instance=portal.instance,
        topic=names.submissions(stage.namespace),
        tenant="131041",
        created_at=at,
        expires_at=at + timedelta(hours=2),
        audiences=[key, *(stage.audience_key(name) for name in ("router", "helpdesk-131041"))],
        identity=portal.identity,
    )


def _later_versions(session: Session) -> dict[str, tuple[Event, bytes]]:
    """Events as a later version might write them: what we cannot know in each place where a schema id stands."""
    unknown = b"\x00\x7f\x00\x00\x01"
    events = {name: session.seal(number) for number, name in enumerate(("outer", "header"))}
    outer, header = (parse(events[name].out.value) for name in ("outer", "header"))
    sections = [(each.audience, each.digest, each.ciphertext) for each in header.sections]
    return {
        "outer": (events["outer"], unknown + outer.value[5:]),
        "header": (events["header"], build(unknown + header.header[5:], sections, header.mac)),
    }


async def test_steps_back_and_steps_too_far_are_refused_and_can_be_replayed(stage: Stage, attack: Attack) -> None:
    """Another suite, an older epoch, a later version: each has its code, is kept whole, and is good once allowed."""
    weaker = attack(Attacker.PORTAL, "seals a session with X25519 alone, where the trust list demands the hybrid suite")
    older = attack(Attacker.PORTAL, "seals a session to keys of an epoch below the minimum")
    later = attack(Attacker.PORTAL, "writes events of a version that nobody knows yet")
    session, downgraded = await Session(stage).announce(), Session(stage)
    downgraded.secrets = _with_x25519(stage)
    await downgraded.announce()
    router, admin = stage.role("router"), stage.role("admin").identity
    weak, good = downgraded.seal(100), session.seal(101)
    unknown = _later_versions(session)
    records = [(event.partition, Outgoing(event.key, value)) for event, value in unknown.values()]
    async with stage.router():
        await stage.submit(weak, *records, good)
        letters = await until_letters(stage, 3)
        assert {letter.reason for letter in letters} == {Reason.SUITE, Reason.FOREIGN_SCHEMA, Reason.UNKNOWN_SCHEMA}
        await until_routed(stage, 1)
        contents = {stage.opened(letter).key: stage.opened(letter).value for letter in letters}
        for event, value in unknown.values():
            assert contents[event.key] == value, "whole, for the software that knows it"
        router.take_trust(
            TrustBuilder.following(router.trust)
            .audience(REVIEW, suites=[Suite.HYBRID, Suite.X25519])
            .sign(now(), admin)
        )
        await stage.write(names.submissions(stage.namespace), weak.partition, [weak.outgoing], "operator")
        await until_routed(stage, 2)
        epoch = stage.audience_key(REVIEW).epoch
        router.take_trust(
            TrustBuilder.following(router.trust).audience(REVIEW, minimum_epoch=epoch + 1).sign(now(), admin)
        )
        old = session.seal(102)
        await stage.submit(old)
        letters = await until_letters(stage, 4)
        assert {letter.reason for letter in letters} - {Reason.SUITE} >= {Reason.OLD_EPOCH}
        router.take_trust(TrustBuilder.following(router.trust).audience(REVIEW, minimum_epoch=epoch).sign(now(), admin))
        await stage.write(names.submissions(stage.namespace), old.partition, [old.outgoing], "operator")
        outputs = await until_routed(stage, 3)
    for records_ in outputs.values():
        assert {weak.key, good.key, old.key} <= {record.key for record in records_}
    weaker.prevented(by="router and every desk", how="dead letter `suite`; good again once the list allows it",
                     within="its batch")  # fmt: skip
    older.prevented(by="router and every desk", how="dead letter `old-epoch`", within="its batch")
    later.prevented(
        by="router",
        how="dead letter `foreign-schema` (the event) or `unknown-schema` (its header), whole in quarantine",
        within="its batch",
    )
