"""Run everything a change must pass, one suite after another, each within its budget.

`make test` and CI call this. A suite that overruns its budget (in seconds, generous on purpose) is
stopped and counts as failed; nothing here asserts how fast a test is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
COVERAGE_FLOOR = 80


@dataclass(frozen=True, slots=True)
class Suite:
    """One command, and how many seconds it may take at the very most."""

    name: str
    command: tuple[str, ...]
    budget_seconds: int


def _pytest(*paths: str) -> tuple[str, ...]:
    return (str(BIN / "python"), "-m", "coverage", "run", "-m", "pytest", "-q", "-m", "not soak", *paths)


def _attacks_of(run: str) -> str:
    """Where a run's attacks go, to be compared with the committed ones."""
    return f".attacks/{run}.jsonl"


_SEVERAL_AT_ONCE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
"""most of a broker test is waiting for sessions to time out; each worker has a Kafka of its own"""


SUITES = (
    Suite("ruff", (str(BIN / "ruff"), "check", "."), 60),
    Suite("format", (str(BIN / "ruff"), "format", "--check", "."), 60),
    Suite("types", (str(BIN / "mypy"),), 240),
    Suite("types of examples", (str(BIN / "mypy"), "examples/tax_table.py"), 120),
    Suite("imports", (str(BIN / "lint-imports"),), 60),
    Suite("unit", _pytest("-n", "2", f"--attacks-into={_attacks_of('unit')}", "tests/unit"), 400),
    # the first time Maven fetches some 40 MB; the broker tests use what this builds
    Suite("java", ("make", "java"), 300),
    # without coverage: its tracing would slow down each of the hub's processes
    Suite(
        "broker and attacks",
        (
            str(BIN / "python"),
            "-m",
            "pytest",
            "-q",
            "-m",
            "not soak",
            *_SEVERAL_AT_ONCE,
            f"--attacks-into={_attacks_of('broker')}",
            "tests/broker",
            "tests/attacks",
        ),
        720,
    ),
    Suite(
        "attacks",
        (str(BIN / "python"), "-m", "tests.attacking.page", "check", _attacks_of("unit"), _attacks_of("broker")),
        60,
    ),
    Suite("coverage data", (str(BIN / "coverage"), "combine", "--quiet"), 60),
    Suite("coverage", (str(BIN / "coverage"), "report", f"--fail-under={COVERAGE_FLOOR}"), 60),
)


def main() -> int:
    """Run all suites, print a line for each, and return how many failed (0 is good)."""
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    results: list[tuple[str, bool, float]] = []
    for suite in SUITES:
        print(f"== {suite.name}", flush=True)
        started = time.monotonic()
        try:
            done = subprocess.run(
                suite.command,
                cwd=ROOT,
                timeout=suite.budget_seconds,
                check=False,
                env={**os.environ, "PYTHONWARNDEFAULTENCODING": ""},
            )
            good = done.returncode == 0
        except subprocess.TimeoutExpired:
            print(f"{suite.name}: stopped, over its budget of {suite.budget_seconds} s", flush=True)
            good = False
        results.append((suite.name, good, time.monotonic() - started))
    print()
    for name, good, seconds in results:
        print(f"{'ok    ' if good else 'FAILED'} {name:<20} {seconds:6.1f} s")
    failed = sum(not good for _, good, _ in results)
    print(f"{len(results) - failed} of {len(results)} suites passed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
