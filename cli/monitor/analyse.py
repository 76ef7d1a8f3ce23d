"""`monitor analyse`: the periodic analysis of the operations log, a process of the principal `analysis`."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import datetime
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import fail, reports_errors

if TYPE_CHECKING:
    from hub.facts import Observer
    from hub.role import Role

CONDITIONS = frozenset({"windows"})
FAUST = "faust-streaming"
LEFT = "analysis.left"
"""monitoring.analysis.service.ApplicationLeft; Faust is imported only when it is there"""
_LEAVE_SECONDS = 17.0
"""`up` waits 20 s; Faust's consumer has a thread of its own, and tasks that wait through every cancellation"""


@reports_errors
def analyse(
    until: Annotated[
        str | None,
        typer.Option(help="analyse everything up to this moment (2026-02-01T00:00:00+09:00) and end"),
    ] = None,
) -> None:
    """Look for what people and peers should not do (HUB_ROLE_DIR, HUB_ANALYSIS_…). / 操作記録を分析する"""
    if not any(metadata.distributions(name=FAUST)):
        fail("cli.no-faust", "the analysis needs Faust", "pip install 'eltax-hub[analysis]'")
    from cli.role_process import run_role

    moment = _moment(until)

    async def work(role: Role, observer: Observer, stop: asyncio.Event) -> None:
        from datetime import UTC

        from hub.operations.spool import Spool
        from monitoring.analysis.service import Analysis
        from monitoring.analysis.settings import AnalysisSettings

        settings = AnalysisSettings.from_environment()
        with closing(Spool(role)) as log:  # who sends for this process finds what stands there
            analysis = Analysis(role, settings, observer, log.note, lambda: datetime.now(UTC), until=moment)
            await analysis.run(stop)

    anew = frozenset({LEFT})
    raise typer.Exit(run_role("monitor-analyse", CONDITIONS, work, leave_seconds=_LEAVE_SECONDS, anew=anew))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail("cli.usage", "this is no moment", "Written as 2026-02-01T00:00:00+09:00.", status=2)
    if moment.tzinfo is None:
        fail("cli.usage", "a moment needs its offset", "Written as 2026-02-01T00:00:00+09:00.", status=2)
    return moment
