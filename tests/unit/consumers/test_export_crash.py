"""kill -9 in an export: never half a file under its name, never a row in two runs, the same bytes in the end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from consumers.review.export.archive import verify
from consumers.review.export.errors import ColumnsChanged, FileInTheWay
from consumers.store.exporting import RunState
from tests.unit import forked
from tests.unit.consumers.exporting import PASSWORD, Bench, document, generated, members

EXPORT = """
import sys
from pathlib import Path
from tests.unit.consumers.exporting import Bench
Bench(Path(sys.argv[1])).export(encoding="cp932", on_missing="replace")
"""


def killed(directory: Path, point: str) -> None:
    mark = directory / "mark"
    process = forked.run(EXPORT, directory, {"HUB_CRASH_POINT": point, "HUB_CRASH_MARK": str(mark)})
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
    bench.accepted_at_once([*generated(40), document(1)])
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


@pytest.mark.parametrize(("point", "rows"), [("review.export-before-rename", 1), ("review.export-after-rename", 2)])
def test_a_row_that_is_erased_meanwhile_does_not_keep_a_run_from_its_end(tmp_path: Path, point: str, rows: int) -> None:
    bench = Bench(tmp_path)
    first, _ = bench.accepted(document(1), document(2))
    bench.close()
    killed(tmp_path, point)
    bench = Bench(tmp_path)
    bench.erase(first)
    (done,) = bench.export().written
    assert (done.resumed, done.manifest.rows, done.manifest.erased) == (True, rows, 2 - rows)
    run = bench.store.exports.run(1)
    assert run is not None
    assert run.files == done.manifest.files == verify(done.path, PASSWORD).files
    (tmp_path / "again").mkdir()
    assert bench.exporter().again(1, tmp_path / "again", PASSWORD).same == (rows == 1)
    bench.close()


@pytest.mark.parametrize("point", ["review.export-before-rename", "review.export-after-rename"])
def test_a_run_of_an_earlier_version_of_the_columns_is_finished_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    bench = Bench(tmp_path)
    bench.accepted(document(1))
    bench.close()
    killed(tmp_path, point)
    for module in ("archive", "build", "exporter"):
        monkeypatch.setattr(f"consumers.review.export.{module}.VERSION", 2)
    bench = Bench(tmp_path)
    (done,) = bench.export().written
    run = bench.store.exports.run(1)
    assert run is not None
    in_place = point.endswith("after-rename")
    assert run.columns_version == done.manifest.columns_version == (1 if in_place else 2)
    (tmp_path / "again").mkdir()
    if in_place:
        with pytest.raises(ColumnsChanged):
            bench.exporter().again(1, tmp_path / "again", PASSWORD)
        assert list((tmp_path / "again").iterdir()) == []
    else:
        assert bench.exporter().again(1, tmp_path / "again", PASSWORD).same
    bench.close()


@pytest.mark.parametrize("password", [PASSWORD, "another-password-0123456789"])
def test_a_file_under_the_runs_name_that_is_not_the_run_is_left_alone(tmp_path: Path, password: str) -> None:
    bench = Bench(tmp_path)
    bench.accepted(document(1))
    bench.close()
    killed(tmp_path, "review.export-after-rename")
    place = tmp_path / "out" / "rehearsal-999997-tax-000001.zip"
    bench = Bench(tmp_path)
    if password == PASSWORD:
        (tmp_path / "other").mkdir()
        other = bench.export(series="other", directory=tmp_path / "other").written[0].path
        place.write_bytes(other.read_bytes())
    before = place.read_bytes()
    with pytest.raises(FileInTheWay):
        bench.exporter().export(bench.wish(), password)
    assert place.read_bytes() == before
    assert [run.run for run in bench.store.exports.unfinished("tax")] == [1]
    place.unlink()
    (done,) = bench.exporter().export(bench.wish(), password).written
    assert (done.resumed, done.manifest.run) == (True, 1)
    bench.close()
