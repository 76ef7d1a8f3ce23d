"""Write or check docs/attacks.md and the committed rows.

`python -m tests.attacking.page record FILE…` takes the rows of runs into the committed ones (rows of a test that ran
replace its old ones) and writes the page; `check FILE…` fails unless the runs saw exactly the committed rows of
`make test`; `write` only writes the page again, after a finding was added.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.attacking.rows import COMMITTED, Attacker, Row, as_json, loaded

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "attacks.md"
FINDINGS = ROOT / "docs" / "findings"
_HEAD = """# Attacks

Generated from the tests (`tests/attacking`); `make test` fails when a run saw anything else. Each row is an attempt
that a test really makes; the result is what the test saw. *prevented*: no effect. *detected*: an effect, noticed by
the one and within the time that the row says. *contained*: it works, and yields no more than the row says. The
attackers are those of [threat-model.md](threat-model.md). `suite` is the make target that runs the test.
"""


def rendered(rows: Sequence[Row]) -> str:
    """The whole page."""
    verdicts = Counter(row.verdict for row in rows)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    still_open = sum(row.open for row in rows)
    parts = [_HEAD, f"\n{len(rows)} rows: {counted}; {still_open} open.\n"]
    for attacker in Attacker:
        own = sorted(row for row in rows if row.attacker == attacker.value)
        if not own:
            continue
        parts.append(f"\n## {attacker.value[0].upper()}{attacker.value[1:]}\n\n")
        parts.append("| attempt | expected | result | by | within | test | suite |\n|---|---|---|---|---|---|---|\n")
        for row in own:
            file, _, name = row.test.partition("::")
            link = f"[{name}](../{file})"
            cells = (row.attempt, row.expected, f"{row.verdict}: {row.how}", row.by, row.within, link, row.suite)
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    parts.append("\n# Found and repaired on the way\n")
    for found in sorted(FINDINGS.glob("*.md")):
        parts.append("\n" + found.read_text("utf-8").strip().replace("# ", "## ", 1) + "\n")
    return "".join(parts)


def _same_name_twice(rows: Sequence[Row]) -> list[str]:
    names = Counter((row.attacker, row.attempt) for row in rows)
    return [f"{attacker}: {attempt}: two rows" for (attacker, attempt), count in names.items() if count > 1]


def record(seen: Sequence[Row]) -> list[str]:
    """Take `seen` into the committed rows and write the page; returns what is wrong."""
    ran = {row.test for row in seen}
    rows = sorted({*seen, *(row for row in loaded(COMMITTED) if row.test not in ran)})
    wrong = _same_name_twice(rows)
    if not wrong:
        COMMITTED.write_text(as_json(rows), "utf-8")
        PAGE.write_text(rendered(rows), "utf-8")
    return wrong


def check(seen: Sequence[Row]) -> list[str]:
    """What differs between a run of `make test` and what is committed."""
    said = {row for row in loaded(COMMITTED) if row.suite == "test"}
    wrong = [f"not committed: {row}" for row in sorted(set(seen) - said) if row.suite == "test"]
    wrong += [f"committed, and no run saw it: {row}" for row in sorted(said - set(seen))]
    return wrong + _same_name_twice(sorted(set(seen)))


def main(arguments: Sequence[str]) -> int:
    command, *files = arguments
    seen = [row for name in files for row in loaded(Path(name))]
    if command == "write":
        PAGE.write_text(rendered(loaded(COMMITTED)), "utf-8")
        return 0
    wrong = {"record": record, "check": check}[command](seen)
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        print("If a test is right and the page is old: make attacks", file=sys.stderr)
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
