"""Run targets, keep what is worth keeping, write the report.

`run TARGET|all --seconds N [--report]`   fuzz; with --report a line goes into docs/reports/fuzzing.jsonl
`queue [TARGET…] --seconds N`             the same with --report, and the corpus is minimised; without names: those
                                          that have not had twenty minutes
`seeds [TARGET…]`                         write the seeds of the targets into tests/fuzz/corpus
`minimise TARGET`                         take what the runs on this machine found into the committed corpus
`page`                                    write docs/reports/fuzzing.md again
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from tests.fuzz import report
from tests.fuzz.target import CORPUS, REGRESSIONS
from tests.fuzz.targets import ALL as TARGETS

ROOT = Path(__file__).parent.parent.parent
STATE = ROOT / ".fuzz"
"""what is found on this machine: a working corpus for each target, and inputs that broke a promise"""
_PULSE = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)")
_SEED = re.compile(r"Seed: (\d+)")
_INPUT_SECONDS = 20
_RSS_MIB = 1_500


@dataclass(slots=True)
class Seen:
    """What the engine said so far."""

    executions: int = 0
    features: int = 0
    corpus: int = 0
    seed: int = 0
    stopped: int = 0
    """how often an input hung or took too much memory, which ends the engine's process"""


def _names(wanted: list[str]) -> list[str]:
    known = TARGETS
    chosen = list(known) if not wanted or wanted == ["all"] else wanted
    if unknown := set(chosen) - set(known):
        sys.exit(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return chosen


def _processor_seconds() -> float:
    """What the engines that have ended used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fuzz(name: str, seconds: int) -> tuple[Seen, list[str], float]:
    """Run one target for so many seconds of processor time: on a machine with other work the clock says little.

    Returns what was seen, the names of new findings, and the processor time it had.
    """
    corpus, findings = STATE / "corpus" / name, STATE / "findings" / name
    for directory in (corpus, findings):
        directory.mkdir(parents=True, exist_ok=True)
    before = {each.name for each in findings.iterdir()}
    words = STATE / f"{name}.dict"
    words.write_text(report.dictionary(name))
    given = [str(each / name) for each in (CORPUS, REGRESSIONS) if (each / name).is_dir()]
    began, seen, done = _processor_seconds(), Seen(), 0
    while (left := round(seconds - (_processor_seconds() - began))) > 0:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.engine",
            name,
            str(findings),
            f"-max_total_time={left}",
            f"-timeout={_INPUT_SECONDS}",
            f"-rss_limit_mb={_RSS_MIB}",
            f"-max_len={TARGETS[name].max_bytes}",
            *([f"-dict={words}"] if TARGETS[name].words else []),
            f"-artifact_prefix={findings}/",
            "-print_final_stats=1",
            "-reload=0",
            str(corpus),
            *given,
        ]
        last = 0
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace") as process:
            assert process.stderr is not None
            for line in process.stderr:
                if found := _PULSE.search(line):
                    last, seen.features, seen.corpus = int(found[1]), int(found[3]), int(found[4])
                elif found := _SEED.search(line):
                    seen.seed = int(found[1])
                elif line.startswith("stat::number_of_executed_units:"):
                    last = int(line.split()[-1])
                elif line.startswith(("FINDING", "==", "SUMMARY")):
                    print(f"{name}: {line.strip()}", flush=True)
        done += last
        seen.executions = done
        if process.returncode == 0:
            continue
        seen.stopped += 1
        if seen.stopped > 20 or not last:
            sys.exit(
                f"{name}: the engine ended with {process.returncode}: python -m tests.fuzz.engine {name} /tmp/found"
            )
    return seen, sorted({each.name for each in findings.iterdir()} - before), _processor_seconds() - began


def run(name: str, seconds: int, *, write: bool) -> int:
    """Fuzz one target and say what came of it; returns how many new findings there are."""
    seen, new, used = fuzz(name, seconds)
    took = round(used)
    found = len([each for each in new if not each.endswith(".txt")])
    print(f"{name}: {seen.executions} executions in {took} s, {seen.features} features, {found} findings", flush=True)
    for each in new:
        print(f"  {STATE.name}/findings/{name}/{each}", flush=True)
    if write:
        report.add(
            report.Run(
                datetime.now(UTC).strftime("%Y-%m-%d"),
                name,
                took,
                seen.executions,
                seen.features,
                seen.corpus,
                found,
                seen.seed,
                f"python -m tests.fuzz run {name} --seconds {seconds} --report",
            )
        )
    return found


def write_seeds(name: str) -> None:
    """Write the seeds of a target into the committed corpus; what is there stays."""
    directory = CORPUS / name
    directory.mkdir(parents=True, exist_ok=True)
    for each in TARGETS[name].seeds():
        (directory / sha256(each).hexdigest()[:16]).write_bytes(each)


def minimise(name: str) -> None:
    """Let the engine choose what the working corpus adds to the committed one; keep the smallest up to a bound."""
    target, directory, merged = TARGETS[name], CORPUS / name, STATE / "merged" / name
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.engine",
        name,
        str(STATE / "findings" / name),
        "-merge=1",
        f"-max_len={target.max_bytes}",
        str(merged),
        str(directory),
        str(STATE / "corpus" / name),
    ]
    subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    held = {sha256(each.read_bytes()).digest() for each in directory.iterdir()}
    left = target.max_kept - sum(each.stat().st_size for each in directory.iterdir())
    for path in sorted(merged.iterdir(), key=lambda each: each.stat().st_size):
        data = path.read_bytes()
        left -= len(data)
        if left < 0:
            break
        if sha256(data).digest() not in held:
            (directory / sha256(data).hexdigest()[:16]).write_bytes(data)


def main() -> int:
    """Return 1 if something was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("run", "queue", "seeds", "minimise"):
        one = commands.add_parser(command)
        one.add_argument("targets", nargs="*")
        one.add_argument("--seconds", type=int, default=30)
        one.add_argument("--report", action="store_true")
    commands.add_parser("page")
    said = parser.parse_args()
    if said.command == "page":
        report.write_page()
        return 0
    found = 0
    chosen = _names(said.targets)
    if said.command == "queue" and not said.targets:
        chosen = report.lacking(report.runs())
    for name in chosen:
        if said.command == "seeds":
            write_seeds(name)
        elif said.command == "minimise":
            minimise(name)
        else:
            found += run(name, said.seconds, write=said.report or said.command == "queue")
        if said.command == "queue":
            minimise(name)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
