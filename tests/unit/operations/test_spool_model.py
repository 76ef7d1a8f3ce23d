"""The log on disk against a list: whatever is appended, sent, cut off or lost in between."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.operations.errors import Unlogged
from hub.operations.spool import LOST, Spool
from tests.machines import power_cut, run
from tests.unit.operations.world import alarm, spool, viewed, waiting

LINES = 12
QUIET = 9


class SpoolMachine(RuleBasedStateMachine):
    """`lines` are all that were ever appended, `sent` how many of them were acknowledged, `lost` what had no room."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.moves = 0
        self.logs = [spool(self.root / "0", lines=LINES), spool(self.root / "0", lines=LINES)]
        self.lines: list[str] = []
        self.sent = 0
        self.lost = 0

    def teardown(self) -> None:
        for log in getattr(self, "logs", ()):
            log.close()
        if hasattr(self, "root"):
            shutil.rmtree(self.root)

    def _told_of_loss(self) -> None:
        if self.lost and len(self.lines) - self.sent < QUIET:
            self.lines.append(f"{LOST} {self.lost}")
            self.lost = 0

    @rule(who=st.integers(0, 1), number=st.integers(0, 99))
    def note(self, who: int, number: int) -> None:
        before, lost = list(self.lines), self.lost
        self._told_of_loss()
        try:
            self.logs[who].note(viewed(number))
        except Unlogged:
            assert len(self.lines) - self.sent >= LINES
            self.lines, self.lost = before, lost
        else:
            self.lines.append(f"officer-{number} 1")
            assert len(self.lines) - self.sent <= LINES

    @rule(who=st.integers(0, 1), count=st.integers(0, 6), lost=st.integers(0, 3))
    def tell(self, who: int, count: int, lost: int) -> None:
        self.logs[who].tell([alarm(number) for number in range(count)], lost)
        self.lost += lost
        self._told_of_loss()
        for number in range(count):
            if len(self.lines) - self.sent < QUIET:
                self.lines.append(f"part-{number} 1")
            else:
                self.lost += 1

    @rule(who=st.integers(0, 1), count=st.integers(1, 8))
    def send(self, who: int, count: int) -> None:
        batch = self.logs[who].batch(lines=count)
        if batch.lines:
            self.logs[who].mark(batch.log, batch.lines[-1][0])
            self.sent += len(batch.lines)

    @rule(who=st.integers(0, 1))
    def restart(self, who: int) -> None:
        self.logs[who].close()
        self.logs[who] = self._opened()

    @rule()
    def lose_power(self) -> None:
        old = self.root / str(self.moves)
        self.moves += 1
        power_cut(old / "operations.db", self.root / str(self.moves))
        for log in self.logs:
            log.close()
        self.logs = [self._opened(), self._opened()]

    def _opened(self) -> Spool:
        return spool(self.root / str(self.moves), lines=LINES)

    @invariant()
    def is_what_it_should_be(self) -> None:
        if not hasattr(self, "logs"):
            return
        found = waiting(self.logs[0])
        said = [f"{_name(each.operation)} {each.operation.count}" for each in found]
        assert said == self.lines[self.sent :]
        assert [each.sequence for each in found] == list(range(self.sent, len(self.lines)))
        told = self.logs[1].waiting()
        assert (told.lines, told.lost) == (len(said), self.lost)
        assert told.full == (len(said) >= LINES)


def _name(operation: object) -> str:
    code, actor, about = (getattr(operation, name) for name in ("code", "actor", "about"))
    return str(code if code == LOST else actor or about)


def test_spool_model() -> None:
    run(SpoolMachine, runs=6)
