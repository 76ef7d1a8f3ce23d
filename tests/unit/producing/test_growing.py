"""While topics grow nothing is begun; what an earlier generation has left in a journal is never sent elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import hub.producing.sessions
from hub.producing.errors import EarlierGeneration, Growing, JournalConflict
from hub.producing.journal_rows import AddClose, AddSession, DropSession, SessionAnnounced, SessionState, StoredSession
from hub.producing.producer import SessionProducer
from tests.unit.producing.memory import SESSIONS, Memory, draft, producer
from tests.unit.producing.support import append, digest, open_journal

OLD = AddSession(digest("old"), "rehearsal.submissions.g0", "131041", b"record", 1_000)
"""a session of another generation than the producer's topic"""


async def test_a_pause_takes_nothing_and_closes_every_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.producing.sessions, "EXPIRY_CHECK_SECONDS", 0.01)
    memory, held = Memory(), [False]
    journal = open_journal(tmp_path)
    made: SessionProducer = producer(memory, journal, holds_back=lambda: held[0])  # type: ignore[arg-type]
    async with asyncio.timeout(20), made as portal:
        for number in range(5):
            await portal.publish(draft(number, tenant=("131041", "999997")[number % 2]))
        assert len(journal.open_sessions()) == 2
        held[0] = True
        with pytest.raises(Growing):
            await portal.publish(draft(5))
        await until(lambda: not journal.open_sessions())
        assert len(memory.records[SESSIONS, 0]) == 4  # each announced and closed
        held[0] = False
        await portal.publish(draft(5))
    seen = memory.seen()
    assert len(seen.closes) == len(seen.sessions) == 3
    journal.close()


async def until(done: Callable[[], bool]) -> None:
    while True:
        if done():
            return
        await asyncio.sleep(0.01)


async def left_behind(tmp_path: Path, *steps: object) -> tuple[list[StoredSession], Memory]:
    """Start a producer on a journal with these steps in it; return what is open then, and what was sent."""
    memory, journal = Memory(), open_journal(tmp_path)
    try:
        await journal.apply(OLD, *steps)  # type: ignore[arg-type]
        async with asyncio.timeout(20), producer(memory, journal):
            pass
        return journal.open_sessions(), memory
    finally:
        journal.close()


async def test_a_session_that_nobody_has_heard_of_is_forgotten(tmp_path: Path) -> None:
    assert await left_behind(tmp_path) == ([], Memory())


async def test_a_close_that_was_journaled_is_on_its_topic_or_the_topics_would_not_have_grown(tmp_path: Path) -> None:
    found, memory = await left_behind(tmp_path, SessionAnnounced(OLD.session), AddClose(OLD.session, b"close"))
    assert found == []
    assert not any(memory.records.values())


@pytest.mark.parametrize(
    "steps",
    [
        (SessionAnnounced(OLD.session),),
        (SessionAnnounced(OLD.session), append(OLD.session, 1, 0, 2)),
        (append(OLD.session, 1, 0, 2),),
    ],
)
async def test_events_for_an_earlier_generation_are_left_to_people(tmp_path: Path, steps: tuple[object, ...]) -> None:
    with pytest.raises(EarlierGeneration):
        await left_behind(tmp_path, *steps)


async def test_only_a_session_without_events_can_be_dropped(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.apply(OLD, append(OLD.session, 1, 0, 1))
    with pytest.raises(JournalConflict):
        await journal.apply(DropSession(OLD.session))
    (found,) = journal.open_sessions()
    assert found.state is SessionState.JOURNALED
    journal.close()
