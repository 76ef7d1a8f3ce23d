"""`python -m tests.chaos --seed 1 --events 100000`: live through a bad day and write its report (`make chaos`)."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.causing import FAKETIME
from tests.chaos.day import live
from tests.chaos.page import as_json, rendered
from tests.chaos.plan import NEEDS_FAKETIME, NEEDS_ROOT, Fault
from tests.chaos.site import site

RATE = 120.0
"""filings a second, if not told otherwise"""
REPORTS = Path(__file__).parents[2] / "docs" / "reports"


def possible() -> set[Fault]:
    """What can be caused on this machine."""
    found = {*Fault}
    if os.geteuid() != 0 or shutil.which("iptables") is None:
        found -= NEEDS_ROOT
    if not FAKETIME.exists():
        found -= NEEDS_FAKETIME
    return found


def command(said: argparse.Namespace, faults: set[Fault]) -> str:
    """What to type for the same day; the faults that were caused are part of it, for the seed mixes them."""
    if faults != {*Fault} or said.ask_in_the_end or said.overload_seconds is not None:
        words = ["--seed", said.seed, "--events", said.events, "--rate", f"{said.rate:g}"]
        words += ["--faults", *sorted(faults)] if faults != {*Fault} else []
        words += ["--ask-in-the-end"] if said.ask_in_the_end else []
        words += ["--overload-seconds", f"{said.overload_seconds:g}"] if said.overload_seconds is not None else []
        return " ".join(["python -m tests.chaos", *map(str, words)])
    rate = "" if said.rate == RATE else f" RATE={said.rate:g}"
    return f"make chaos SEED={said.seed} EVENTS={said.events}{rate}"


def main() -> int:
    """Run; 0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=RATE, help="filings per second")
    parser.add_argument("--faults", nargs="*", choices=[each.value for each in Fault], help="all by default")
    parser.add_argument("--ask-in-the-end", action="store_true", help="reconcile once, not after each fault")
    parser.add_argument("--overload-seconds", type=float, help="how long filings come ten times as fast")
    parser.add_argument(
        "--report", nargs="?", const="", help="write docs/reports/chaos-NAME.md and .json; SEED by default"
    )
    said = parser.parse_args()
    wanted = {Fault(each) for each in said.faults} if said.faults else {*Fault}
    faults = wanted & possible()
    print(f"seed {said.seed}, {said.events} filings, {len(faults)} faults", flush=True)
    for fault in sorted(wanted - faults):
        print(f"left out, it cannot be caused here: {fault}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="eltax-hub-chaos-"))
    try:
        disks = bool(faults & NEEDS_ROOT)
        with site(
            directory, seed=said.seed, events=said.events, rate=said.rate, disks=disks,
            overload_seconds=said.overload_seconds,
        ) as found:  # fmt: skip
            day = live(
                found, said.seed, said.events, faults, ask_each_time=not said.ask_in_the_end,
                tell=lambda line: print(line, flush=True),
            )  # fmt: skip
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    machine = f"{os.cpu_count()} processors for everything, Python {platform.python_version()}"
    page = rendered(
        day,
        command(said, faults),
        f"{datetime.now(UTC):%Y-%m-%d}",
        machine,
        wanted - faults,
    )
    print(page)
    if said.report is not None:
        name = f"chaos-{said.report or said.seed}"
        (REPORTS / f"{name}.md").write_text(page, encoding="utf-8")
        (REPORTS / f"{name}.json").write_text(json.dumps(as_json(day), indent=1) + "\n", encoding="utf-8")
    return 0 if day.good else 1


if __name__ == "__main__":
    sys.exit(main())
