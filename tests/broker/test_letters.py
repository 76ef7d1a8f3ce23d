"""The operator's desk on a real Kafka: replays that heal, replays that do not, discards, and power cuts between."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assurance.reconcile import Entry, Kind, Report, reconcile
from assurance.reconcile import State as Held
from cli.desks import opened, run_desk
from consumers.audit.consumer import verify_store
from consumers.operator.book import Filter, State
from consumers.operator.desk import LetterDesk, Many
from consumers.operator.discards import discard_for
from consumers.operator.errors import DeskAway, LetterHopeless, LetterResolved, LetterUnknown
from consumers.reporting import entries
from hub.envelope import records
from hub.envelope.letters import Place
from hub.envelope.reasons import Reason
from hub.envelope.sealed import build, parse
from hub.envelope.signed import Signed
from hub.envelope.times import to_ms
from hub.facts import Fact
from hub.transport import KafkaRecord, Outgoing
from tests.broker.router_stage import (
    OTHER,
    ROOT,
    TENANT,
    Event,
    Session,
    Stage,
    events_of,
    until,
    until_letters,
)
from tests.kafka import TestKafka
from topics import names

pytestmark = pytest.mark.broker
ACTOR = "operator-1"


def now() -> datetime:
    return datetime.now(UTC)


def desk_of(stage: Stage) -> LetterDesk:
    return LetterDesk(stage.role("operator"), now)


def statements_in(found: Sequence[KafkaRecord]) -> list[records.LetterResolved]:
    said = [each for each in found if (each.key or b"").startswith(b"resolved/")]
    signed = [Signed.parse(each.value or b"") for each in said]
    resolved = records.LetterResolved
    return [(resolved.hear if each.name == resolved.TOLD else resolved.decode)(each.body) for each in signed]


async def statements(stage: Stage, topic: str | None = None) -> list[records.LetterResolved]:
    """The operator's statements on a topic (its own by default), in order."""
    return statements_in(await stage.read(topic or names.resolutions(stage.namespace)))


def routed(found: Sequence[KafkaRecord]) -> Counter[bytes]:
    """The events on an output, by key."""
    return events_of([each for each in found if not (each.key or b"").startswith(b"resolved/")])


async def until_events(stage: Stage, events: Sequence[Event], tenant: str = TENANT) -> None:
    """Wait until every output of a tenant has each of the events; fail if one has any twice."""
    wanted = {event.key: 1 for event in events}
    async with asyncio.timeout(60):
        while True:
            found = [routed(each) for each in (await stage.outputs(tenant)).values()]
            if all(each == wanted for each in found):
                return
            assert not any(each - Counter(wanted) for each in found), "an event stands twice, or is not ours"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def running(stage: Stage, kind: str, tenant: str = TENANT) -> AsyncIterator[list[Fact]]:
    """Run a desk of the stage, with its own role directory, in this process."""
    facts: list[Fact] = []
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run_desk(kind, stage.role(f"{kind}-{tenant}"), facts.append, stop))
        try:
            yield facts
        finally:
            stop.set()
            await asyncio.wait([task])


def altered(event: Event) -> tuple[int, Outgoing]:
    """An event of which one ciphertext was changed on the way: header and digests are as they were sealed."""
    sealed = parse(event.out.value)
    sections = [(each.audience, each.digest, bytes(len(each.ciphertext or b""))) for each in sealed.sections]
    return event.partition, Outgoing(event.key, build(sealed.header, sections, sealed.mac))


def by_reason(reason: Reason, *, returned: bool = False) -> Many:
    return Many(Filter(reason=reason.value), returned)


async def test_a_session_that_is_announced_late_heals_by_replay_and_its_tenants_desks_are_told(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = Session(stage)
    events = session.seal_many(5)
    desk = desk_of(stage)
    async with stage.router():
        await stage.submit(*events)
        await until_letters(stage, 5)
        await session.announce()
        outcome = await desk.replay(by_reason(Reason.UNKNOWN_SESSION), actor=ACTOR)
        await until_events(stage, events)
    assert len(outcome.done) == 5 and not outcome.skipped
    said = await statements(stage)
    assert sorted(said, key=lambda each: each.key) == sorted(outcome.done, key=lambda each: each.key)
    assert {each.event.leaf for each in said if each.event} == {event.out.leaf for event in events}
    assert {(each.tenant, each.generation) for each in said} == {(TENANT, 0)}
    assert {each.opened and each.opened.actor for each in said} == {ACTOR}
    for route in stage.topology.routes_of(TENANT):
        assert {each.key for each in await statements(stage, route.topic)} == {each.key for each in said}
    assert await statements(stage, names.audit(namespace, OTHER)) == []
    book = await desk.read()
    assert [known.state for known in book.all()] == [State.REPLAYED] * 5


async def test_a_record_goes_back_as_it_was_with_its_own_time(kafka: TestKafka, namespace: str, tmp_path: Path) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    event = Session(stage).seal(1)
    earlier = to_ms(now() - timedelta(hours=30))
    topic = names.submissions(namespace)
    desk = desk_of(stage)
    async with stage.router():
        await stage.write(topic, event.partition, [Outgoing(event.key, event.out.value, earlier)])
        await until_letters(stage, 1)
        (done,) = (await desk.replay(by_reason(Reason.UNKNOWN_SESSION), actor=ACTOR)).done
    sent, again = await stage.read(topic)
    assert (again.partition, again.key, again.value) == (event.partition, event.key, event.out.value)
    assert again.timestamp_ms == sent.timestamp_ms == earlier
    assert done.returned_at == Place(topic, again.partition, again.offset)


async def test_a_cause_that_remains_gives_one_letter_of_the_next_generation_and_no_loop(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = Session(stage)
    events = session.seal_many(4)
    desk = desk_of(stage)
    every = by_reason(Reason.UNKNOWN_SESSION)
    async with stage.router():
        await stage.submit(*events)
        await until_letters(stage, 4)
        first = await desk.replay(every, actor=ACTOR)
        await until_letters(stage, 8)
        book = await desk.read()
        returned = [known for known in book.all() if known.state is State.OPEN]
        assert [(known.generation, known.returned, known.letter.reason) for known in returned] == [
            (1, True, Reason.UNKNOWN_SESSION)
        ] * 4
        assert {known.former.letter for known in returned if known.former} == {said.letter for said in first.done}
        second = await desk.replay(every, actor=ACTOR)
        assert second.done == ()
        assert {code for _, code in second.skipped} == {"letter.returned"} and len(second.skipped) == 4
        with pytest.raises(LetterResolved):
            await desk.replay([first.done[0].letter], actor=ACTOR)
        (third,) = (await desk.replay([returned[0].letter.place], actor=ACTOR)).done
        assert (third.generation, third.former) == (1, returned[0].former.letter if returned[0].former else None)
        await until_letters(stage, 9)
        await asyncio.sleep(1.0)
        assert len(await stage.letters()) == 9, "nothing is sent back by itself"
        await session.announce()
        healed = await desk.replay(by_reason(Reason.UNKNOWN_SESSION, returned=True), actor=ACTOR)
        assert sorted(said.generation for said in healed.done) == [1, 1, 1, 2]
        await until_events(stage, events)
    assert len(await stage.letters()) == 9
    assert all(known.state is State.REPLAYED for known in (await desk.read()).all())


async def test_a_letter_whose_own_bytes_are_refused_is_not_sent_back(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = await Session(stage).announce()
    desk = desk_of(stage)
    async with stage.router():
        await stage.submit(altered(session.seal(1)), (0, Outgoing(b"x", "見本太郎".encode())))
        await until_letters(stage, 2)
        letters = {known.letter.reason: known for known in (await desk.read()).all()}
        assert letters.keys() == {Reason.DIGEST_MISMATCH, Reason.NOT_FRAMED}
        before = len(await stage.read(names.submissions(namespace)))
        for reason, known in letters.items():
            with pytest.raises(LetterHopeless) as refused:
                await desk.replay([known.letter.place], actor=ACTOR, again=True)
            assert reason.value in str(refused.value)
            outcome = await desk.replay(by_reason(reason), actor=ACTOR)
            assert (outcome.done, [code for _, code in outcome.skipped]) == ((), ["letter.hopeless"])
        with pytest.raises(LetterUnknown):
            await desk.replay([Place(names.dead_letters(namespace, "router"), 0, 77)], actor=ACTOR)
    assert len(await stage.read(names.submissions(namespace))) == before
    assert await statements(stage) == []


async def test_letters_of_a_tenant_that_is_made_ready_later_are_delivered_by_replay(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    missing = names.helpdesk(namespace, OTHER)
    stage = await Stage.prepare(kafka, namespace, tmp_path, without=(missing,))
    session = await Session(stage, OTHER).announce()
    events = session.seal_many(6)
    desk = desk_of(stage)
    async with stage.router():
        await stage.submit(*events)
        letters = await until_letters(stage, 6)
        assert {(letter.reason, letter.authentic) for letter in letters} == {(Reason.TENANT_NOT_READY, True)}
        with pytest.raises(DeskAway):
            await desk.replay(by_reason(Reason.TENANT_NOT_READY), actor=ACTOR)
        assert await statements(stage) == []
        await stage.apply()
        await asyncio.sleep(5.0)  # the router looks for tenants that are not ready every two seconds
        outcome = await desk.replay(by_reason(Reason.TENANT_NOT_READY), actor=ACTOR)
        assert len(outcome.done) == 6
        await until_events(stage, events, OTHER)


async def test_a_discard_is_audited_and_reconciliation_agrees_and_lists_it(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = await Session(stage).announce()
    good, bad = session.seal_many(3), session.seal(50)
    withheld = Session(stage).seal(60)
    desk = desk_of(stage)
    role = stage.role(f"audit-{TENANT}")
    async with stage.router(), running(stage, "audit") as facts:
        await stage.submit(*good, altered(bad), withheld, (1, Outgoing(None, b"garbage")))
        await until_letters(stage, 3)
        letters = [known.letter.place for known in (await desk.read()).all()]
        outcome = await desk.discard(letters, discard_for("damaged", "line fault of the 3rd"), actor=ACTOR)
        assert {said.tenant for said in outcome.done} == {TENANT, None}
        with pytest.raises(LetterResolved):
            await desk.discard(letters[:1], discard_for("damaged", "twice"), actor=ACTOR)
        with opened(role) as (around, _, _):
            await until(lambda: len(around.store.resolutions()) == 3)
            await until(lambda: around.store.counts()["events"] == 3)
            found = tuple(
                Entry(e.tenant, e.event_id, e.leaf, Held(e.state)) for e in entries(around.store, discards=True)
            )
            proof = verify_store(around.role, around.store, to_ms(now()))
    assert not [fact for fact in facts if type(fact).__name__ == "DeadLettered"]
    assert proof.verified and proof.discarded == 3 and proof.damage == ()
    assert len(await statements(stage, names.audit(namespace, OTHER))) == 1, "what is nobody's is told to every audit"

    sent = tuple(Entry(TENANT, e.out.event_id, e.out.leaf) for e in (*good, bad, withheld))
    had = tuple(Entry(TENANT, e.out.event_id, e.out.leaf) for e in good)
    reports = [
        Report("portal", None, Kind.PORTAL, now(), sent),
        Report(f"audit-{TENANT}", TENANT, Kind.AUDIT, now(), found),
        Report(f"review-{TENANT}", TENANT, Kind.REVIEW, now(), had),
        Report(f"helpdesk-{TENANT}", TENANT, Kind.HELPDESK, now(), had),
    ]
    compared = reconcile(reports)
    assert compared.agreed
    assert compared.discarded.count == 2 * 3 and compared.lost.count == 0
    silent = [*reports[:1], Report(f"audit-{TENANT}", TENANT, Kind.AUDIT, now(), had), *reports[2:]]
    assert reconcile(silent).lost.count == 2 * 3, "without the audited statement they are lost"


@pytest.mark.parametrize("point", ["before-send", "after-replay", "after-statement", "after-commit"])
async def test_power_cut_leaves_record_and_statement_or_neither(
    kafka: TestKafka, namespace: str, tmp_path: Path, point: str
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = Session(stage)
    events = session.seal_many(3)
    desk = desk_of(stage)
    async with stage.router():
        await stage.submit(*events)
        await until_letters(stage, 3)
        await session.announce()
        mark = tmp_path / "mark"
        settings = stage.settings("operator")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.broker.operator_process",
            Reason.UNKNOWN_SESSION.value,
            env=stage.environment(f"operator.{point}", mark) | {"HUB_ROLE_DIR": str(settings.role_dir)},
            cwd=ROOT,
        )
        assert await process.wait() == -signal.SIGKILL
        assert mark.read_text() == f"operator.{point}"
        committed = point == "after-commit"
        outcome = await desk.replay(by_reason(Reason.UNKNOWN_SESSION), actor=ACTOR)
        assert len(outcome.done) == (0 if committed else 3)
        await until_events(stage, events)
        await asyncio.sleep(0.5)
        await until_events(stage, events)
    said = await statements(stage)
    assert Counter(each.opened and each.opened.actor for each in said) == {"operator-2" if committed else ACTOR: 3}
    assert len({each.key for each in said}) == 3
    assert len(await stage.letters()) == 3


async def test_a_second_operator_at_the_same_time_cannot_send_a_record_twice(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = Session(stage)
    events = session.seal_many(8)
    async with stage.router():
        await stage.submit(*events)
        await until_letters(stage, 8)
        await session.announce()
        both = [desk_of(stage).replay(by_reason(Reason.UNKNOWN_SESSION), actor=f"operator-{n}") for n in (1, 2)]
        await asyncio.gather(*both, return_exceptions=True)  # one of them may be fenced out
        await desk_of(stage).replay(by_reason(Reason.UNKNOWN_SESSION), actor=ACTOR)
        await until_events(stage, events)
    assert Counter(each.key for each in await statements(stage)).most_common(1)[0][1] == 1


async def test_letters_of_the_largest_events_go_back_whole_one_transaction_each(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    """Quarantined letters hold the record once more sealed; two of these do not fit into one transaction."""
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = Session(stage)
    events = [session.seal(number, size=5_700_000) for number in range(3)]
    async with stage.router():
        await stage.submit(*events)
        await until_letters(stage, 3)
        await session.announce()
        outcome = await desk_of(stage).replay(by_reason(Reason.UNKNOWN_SESSION), actor=ACTOR)
        assert len(outcome.done) == 3
        await until_events(stage, events)
    (review,) = (route.topic for route in stage.topology.routes_of(TENANT) if route.name == "review")
    assert max(len(record.value or b"") for record in await stage.read(review)) > 5_700_000
