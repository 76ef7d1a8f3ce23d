"""kill -9 at the worst moments: rows, place and outbox are one, whatever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consumers.store.sql import open_sqlite
from tests.unit.consumers.making import TOPIC, event_id
from tests.unit.consumers.world import NAMESPACE, REVIEW, STATUS, uuid7

OWNER = f"{NAMESPACE}/{REVIEW}"

DESK = """
import asyncio, sys
from pathlib import Path
from tests.unit.consumers.test_engine import TOPIC, judge
from tests.unit.consumers.world import REVIEW, ListWriter, Portal, World

async def main():
    world = World(Path(sys.argv[1]))
    portal = Portal(world)
    world.route(TOPIC, REVIEW, *(portal.seal(n) for n in range(6)))
    store = world.store()
    engine = world.engine(REVIEW, judge(world, store), store)
    reader = world.reader([TOPIC], await engine.places())
    await engine.run(reader, ListWriter(world.topics), asyncio.Event())

asyncio.run(main())
"""

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from consumers.store.model import Outgoing
from consumers.store.sql import open_sqlite
from tests.unit.consumers.making import batch, new_event

store = open_sqlite(Path(sys.argv[1]) / "review-999997.db", "rehearsal/review-999997")
place = None
for n in range(0, 1_000_000, 5):
    rows = [new_event(n + k) for k in range(5)]
    sent = tuple(Outgoing("t", 0, b"k", row.event_id.encode(), "receipt") for row in rows)
    store.commit(replace(batch(place, n + 5, *rows), outgoing=sent))
    place = n + 5
    print(place, flush=True)
"""


def start(code: str, directory: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environment},
        text=True,
    )


def test_killed_between_commit_and_outbox_everything_waits_in_the_store(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    process = start(DESK, tmp_path, HUB_CRASH_POINT="consumer.after-commit", HUB_CRASH_MARK=str(mark))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert mark.read_text() == "consumer.after-commit"
    store = open_sqlite(tmp_path / f"{REVIEW}.db", OWNER)
    rows = store.events()
    waiting = store.waiting(100, 10**6)
    assert [row.event.event_id for row in rows] == [row.outgoing.value.decode() for row in waiting]
    assert sorted(row.event.event_id for row in rows) == [uuid7(n) for n in range(6)]
    assert sum(store.positions().values()) == 6
    assert {row.outgoing.topic for row in waiting} == {STATUS}
    store.close()


@pytest.mark.parametrize("commits", [3, 17, 40])
def test_killed_in_the_middle_of_writing_there_is_no_half_batch(tmp_path: Path, commits: int) -> None:
    process = start(WRITER, tmp_path)
    assert process.stdout is not None
    acknowledged = 0
    for _ in range(commits):
        acknowledged = int(process.stdout.readline())
    time.sleep(0.001 * (commits % 5))
    process.kill()
    process.communicate(timeout=60)
    store = open_sqlite(tmp_path / f"{REVIEW}.db", OWNER)
    place = store.positions()[TOPIC, 0]
    assert place >= acknowledged  # what was acknowledged is there
    assert place % 5 == 0
    rows = store.events(limit=10_000)
    assert [row.event.event_id for row in rows] == [event_id(n) for n in range(place)]
    assert store.waiting_count() == place
    store.close()
