"""The broker suite on another Kafka, file by file, and what came of it as a page.

    python -m tests.on_kafka cluster                    every file of tests/broker and tests/attacks that needs Kafka
    python -m tests.on_kafka cluster --report           and write docs/reports/cluster.md
    python -m tests.on_kafka external FILE…             these files alone

Each file has a process, and so a Kafka, of its own. What a run found is kept in .kafka/<kind>.json; files that are run
again replace theirs, and the page says when each was run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.kafka import KINDS

ROOT = Path(__file__).parent.parent
FOUND = ROOT / ".kafka"
_MOST_SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class Outcome:
    """One file."""

    file: str
    on: str
    passed: int
    failed: int
    skipped: int
    seconds: int
    cpu_seconds: int
    """of the tests and all that they started"""

    def row(self) -> str:
        word = "passed" if not self.failed else "**failed**"
        cells = (self.file, self.on, word, self.passed, self.failed, self.skipped, self.seconds, self.cpu_seconds)
        return "| " + " | ".join(map(str, cells)) + " |"


def files() -> list[str]:
    """All files with tests that need Kafka."""
    found = [*ROOT.glob("tests/broker/test_*.py"), *ROOT.glob("tests/attacks/test_*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in found if "mark.broker" in path.read_text("utf-8"))


def run(kind: str, file: str, soak: bool) -> Outcome:
    """Run one file and count."""
    FOUND.mkdir(exist_ok=True)
    xml, before, began = FOUND / "junit.xml", resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    xml.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={xml}", file]
    environment = {"HUB_KAFKA_COMPILER": "quick", **os.environ, "HUB_TEST_KAFKA": kind}
    try:
        subprocess.run(
            command if soak else [*command, "-m", "not soak"],
            cwd=ROOT,
            env=environment,
            timeout=_MOST_SECONDS,
            check=False,
        )
        suite = ElementTree.parse(xml).getroot()[0]
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    except (subprocess.TimeoutExpired, FileNotFoundError):
        tests, skipped, failed = 1, 0, 1
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = round(time.monotonic() - began)
    on = datetime.now(UTC).date().isoformat()
    return Outcome(file, on, tests - failed - skipped, failed, skipped, seconds, round(cpu))


def known(kind: str) -> dict[str, Outcome]:
    """What was found before, by file."""
    path = FOUND / f"{kind}.json"
    return {row["file"]: Outcome(**row) for row in json.loads(path.read_text())} if path.exists() else {}


def page(kind: str, found: dict[str, Outcome]) -> str:
    """The report; it says which files were never run."""
    rows = [found[file] for file in sorted(found)]
    passed, failed, skipped = (sum(getattr(row, name) for row in rows) for name in ("passed", "failed", "skipped"))
    lines = [
        f"# The broker suite with HUB_TEST_KAFKA={kind}",
        "",
        f"`python -m tests.on_kafka {kind} --report`; two cores, shared. {len(rows)} files, {passed} tests passed, "
        f"{failed} failed, {skipped} left out (written for one broker, or long). CPU seconds include the brokers.",
        "",
        "| file | run on | result | passed | failed | left out | seconds | CPU seconds |",
        "|---|---|---|---|---|---|---|---|",
        *(row.row() for row in rows),
    ]
    missing = [file for file in files() if file not in found]
    if missing:
        lines += ["", "Not run yet: " + ", ".join(f"`{file}`" for file in missing) + "."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--report", action="store_true", help="write docs/reports/<kind>.md")
    parser.add_argument("--soak", action="store_true", help="the long tests too")
    asked = parser.parse_args()
    found = known(asked.kind)
    bad = 0
    for file in asked.files or files():
        outcome = run(asked.kind, file, asked.soak)
        bad += outcome.failed
        found[file] = outcome
        (FOUND / f"{asked.kind}.json").write_text(json.dumps([asdict(each) for each in found.values()], indent=1))
        print(outcome.row(), flush=True)
    if asked.report:
        (ROOT / "docs" / "reports" / f"{asked.kind}.md").write_text(page(asked.kind, found))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
