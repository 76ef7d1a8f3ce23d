"""Run everything a change must pass, in stages, each suite within its budget.

`make test` and CI call this. A suite that overruns its budget (in seconds, generous on purpose) is
stopped and counts as failed; nothing here asserts how fast a test is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Suite:
    """One command, and how many seconds it may take at the very most."""

    name: str
    command: tuple[str, ...]
    budget_seconds: int
    needs: tuple[str, ...] = ()
    """tools that a newcomer's machine may lack: there the suite is left out, in CI it fails"""
    after: str = ""
    """a suite of the same stage that must have ended before this one begins"""


PYTHON = str(BIN / "python")
SEEN = {name: f".attacks/{name}.jsonl" for name in ("unit", "broker")}
"""where the attacks that a run saw go, to be compared with the committed ones"""


def _tests(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "pytest", "-q", "-m", "not soak", f"--attacks-into={SEEN[name]}", *arguments)


_SEVERAL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")

# Suites of one stage run side by side. Coverage is measured by `make coverage`: its tracing doubles what a test costs.
STAGES = (
    (
        Suite("ruff", (str(BIN / "ruff"), "check", "."), 60),
        Suite("format", (str(BIN / "ruff"), "format", "--check", "."), 60),
        Suite("types", (str(BIN / "mypy"),), 240),
        Suite("imports", (str(BIN / "lint-imports"),), 120),
        # the first time Maven fetches some 40 MB; the broker tests use what this builds
        Suite("java", ("make", "java"), 300, needs=("mvn", "javac")),
    ),
    (
        # broker tests wait for sessions to end half of the time; each worker has a Kafka of its own
        Suite("broker and attacks", _tests("broker", *_SEVERAL, "tests/broker", "tests/attacks"), 780),
        Suite("unit", _tests("unit", "tests/unit"), 780),
        # waits for scrapes and alerts most of the time; shows no attacks, so that it may be left out
        Suite(
            "watch",
            (PYTHON, "-m", "pytest", "-q", "-m", "not soak", "-n", "2", *_SEVERAL[2:], "tests/watch"),
            300,
            needs=("prometheus", "promtool", "prometheus-alertmanager", "amtool"),
            after="unit",
        ),
    ),
    (
        Suite("types of examples", (str(BIN / "mypy"), "examples/tax_table.py"), 120),
        Suite("attacks", (PYTHON, "-m", "tests.attacking.page", "check", *SEEN.values()), 60),
    ),
)


_running: list[subprocess.Popen[bytes]] = []
_interrupted = threading.Event()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a suite and whatever it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _run(suite: Suite) -> tuple[bool, float, str]:
    """Run one; return whether it was good, its seconds, and what it said."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(
            suite.command,
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNDEFAULTENCODING": ""},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all of it can be stopped
        )
        _running.append(process)
        try:
            good = process.wait(suite.budget_seconds) == 0
            last = ""
        except subprocess.TimeoutExpired:
            last = f"{suite.name}: stopped, over its budget of {suite.budget_seconds} s\n"
            good = False
        finally:
            _stop(process)
            _running.remove(process)
        said.seek(0)
        return good, time.monotonic() - started, said.read() + last


def _run_in_turn(suite: Suite, ended: dict[str, threading.Event]) -> tuple[bool, float, str]:
    """Run one when the one before it has ended."""
    try:
        if suite.after in ended:
            ended[suite.after].wait()
        return (False, 0.0, "") if _interrupted.is_set() else _run(suite)
    finally:
        ended[suite.name].set()


def _wanted(suite: Suite) -> bool:
    missing = [tool for tool in suite.needs if shutil.which(tool) is None]
    if not missing or os.environ.get("CI"):
        return True
    print(f"== {suite.name}: left out, there is no {' and no '.join(missing)} here", flush=True)
    return False


def main() -> int:
    """Run all suites, print a line for each, and return how many failed (0 is good)."""
    results: list[tuple[str, bool, float]] = []
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=8) as pool:
        for stage in STAGES:
            wanted = [suite for suite in stage if _wanted(suite)]
            ended = {suite.name: threading.Event() for suite in wanted}
            running = {pool.submit(_run_in_turn, suite, ended): suite for suite in wanted}
            try:
                for done in as_completed(running):
                    good, seconds, said = done.result()
                    print(f"== {running[done].name}\n{said}", end="", flush=True)
                    results.append((running[done].name, good, seconds))
            except KeyboardInterrupt:
                _interrupted.set()
                for process in list(_running):
                    _stop(process)
                raise
    print()
    for name, good, seconds in results:
        print(f"{'ok    ' if good else 'FAILED'} {name:<20} {seconds:6.1f} s")
    failed = sum(not good for _, good, _ in results)
    print(f"{len(results) - failed} of {len(results)} suites passed in {time.monotonic() - began:.0f} s")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
