"""The same input is one event, a refusal leaves no content, and a caller who leaves spoils nothing."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.facts import Fact, SubmissionJudged
from hub.producing.errors import JournalUnavailable
from hub.producing.journal import Journal
from portal.files import submit_documents
from portal.report import report_entries
from portal.results import Status
from portal.submitting import Submitter
from schemas.generator import generate
from tests.unit.producing.memory import Memory, producer
from tests.unit.producing.support import open_journal
from tests.unit.producing.wire import assert_whole

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
TENANTS = ("131041", "999997")


class Portal:
    """A submitter over a real journal and sealed producer, with topics in memory."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.memory = Memory()
        self.facts: list[Fact] = []
        self.submitter: Submitter
        self.tenants = list(TENANTS)
        self.declared_meanwhile: list[str] = []

    async def catch_up(self) -> None:
        self.tenants += self.declared_meanwhile


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    made = Portal(open_journal(tmp_path))
    async with producer(made.memory, made.journal) as out:
        made.submitter = Submitter(
            out,
            made.journal,
            bytes(32),
            rehearsal=True,
            tenants=lambda: made.tenants,
            catch_up=made.catch_up,
            observer=made.facts.append,
            wall=lambda: NOW,
        )
        yield made
        await made.submitter.settle()
    assert_whole(made.memory.seen())
    made.journal.close()


def documents(count: int) -> list[bytes]:
    return [json.dumps(each, ensure_ascii=False).encode() for each in generate(1, count, TENANTS)]


async def test_answers_are_in_the_order_of_the_documents_and_malformed_ones_do_not_stop_the_rest(
    portal: Portal,
) -> None:
    lines = documents(50)
    lines[10] = b"not JSON"
    lines[20] = lines[19]
    text = b"\n".join(lines) + b"\n"
    pieces = [text[at : at + 1_000] for at in range(0, len(text), 1_000)]
    answered = [each async for each in submit_documents(portal.submitter, iter(pieces), "test.jsonl")]
    assert [each.number for each in answered] == list(range(1, 51))
    wanted = {10: Status.REFUSED, 20: Status.DUPLICATE}
    assert [each.result.status for each in answered] == [wanted.get(at, Status.ACCEPTED) for at in range(50)]
    assert answered[20].result.event_id == answered[19].result.event_id
    receipts = [json.loads(line)["receipt_number"] for at, line in enumerate(lines) if at != 10]
    assert [each.result.receipt_number for at, each in enumerate(answered) if at != 10] == receipts
    outcomes = [fact.outcome for fact in portal.facts if isinstance(fact, SubmissionJudged)]
    assert sorted(outcomes) == ["accepted"] * 48 + ["duplicate", "refused"]


async def test_refusal_has_path_rule_and_two_languages_and_is_journaled_without_content(
    portal: Portal,
) -> None:
    document = json.loads(documents(1)[0])
    document["unknown"] = "見本太郎"
    result = await portal.submitter.submit(json.dumps(document).encode())
    assert result.status is Status.REFUSED
    assert all(error.path and error.rule and error.message and error.message_ja for error in result.errors)
    assert portal.journal.refusals() == [
        (int(NOW.timestamp()), tuple(sorted({error.rule for error in result.errors})), 1)
    ]
    assert set(result.as_json()) == {"receipt_number", "event_id", "status", "errors", "findings"}


async def test_same_input_at_the_same_time_is_one_event(portal: Portal) -> None:
    (document,) = documents(1)
    results = await asyncio.gather(*(portal.submitter.submit(document) for _ in range(20)))
    assert [result.status for result in results].count(Status.ACCEPTED) == 1
    assert len({result.event_id for result in results}) == 1
    assert len(portal.memory.seen().events) == 1


async def test_same_input_later_is_the_same_event_however_it_is_written(portal: Portal) -> None:
    (document,) = documents(1)
    first = await portal.submitter.submit(document)
    again = await portal.submitter.submit(document)
    spaced = await portal.submitter.submit(json.dumps(json.loads(document), indent=2).encode())
    assert [each.status for each in (first, again, spaced)] == ["accepted", "duplicate", "duplicate"]
    assert len({each.event_id for each in (first, again, spaced)}) == 1


async def test_caller_who_leaves_does_not_make_room_for_a_second_event(portal: Portal) -> None:
    (document,) = documents(1)
    portal.memory.gate = asyncio.Event()
    first = asyncio.create_task(portal.submitter.submit(document))
    await asyncio.sleep(0.02)
    first.cancel()
    second = asyncio.create_task(portal.submitter.submit(document))
    await asyncio.sleep(0.02)
    portal.memory.gate.set()
    assert (await second).status is Status.DUPLICATE
    assert len(portal.memory.seen().events) == 1


async def test_submission_over_the_ingress_limit_is_refused_and_takes_no_number(portal: Portal) -> None:
    (document,) = documents(1)
    large = json.loads(document)
    content = "A" * (80 * 1024 * 1024)
    large["attachments"] = [{"file_name": "artificial.pdf", "media_type": "application/pdf", "content_base64": content}]
    result = await portal.submitter.submit(json.dumps(large).encode())
    assert result.status is Status.REFUSED
    assert (await portal.submitter.submit(document)).status is Status.ACCEPTED
    assert [place[2] for place in portal.memory.seen().events] == [0]


async def test_full_journal_is_a_retriable_error_and_the_same_input_is_accepted_later(portal: Portal) -> None:
    first, second = documents(2)
    await portal.submitter.submit(first)
    pages = portal.journal._writer.execute("PRAGMA page_count").fetchone()[0]
    portal.journal._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalUnavailable) as full:
        for at in range(200):  # until the free pages are used up
            document = json.loads(second)
            document["receipt_number"] = f"R7-13104-{at:09}"
            await portal.submitter.submit(json.dumps(document).encode())
    assert full.value.retriable and full.value.advice
    portal.journal._writer.execute("PRAGMA max_page_count = 1000000")
    assert (await portal.submitter.submit(json.dumps(document).encode())).status is Status.ACCEPTED


async def test_report_says_what_was_sent(portal: Portal) -> None:
    results = await asyncio.gather(*(portal.submitter.submit(each) for each in documents(10)))
    await asyncio.sleep(0.05)
    entries = list(report_entries(portal.journal.path))
    assert {entry.event_id for entry in entries} == {result.event_id for result in results}
    assert {entry.state for entry in entries} == {"held"}
    assert dict(portal.memory.seen().events.values()) == {entry.event_id: entry.leaf for entry in entries}


async def test_a_tenant_that_was_declared_a_moment_ago_is_not_refused(portal: Portal) -> None:
    (new,) = [json.dumps(each, ensure_ascii=False).encode() for each in generate(1, 1, ["999989"])]
    assert [each.rule for each in (await portal.submitter.submit(new)).errors] == ["tenant.unknown"]
    portal.declared_meanwhile = ["999989"]
    assert (await portal.submitter.submit(new)).status is Status.ACCEPTED


async def test_a_pipe_that_is_silent_holds_up_neither_answers_nor_the_loop(portal: Portal) -> None:
    go_on = threading.Event()

    def pipe() -> Iterator[bytes]:
        first, second = documents(2)
        yield first + b"\n" + second[:40]
        assert go_on.wait(60)
        yield second[40:] + b"\n"

    answers = submit_documents(portal.submitter, pipe(), "-")
    first = await asyncio.wait_for(anext(answers), 30)
    assert first.result.status is Status.ACCEPTED
    await portal.submitter.settle()  # what is under way goes its way meanwhile
    assert len(portal.memory.seen().events) == 1
    go_on.set()
    assert [each.number async for each in answers] == [2]


async def test_an_error_of_the_source_comes_after_the_answers_before_it(portal: Portal) -> None:
    def broken() -> Iterator[bytes]:
        yield documents(1)[0] + b"\n{"
        raise OSError(errno.EIO, "the disk")

    answers = submit_documents(portal.submitter, broken(), "-")
    assert (await anext(answers)).result.status is Status.ACCEPTED
    with pytest.raises(OSError, match="disk"):
        await anext(answers)
