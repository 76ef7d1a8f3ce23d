"""A file that appears is submitted once, answered whole, and gone when it was accepted; what is refused is kept."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.facts import Alarm, Fact
from hub.producing.errors import JournalUnavailable
from portal.inbox import MOST_AT_ONE_LOOK, Inbox, InboxUnusable, serve
from portal.results import Result
from schemas.submission import Refused
from tests.unit.portal import test_submitting
from tests.unit.portal.test_submitting import Portal, documents

portal = test_submitting.portal


class Interrupted:
    """The real portal, whose journal cannot be written for the first `times` documents."""

    def __init__(self, portal: Portal, times: int) -> None:
        self._portal, self._times = portal, times

    async def submit(self, document: bytes) -> Result:
        if self._times:
            self._times -= 1
            raise JournalUnavailable("(full)")
        return await self._portal.submitter.submit(document)

    async def refuse(self, refusal: Refused) -> Result:
        return await self._portal.submitter.refuse(refusal)


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    yield Inbox(tmp_path / "inbox")


def put(inbox: Inbox, name: str, lines: list[bytes]) -> Path:
    new = inbox.incoming.parent / f".{name}"
    new.write_bytes(b"\n".join(lines) + b"\n")
    return new.replace(inbox.incoming / name)


def answered(inbox: Inbox, name: str) -> list[str]:
    lines = (inbox.answers / f"{name}.answers.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["status"] for line in lines]


async def served(portal: object, inbox: Inbox, facts: list[Fact], until_gone: list[Path]) -> None:
    stop = asyncio.Event()

    async def pause(seconds: float) -> None:
        await asyncio.sleep(0)

    task = asyncio.create_task(serve(portal, inbox, stop, facts.append, pause=pause))  # type: ignore[arg-type]
    while any(each.exists() for each in until_gone):
        if task.done():
            await task
        await asyncio.sleep(0.001)
    stop.set()
    await task


async def test_what_is_accepted_is_answered_and_leaves_no_plaintext(portal: Portal, inbox: Inbox) -> None:
    lines = documents(12)
    first, second = put(inbox, "a.jsonl", lines[:10]), put(inbox, "b.json", lines[9:])
    await served(portal.submitter, inbox, [], [first, second])
    assert answered(inbox, "a.jsonl") == ["accepted"] * 10
    assert sorted(answered(inbox, "b.json")) == ["accepted", "accepted", "duplicate"]
    left = [each for each in inbox.incoming.parent.rglob("*") if each.is_file()]
    assert {each.parent for each in left} == {inbox.answers}


async def test_a_file_with_a_refused_document_is_kept_for_a_person(portal: Portal, inbox: Inbox) -> None:
    file = put(inbox, "c.jsonl", [documents(1)[0], b'{"procedure": "no-such"}'])
    await served(portal.submitter, inbox, [], [file])
    assert answered(inbox, "c.jsonl") == ["accepted", "refused"]
    assert (inbox.refused / "c.jsonl").exists()


async def test_what_cannot_be_taken_now_stays_and_is_taken_later(portal: Portal, inbox: Inbox) -> None:
    facts: list[Fact] = []
    file = put(inbox, "d.jsonl", documents(4))
    await served(Interrupted(portal, 1), inbox, facts, [file])
    assert sorted(set(answered(inbox, "d.jsonl"))) in (["accepted"], ["accepted", "duplicate"])
    assert [each.code for each in facts if isinstance(each, Alarm)] == [JournalUnavailable.code]


async def test_links_dot_files_and_other_files_are_not_looked_at(inbox: Inbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (inbox.incoming / "link.json").symlink_to(secret)
    (inbox.incoming / ".half.jsonl").write_text("{")
    (inbox.incoming / "notes.txt").write_text("no")
    (inbox.incoming / "directory.json").mkdir()
    os.mkfifo(inbox.incoming / "pipe.jsonl")
    assert inbox.waiting() == []
    for number in range(MOST_AT_ONE_LOOK + 5):
        (inbox.incoming / f"{number:05}.json").touch()
    assert len(inbox.waiting()) == MOST_AT_ONE_LOOK
    assert inbox.waiting()[0].name == "00000.json"


def test_a_place_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("a file")
    with pytest.raises(InboxUnusable):
        Inbox(tmp_path / "inbox")
