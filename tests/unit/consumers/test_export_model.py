"""Whatever is decided, interrupted and repeated: a receiver that takes in every file has what is accepted."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from consumers.review.export import exporter as exporters
from consumers.review.export.archive import verify
from consumers.review.export.errors import ExportDiskFull
from consumers.store.exporting import RunState
from consumers.store.exports import SqlExports
from tests.unit.consumers.exporting import PASSWORD, Bench, document, members, table

SEIZURE = "seizure-release-under-grace.csv"
ROWS = 12


class Receiver:
    """Takes files in by run: withdrawals first, then rows; refuses what cannot be."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.previous: int | None = None

    def take(self, path: Path) -> None:
        manifest, files = verify(path, PASSWORD), members(path)
        assert manifest.previous == self.previous
        self.previous = manifest.run
        for row in table(files.get("withdrawn.csv", b"")):
            assert self.held.pop(row["hub_event_id"]) == row["hub_handed_over_revision"]
        for row in table(files.get(SEIZURE, b"")):
            assert row["hub_event_id"] not in self.held
            self.held[row["hub_event_id"]] = row["hub_revision"]


def accepted(bench: Bench) -> dict[str, str]:
    """What stands accepted: event id and revision of the decision."""
    return {
        row.event.event_id: str(bench.store.cases.decisions(row.number)[-1].revision)
        for row in bench.store.events()
        if row.event.status == "accepted"
    }


def turn(bench: Bench, row: int) -> None:
    """Accept what is not accepted, revoke what is."""
    (found,) = bench.store.events(after=row - 1, limit=1)
    bench.decide(row, "revoke" if found.event.status == "accepted" else "accept", "resident-tax")


def received(bench: Bench) -> Receiver:
    receiver = Receiver()
    done = [run for run in bench.store.exports.runs() if run.state is RunState.DONE]
    assert [path.name for path in sorted(bench.out.iterdir())] == [bench.exporter().file_name(run) for run in done]
    for path in sorted(bench.out.iterdir()):
        receiver.take(path)
    return receiver


@pytest.mark.parametrize("seed", range(6))
def test_after_any_course_of_events_the_receiver_has_what_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    bench = Bench(tmp_path)
    bench.stored([document(n) for n in range(ROWS)])
    place = exporters.place

    def full(final: Path) -> None:
        raise ExportDiskFull

    def died(final: Path) -> None:
        raise KeyboardInterrupt

    def died_after(final: Path) -> None:
        place(final)
        raise KeyboardInterrupt

    for _ in range(25):
        for _ in range(chance.randrange(4)):
            turn(bench, chance.randrange(1, ROWS + 1))
        with monkeypatch.context() as patch:
            how = chance.choice([None, None, full, died, died_after])
            if how is not None:
                patch.setattr(exporters, "place", how)
            if how is died:  # who is dead gives nothing back
                patch.setattr(SqlExports, "release", lambda *_: None)
            with suppress(ExportDiskFull, KeyboardInterrupt):
                bench.exporter().export(bench.wish(), PASSWORD)
    bench.export()
    assert received(bench).held == accepted(bench)
    assert bench.export().written == ()
    bench.close()


def test_decisions_while_exports_run_reach_the_receiver_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.stored([document(n) for n in range(ROWS)])
    chance, stop = random.Random(1), threading.Event()

    def decide() -> None:
        while not stop.is_set():
            turn(bench, chance.randrange(1, ROWS + 1))

    thread = threading.Thread(target=decide)
    thread.start()
    try:
        for _ in range(15):
            bench.export()
    finally:
        stop.set()
        thread.join()
    bench.export()
    assert received(bench).held == accepted(bench)
    bench.close()
