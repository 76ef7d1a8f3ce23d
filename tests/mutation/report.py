"""The committed results, and docs/reports/mutation.md that is written from them.

`python -m tests.mutation.report record` takes what runs found (.mutation/) into the committed file and writes the
page; `write` only writes the page, after an explanation was added; `check` says what does not fit together.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.mutation.operators import Mutant, files, mutants
from tests.mutation.scope import ROOT, SCOPE, STATE, SURVIVED, TESTS

COMMITTED = Path(__file__).parent / "results.json"
EXPLAINED = Path(__file__).parent / "explained.toml"
PAGE = ROOT / "docs" / "reports" / "mutation.md"
FLOOR = 95.0
STALE = 0.25
_HEAD = """# Mutation testing

Generated from `tests/mutation/results.json` and `tests/mutation/explained.toml`; CI fails if the three do not fit.
A mutant is one small wrong change in the code: a comparison moved, a guard that always or never holds, a
constant off by one, a call or `raise` left out, two arguments swapped, a text altered, … (all of them:
`tests/mutation/operators.py`, which also says what is not changed). None is sampled: each is tried by tests that run
the changed line, until one fails. The likeliest and quickest come first, and a mutant is given up after about a
second of them, so the score is the least that is true. Tests are those of {tests}.

*stuck*: a test never came to its end (it counts as killed). *survived*: no test noticed; each is listed with the reason
why that is right, or what is missing. *not tried*: code that changed since the last run; `make mutate` tries it.
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What became of the mutants of one function, or of what is outside of functions."""

    text: str
    """digest of the mutants and the code around them: the result is about this text"""
    killed: int
    stuck: int
    survived: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many mutants there are."""
        return self.killed + self.stuck + len(self.survived)


def tool_digest() -> str:
    """Of what decides which mutants there are, and what killed means."""
    here = Path(__file__).parent
    return sha256(b"".join((here / name).read_bytes() for name in ("operators.py", "judging.py"))).hexdigest()[:16]


def scopes(file: str) -> dict[str, list[Mutant]]:
    """The mutants of today's text of a file, by function."""
    found: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants(ROOT / file, file)[1]:
        scope = mutant.id.removeprefix(file).partition(": ")[0].strip()  # at module level: the class, or -
        found[mutant.function or scope].append(mutant)
    return found


def text_of(found: Sequence[Mutant]) -> str:
    """The digest that a result is about."""
    return sha256("\n".join(f"{mutant.id} {mutant.text}" for mutant in found).encode()).hexdigest()[:12]


def loaded() -> tuple[str, dict[str, dict[str, Scope]]]:
    """The tool that the committed results belong to, and the results by file and function."""
    content = json.loads(COMMITTED.read_text("utf-8"))
    by_file = {
        file: {
            name: Scope(one["text"], one["killed"], one["stuck"], tuple(one["survived"])) for name, one in of.items()
        }
        for file, of in content["files"].items()
    }
    return content["tool"], by_file


def explained() -> dict[str, str]:
    """Mutant → why it is right that no test notices it, or what is missing."""
    given: dict[str, Any] = tomllib.loads(EXPLAINED.read_text("utf-8"))
    found: dict[str, str] = {}
    for one in given.get("explained", []):
        for name in one["mutants"]:
            found[name] = one["because"]
    return found


def record() -> list[str]:
    """Take the results of runs; a function counts as soon as each of its mutants has one."""
    known: dict[tuple[str, str], str] = {}
    for line in (STATE / "results.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        known[entry["id"], entry["text"]] = entry["result"]
    before = loaded()[1] if COMMITTED.exists() and loaded()[0] == tool_digest() else {}
    taken: dict[str, dict[str, Any]] = {}
    missing = []
    untried = 0
    for file in files(ROOT, SCOPE):
        taken[file] = {}
        for name, found in scopes(file).items():
            results = [known.get((mutant.id, mutant.text)) for mutant in found]
            old = before.get(file, {}).get(name)
            if None not in results:
                counts = Counter(results)
                survived = [mutant.id for mutant, result in zip(found, results, strict=True) if result == SURVIVED]
                one = Scope(text_of(found), counts["killed"], counts["stuck"], tuple(survived))
            elif old is not None and old.text == text_of(found):
                one = old
            else:
                missing.append(f"{file} {name}: not tried yet")
                untried += len(found)
                continue
            taken[file][name] = {
                "text": one.text, "killed": one.killed, "stuck": one.stuck, "survived": list(one.survived),
            }  # fmt: skip
    written = {"tool": tool_digest(), "untried": untried, "files": taken}
    COMMITTED.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(rendered(), "utf-8")
    for line in missing:
        print(line)
    return []


def _score(of: Sequence[Scope]) -> str:
    count = sum(one.count for one in of)
    survived = sum(len(one.survived) for one in of)
    return f"{100 * (count - survived) / count:.1f} %" if count else "-"


def rendered() -> str:
    """The page."""
    _, results = loaded()
    every = [one for of in results.values() for one in of.values()]
    count, survived = sum(one.count for one in every), sum(len(one.survived) for one in every)
    stuck = sum(one.stuck for one in every)
    tests = ", ".join(f"`{name}`" for name in TESTS)
    parts = [
        _HEAD.format(tests=tests),
        f"\n**{count} mutants: {count - survived - stuck} killed, {stuck} stuck, {survived} survived: "
        f"{_score(every)}.** {json.loads(COMMITTED.read_text('utf-8'))['untried']} more were not tried.\n",
        "\n| file | mutants | killed | stuck | survived | score |\n|---|---|---|---|---|---|\n",
    ]
    for file, of in results.items():
        own = list(of.values())
        numbers = (
            f"[{file}](../../{file})",
            sum(one.count for one in own),
            sum(one.killed for one in own),
            sum(one.stuck for one in own),
            sum(len(one.survived) for one in own),
            _score(own),
        )
        parts.append("| " + " | ".join(map(str, numbers)) + " |\n")
    parts.append("\n## Survivors\n")
    reasons = explained()
    for file, of in results.items():
        own_survivors = [name for one in of.values() for name in one.survived]
        if not own_survivors:
            continue
        parts.append(f"\n### {file}\n\n| mutant | why no test notices |\n|---|---|\n")
        for name in own_survivors:
            cells = (name.removeprefix(file + " "), reasons.get(name, "**not explained**"))
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


def check() -> list[str]:
    """What is wrong with what is committed; empty if it fits."""
    tool, results = loaded()
    wrong = [] if tool == tool_digest() else ["the results are of another tool: python -m tests.mutation.run --again"]
    today = {file: scopes(file) for file in files(ROOT, SCOPE)}
    total = stale = 0
    for file, of in today.items():
        for name, found in of.items():
            total += len(found)
            one = results.get(file, {}).get(name)
            if one is None or one.text != text_of(found):
                stale += len(found)
            elif one.count != len(found):
                wrong.append(f"{file} {name}: {one.count} results for {len(found)} mutants")
    if stale > STALE * total:
        wrong.append(f"{stale} of {total} mutants are of code that was not tried: make mutate")
    survivors = {name for of in results.values() for one in of.values() for name in one.survived}
    reasons = explained()
    wrong += [f"not explained: {name}" for name in sorted(survivors - set(reasons))]
    wrong += [f"explained, and no survivor: {name}" for name in sorted(set(reasons) - survivors)]
    count = sum(one.count for of in results.values() for one in of.values())
    if 100 * (count - len(survivors)) < FLOOR * count:
        wrong.append(f"{len(survivors)} of {count} survived: less than {FLOOR} % were killed")
    if PAGE.read_text("utf-8") != rendered():
        wrong.append("docs/reports/mutation.md is old: python -m tests.mutation.report write")
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; returns 1 if something is wrong."""
    (command,) = arguments
    if command == "write":
        PAGE.write_text(rendered(), "utf-8")
        return 0
    wrong = {"record": record, "check": check}[command]()
    for line in wrong:
        print(line, file=sys.stderr)
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
