"""A desk forgets sealed bytes once an acknowledged checkpoint lists them, and not a moment before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.producing.journal import Journal
from hub.producing.journal_rows import (
    Acknowledge,
    AddCheckpoint,
    CheckpointSent,
    Confirmed,
    EventState,
    ForgetListed,
    MarkVoid,
)
from tests.unit.producing.support import append, digest, entry, open_journal, session

S = session().session


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


def checkpoint(first: int, entries: int, previous: int | None = None, partition: int = 0) -> AddCheckpoint:
    before = None if previous is None else digest("checkpoint", partition, previous)
    return AddCheckpoint(
        S, partition, first, entries, before, digest("checkpoint", partition, first), b"key", b"record"
    )


def sent(first: int, partition: int = 0) -> CheckpointSent:
    return CheckpointSent(S, partition, digest("checkpoint", partition, first))


def states(journal: Journal) -> list[EventState]:
    return [each.state for each in journal.events()]


def sealed(journal: Journal) -> int:
    count: int = journal._reader.execute("SELECT count(*) FROM sealed").fetchone()[0]
    return count


async def forget(journal: Journal) -> int:
    (done,) = await journal.apply(ForgetListed())
    assert isinstance(done, Confirmed)
    return done.trimmed


J, A, D, V = EventState.JOURNALED, EventState.ACKNOWLEDGED, EventState.STORED, EventState.VOID


async def test_only_what_an_acknowledged_checkpoint_lists_is_forgotten(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 5))
    assert await forget(journal) == 0
    await journal.apply(Acknowledge(S, 0, 3))
    assert await forget(journal) == 0  # acknowledged, listed nowhere
    await journal.apply(checkpoint(0, 2))
    assert await forget(journal) == 0  # listed, but perhaps nobody has the checkpoint
    await journal.apply(sent(0))
    assert await forget(journal) == 2
    assert states(journal) == [D, D, A, A, J]
    assert sealed(journal) == 3
    assert await forget(journal) == 0


async def test_a_checkpoint_that_is_on_its_way_keeps_its_lane_and_no_other(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 2), append(S, 1, 0, 2))
    await journal.apply(Acknowledge(S, 0, 1), Acknowledge(S, 1, 1))
    await journal.apply(checkpoint(0, 1), checkpoint(1, 1, previous=0), checkpoint(0, 2, partition=1))
    await journal.apply(sent(0), sent(0, partition=1))
    assert await forget(journal) == 2
    assert states(journal) == [A, A, D, D]
    await journal.apply(sent(1))
    assert await forget(journal) == 2
    assert sealed(journal) == 0


async def test_a_void_event_stays_void(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 2))
    await journal.apply(MarkVoid(S, 0, 0), Acknowledge(S, 0, 1), checkpoint(0, 2), sent(0))
    assert await forget(journal) == 1
    assert states(journal) == [V, D]


async def test_what_is_forgotten_is_still_known_and_waits_for_nothing(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 2))
    await journal.apply(Acknowledge(S, 0, 1), checkpoint(0, 2), sent(0))
    before = journal.find(entry(S, 0, 1).index_key)
    assert journal.depth() == (2, 0)
    await forget(journal)
    after = journal.find(entry(S, 0, 1).index_key)
    assert before is not None and after is not None
    assert (after.event_id, after.leaf, after.state) == (before.event_id, before.leaf, D)
    assert journal.depth() == (0, 0)
    (lane,) = journal.lanes(S)
    assert journal.pending(lane, 10, 10**6) == []
    assert journal.settled(lane, 10) == []


async def test_events_go_on_where_others_were_forgotten(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 2))
    await journal.apply(Acknowledge(S, 0, 1), checkpoint(0, 2), sent(0))
    await forget(journal)
    await journal.apply(append(S, 0, 2, 1))
    assert await forget(journal) == 0
    (lane,) = journal.lanes(S)
    assert [each.sequence for each in journal.pending(lane, 10, 10**6)] == [2]
    await journal.apply(Acknowledge(S, 0, 2), checkpoint(2, 1, previous=0), sent(2))
    assert await forget(journal) == 1
