"""`report`: the role in HUB_ROLE_DIR writes its signed report; what `reconcile` has each role do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import reports_errors


@reports_errors
def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="where the signed report goes")],
) -> None:
    """Write this role's signed report for reconciliation. / 照合用の署名付き報告を書き出す"""
    from cli.reports import write_own

    write_own(output)
