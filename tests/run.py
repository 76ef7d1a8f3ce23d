"""Run everything a change must pass, one suite after another, each within its budget.

`make test` and CI call this. A suite that overruns its budget (in seconds, generous on purpose) is
stopped and counts as failed; nothing here asserts how fast a test is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
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


PYTHON = str(BIN / "python")
SEEN = ".attacks/test.jsonl"
"""where the attacks that a run saw go, to be compared with the committed ones"""
ALL_AT_ONCE = (
    "-q",
    "-m",
    "not soak",
    "-n",
    "4",
    "--dist",
    "loadgroup",
    "--no-loadscope-reorder",
    f"--attacks-into={SEEN}",
)

SUITES = (
    Suite("ruff", (str(BIN / "ruff"), "check", "."), 60),
    Suite("format", (str(BIN / "ruff"), "format", "--check", "."), 60),
    Suite("types", (str(BIN / "mypy"),), 240),
    Suite("types of examples", (str(BIN / "mypy"), "examples/tax_table.py"), 120),
    Suite("imports", (str(BIN / "lint-imports"),), 60),
    # the first time Maven fetches some 40 MB; the broker tests use what this builds
    Suite("java", ("make", "java"), 300, needs=("mvn", "javac")),
    # one run of all: unit tests fill the time in which broker tests wait for sessions to end. Each worker has a Kafka
    # of its own. Coverage is measured by `make coverage`: its tracing doubles what a test costs
    Suite("tests", (PYTHON, "-m", "pytest", *ALL_AT_ONCE, "tests/broker", "tests/attacks", "tests/unit"), 660),
    Suite("attacks", (PYTHON, "-m", "tests.attacking.page", "check", SEEN), 60),
)


def main() -> int:
    """Run all suites, print a line for each, and return how many failed (0 is good)."""
    results: list[tuple[str, bool, float]] = []
    for suite in SUITES:
        print(f"== {suite.name}", flush=True)
        missing = [tool for tool in suite.needs if shutil.which(tool) is None]
        if missing and not os.environ.get("CI"):
            print(f"{suite.name}: left out, there is no {' and no '.join(missing)} here", flush=True)
            continue
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
