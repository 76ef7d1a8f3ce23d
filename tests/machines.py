"""What the state machines share: how long they run, and what a power cut leaves of an SQLite file.

In `make test` every machine makes the same few runs (`derandomize`). `make machines RUNS=500` makes others, and
prints the seed that makes them again: `make machines RUNS=500 SEED=n`.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

RUNS = int(os.environ.get("HUB_MACHINE_RUNS", "0"))
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


def run(machine: type[RuleBasedStateMachine], *, runs: int, steps: int = 25) -> None:
    """Run a machine `runs` times with the same choices as always, or as often as asked for with new ones."""
    if not RUNS:
        few = settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=_CHECKS,
        )
        run_state_machine_as_test(machine, settings=few)
        return
    chosen = int(os.environ.get("HUB_MACHINE_SEED", "0")) or random.SystemRandom().getrandbits(32)
    print(f"\n{machine.__name__}: {RUNS} runs, seed {chosen}", flush=True)
    many = settings(
        max_examples=RUNS,
        stateful_step_count=3 * steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=_CHECKS,
    )
    run_state_machine_as_test(seed(chosen)(machine), settings=many)


def wal_bytes(database: Path) -> int:
    """How long the write-ahead log is."""
    log = database.with_name(database.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def power_cut(database: Path, into: Path, keep: int | None = None) -> Path:
    """Copy a database that is in use as a power cut would leave it, `keep` bytes of its write-ahead log at most.

    The shared-memory file is not on a disk. What SQLite has synced must not be cut off by `keep`.
    """
    into.mkdir(parents=True)
    shutil.copyfile(database, into / database.name)
    log = database.with_name(database.name + "-wal")
    if log.exists():
        data = log.read_bytes()
        (into / log.name).write_bytes(data if keep is None else data[:keep])
    return into / database.name
