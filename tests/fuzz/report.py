"""docs/reports/fuzzing.md, written from docs/reports/fuzzing.jsonl: one line per run of a target."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz.targets import ALL as TARGETS

REPORTS = Path(__file__).parent.parent.parent / "docs" / "reports"
DATA = REPORTS / "fuzzing.jsonl"
PAGE = REPORTS / "fuzzing.md"
WANTED_SECONDS = 20 * 60
_HEAD = """# Fuzzing

Written by `python -m tests.fuzz page` from [fuzzing.jsonl](fuzzing.jsonl); a line comes there with each
`make fuzz SECONDS=1200 TARGET=name REPORT=1`. Engine: atheris (libFuzzer) with instrumented Python, and mutations
that know the structure (Avro by contract, JSON, lines). What a mutation breaks (digests, macs, signatures, paddings,
key files) is made good again, so that it reaches what lies behind. A finding is an exception that is not documented,
an error that repeats its input, a second encoding of an accepted value, or more than 20 s or 1.5 GiB for one input.
Inputs that once broke something stay in `tests/fuzz/regressions`; `make test` runs them and the corpora without the
engine. Seconds and minutes are of processor time (of the clock in the runs of `sealed`, `signed` and `submission`,
`avro`, `sections`, `keyfile` and `reports` of 2026-11-26). What was found stands in [attacks.md](../attacks.md).
"""
_TOTALS = (
    "\n| target | decoders | minutes | executions | features | findings of the last run | last run |\n" + "|---" * 7
)
_RUNS = "| date | target | seconds | executions | features | corpus | findings | seed | command |\n" + "|---" * 9


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one target. `features` are the engine's, over code edges and counts of passes."""

    date: str
    target: str
    seconds: int
    executions: int
    features: int
    corpus: int
    findings: int
    seed: int
    command: str


def dictionary(name: str) -> str:
    """The target's words in the engine's form."""
    lines = ["".join(f"\\x{byte:02x}" for byte in word) for word in TARGETS[name].words]
    return "".join(f'"{line}"\n' for line in lines)


def runs(data: Path = DATA) -> list[Run]:
    """All runs, oldest first."""
    return [Run(**json.loads(line)) for line in data.read_text("utf-8").splitlines()] if data.exists() else []


def add(run: Run) -> None:
    """Take a run into the report."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    with DATA.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(run), ensure_ascii=False) + "\n")
    write_page()


def write_page() -> None:
    """Write the page from the data."""
    PAGE.write_text(rendered(runs()), "utf-8")


def lacking(seen: list[Run]) -> list[str]:
    """The targets that have not had their twenty minutes."""
    return [name for name in TARGETS if sum(run.seconds for run in seen if run.target == name) < WANTED_SECONDS]


def rendered(seen: list[Run]) -> str:
    """The page of these runs."""
    parts = [_HEAD, _TOTALS, "|\n"]
    for name, target in TARGETS.items():
        own = [run for run in seen if run.target == name]
        minutes = sum(run.seconds for run in own) // 60
        last = own[-1] if own else None
        cells = (
            name,
            target.decoders,
            str(minutes),
            f"{sum(run.executions for run in own):,}",
            "" if last is None else f"{last.features:,}",
            "" if last is None else str(last.findings),
            "none yet" if last is None else last.date,
        )
        parts.append("| " + " | ".join(cells) + " |\n")
    parts.append(f"\nTargets with less than 20 minutes: {', '.join(lacking(seen)) or 'none'}.\n\n## Runs\n\n")
    parts.append(_RUNS + "|\n")
    for run in seen:
        line = (
            run.date,
            run.target,
            str(run.seconds),
            f"{run.executions:,}",
            f"{run.features:,}",
            str(run.corpus),
            str(run.findings),
            str(run.seed),
            f"`{run.command}`",
        )
        parts.append("| " + " | ".join(line) + " |\n")
    return "".join(parts)
