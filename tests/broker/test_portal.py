"""The portal end on a real Kafka: once, in order, provable, whatever kills it."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.envelope.records import StoredEvent, StoredReceipt
from hub.facts import Alarm, Fact
from hub.producing.errors import JournalBusy
from hub.producing.journal import Journal, read_events
from hub.producing.journal_rows import EventState, JournaledEvent
from portal.producer import JOURNAL, PortalProducer, journal_owner
from portal.results import Status
from schemas.generator import generate
from tests.broker.portal_setup import TENANTS, Portal, Role, load_role, prepare
from tests.kafka import TestKafka, fresh_namespace
from tests.unit.producing.wire import assert_whole

pytestmark = pytest.mark.broker

DOCUMENTS = 120


@pytest.fixture
async def portal(kafka: TestKafka, namespace: str, tmp_path: Path) -> Portal:
    return await prepare(kafka, namespace, tmp_path)


@pytest.fixture
def role(portal: Portal) -> Role:
    return load_role(portal.directory)


def documents(count: int = DOCUMENTS, seed: int = 1) -> list[bytes]:
    """Return artificial submissions over all procedures and both tenants."""
    made = generate(seed, count, TENANTS)
    return [json.dumps(document, ensure_ascii=False).encode() for document in made]


def journaled(role: Role) -> list[JournaledEvent]:
    return list(read_events(role.state_directory / JOURNAL))


async def run_process(
    portal: Portal, lines: list[bytes], crash_point: str = "", mark: Path | None = None
) -> tuple[int, list[dict[str, object]]]:
    """Run a portal process over the documents; return its exit status and its answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.broker.portal_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=portal.environment(crash_point, mark),
        cwd=Path(__file__).parents[2],
    )
    out, _ = await process.communicate(b"\n".join(lines) + b"\n")
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    "crash_point",
    [
        "portal.before-journal:2",
        "portal.after-journal:1",
        "portal.after-journal:4",
        "portal.after-send:1",
        "portal.after-send:4",
        "portal.before-close:1",
        "portal.before-close:2",
    ],
)
async def test_portal_killed_here_loses_nothing_and_seals_nothing_twice(
    portal: Portal, role: Role, crash_point: str, tmp_path: Path
) -> None:
    lines = documents()
    mark = tmp_path / "mark"
    status, answered = await run_process(portal, lines, crash_point, mark)
    assert status == -signal.SIGKILL
    assert mark.read_text() == crash_point.partition(":")[0], "the point was not reached"
    left = {event.event_id: event.leaf for event in journaled(role)}
    if not crash_point.startswith("portal.before-journal"):
        assert left
    assert {answer["event_id"] for answer in answered} <= set(left), "an answer without a journaled event"

    status, again = await run_process(portal, lines)
    assert status == 0
    assert len(again) == len(lines)
    for first, second in zip(answered, again, strict=False):
        assert first["status"] == "accepted" and second["status"] == "duplicate"
        assert first["event_id"] == second["event_id"]
    events = journaled(role)
    assert len(events) == len(lines), "one event for each input, and for each only one"
    assert left.items() <= {event.event_id: event.leaf for event in events}.items()
    assert {event.state for event in events} == {EventState.ACKNOWLEDGED}
    seen = await portal.seen()
    assert_whole(seen)
    assert dict(seen.events.values()) == {event.event_id: event.leaf for event in events}


async def test_same_input_is_one_event_in_one_batch_later_and_after_a_restart(portal: Portal, role: Role) -> None:
    document, other = documents(2)
    async with PortalProducer(role) as out:
        together = await asyncio.gather(*(out.submit(document) for _ in range(5)))
        later = await out.submit(document)
        spaced = await out.submit(json.dumps(json.loads(document), indent=2).encode())
    async with PortalProducer(role) as out:
        restarted = await out.submit(document)
        fresh = await out.submit(other)
    assert [result.status for result in together].count(Status.ACCEPTED) == 1
    answers = [*together, later, spaced, restarted]
    assert [result.status for result in answers].count(Status.DUPLICATE) == 7
    assert len({result.event_id for result in answers}) == 1
    assert fresh.status is Status.ACCEPTED
    seen = await portal.seen()
    assert_whole(seen)
    assert len(seen.events) == 2
    assert seen.copies == 0


async def test_refused_input_leaves_only_time_and_rules(portal: Portal, role: Role) -> None:
    document = json.loads(documents(1)[0])
    document["unknown"] = "見本太郎"
    async with PortalProducer(role) as out:
        result = await out.submit(json.dumps(document).encode())
    assert result.status is Status.REFUSED
    assert result.errors[0].rule and result.errors[0].message and result.errors[0].message_ja
    for path in role.state_directory.iterdir():
        assert "見本太郎".encode() not in path.read_bytes()
    journal = Journal.open(role.state_directory / JOURNAL, owner=journal_owner(role))
    ((_, rules, count),) = journal.refusals()
    journal.close()
    assert (rules, count) == (tuple(sorted({error.rule for error in result.errors})), 1)
    assert (await portal.seen()).events == {}


async def test_receipts_of_the_desk_empty_the_journal_and_forged_ones_do_not(portal: Portal, role: Role) -> None:
    facts: list[Fact] = []
    async with PortalProducer(role, facts.append) as out:
        await asyncio.gather(*(out.submit(document) for document in documents(20)))
        path = role.state_directory / JOURNAL
        events = list(read_events(path))
        for event in events:
            receipt = StoredReceipt(
                event.session,
                event.partition,
                event.tenant,
                f"review-{event.tenant}",
                (StoredEvent(event.sequence, event.event_id, event.leaf),),
                datetime.now(UTC),
            )
            forged = event.partition == events[0].partition
            await portal.confirm(receipt, "helpdesk-131041" if forged else receipt.desk)
        expected = sum(event.partition == events[0].partition for event in events)
        await _eventually(
            lambda: (
                _unconfirmed(path) == expected
                and sum(isinstance(fact, Alarm) and fact.code == "receipt.refused" for fact in facts) == expected
            )
        )
    async with PortalProducer(role) as out:
        result = await out.submit(documents(20)[-1])
    assert result.status is Status.DUPLICATE


async def test_second_portal_on_the_same_directory_is_refused(portal: Portal, role: Role) -> None:
    async with PortalProducer(role):
        with pytest.raises(JournalBusy):
            async with PortalProducer(role):
                pass


async def test_submission_that_kafka_refuses_for_good_is_void_and_the_rest_goes_on(
    kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("narrow")
    narrow = await prepare(kafka, fresh_namespace(), directory, max_submission_bytes=60_000)
    lines = documents(30)
    large = json.loads(lines[7])
    content = base64.b64encode(bytes(70_000)).decode()
    large["attachments"] = [{"file_name": "artificial.pdf", "media_type": "application/pdf", "content_base64": content}]
    lines[7] = json.dumps(large).encode()
    facts: list[Fact] = []
    async with PortalProducer(load_role(narrow.directory), facts.append) as out:
        results = await asyncio.gather(*(out.submit(line) for line in lines))
        again = await out.submit(lines[7])
    refused = results.pop(7)
    assert {result.status for result in results} == {Status.ACCEPTED}
    assert refused.status is Status.REFUSED and refused.errors[0].rule == "event.void"
    assert again == refused
    assert sum(isinstance(fact, Alarm) and fact.code == "produce.refused" for fact in facts) == 1
    seen = await narrow.seen()
    assert_whole(seen)
    listed = [entry.void for chain in seen.checkpoints.values() for one in chain for entry in one.entries]
    assert (len(listed), listed.count(True)) == (30, 1)
    assert refused.event_id not in seen.values


async def test_error_of_the_caller_comes_out_as_it_is_and_sessions_are_closed(portal: Portal, role: Role) -> None:
    with pytest.raises(LookupError):
        async with PortalProducer(role) as out:
            await out.submit(documents(1)[0])
            raise LookupError
    assert_whole(await portal.seen())


async def test_broker_that_is_killed_and_comes_back_costs_nothing(portal: Portal, role: Role) -> None:
    lines = documents(400)
    async with PortalProducer(role, close_seconds=120) as out:
        first = await asyncio.gather(*(out.submit(line) for line in lines[:100]))
        under_way = [asyncio.create_task(out.submit(line)) for line in lines[100:]]
        await asyncio.sleep(0.02)
        portal.kafka.kill()
        await asyncio.to_thread(portal.kafka.start)
        rest = await asyncio.gather(*under_way)
    assert {result.status for result in (*first, *rest)} == {Status.ACCEPTED}
    seen = await portal.seen()
    assert_whole(seen)
    assert len(seen.values) == 400


def _unconfirmed(path: Path) -> int:
    return sum(event.state is not EventState.STORED for event in read_events(path))


async def _eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.05)


@pytest.fixture(autouse=True)
def nothing_readable(portal: Portal) -> Iterator[None]:
    """After each test: no text of the submissions lies in the portal's state directory."""
    yield
    texts: list[bytes] = []
    for document in documents(5):
        for value in json.loads(document).get("items", {}).values():
            if isinstance(value, str) and len(value.encode()) >= 12:
                texts.append(value.encode())
    for path in (portal.directory / "state").glob("*"):
        content = path.read_bytes()
        assert not any(text in content for text in texts), path.name
