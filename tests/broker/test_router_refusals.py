"""What the router refuses, through the running router: a dead letter with its code, and everything else goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.envelope.header import decode
from hub.envelope.letters import DeadLetter
from hub.envelope.reasons import Reason
from hub.envelope.records import DeadLetterNotice
from hub.envelope.signed import Signed, sign
from hub.transport import KafkaRecord, Outgoing
from tests.broker.router_rows import PLAIN, ROWS, Hand, Row
from tests.broker.router_stage import (
    OTHER,
    PARTITIONS,
    Event,
    Session,
    Stage,
    assert_exactly_once,
    until_letters,
    until_routed,
)
from tests.kafka import TestKafka, fresh_namespace
from topics import names

pytestmark = pytest.mark.broker


@dataclass
class Outcome:
    """What came of all rows, sent in one stream with good events around each."""

    stage: Stage
    good: list[Event]
    outputs: dict[str, list[KafkaRecord]]
    letters: dict[str, DeadLetter]
    sent: dict[str, Outgoing] = field(default_factory=dict)
    notices: dict[str, list[tuple[str, DeadLetterNotice]]] = field(default_factory=dict)
    """by row: (output, notice)"""


def badly_signed(stage: Stage) -> Session:
    """Return a session whose announcement the router signed in the portal's name."""
    session = Session(stage)
    body = Signed.parse(session.secrets.signed).body
    session.secrets.signed = sign("Session", body, stage.role("router").identity)
    return session


async def _scenario(kafka: TestKafka, home: Path) -> Outcome:
    stage = await Stage.prepare(kafka, fresh_namespace(), home)
    hand = Hand(
        await Session(stage).announce(),
        await Session(stage).announce(),
        Session(stage),
        await Session(stage, topic="rehearsal-elsewhere.submissions").announce(),
        await badly_signed(stage).announce(),
    )
    good: list[Event] = []
    stream: list[Event | tuple[int, Outgoing]] = []
    places: dict[tuple[int, int], str] = {}
    counts = dict.fromkeys(range(PARTITIONS), 0)
    sent = {}
    carrier = await Session(stage).announce()
    for number, row in enumerate(ROWS):
        event = carrier.seal(number)
        good.append(event)
        partition, record = row.make(hand)
        sent[row.name] = record
        stream += [event, (partition, record)]
        counts[event.partition] += 1
        places[partition, counts[partition]] = row.name
        counts[partition] += 1
    last = carrier.seal_many(30, first=5_000)
    async with stage.router():
        await stage.submit(*stream)
        await stage.submit(*last)
        letters = await until_letters(stage, len(ROWS))
        await until_routed(stage, len(good) + len(last))
        await asyncio.sleep(0.5)
    outputs = await stage.outputs()
    outcome = Outcome(
        stage,
        good + last,
        outputs,
        {places[letter.place.partition, letter.place.offset]: letter for letter in letters},
        sent,
    )
    by_place = {letter.leaf: name for name, letter in outcome.letters.items() if letter.leaf is not None}
    for output, records in outputs.items():
        for record in records:
            if (record.key or b"").startswith(b"notice/"):
                notice = DeadLetterNotice.decode(Signed.parse(record.value or b"").body)
                name = by_place[bytes.fromhex((record.key or b"").removeprefix(b"notice/").decode())]
                outcome.notices.setdefault(name, []).append((output, notice))
    return outcome


@pytest.fixture(scope="module")
def outcome(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All rows through one running router."""
    return asyncio.run(_scenario(kafka, tmp_path_factory.mktemp("router")))


def test_good_events_around_every_refusal_are_routed_exactly_once(outcome: Outcome) -> None:
    assert_exactly_once(outcome.outputs, outcome.good)
    assert len(outcome.letters) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row.name.replace(" ", "-") for row in ROWS])
def test_bad_record_becomes_a_dead_letter_with_its_code(outcome: Outcome, row: Row) -> None:
    letter = outcome.letters[row.name]
    assert letter.reason is row.reason
    assert letter.stage == "router"
    assert letter.authentic is row.authentic
    content, sent = outcome.stage.opened(letter), outcome.sent[row.name]
    assert (content.key, content.value) == (sent.key, sent.value), "a dead letter keeps the record whole"


@pytest.mark.parametrize("row", ROWS, ids=[row.name.replace(" ", "-") for row in ROWS])
def test_tenants_readers_are_told_of_what_the_producer_sealed(outcome: Outcome, row: Row) -> None:
    told = outcome.notices.get(row.name, [])
    assert sorted(output for output, _ in told) == (["audit", "helpdesk", "review"] if row.noticed else [])
    for _, notice in told:
        assert notice.reason is row.reason
        assert notice.tenant == decode(notice.header).tenant


async def test_dead_letter_topic_shows_nothing_that_may_be_plaintext(outcome: Outcome) -> None:
    records = await outcome.stage.read(names.dead_letters(outcome.stage.namespace, "router"))
    everything = b"".join((record.key or b"") + (record.value or b"") for record in records)
    assert len(everything) > 10_000
    for secret in (PLAIN, "見本太郎".encode(), "見本太郎".encode("utf-16-le"), "テスト区".encode()):
        assert secret not in everything


async def test_withheld_session_heals_by_replay(kafka: TestKafka, namespace: str, tmp_path: Path) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = Session(stage)
    events = session.seal_many(5)
    async with stage.router():
        await stage.submit(*events)
        letters = await until_letters(stage, 5)
        assert {letter.reason for letter in letters} == {Reason.UNKNOWN_SESSION}
        await session.announce()
        for letter in letters:
            content = stage.opened(letter)
            assert content.key is not None
            record = Outgoing(content.key, content.value)
            await stage.write(letter.place.topic, letter.place.partition, [record], principal="operator")
        outputs = await until_routed(stage, 5)
    assert {record.key for record in outputs["review"]} == {event.key for event in events}
    assert len(await stage.letters()) == 5


async def test_unknown_sessions_of_one_tenant_leave_the_other_tenant_alone(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    known = await Session(stage, OTHER).announce()
    events = known.seal_many(60)
    unknown = [Session(stage).seal(number) for number in range(60)]
    async with stage.router():
        await stage.submit(*[each for pair in zip(unknown, events, strict=True) for each in pair])
        outputs = await until_routed(stage, 60, OTHER)
        await until_letters(stage, 60)
    assert_exactly_once(outputs, events)


async def test_session_announced_while_the_router_runs_is_found(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    async with stage.router() as facts:
        for _ in range(5):
            session = await Session(stage).announce()
            await stage.submit(*session.seal_many(7, first=session.id[0] * 100))
        await until_routed(stage, 35)
    assert await stage.letters() == []
    assert facts


async def test_checkpoints_reach_every_output_unchanged(kafka: TestKafka, namespace: str, tmp_path: Path) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = await Session(stage).announce()
    events = session.seal_many(30)
    checkpoints = [(partition, session.checkpoint(partition)) for partition in range(PARTITIONS)]
    async with stage.router():
        await stage.submit(*events, *checkpoints)
        outputs = await until_routed(stage, 30 + PARTITIONS)
        other = await stage.outputs(OTHER)
    for records in outputs.values():
        copied = [(r.partition, r.key, r.value) for r in records if (r.key or b"").startswith(b"checkpoint/")]
        assert sorted(copied) == [(partition, record.key, record.value) for partition, record in checkpoints]
    assert_exactly_once(outputs, events)
    assert all(records == [] for records in other.values())


async def test_each_output_holds_exactly_its_own_ciphertext(kafka: TestKafka, namespace: str, tmp_path: Path) -> None:
    from hub.envelope.sealed import parse

    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = await Session(stage).announce()
    async with stage.router():
        await stage.submit(*session.seal_many(10))
        outputs = await until_routed(stage, 10)
    own = {"review": [session.review], "helpdesk": [session.helpdesk], "audit": []}
    for name, records in outputs.items():
        for record in records:
            sections = parse(record.value or b"").sections
            assert [each.audience for each in sections if each.ciphertext is not None] == own[name]
            assert {each.audience for each in sections} == {session.review, session.helpdesk}
