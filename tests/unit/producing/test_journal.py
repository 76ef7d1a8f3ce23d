"""The journal keeps what it promised, fails whole, and belongs to one process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.producing.errors import JournalBusy, JournalConflict, JournalForeign, JournalUnavailable
from hub.producing.journal import Journal
from hub.producing.journal_rows import (
    Acknowledge,
    AddCheckpoint,
    AddClose,
    Append,
    Confirm,
    Confirmed,
    EventState,
    MarkVoid,
    NoteRefusal,
    Receipt,
    RememberEpoch,
    SessionClosed,
)
from tests.unit.producing.support import OWNER, append, digest, entry, open_journal, session

S = session().session


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


async def test_same_input_is_found_after_reopening(tmp_path: Path) -> None:
    first = open_journal(tmp_path)
    await first.apply(session(), append(S, 2, 0, 3))
    first.close()
    again = open_journal(tmp_path)
    found = again.find(entry(S, 2, 1).index_key)
    assert found is not None
    assert (found.sequence, found.leaf, found.state) == (1, entry(S, 2, 1).leaf, EventState.JOURNALED)
    assert again.find(digest("never")) is None
    again.close()


async def test_index_outlives_the_sealed_bytes(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 2), Acknowledge(S, 0, 1))
    gone = entry(S, 0, 0)
    answers = await journal.apply(
        Confirm("status", 0, 7, (Receipt(S, 0, 0, gone.event_id, gone.leaf),)),
    )
    assert answers == (Confirmed(1, 0, 0, 0),)
    found = journal.find(gone.index_key)
    assert found is not None
    assert found.state is EventState.STORED
    assert journal.positions("status") == {0: 7}
    assert journal.depth() == (1, 0)


async def test_receipt_for_another_leaf_trims_nothing(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 1), Acknowledge(S, 0, 0))
    answers = await journal.apply(
        Confirm("status", 0, 1, (Receipt(S, 0, 0, entry(S, 0, 0).event_id, digest("forged")),))
    )
    assert answers == (Confirmed(0, 0, 0, 1),)
    assert journal.depth() == (1, 0)


async def test_receipt_before_the_acknowledgement_is_kept(journal: Journal) -> None:
    only = entry(S, 0, 0)
    await journal.apply(session(), append(S, 0, 0, 1))
    await journal.apply(Confirm("status", 0, 1, (Receipt(S, 0, 0, only.event_id, only.leaf),)))
    await journal.apply(Acknowledge(S, 0, 0))
    assert [row.state for row in journal.events()] == [EventState.STORED]


async def test_receipt_cancels_a_void(journal: Journal) -> None:
    only = entry(S, 0, 0)
    await journal.apply(session(), append(S, 0, 0, 1), MarkVoid(S, 0, 0), Acknowledge(S, 0, 0))
    await journal.apply(Confirm("status", 0, 1, (Receipt(S, 0, 0, only.event_id, only.leaf),)))
    assert [row.state for row in journal.events()] == [EventState.STORED]


async def test_void_is_listed_as_void(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 3), MarkVoid(S, 0, 1), Acknowledge(S, 0, 2))
    assert [row.void for row in journal.settled(journal.lanes(S)[0], 10)] == [False, True, False]


async def test_one_bad_call_does_not_spoil_its_neighbours(journal: Journal) -> None:
    await journal.apply(session())
    results = await asyncio.gather(
        journal.apply(append(S, 0, 0, 1)),
        journal.apply(append(S, 1, 5, 1)),
        journal.apply(append(S, 2, 0, 1)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [tuple, JournalConflict, tuple]
    assert [lane.partition for lane in journal.lanes(S)] == [0, 2]


async def test_waiting_calls_share_a_commit(journal: Journal) -> None:
    await journal.apply(session())
    before = journal.commits
    await asyncio.gather(*(journal.apply(append(S, partition, 0, 1)) for partition in range(200)))
    assert journal.commits - before < 100
    assert len(journal.lanes(S)) == 200


async def test_steps_of_one_call_are_all_or_nothing(journal: Journal) -> None:
    with pytest.raises(JournalConflict):
        await journal.apply(session(), append(S, 0, 0, 1), append(S, 0, 2, 1))
    assert journal.open_sessions() == []


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((append(S, 0, 1, 1),), id="a gap in the sequence"),
        pytest.param((append(S, 0, 0, 1), append(S, 0, 0, 1)), id="a sequence used twice"),
        pytest.param((append(digest("foreign"), 0, 0, 1),), id="an unknown session"),
        pytest.param((append(S, 0, 0, 1), Acknowledge(S, 0, 1)), id="acknowledged before journaled"),
        pytest.param((append(S, 0, 0, 1), AddClose(S, b"close")), id="close before the last checkpoint"),
        pytest.param((AddClose(S, b"close"), append(S, 0, 0, 1)), id="event after the close"),
        pytest.param((AddClose(S, b"close"), AddClose(S, b"other")), id="two closes"),
        pytest.param((SessionClosed(S),), id="close acknowledged before it was written"),
        pytest.param((append(S, 0, 0, 1), Acknowledge(S, 0, 0), MarkVoid(S, 0, 0)), id="void after the fact"),
        pytest.param(
            (append(S, 0, 0, 1), AddCheckpoint(S, 0, 0, 1, None, digest(1), b"k", b"r")),
            id="checkpoint of an event that is not acknowledged",
        ),
        pytest.param(
            (AddCheckpoint(S, 0, 0, 0, digest("other"), digest(1), b"k", b"r"),),
            id="checkpoint that does not name its predecessor",
        ),
        pytest.param((RememberEpoch("router", 202611, b"a"), RememberEpoch("router", 202610, b"b")), id="older epoch"),
        pytest.param((RememberEpoch("router", 202611, b"a"), RememberEpoch("router", 202611, b"b")), id="other key"),
    ],
)
async def test_journal_refuses(journal: Journal, steps: tuple[object, ...]) -> None:
    await journal.apply(session())
    with pytest.raises(JournalConflict):
        await journal.apply(*steps)  # type: ignore[arg-type]
    assert journal.lanes(S) == []


async def test_same_input_cannot_be_journaled_twice(journal: Journal) -> None:
    await journal.apply(session(), append(S, 0, 0, 1))
    with pytest.raises(JournalConflict):
        await journal.apply(Append((entry(S, 1, 0, name=(S, 0, 0)),)))


async def test_refusals_are_counted_without_content(journal: Journal) -> None:
    await journal.apply(
        NoteRefusal(60, ("text.control", "item.unknown")), NoteRefusal(60, ("item.unknown", "text.control"))
    )
    assert journal.refusals() == [(60, ("item.unknown", "text.control"), 2)]


async def test_files_are_private(journal: Journal) -> None:
    await journal.apply(session())
    for path in journal.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


async def test_durability_settings_are_in_force(journal: Journal) -> None:
    pragma = {
        name: journal._writer.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "page_size", "foreign_keys")
    }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "page_size": 16_384, "foreign_keys": 1}


def test_second_process_is_told_that_the_journal_is_busy(journal: Journal) -> None:
    script = (
        "import sys; from pathlib import Path; from hub.producing.journal import Journal\n"
        "from hub.producing.errors import JournalBusy\n"
        "try: Journal.open(Path(sys.argv[1]), owner=sys.argv[2])\n"
        "except JournalBusy as busy: print(busy.code, busy.advice)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(journal.path), OWNER], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("journal.busy One journal has one instance")


def test_lock_is_free_after_the_owner_was_killed(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal; from pathlib import Path; from hub.producing.journal import Journal\n"
        "Journal.open(Path(sys.argv[1]), owner=sys.argv[2]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "journal.db"), OWNER], check=False)
    assert done.returncode == -signal.SIGKILL
    open_journal(tmp_path).close()


def test_busy_in_the_same_process_too(journal: Journal) -> None:
    with pytest.raises(JournalBusy):
        open_journal(journal.path.parent)


def test_journal_of_another_instance_is_refused(journal: Journal, tmp_path: Path) -> None:
    journal.path.parent.joinpath("x").mkdir()
    open_journal(tmp_path / "x").close()
    with pytest.raises(JournalForeign):
        Journal.open(tmp_path / "x" / "journal.db", owner="portal/portal-2/rehearsal")
    open_journal(tmp_path / "x").close()


def test_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalUnavailable):
        open_journal(tmp_path)


async def _fill(journal: Journal) -> int:
    """Append until the journal is full; return how many entries it took."""
    await journal.apply(session())
    taken = 0
    while True:
        try:
            await journal.apply(append(S, 0, taken, 10, size=20_000))
        except JournalUnavailable as full:
            assert full.retriable
            assert "FULL" in full.detail or "IOERR" in full.detail
            return taken
        taken += 10
        assert taken < 5_000


async def test_full_journal_takes_nothing_by_halves_and_recovers(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, max_bytes=2_000_000)
    taken = await _fill(journal)
    assert taken > 0
    assert journal.lanes(S)[0].next_sequence == taken
    assert len(list(journal.events())) == taken
    receipts = tuple(Receipt(S, 0, at, entry(S, 0, at).event_id, entry(S, 0, at).leaf) for at in range(taken))
    await journal.apply(Acknowledge(S, 0, taken - 1), Confirm("status", 0, 1, receipts))
    await journal.apply(append(S, 0, taken, 10, size=20_000))
    journal.close()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="only root can mount a small disk")
def test_full_disk_is_a_clear_error_and_no_half_state(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        journal = open_journal(disk)
        taken = asyncio.run(_fill(journal))
        kept = [row.sequence for row in journal.events()]
        journal.close()
        again = open_journal(disk)
        assert kept == list(range(taken))
        assert again.lanes(S)[0].next_sequence == taken
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        asyncio.run(again.apply(append(S, 0, taken, 10, size=20_000)))
        again.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_committed_steps_survive_kill_and_uncommitted_leave_nothing(tmp_path: Path) -> None:
    """A process is killed at a random moment of writing; what it printed as durable is there, whole."""
    script = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from tests.unit.producing.support import *\n"
        "async def main():\n"
        "    journal = open_journal(Path(sys.argv[1])); first = session(); await journal.apply(first)\n"
        "    for at in range(100_000):\n"
        "        await journal.apply(append(first.session, 0, at * 7, 7)); print(at, flush=True)\n"
        "asyncio.run(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.kill()
    durable = 50 + len(process.stdout.readlines())
    process.wait()
    process.stdout.close()
    journal = open_journal(tmp_path)
    taken = journal.lanes(S)[0].next_sequence
    assert taken % 7 == 0
    assert durable <= taken // 7 <= durable + 1
    assert [row.sequence for row in journal.events()] == list(range(taken))
    journal.close()
