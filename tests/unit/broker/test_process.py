"""A kept process ends when we do: in order, by kill -9, and even when it is stopped or ignores us."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker import process as module
from broker.process import KeptProcess

PROGRAM = """
import signal, sys, time
from pathlib import Path
def end(*_):
    Path("ended").write_text("in order")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
Path("ready").write_text("")
while True:
    time.sleep(0.05)
"""
DEAF = PROGRAM.replace("signal.signal(signal.SIGTERM, end)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")

PARENT = """
import sys, threading, time
from pathlib import Path
from broker.process import KeptProcess
def start():
    with open("lock", "w") as lock:
        kept = KeptProcess([sys.executable, "-I", "-c", Path("program").read_text()], directory=Path.cwd(),
                           environment={}, console=Path("console"), hold=lock.fileno())
    Path("pid").write_text(str(kept.pid))
    globals()["kept"] = kept
started_by = threading.Thread(target=start)  # a thread that is gone long before the process
started_by.start()
started_by.join()
while not Path("ready").exists():
    time.sleep(0.02)
Path("started").write_text("")
time.sleep(600)
"""


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or while it was read
        return False
    return state != "Z"


def keep(directory: Path, program: str = PROGRAM) -> KeptProcess:
    with (directory / "lock").open("w") as lock:
        made = KeptProcess(
            [sys.executable, "-I", "-c", program],
            directory=directory,
            environment={},
            console=directory / "console",
            hold=lock.fileno(),
        )
    until((directory / "ready").exists, "the program starts")
    return made


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "program").write_text(PROGRAM)
    root = Path(module.__file__).parent.parent
    made = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}
    )
    until((tmp_path / "started").exists, "the parent starts")
    yield made
    made.kill()
    made.wait()


def test_a_stop_is_in_order(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    assert kept.running()
    kept.stop()
    assert (tmp_path / "ended").read_text() == "in order"
    assert not lives(kept.pid)


def test_the_lock_is_held_until_the_process_is_gone(tmp_path: Path) -> None:
    """We may be gone by then: who starts next must wait for the program, not for us."""
    with (tmp_path / "lock").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        kept = KeptProcess(
            [sys.executable, "-I", "-c", PROGRAM],
            directory=tmp_path,
            environment={},
            console=tmp_path / "console",
            hold=ours.fileno(),
        )
    with (tmp_path / "lock").open("w") as next_one:
        with pytest.raises(BlockingIOError):
            fcntl.flock(next_one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kept.kill()
        fcntl.flock(next_one, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_kill_is_not(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    kept.kill()
    assert not (tmp_path / "ended").exists()
    assert not lives(kept.pid)


def test_a_process_that_ignores_the_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    kept = keep(tmp_path, DEAF)
    kept.stop()
    assert not lives(kept.pid)


def test_a_paused_process_can_be_resumed_and_stopped(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    kept.pause()
    until(lambda: Path(f"/proc/{kept.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
    kept.resume()
    kept.pause()
    kept.stop()
    assert (tmp_path / "ended").exists()


def test_its_end_is_noticed(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    os.kill(kept.pid, signal.SIGKILL)
    until(lambda: not kept.running(), "the end is noticed")
    kept.pause()  # nobody else gets a signal that was meant for it
    kept.stop()


def test_a_program_that_does_not_exist_ends_at_once_and_says_why(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        kept = KeptProcess(
            ["/does/not/exist"], directory=tmp_path, environment={}, console=tmp_path / "console", hold=lock.fileno()
        )
    until(lambda: not kept.running(), "it ends")
    kept.stop()
    assert "/does/not/exist" in (tmp_path / "console").read_text()


def test_it_ends_in_order_when_its_parent_is_killed(parent: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pid = int((tmp_path / "pid").read_text())
    assert lives(pid)
    parent.kill()
    parent.wait()
    until(lambda: not lives(pid), "the program ends")
    assert (tmp_path / "ended").read_text() == "in order"


def test_it_ends_when_its_parent_is_killed_while_it_is_paused(parent: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    until(lambda: not lives(pid), "the program ends")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's part is Linux only")
def test_it_ends_when_its_keeper_is_killed(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    keeper = int(Path(f"/proc/{kept.pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert keeper != os.getpid()
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not lives(kept.pid), "the program ends")
    kept.stop()


def test_it_does_not_inherit_blocked_signals(tmp_path: Path) -> None:
    made: list[KeptProcess] = []

    def start() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        made.append(keep(tmp_path))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    made[0].stop()
    assert (tmp_path / "ended").exists()
