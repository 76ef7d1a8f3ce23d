"""The log on disk: a chain, a bound, one place for many processes, and no silence when it cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hub.crashpoints import POINTS
from hub.envelope.operations import CLASS_OF, Class, Kind, Operation
from hub.operations.errors import SpoolDamaged, Unlogged
from hub.operations.spool import LOST, Spool
from hub.settings import SpoolSettings
from tests.unit.envelope.support import HELPDESK, NOW
from tests.unit.operations.world import Desk, alarm, said, spool, viewed, waiting


def test_lines_are_a_chain_that_goes_on_after_a_restart(tmp_path: Path) -> None:
    log = spool(tmp_path)
    log.note(viewed(1))
    log.tell([alarm(1), alarm(2)])
    log.close()
    again = spool(tmp_path)
    again.note(viewed(2))
    lines = waiting(again)
    assert said(lines) == ["officer-1", "part-1", "part-2", "officer-2"]
    assert len({each.log for each in lines}) == 1
    assert (tmp_path / "operations.db").stat().st_mode & 0o777 == 0o600


def test_what_was_acknowledged_waits_no_more_and_the_chain_goes_on(tmp_path: Path) -> None:
    log = spool(tmp_path)
    log.tell([alarm(number) for number in range(10)])
    before = waiting(log)
    batch = log.batch(lines=4)
    assert [sequence for sequence, _ in batch.lines] == [0, 1, 2, 3]
    log.mark(batch.log, 3)
    log.mark(batch.log, 1)  # another sender's, late
    log.mark(bytes(16), 8)  # of another log
    log.mark(batch.log, 10)  # nothing has that place
    assert waiting(log) == before[4:] and log.waiting().lines == 6
    assert log.waiting().bytes == sum(len(value) for _, value in log.batch().lines)
    log.mark(batch.log, 9)
    assert (log.waiting().lines, log.waiting().bytes) == (0, 0) and not log.batch().lines
    log.note(viewed())
    assert waiting(log)[0].sequence == 10


def test_sent_lines_are_kept_a_little(tmp_path: Path) -> None:
    clock = [1_000.0]
    log = Spool(Desk(tmp_path), SpoolSettings(keep_seconds=60, lines=8), now=lambda: NOW, wall=lambda: clock[0])

    def kept() -> list[int]:
        with sqlite3.connect(tmp_path / "operations.db") as db:
            return [row[0] for row in db.execute("SELECT sequence FROM line ORDER BY sequence")]

    def send() -> None:
        batch = log.batch()
        log.mark(batch.log, batch.lines[-1][0])

    log.note(viewed())
    send()
    assert kept() == [0]
    clock[0] += 59
    log.note(viewed())
    send()
    assert kept() == [0, 1]
    clock[0] += 2
    log.note(viewed())
    send()
    assert kept() == [1, 2], "the first was sent more than a minute ago"
    for _ in range(10):
        log.note(viewed())
        send()
    assert len(kept()) <= 9, "no more than may wait"
    clock[0] = 10.0  # the clock was wrong, and was set
    log.note(viewed())
    send()
    assert kept() == [13]


def test_batches_have_bounds_and_at_least_one_line(tmp_path: Path) -> None:
    log = spool(tmp_path)
    log.tell([alarm(number) for number in range(5)])
    size = len(log.batch().lines[0][1])
    assert len(log.batch(size=1).lines) == 1
    assert len(log.batch(size=2 * size + 20).lines) == 2
    assert len(log.batch(lines=3).lines) == 3


def test_beyond_the_bound_people_stop_and_processes_are_counted(tmp_path: Path) -> None:
    log = spool(tmp_path, lines=8)
    log.tell([alarm(number) for number in range(9)])
    assert (log.waiting().lines, log.waiting().lost, log.waiting().full) == (6, 3, False)
    log.note(viewed(1))
    log.note(viewed(2))
    assert log.waiting().full
    with pytest.raises(Unlogged) as refused:
        log.note(viewed(3))
    assert (refused.value.code, refused.value.detail) == ("operations.unlogged", "(8 lines wait)")
    log.tell([alarm(9)], lost=2)
    before = waiting(log)
    assert said(before) == [*(f"part-{number}" for number in range(6)), "officer-1", "officer-2"]
    log.mark(before[0].log, 0)
    log.note(viewed(4))
    assert said(waiting(log))[-1] == "officer-4", "a line of a person first: the count waits for room"
    log.mark(before[0].log, 5)
    log.tell([alarm(10)])
    lost, last = waiting(log)[-2:]
    assert (lost.operation.kind, lost.operation.code, lost.operation.count) == (Kind.ALARM, LOST, 6)
    assert said([last]) == ["part-10"] and log.waiting().lost == 0


def test_the_bound_is_also_one_of_bytes(tmp_path: Path) -> None:
    log = spool(tmp_path, mib=2 / 1024)
    with pytest.raises(Unlogged):
        for number in range(1_000):
            log.note(viewed(number))
    assert 2_048 <= log.waiting().bytes < 3_072 and log.waiting().full


def test_what_is_no_line_is_not_done_unlogged(tmp_path: Path) -> None:
    log = spool(tmp_path)
    with pytest.raises(Unlogged):
        log.note(Operation(Kind.VIEWED, NOW, receipt="no fingerprint"))
    assert not waiting(log)
    log.note(viewed())
    assert len(waiting(log)) == 1


def test_a_log_that_is_gone_begins_anew_and_everybody_sees_it(tmp_path: Path) -> None:
    log = spool(tmp_path)
    log.note(viewed(1))
    before = waiting(log)[0].log
    for file in tmp_path.iterdir():
        file.unlink()
    log.note(viewed(2))  # the process still had the old file open
    (line,) = waiting(log)
    assert line.log != before and line.sequence == 0 and said([line]) == ["officer-2"]
    assert said(waiting(spool(tmp_path))) == ["officer-2"], "the other processes of the role see the same file"


def test_a_file_that_was_put_back_forks_the_log_visibly(tmp_path: Path) -> None:
    log = spool(tmp_path / "state")
    log.note(viewed(1))
    log.close()
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    log.note(viewed(2))
    (ours,) = waiting(log)[1:]
    (theirs,) = (spool(tmp_path / "copy").note(viewed(3)), waiting(spool(tmp_path / "copy")))[1][1:]
    assert (ours.log, ours.sequence, ours.previous) == (theirs.log, theirs.sequence, theirs.previous)
    assert ours.operation != theirs.operation, "same log, same place, another line: the reader rings"


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"no database of ours" * 400),
        lambda file: file.write_bytes(file.read_bytes()[:4096] + os.urandom(len(file.read_bytes()) - 4096)),
        lambda file: execute(file, "DROP TABLE log"),
        lambda file: execute(file, "DELETE FROM log"),
        lambda file: execute(file, "PRAGMA user_version = 2"),
        lambda file: execute(file, "PRAGMA application_id = 1"),
        lambda file: execute(file, "UPDATE log SET owner = 'rehearsal/router'"),
    ],
    ids=["garbage", "pages", "no table", "no row", "version", "application", "owner"],
)
def test_a_damaged_file_is_an_error_and_no_silence(tmp_path: Path, damage: object) -> None:
    log = spool(tmp_path)
    log.tell([alarm(number) for number in range(100)])
    log.close()
    execute(tmp_path / "operations.db", "PRAGMA wal_checkpoint(TRUNCATE)")
    assert callable(damage)
    damage(tmp_path / "operations.db")
    for attempt in (lambda: log.note(viewed()), lambda: log.tell([alarm()]), log.waiting, log.probe, log.batch):
        with pytest.raises(SpoolDamaged) as refused:
            attempt()
        assert refused.value.code == "operations.damaged" and "rehearsal" not in refused.value.hint


def execute(file: Path, statement: str) -> None:
    db = sqlite3.connect(file, isolation_level=None)
    db.execute(statement).fetchall()
    db.close()


def test_another_roles_file_is_not_ours(tmp_path: Path) -> None:
    Spool(Desk(tmp_path, principal=HELPDESK), now=lambda: NOW).note(viewed())
    with pytest.raises(SpoolDamaged):
        spool(tmp_path).note(viewed())


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in its place")
    with pytest.raises(Unlogged):
        spool(tmp_path / "state").note(viewed())


CHILD = """
import sys
from pathlib import Path
from tests.unit.operations.world import alarm, spool, viewed

directory, name, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
log = spool(directory)
for number in range(count):
    if number % 2:
        log.tell([alarm(1000 * name + number)])
    else:
        log.note(viewed(1000 * name + number))
print("done", flush=True)
"""

FULL = """
import json, resource, sys
from pathlib import Path
from hub.operations.errors import Unlogged
from tests.unit.operations.world import spool, viewed

directory = Path(sys.argv[1])
log = spool(directory)
log.note(viewed(0))
limit = max(each.stat().st_size for each in directory.iterdir()) + 40_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
noted, refused, details = [0], [], set()
for number in range(1, 400):
    try:
        log.note(viewed(number))
    except Unlogged as problem:
        assert problem.code == "operations.unlogged"
        details.add(problem.detail)
        refused.append(number)
    else:
        noted.append(number)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.tell([], len(refused))
log.note(viewed(400))
print(json.dumps([noted, refused, sorted(details)]), flush=True)
"""


def child(code: str, directory: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(directory), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environment},
        text=True,
    )


def test_many_processes_write_one_chain_and_lose_nothing(tmp_path: Path) -> None:
    """They also all begin at once: one of them makes the file."""
    processes = [child(CHILD, tmp_path, name, 30) for name in range(4)]
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "done\n"), errors
    lines = waiting(spool(tmp_path))
    assert len(lines) == 120 and [each.sequence for each in lines] == list(range(120))
    for name in range(4):
        own = [each for each in said(lines) if int(each.rpartition("-")[2]) // 1000 == name]
        assert own == [f"{'part' if number % 2 else 'officer'}-{1000 * name + number}" for number in range(30)], (
            "each process's lines in its order"
        )


def test_on_a_full_disk_nothing_is_noted_silently_and_all_goes_on_when_there_is_room(tmp_path: Path) -> None:
    process = child(FULL, tmp_path)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    noted, refused, details = json.loads(out)
    assert refused and refused[-1] == 399 and all("SQLITE_" in each for each in details)
    lines = waiting(spool(tmp_path))
    assert said(lines) == [*(f"officer-{number}" for number in noted), "operations", "officer-400"]
    assert (lines[-2].operation.code, lines[-2].operation.count) == (LOST, len(refused))


@pytest.mark.parametrize(("point", "there"), [("operations.before-append", 2), ("operations.after-append", 3)])
def test_killed_while_a_line_is_written_it_is_there_or_not(tmp_path: Path, point: str, there: int) -> None:
    assert point in POINTS
    mark = tmp_path / "mark"
    crash = {"HUB_CRASH_POINT": f"{point}:3", "HUB_CRASH_MARK": str(mark)}
    process = child(CHILD, tmp_path / "state", 0, 30, **crash)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and mark.read_text() == point
    log = spool(tmp_path / "state")
    assert len(waiting(log)) == there
    log.note(viewed(99))
    assert said(waiting(log))[-1] == "officer-99" and len(waiting(log)) == there + 1


def test_only_what_processes_say_of_themselves_may_be_counted_instead() -> None:
    quiet = {kind for kind in Kind if CLASS_OF[kind] in (Class.SYSTEM, Class.NETWORK)}
    assert not quiet & {Kind.VIEWED, Kind.EXPORTED, Kind.DECIDED, Kind.KEY_USED, Kind.COMMANDED, Kind.LETTER_ENDED}
