"""`monitor grafana`: the dashboards and what Grafana reads at its start, as files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors


@reports_errors
def grafana(
    into: Annotated[Path, typer.Option("--into", help="directory; made if it is not there, files in it are replaced")],
    as_json: Annotated[bool, typer.Option("--json", help="one object per file")] = False,
) -> None:
    """Write dashboards and provisioning for Grafana, see docs/watching.md. / Grafanaの画面定義を書き出す"""
    import monitoring.grafana

    source = Path(monitoring.grafana.__file__).parent
    for path in sorted((*source.glob("dashboards/*.json"), *source.glob("provisioning/*/*.yaml"))):
        target = into / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        if as_json:
            json_line({"file": str(target)})
        else:
            console.print(str(target), markup=False)
