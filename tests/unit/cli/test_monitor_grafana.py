"""`monitor grafana` writes what Grafana needs, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from monitoring.grafana.boards import BOARDS


def test_dashboards_and_provisioning_are_written_and_told(tmp_path: Path) -> None:
    into = tmp_path / "new" / "place"
    done = CliRunner().invoke(app, ["monitor", "grafana", "--into", str(into), "--json"])
    assert done.exit_code == 0, done.output
    told = [Path(json.loads(line)["file"]) for line in done.output.splitlines()]
    assert sorted(told) == sorted(path for path in into.rglob("*") if path.is_file())
    assert {path.stem for path in (into / "dashboards").iterdir()} == {board.slug for board in BOARDS}
    assert len(list((into / "provisioning").rglob("*.yaml"))) == 2
    for path in (into / "dashboards").iterdir():
        assert json.loads(path.read_text(encoding="utf-8"))["uid"] == f"eltax-hub-{path.stem}"
