"""The store against plain sets: lines in any order, twice, left out, forked; and the power cut anywhere."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.crypto.merkle import Frontier
from monitoring.operations.chains import Trouble
from monitoring.operations.reading import snapshot
from monitoring.operations.store import OperationsStore, entries
from monitoring.operations.verifying import verify
from monitoring.operations.watch import LOG
from tests import machines
from tests.unit.monitoring.operations.world import (
    DESK,
    MONITOR,
    NS,
    OPERATIONS,
    PORTAL,
    TRUST,
    Keeper,
    Log,
    Monitor,
)
from tests.vectors.tlog_reference import leaf_hash as reference_leaf
from tests.vectors.tlog_reference import mth

OWNER = f"{NS}/{MONITOR}"
LINES = 9


def _written(principal: str, log: bytes) -> tuple[list[bytes], dict[int, bytes]]:
    """A log's lines, and for some places another line that a copy of the log wrote."""
    made, branches = Log(principal, id=log), {}
    for number in range(LINES):
        copy = made.branch()
        made.write(actor="sato")
        if number in (0, 4):
            branches[number] = copy.write(actor="suzuki")
    return made.values, branches


LOGS = {b"a" * 16: _written(DESK, b"a" * 16), b"p" * 16: _written(PORTAL, b"p" * 16)}


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.copies = 0
        self.monitor = Monitor(self.home)
        self.next: int | None = None
        self.order: list[tuple[bytes, int]] = []
        """what was kept, in order"""
        self.held: dict[tuple[bytes, int], bytes] = {}
        self.refused = 0
        self.start()

    def start(self) -> None:
        self.store: OperationsStore = self.monitor.open()
        self.keeper = Keeper(self.store, self.store.places().get((OPERATIONS, 1)))

    def take(self, *lines: tuple[bytes, int, bool]) -> None:
        """Keep lines (log, number, of the branch), and say by sets what must come of it."""
        values, troubles, refused = [], set(), 0
        before = dict(self.held)
        for log, number, branch in lines:
            written, branches = LOGS[log]
            value = branches[number] if branch and number in branches else written[number]
            values.append(value)
            known = before.get((log, number))
            owner = DESK if log[:1] == b"a" else PORTAL
            if known is None:
                head = max((at for each, at in before if each == log), default=-1)
                if number > head + 1:
                    troubles.add((Trouble.GAP, owner))
                elif self._torn(before, log, number, value):
                    troubles.add((Trouble.BROKEN, owner))
                before[log, number] = value
                self.order.append((log, number))
            elif known != value:
                troubles.add((Trouble.FORK, owner))
                refused += 1
        kept = self.keeper.keep(*values)
        assert set(kept.troubles) == troubles
        assert sum(kept.refused.values()) == refused
        self.held, self.refused = before, self.refused + refused

    def _torn(self, held: dict[tuple[bytes, int], bytes], log: bytes, number: int, value: bytes) -> bool:
        """Lines name the one before of the first branch: next to a line of the other branch the chain is torn."""
        written = LOGS[log][0]
        before, after = held.get((log, number - 1)), held.get((log, number + 1))
        return (before is not None and before != written[number - 1]) or (
            after is not None and value != written[number]
        )

    @rule(
        lines=st.lists(
            st.tuples(st.sampled_from(sorted(LOGS)), st.integers(0, LINES - 1), st.booleans()), min_size=1, max_size=5
        )
    )
    def lines_come(self, lines: list[tuple[bytes, int, bool]]) -> None:
        self.take(*lines)

    @rule()
    def another_process_goes_on(self) -> None:
        self.store.close()
        self.start()

    @rule(log=st.sampled_from(sorted(LOGS)), number=st.integers(0, LINES - 1), share=st.floats(0, 0.999))
    def power_is_cut_while_the_disk_writes(self, log: bytes, number: int, share: float) -> None:
        held, order, refused, place = dict(self.held), list(self.order), self.refused, self.keeper.next
        before = machines.wal_bytes(self.monitor.file)
        self.take((log, number, False))
        after = machines.wal_bytes(self.monitor.file)
        self.copies += 1
        keep = before + int((after - before) * share) if after >= before else after
        copy = machines.power_cut(self.monitor.file, self.home / str(self.copies), keep)
        self.store.close()
        self.monitor = Monitor(copy.parent)
        self.start()
        if self.keeper.next == place:  # the batch is gone whole: it is read again
            self.held, self.order, self.refused = held, order, refused

    @invariant()
    def all_is_as_the_sets_say(self) -> None:
        missing = 0
        for log in LOGS:
            numbers = [at for each, at in self.held if each == log]
            missing += max(numbers, default=-1) + 1 - len(numbers)
        assert self.store.missing() == missing
        assert self.store.size() == len(self.order) == len(self.held)
        with snapshot(self.monitor.file, OWNER) as db:
            found = verify(db, TRUST, MONITOR, LOG, ())
            leaves = [entry for _, entry in entries(db)]
        assert [(each.log, each.sequence) for each in leaves] == self.order
        root = mth([reference_leaf(each.encode()) for each in leaves])
        assert found.root == root == Frontier(each.leaf for each in leaves).root()
        assert (found.missing, found.forks, found.bodies) == (missing, self.refused, len(self.order))
        assert {each.split()[0] for each in found.damage} <= {"link"}, "torn chains are found again, and nothing else"

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.home, ignore_errors=True)


def test_against_a_model() -> None:
    machines.run(StoreMachine, runs=8, steps=12)


# kill -9

WRITER = """
import sys
from pathlib import Path
from tests.unit.monitoring.operations.test_store_model import keep_all
keep_all(Path(sys.argv[1]))
"""


def keep_all(directory: Path) -> None:
    """Keep a log's lines, three in a batch, from where the store is."""
    values = LOGS[b"a" * 16][0]
    with Monitor(directory).open() as store:
        keeper = Keeper(store, store.places().get((OPERATIONS, 1)))
        while (keeper.next or 0) < len(values):
            keeper.keep(*values[keeper.next or 0 : (keeper.next or 0) + 3])


@pytest.mark.parametrize(("point", "kept"), [("collector.before-commit:2", 3), ("collector.after-commit:2", 6)])
def test_killed_at_each_point_the_next_one_goes_on_and_nothing_is_twice(tmp_path: Path, point: str, kept: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "HUB_CRASH_POINT": point}
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with Monitor(tmp_path).open() as store:
        assert (store.size(), store.places()) == (kept, {(OPERATIONS, 1): kept})
    keep_all(tmp_path)
    with snapshot(tmp_path / "collected.db", OWNER) as db:
        found = verify(db, TRUST, MONITOR, LOG, ())
    assert (found.verified, found.size, found.bodies) == (True, LINES, LINES)
