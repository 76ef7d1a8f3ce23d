"""The router's promise on a real Kafka: once into each output, whatever kills, freezes or starves it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from hub.crypto.keystore import FileKeyStore
from hub.envelope.reasons import Reason
from hub.facts import Alarm, BatchRouted, Fact, PartitionFenced, PartitionLost, Paused
from hub.transport import Outgoing
from hub.transport.admin import Admin
from tests.broker.router_stage import (
    OTHER,
    PARTITIONS,
    TENANT,
    Event,
    Session,
    Stage,
    assert_exactly_once,
    events_of,
    until,
    until_letters,
    until_routed,
)
from tests.kafka import TestKafka
from topics import names
from topics.layout import Acl, Operation, Resource
from topics.plan import AllowAcl, AlterTopic, Plan, RemoveAcl

pytestmark = pytest.mark.broker


@pytest.fixture
async def stage(kafka: TestKafka, namespace: str, tmp_path: Path) -> Stage:
    return await Stage.prepare(kafka, namespace, tmp_path)


async def ended(process: asyncio.subprocess.Process, seconds: float = 60.0) -> tuple[int, str]:
    """Wait for a router process; return its exit status and what it said."""
    assert process.stdout is not None
    async with asyncio.timeout(seconds):
        said = (await process.stdout.read()).decode()
        status = await process.wait()
    return status, said


async def says(process: asyncio.subprocess.Process, word: str, seconds: float = 60.0) -> None:
    """Read what a router process says until a line begins with `word`."""
    assert process.stdout is not None
    async with asyncio.timeout(seconds):
        while line := await process.stdout.readline():
            if line.decode().startswith(word):
                return
    raise AssertionError(f"it ended before it said {word!r}")


async def kill(process: asyncio.subprocess.Process) -> None:
    """Leave nothing of a process behind."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


def told(facts: list[Fact], kind: type[Fact]) -> list[Fact]:
    return [fact for fact in facts if isinstance(fact, kind)]


# killed, frozen, handed over


@pytest.mark.parametrize(
    "crash_point",
    [
        "router.before-send:1",
        "router.before-send:4",
        "router.after-send:1",
        "router.after-send:4",
        "router.after-commit:1",
        "router.after-commit:4",
    ],
)
async def test_router_killed_here_loses_nothing_and_doubles_nothing(
    stage: Stage, crash_point: str, tmp_path: Path
) -> None:
    session, other = await Session(stage).announce(), await Session(stage, OTHER).announce()
    events, others = session.seal_many(120), other.seal_many(40)
    bad = [(partition, Outgoing(b"k", b"not framed")) for partition in range(PARTITIONS)]
    half = len(events) // 2
    await stage.submit(*events[:half], *others, *bad)
    mark = tmp_path / "mark"
    process = await stage.process(crash_point, mark)
    try:
        with suppress(AssertionError):  # it may be killed by the first transaction, before it says so
            await says(process, "fenced")
        await _trickle(stage, events[half:])
        status, _ = await ended(process)
    finally:
        await kill(process)
    assert status == -signal.SIGKILL
    assert mark.read_text() == crash_point.partition(":")[0], "the point was not reached"

    async with stage.router():
        outputs = await until_routed(stage, len(events))
        others_outputs = await until_routed(stage, len(others), OTHER)
        await until_letters(stage, PARTITIONS)
        await asyncio.sleep(0.3)
    assert_exactly_once(await stage.outputs(), events)
    assert_exactly_once(others_outputs, others)
    assert len(await stage.letters()) == PARTITIONS
    assert outputs.keys() == others_outputs.keys()


async def _trickle(stage: Stage, events: list[Event]) -> None:
    """Send a few at a time, so that there are several transactions."""
    for start in range(0, len(events), 10):
        await stage.submit(*events[start : start + 10])
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("more", [True, False], ids=["with-work-to-do", "with-nothing-to-do"])
async def test_frozen_router_cannot_commit_after_another_took_over(stage: Stage, more: bool) -> None:
    session = await Session(stage).announce()
    events = session.seal_many(60)
    zombie = await stage.process()
    try:
        await says(zombie, "fenced")
        await stage.submit(*events[:20])
        await until_routed(stage, 20)
        zombie.send_signal(signal.SIGSTOP)
        await stage.submit(*events[20:40])  # lies in wait for the zombie, too
        async with stage.router() as facts:
            await until_routed(stage, 40)
            assert len(told(facts, PartitionFenced)) == PARTITIONS
            zombie.send_signal(signal.SIGCONT)
            if more:
                await stage.submit(*events[40:])
            status, said = await ended(zombie)
            if not more:
                await stage.submit(*events[40:])
            await until_routed(stage, 60)
    finally:
        await kill(zombie)
    assert status == 1, said
    assert_exactly_once(await stage.outputs(), events)


async def test_router_frozen_inside_a_transaction_cannot_commit_it(stage: Stage, tmp_path: Path) -> None:
    """The transaction is open, all its sends are acknowledged; its owner wakes up when it is no longer the owner."""
    session = await Session(stage).announce()
    events = session.seal_many(30)
    zombie = await stage.process(freeze_at="router.after-send", mark=tmp_path / "mark")
    try:
        await stage.submit(*events)
        await until(lambda: (tmp_path / "mark").exists())
        async with stage.router():
            await until_routed(stage, 30)
            zombie.send_signal(signal.SIGCONT)
            status, said = await ended(zombie)
            await asyncio.sleep(0.3)
    finally:
        await kill(zombie)
    assert status == 1, said
    assert_exactly_once(await stage.outputs(), events)


async def test_partitions_change_hands_under_load_without_a_double_or_a_gap(stage: Stage) -> None:
    session = await Session(stage).announce()
    events = session.seal_many(400)
    first = await stage.process()
    second = None
    try:
        await says(first, "fenced")
        feeding = asyncio.create_task(_trickle(stage, events))
        await asyncio.sleep(0.5)
        second = await stage.process()
        await says(second, "fenced")
        first.send_signal(signal.SIGTERM)
        assert (await ended(first))[0] == 0
        await feeding
        await until_routed(stage, 400)
        second.send_signal(signal.SIGTERM)
        assert (await ended(second))[0] == 0
    finally:
        for process in (first, second):
            if process is not None:
                await kill(process)
    assert_exactly_once(await stage.outputs(), events)


async def test_broker_restart_in_mid_load_loses_nothing(stage: Stage) -> None:
    session = await Session(stage).announce()
    events = session.seal_many(300)
    async with stage.router() as facts:
        await stage.submit(*events[:150])
        await until(lambda: told(facts, BatchRouted))
        await asyncio.to_thread(stage.kafka.stop)
        await asyncio.sleep(1)
        await asyncio.to_thread(stage.kafka.start)
        await stage.submit(*events[150:])
        await until_routed(stage, 300, seconds=120)
    assert_exactly_once(await stage.outputs(), events)
    assert await stage.letters() == []


# starved


async def test_router_pauses_without_its_sessions_and_goes_on_with_them(stage: Stage) -> None:
    before, after = await Session(stage).announce(), Session(stage)
    sessions = names.sessions(stage.namespace)
    right = Acl("router", Resource.TOPIC, sessions, Operation.READ)
    async with stage.router() as facts, Admin(stage.role("admin").endpoint) as admin:
        await stage.submit(*before.seal_many(10))
        await until_routed(stage, 10)
        await admin.execute(Plan((RemoveAcl(right),), ()))
        await asyncio.sleep(1.0)  # a fetch that was let in before may still be waiting at the broker
        await after.announce()
        later = after.seal_many(20, first=100)
        await stage.submit(*later)
        await until(lambda: [fact for fact in told(facts, Paused) if fact.code == "sessions.unavailable"])  # type: ignore[attr-defined]
        assert [fact for fact in told(facts, Alarm) if fact.code == "sessions.unavailable"]  # type: ignore[attr-defined]
        await asyncio.sleep(1.0)
        assert await stage.letters() == []
        assert len(events_of((await stage.outputs())["review"])) == 10
        await admin.execute(Plan((AllowAcl(right),), ()))
        outputs = await until_routed(stage, 30)
    assert await stage.letters() == []
    assert {event.key for event in later} <= {record.key for record in outputs["audit"]}


async def test_router_without_its_own_key_pauses_and_writes_no_letter(stage: Stage, tmp_path: Path) -> None:
    session = await Session(stage).announce()
    events = session.seal_many(10)
    await stage.submit(*events)
    real = stage.role("router")
    keys, away = real.directory / "keys", tmp_path / "keys-away"
    keys.rename(away)
    keys.mkdir(mode=0o700)
    passphrase = (real.directory / "passphrase").read_bytes().strip()
    role = replace(real, keystore=FileKeyStore(keys, passphrase, allow_weak=True))
    async with stage.router(role) as facts:
        await until(lambda: [fact for fact in told(facts, Paused) if fact.code == "key.not-loaded"])  # type: ignore[attr-defined]
        await asyncio.sleep(1.0)
        assert await stage.letters() == []
        assert (await stage.outputs())["review"] == []
        keys.rmdir()
        away.rename(keys)
        outputs = await until_routed(stage, 10)
    assert_exactly_once(outputs, events)
    assert await stage.letters() == []


async def test_full_quarantine_of_keys_pauses_rather_than_writing_in_the_clear(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    """Nothing may be plaintext in a dead letter: without the operator's key the partition waits."""
    stage = await Stage.prepare(kafka, namespace, tmp_path, without_keys=("quarantine",))
    session = await Session(stage).announce()
    events = session.seal_many(12)
    bad = (events[5].partition, Outgoing("見本太郎".encode(), "見本太郎".encode()))
    async with stage.router() as facts:
        await stage.submit(*events[:6], bad, *events[6:])
        await until(lambda: [fact for fact in told(facts, Paused) if fact.code == "quarantine-key-missing"])  # type: ignore[attr-defined]
        assert await stage.letters() == []
        await stage.publish_keys()
        outputs = await until_routed(stage, 12)
        letters = await until_letters(stage, 1)
    assert_exactly_once(outputs, events)
    assert not letters[0].authentic


# tenants and poison


async def test_tenant_without_its_topics_gets_letters_and_the_others_their_events(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    missing = names.helpdesk(namespace, OTHER)
    stage = await Stage.prepare(kafka, namespace, tmp_path, without=(missing,))
    session, other = await Session(stage).announce(), await Session(stage, OTHER).announce()
    events, early = session.seal_many(20), other.seal_many(20)
    async with stage.router() as facts:
        await stage.submit(*[each for pair in zip(events, early, strict=True) for each in pair])
        await until_routed(stage, 20)
        letters = await until_letters(stage, 20)
        assert {letter.reason for letter in letters} == {Reason.TENANT_NOT_READY}
        assert all(letter.authentic for letter in letters)
        assert Alarm("tenant-not-ready", OTHER) in facts
        told_of = await stage.read(names.review(namespace, OTHER))
        assert len(told_of) == 20
        assert all((record.key or b"").startswith(b"notice/") for record in told_of)
        await stage.apply()
        numbers = count(500)
        async with asyncio.timeout(60):
            while not events_of(await stage.read(missing)):  # readiness is looked at every two seconds
                await stage.submit(other.seal(next(numbers)))
                await asyncio.sleep(1.0)
        for letter in letters:
            content = stage.opened(letter)
            record = Outgoing(content.key, content.value)
            await stage.write(letter.place.topic, letter.place.partition, [record], principal="operator")
        async with asyncio.timeout(60):
            while not {event.key for event in early} <= events_of(await stage.read(missing)).keys():  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    assert_exactly_once(await stage.outputs(), events)


async def test_tenant_whose_output_takes_no_writes_is_not_ready(stage: Stage) -> None:
    right = Acl("router", Resource.TOPIC, names.audit(stage.namespace, OTHER), Operation.WRITE)
    async with Admin(stage.role("admin").endpoint) as admin:
        await admin.execute(Plan((RemoveAcl(right),), ()))
    session, other = await Session(stage).announce(), await Session(stage, OTHER).announce()
    events = session.seal_many(10)
    async with stage.router():
        await stage.submit(*events, *other.seal_many(10))
        await until_routed(stage, 10)
        letters = await until_letters(stage, 10)
    assert {letter.reason for letter in letters} == {Reason.TENANT_NOT_READY}
    assert events_of(await stage.read(names.review(stage.namespace, OTHER))) == {}


async def test_right_lost_while_running_does_not_hold_up_other_tenants(stage: Stage) -> None:
    right = Acl("router", Resource.TOPIC, names.review(stage.namespace, OTHER), Operation.WRITE)
    session, other = await Session(stage).announce(), await Session(stage, OTHER).announce()
    events, others = session.seal_many(40), other.seal_many(40)
    async with stage.router(), Admin(stage.role("admin").endpoint) as admin:
        await stage.submit(*events[:20], *others[:20])
        await until_routed(stage, 20, OTHER)
        await admin.execute(Plan((RemoveAcl(right),), ()))
        await stage.submit(*events[20:], *others[20:])
        await until_routed(stage, 40)
        letters = await until_letters(stage, 20)
    assert_exactly_once(await stage.outputs(), events)
    assert {letter.reason for letter in letters} == {Reason.TENANT_NOT_READY}
    assert_exactly_once({"review": (await stage.outputs(OTHER))["review"]}, others[:20])


async def test_record_that_an_output_refuses_becomes_a_letter_and_blocks_nobody(stage: Stage) -> None:
    topic = next(topic for topic in stage.topology.topics if topic.name == names.review(stage.namespace, TENANT))
    smaller = AlterTopic(topic.name, {**topic.configs, "max.message.bytes": "20000"}, {})
    async with Admin(stage.role("admin").endpoint) as admin:
        await admin.execute(Plan((smaller,), ()))
    session = await Session(stage).announce()
    events = [session.seal(number, 40_000 if number == 7 else 300) for number in range(20)]
    async with stage.router():
        await stage.submit(*events)
        letters = await until_letters(stage, 1)
        await until_routed(stage, 20)  # the notice counts as one
    [letter] = letters
    assert letter.reason is Reason.REFUSED_BY_BROKER
    assert stage.opened(letter).value == events[7].out.value
    rest = [event for number, event in enumerate(events) if number != 7]
    outputs = await stage.outputs()
    for records in outputs.values():
        assert events_of(records) == {event.key: 1 for event in rest}


async def test_fenced_router_says_so_and_raises(stage: Stage) -> None:
    from hub.transport import ForeignProducer, TransactionalWriter

    session = await Session(stage).announce()
    events = session.seal_many(10)
    topic = names.submissions(stage.namespace)
    facts: list[Fact] = []
    with pytest.raises(ExceptionGroup) as raised:  # one error or several: partitions are fenced one after another
        async with stage.router() as facts:
            await until(lambda: len(told(facts, PartitionFenced)) == PARTITIONS)
            for partition in range(PARTITIONS):
                other = TransactionalWriter(
                    stage.role("router").endpoint, f"{stage.namespace}.router/{topic}/{partition}"
                )
                await other.fence()
                await other.close()
            await stage.submit(*events)
            await asyncio.sleep(30)
    assert raised.value.split(ForeignProducer)[1] is None, "nothing but being fenced ends it"
    assert [fact for fact in told(facts, PartitionLost) if fact.fenced]  # type: ignore[attr-defined]
    assert (await stage.outputs())["review"] == []
