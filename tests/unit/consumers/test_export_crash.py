"""kill -9 in an export: never half a file under its name, never a row in two runs, the same bytes in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.review.export.archive import verify
from consumers.store.exporting import RunState
from tests.unit.consumers.exporting import PASSWORD, Bench, document, generated, members

EXPORT = """
import sys
from pathlib import Path
from tests.unit.consumers.exporting import Bench
Bench(Path(sys.argv[1])).export(encoding="cp932", on_missing="replace")
"""


def killed(directory: Path, point: str) -> None:
    mark = directory / "mark"
    process = subprocess.run(
        [sys.executable, "-c", EXPORT, str(directory)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "HUB_CRASH_POINT": point, "HUB_CRASH_MARK": str(mark)},
        timeout=60,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    assert mark.read_text() == point.partition(":")[0]


def named(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    ("point", "in_place"),
    [
        ("review.export-after-claim", False),
        ("review.export-in-file", False),
        ("review.export-in-file:4", False),
        ("review.export-before-rename", False),
        ("review.export-after-rename", True),
    ],
)
def test_killed_anywhere_the_next_export_finishes_the_same_run(tmp_path: Path, point: str, in_place: bool) -> None:
    bench = Bench(tmp_path)
    bench.accepted(*generated(40), document(1))
    (tmp_path / "untouched").mkdir()
    whole = bench.exporter().export(bench.wish("model", "cp932", "replace", directory=tmp_path / "untouched"), PASSWORD)
    bench.close()
    killed(tmp_path, point)
    name = "rehearsal-999997-tax-000002.zip"
    assert named(tmp_path / "out") == ([name] if in_place else [])
    if in_place:
        verify(tmp_path / "out" / name, PASSWORD)
    bench = Bench(tmp_path)
    # What happens meanwhile belongs to the next run.
    bench.decide(1, "revoke", "resident-tax")
    bench.accepted(document(2))
    first, second = bench.export(encoding="cp932", on_missing="replace").written
    assert (first.resumed, first.path.name) == (True, name)
    assert verify(first.path, PASSWORD) == first.manifest
    assert first.manifest.files == whole.written[0].manifest.files
    csv = {name: data for name, data in members(first.path).items() if name != "manifest.json"}
    model = {name: data for name, data in members(whole.written[0].path).items() if name != "manifest.json"}
    assert csv == model
    assert (second.manifest.rows, second.manifest.withdrawn, second.manifest.previous) == (1, 1, 2)
    assert [run.state for run in bench.store.exports.runs()] == [RunState.DONE] * 3
    assert sum(run.rows for run in bench.store.exports.runs() if run.series == "tax") == 42
    assert bench.export().written == ()
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []
    bench.close()


def test_killed_twice_in_a_run_it_is_still_one_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.accepted(document(1), document(2))
    bench.close()
    for point in ("review.export-in-file", "review.export-before-rename", "review.export-after-rename"):
        killed(tmp_path, point)
    bench = Bench(tmp_path)
    assert [run.run for run in bench.store.exports.unfinished("tax")] == [1]
    (done,) = bench.export().written
    assert (done.manifest.run, done.manifest.rows, done.manifest.encoding) == (1, 2, "cp932")
    bench.close()
