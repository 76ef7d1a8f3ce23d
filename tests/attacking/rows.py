"""One attack as one row, filled in by the test that tried it.

A test asks the fixture `attack` for an attempt, does what the attacker would do, looks at what came of it, and
only then says so: `tried.prevented(by="router", how="dead letter `mac`", within="its batch")`. An attempt of a
passed test that nobody concluded is open, and an open attack fails its test.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

COMMITTED = Path(__file__).parent / "rows.json"


class Attacker(StrEnum):
    """The actors of docs/threat-model.md."""

    OUTSIDER = "outsider on the network"
    BROKER = "malicious broker operator"
    CONTRACTOR = "contractor's administrator"
    ROUTER = "router operator"
    HELPDESK = "helpdesk agent"
    TAX = "curious tax team"
    TENANT = "another city's desk"
    LAPTOP = "stolen laptop"
    BACKUP = "stolen backup"
    PORTAL = "compromised portal"
    AUDIT = "compromised audit consumer"
    APPLICANT = "hostile applicant"
    QUANTUM = "future quantum computer"


class Verdict(StrEnum):
    """What can come of an attack. `contained`: it works, and reaches no further than the row says."""

    PREVENTED = "prevented"
    DETECTED = "detected"
    CONTAINED = "contained"


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """A row of docs/attacks.md; `(attacker, attempt)` names it. No figure that differs from run to run."""

    attacker: str
    attempt: str
    expected: str
    verdict: str
    by: str
    how: str
    within: str
    test: str
    suite: str
    """the make target that runs the test: `test`, or the one of a long suite"""

    @property
    def open(self) -> bool:
        """Whether nobody has seen what comes of it, or something else than expected came of it."""
        return not self.verdict or self.verdict != self.expected


class Attempt:
    """An attack under way."""

    def __init__(self, attacker: Attacker, attempt: str, expected: Verdict, test: str, suite: str) -> None:
        self._said = (attacker.value, attempt, expected.value)
        self._at = (test, suite)
        self._seen: tuple[str, str, str, str] | None = None

    def prevented(self, *, by: str, how: str, within: str) -> None:
        """It had no effect: which role or part refused it, with what code or reason, and when at the latest."""
        self._conclude(Verdict.PREVENTED, by, how, within)

    def detected(self, *, by: str, how: str, within: str) -> None:
        """It had an effect that was noticed: by whom, how it shows, and when at the latest."""
        self._conclude(Verdict.DETECTED, by, how, within)

    def contained(self, *, by: str, how: str, within: str) -> None:
        """It works, and this is all that it yields."""
        self._conclude(Verdict.CONTAINED, by, how, within)

    def row(self) -> Row:
        """The row as far as it is known."""
        attacker, attempt, expected = self._said
        verdict, by, how, within = self._seen or ("", "", "", "")
        return Row(attacker, attempt, expected, verdict, by, how, within, *self._at)

    def _conclude(self, verdict: Verdict, by: str, how: str, within: str) -> None:
        if not (by and how and within):
            raise AssertionError("an attack is concluded by whom, how and within how long")
        if verdict != self._said[2]:
            raise AssertionError(f"{self._said[1]}: expected {self._said[2]}, and it was {verdict.value}")
        self._seen = (verdict.value, by, how, within)


def loaded(path: Path) -> list[Row]:
    """The rows of a committed file (a JSON array) or of a run (one JSON object per line)."""
    text = path.read_text("utf-8")
    found = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return [Row(**row) for row in found]


def as_json(rows: Iterable[Row]) -> str:
    """The committed form: sorted, one row per line."""
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in sorted(set(rows))]
    return "[\n" + ",\n".join(lines) + "\n]\n"
