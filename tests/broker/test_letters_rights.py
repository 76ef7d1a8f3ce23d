"""What operator, monitor and desks cannot do with dead letters, and what desks' own letters become."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from assurance.census import account, take_census
from assurance.reconcile import Entry, Kind, Report
from cli.desks import opened
from consumers.audit.consumer import verify_store
from consumers.helpdesk.queries import HelpdeskQueries
from consumers.operator.book import State
from consumers.operator.discards import discard_for
from consumers.operator.errors import LetterAstray
from consumers.operator.seal import seal_of
from consumers.operator.watch import LetterWatch
from hub.envelope.letters import Content, DeadLetter, Place
from hub.envelope.reasons import Reason
from hub.envelope.records import Confided, LetterResolved
from hub.envelope.sealed import build, outputs, parse
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.facts import Alarm, DeadLettered, Fact, LetterEnded, LettersOpen
from hub.transport import NotAuthorized, Outgoing, PartitionReader
from tests.broker.router_stage import OTHER, TENANT, Session, Stage, until, until_letters
from tests.broker.test_letters import (
    ACTOR,
    altered,
    by_reason,
    desk_of,
    now,
    routed,
    running,
)
from tests.kafka import TestKafka
from topics import names

pytestmark = pytest.mark.broker


@pytest.fixture
async def stage(kafka: TestKafka, namespace: str, tmp_path: Path) -> Stage:
    return await Stage.prepare(kafka, namespace, tmp_path)


async def refused_write(stage: Stage, principal: str, topic: str) -> bool:
    try:
        await stage.write(topic, 0, [Outgoing(b"attack", b"attack")], principal=principal)
    except NotAuthorized:
        return True
    return False


async def refused_read(stage: Stage, principal: str, topic: str) -> bool:
    try:
        async with PartitionReader(stage.role(principal).endpoint, {(topic, 0): None}) as reader:
            for _ in range(20):
                await reader.poll(1_000, 200)
    except NotAuthorized:
        return True
    return False


async def test_the_operators_certificate_opens_no_desks_topic_and_announces_nothing(stage: Stage) -> None:
    ns = stage.namespace
    for topic in (names.submissions(ns), names.review(ns, TENANT), names.helpdesk(ns, TENANT), names.audit(ns, TENANT)):
        assert await refused_read(stage, "operator", topic), topic
    for topic in (names.sessions(ns), names.audiences(ns), names.dead_letters(ns, "router")):
        assert await refused_write(stage, "operator", topic), topic
    for principal in ("monitor", f"review-{TENANT}", "router", "portal"):
        assert await refused_write(stage, principal, names.resolutions(ns)), principal


async def test_the_operator_cannot_make_a_submission_of_his_own(stage: Stage) -> None:
    """He may write where records go back to: what he makes up or changes is refused by whoever reads it."""
    session = await Session(stage).announce()
    event = session.seal(1)
    ns, partition = stage.namespace, event.partition
    sealed = parse(event.out.value)
    header = sealed.header.replace(b"R8-13104-000000001", b"R8-13104-000000008")
    sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
    forged = Outgoing(event.key, build(header, sections, sealed.mac))
    review = outputs(parse(build(header, sections, sealed.mac)), [f"review-{TENANT}"])[0]
    async with stage.router(), running(stage, "review") as facts:
        await stage.write(names.submissions(ns), partition, [forged], principal="operator")
        (letter,) = await until_letters(stage, 1)
        assert letter.reason is Reason.BAD_MAC
        await stage.write(names.review(ns, TENANT), partition, [Outgoing(event.key, review)], principal="operator")
        await until(lambda: any(isinstance(fact, DeadLettered) for fact in facts))
        with opened(stage.role(f"review-{TENANT}")) as (around, _, _):
            assert around.store.counts()["events"] == 0
    assert {fact.reason for fact in facts if isinstance(fact, DeadLettered)} <= {"not-authentic", "wrong-partition"}


async def test_only_the_operators_own_signature_ends_a_letter(stage: Stage) -> None:
    session = Session(stage)
    desk = desk_of(stage)
    async with stage.router(), running(stage, "audit") as facts:
        await stage.submit(session.seal(1))
        await until_letters(stage, 1)
        (known,) = (await desk.read()).all()
        said = LetterResolved(
            known.letter.place, known.letter.origin, known.letter.reason, known.letter.written_at, TENANT, None,
            "forged", None, 0, None, Confided.fresh(bytes(32), None, "nobody", "it was not"), known.letter.written_at,
        )  # fmt: skip
        router = stage.role("router").identity
        bare = Outgoing(said.key.encode(), sign(said.RECORD, said.encode(), router))
        told = Outgoing(said.key.encode(), sign(said.TOLD, said.tell(), router))
        await stage.write(names.audit(stage.namespace, TENANT), 0, [bare], principal="router")
        await stage.write(names.resolutions(stage.namespace), 0, [told], principal="operator")
        await until(lambda: any(isinstance(fact, DeadLettered) for fact in facts))
        with opened(stage.role(f"audit-{TENANT}")) as (around, _, _):
            assert around.store.resolutions() == []
        book = await desk.read()
    states = {known.letter.stage: known.state for known in book.all()}
    assert states == {"router": State.OPEN, f"audit-{TENANT}": State.OPEN}, "the forged word is a letter itself"
    assert book.unread == 1
    assert {fact.reason for fact in facts if isinstance(fact, DeadLettered)} == {"untrusted"}


async def test_a_hop_cannot_have_the_operator_write_where_it_may_not(stage: Stage) -> None:
    """A letter is unsigned: a desk that was taken over writes what it likes into its own letters' topic."""
    event = (await Session(stage, OTHER).announce()).seal(1)
    writer, ns = f"review-{TENANT}", stage.namespace
    content = Content(event.key, event.out.value)
    at = now()
    made = [
        DeadLetter(Reason.UNKNOWN_SESSION, stage_, Place(topic, partition, 7), at, at, content, None)
        for stage_, topic, partition in (
            (writer, names.submissions(ns), 0),
            (writer, names.review(ns, OTHER), 0),
            (writer, names.resolutions(ns), 0),
            (writer, names.review(ns, TENANT), 99),
            ("router", names.submissions(ns), 0),
        )
    ]
    letters = [Outgoing(each.key.encode(), each.encode()) for each in made]
    await stage.write(names.dead_letters(ns, writer), 0, letters, principal=writer)
    desk = desk_of(stage)
    book = await desk.read()
    assert (len(book), book.unread) == (4, 1), "a letter in another hop's name is none"
    for known in book.all():
        with pytest.raises(LetterAstray):
            await desk.replay([known.letter.place], actor=ACTOR)
    assert (await desk.replay(by_reason(Reason.UNKNOWN_SESSION), actor=ACTOR)).done == ()
    assert await stage.read(names.submissions(ns)) == []


async def test_a_desks_own_letter_goes_back_to_its_desk_and_is_no_duplicate(stage: Stage) -> None:
    """The sections of these events are none that a desk can read: a newer desk could."""
    session = await Session(stage).announce()
    event = session.seal(1)
    desk = desk_of(stage)
    review = names.review(stage.namespace, TENANT)
    async with stage.router(), running(stage, "review"):
        await stage.submit(event)
        topic = names.dead_letters(stage.namespace, f"review-{TENANT}")
        async with asyncio.timeout(60):
            while not await stage.read(topic):  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.1)
        (known,) = (await desk.read()).all()
        assert (known.letter.reason, known.letter.stage) == (Reason.PLAINTEXT_INVALID, f"review-{TENANT}")
        assert known.letter.described is not None and known.letter.described.event is not None
        assert known.letter.described.event.leaf == event.out.leaf
        (said,) = (await desk.replay([known.letter.place], actor=ACTOR)).done
        assert said.origin.topic == review
        async with asyncio.timeout(60):
            while len(await stage.read(topic)) < 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        back = [each for each in (await desk.read()).all() if each.state is State.OPEN]
        assert [(each.generation, each.returned) for each in back] == [(1, True)]
    assert routed(await stage.read(review)) == {event.key: 2}
    census = await take_census(stage.role("admin").endpoint, stage.topology)
    portal = Report("portal", None, Kind.PORTAL, now(), (Entry(TENANT, event.out.event_id, event.out.leaf),))
    counted = account(census, portal, stage.topology)
    assert (counted.routed, counted.lost, counted.duplicates, counted.extra, counted.dead_letters) == (1, 0, 0, 0, 1)
    unsaid = replace(census, sent_back={})
    assert account(unsaid, portal, stage.topology).duplicates == 1


async def test_the_helpdesk_sees_since_when_and_how_it_ended_and_no_content(stage: Stage) -> None:
    session = await Session(stage).announce()
    bad, withheld = session.seal(7), Session(stage).seal(8)
    desk = desk_of(stage)
    role = stage.role(f"helpdesk-{TENANT}")
    async with stage.router(), running(stage, "helpdesk"):
        await stage.submit(altered(bad), withheld)
        await until_letters(stage, 2)
        with opened(role) as (around, _, _):
            queries = HelpdeskQueries(around.store, around.vault(around.keys()))
            await until(lambda: around.store.notices())
            (before,) = queries.lookup("R8-13104-000000007")
            letters = [known.letter.place for known in (await desk.read()).all()]
            await desk.discard(letters, discard_for("sent-again", "sent again on the 5th"), actor=ACTOR)
            await until(lambda: len(around.store.resolutions()) == 2)
            (after,) = queries.lookup("R8-13104-000000007")
            (unknown,) = queries.lookup("R8-13104-000000008")
    assert before["status"] == "dead-letter"
    assert [(t["outcome"], t["reason"], t["waits_for"]) for t in before["tickets"]] == [
        ("open", "digest-mismatch", "never")
    ]
    assert after["status"] == unknown["status"] == "discarded"
    assert [t["what"] for t in after["timeline"]] == ["dead-letter", "letter-discarded"]
    assert [(t["outcome"], t["discard"]) for t in unknown["tickets"]] == [("discarded", "sent-again")]
    assert unknown["tickets"][0]["waits_for"] == "session"
    assert "5th" not in str(after) + str(unknown), "the operator's note is for the audit"


async def test_what_a_desk_cannot_read_is_an_open_ticket_until_the_operator_has_dealt_with_it(stage: Stage) -> None:
    """These sections are none that a desk can read; the review desk says so to the helpdesk on its status topic."""
    session = await Session(stage).announce()
    event = session.seal(7)
    desk = desk_of(stage)
    role = stage.role(f"helpdesk-{TENANT}")
    async with stage.router(), running(stage, "review"), running(stage, "helpdesk"), running(stage, "audit") as audit:
        await stage.submit(event)
        with opened(role) as (around, _, _):
            queries = HelpdeskQueries(around.store, around.vault(around.keys()))
            await until(lambda: len(around.store.resolutions()) == 2)
            (before,) = queries.lookup("R8-13104-000000007")
            hops = [names.dead_letters(stage.namespace, f"{kind}-{TENANT}") for kind in ("review", "helpdesk")]
            async with asyncio.timeout(60):
                while not all([await stage.read(topic) for topic in hops]):  # noqa: ASYNC110 - other tasks' doing
                    await asyncio.sleep(0.1)
            letters = [known.letter.place for known in (await desk.read()).all()]
            assert len(letters) == 2
            await desk.discard(letters, discard_for("test-data", "no desk can read it"), actor=ACTOR)
            await until(lambda: len(around.store.resolutions()) == 4)
            (after,) = queries.lookup("R8-13104-000000007")
        await until(lambda: Alarm("desk-refused", "plaintext-invalid") in audit)
        with opened(stage.role(f"audit-{TENANT}")) as (around, _, _):
            await until(lambda: len(around.store.resolutions()) == 2)
            proof = verify_store(around.role, around.store, to_ms(now()))
    assert {(t["where"], t["outcome"], t["waits_for"]) for t in before["tickets"]} == {
        ("review", "open", "software"),
        ("helpdesk", "open", "software"),
    }
    assert (before["status"], after["status"]) == ("dead-letter", "discarded")
    assert {(t["where"], t["outcome"]) for t in after["tickets"]} == {
        ("review", "discarded"),
        ("helpdesk", "discarded"),
    }
    assert proof.damage == () and proof.discarded == 2


async def test_the_seal_of_a_letter_is_judged_by_what_is_announced_now(stage: Stage) -> None:
    session, known_session = Session(stage), await Session(stage).announce()
    desk, role = desk_of(stage), stage.role("operator")
    async with stage.router():
        await stage.submit(session.seal(1), altered(known_session.seal(2)), (0, Outgoing(b"x", b"garbage")))
        await until_letters(stage, 3)

    async def seals() -> dict[Reason, str]:
        return {
            known.letter.reason: await seal_of(role, known, await desk.content(known), now)
            for known in (await desk.read()).all()
        }

    assert await seals() == {
        Reason.UNKNOWN_SESSION: "unknown-session",
        Reason.DIGEST_MISMATCH: "digest-mismatch",
        Reason.NOT_FRAMED: "not-framed",
    }
    await session.announce()
    assert (await seals())[Reason.UNKNOWN_SESSION] == "holds"


async def test_the_monitor_tells_open_letters_by_tenant_and_reason_and_counts_what_ends_them(stage: Stage) -> None:
    session = await Session(stage).announce()
    desk = desk_of(stage)
    facts: list[Fact] = []
    stop = asyncio.Event()

    def told() -> dict[tuple[str, str], int]:
        last = [fact for fact in facts if isinstance(fact, LettersOpen)][-1:]
        return {group: count for fact in last for group, (count, _) in fact.letters.items()}

    watch = LetterWatch(stage.role("monitor"), facts.append, now, interval_seconds=0.2)
    async with stage.router(), asyncio.TaskGroup() as tasks:
        await stage.submit(altered(session.seal(1)), Session(stage).seal(2), (0, Outgoing(b"x", b"garbage")))
        await until_letters(stage, 3)
        task = tasks.create_task(watch.run(stop))
        # what lies in quarantine is nobody's to the monitor, which has no key
        await until(lambda: told() == {("shared", each): 1 for each in REASONS})
        letters = {known.letter.reason.value: known.letter.place for known in (await desk.read()).all()}
        await desk.discard([letters["not-framed"]], discard_for("not-ours", "a probe"), actor=ACTOR)
        await desk.replay([letters["unknown-session"]], actor=ACTOR)
        await until(lambda: told().get(("shared", "not-framed")) == 0)
        await until(lambda: len([fact for fact in facts if isinstance(fact, LetterEnded)]) == 2)
        await until(lambda: told().get(("shared", "unknown-session")) == 1)  # it came back
        stop.set()
        await task
    assert {(f.tenant, f.reason, f.outcome, f.count) for f in facts if isinstance(f, LetterEnded)} == {
        ("shared", "not-framed", "discarded", 1),
        (TENANT, "unknown-session", "replayed", 1),
    }


REASONS: Sequence[str] = ("digest-mismatch", "unknown-session", "not-framed")
