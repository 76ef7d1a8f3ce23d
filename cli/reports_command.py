"""`report`: the role in HUB_ROLE_DIR writes its signed report; what `reconcile` has each role do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import fail, reports_errors


@reports_errors
def report(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="where one signed report goes")] = None,
    directory: Annotated[
        Path | None, typer.Option(file_okay=False, exists=True, help="where <principal>.<kind>.report go, one a kind")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="what to report on; default what the role holds of submissions")
    ] = None,
) -> None:
    """Write this role's signed report for reconciliation. / 照合用の署名付き報告を書き出す"""
    from assurance.reconcile import Kind
    from cli.reports import write_own, write_several

    try:
        kinds = [Kind(each) for each in kind or ()]
    except ValueError:
        fail("cli.usage", "there is no such kind of report", f"One of {', '.join(Kind)}.", status=2)
    if (output is None) == (directory is None) or (output is not None and len(kinds) > 1):
        fail("cli.usage", "give --output for one report, or --directory for several", "", status=2)
    if output is not None:
        write_own(output, kinds[0] if kinds else None)
    else:
        assert directory is not None
        write_several(directory, kinds)
