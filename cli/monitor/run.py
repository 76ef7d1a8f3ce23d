"""`monitor` without a command: one process with everything that watches all the time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from cli.output import reports_errors
from hub.loop import TaskGroup

if TYPE_CHECKING:
    from hub.facts import Observer
    from hub.role import Role

CONDITIONS = frozenset({"letters", "operations"})
"""what the watch must have done once before it is ready"""


@reports_errors
def monitor(context: typer.Context) -> None:
    """Watch over the hub until SIGTERM (HUB_ROLE_DIR, HUB_BOOTSTRAP, HUB_NAMESPACE). / 監視処理を起動する"""
    if context.invoked_subcommand is not None:
        return
    from cli.role_process import run_role

    raise typer.Exit(run_role("monitor", CONDITIONS, _watch, own_path=False))


async def _watch(role: Role, observer: Observer, stop: asyncio.Event) -> None:
    """All parts side by side; the first that fails ends the others, and the process with its error."""
    from contextlib import closing
    from datetime import UTC, datetime

    from cli.log import witnesses_of
    from consumers.operator.watch import LetterWatch
    from hub.operations.spool import Spool
    from hub.settings import WatchSettings
    from monitoring.network.watch import NetworkWatch
    from monitoring.operations.settings import OperationsSettings
    from monitoring.operations.watch import OperationsWatch

    def now() -> datetime:
        return datetime.now(UTC)

    settings = OperationsSettings()
    cosigners = witnesses_of(settings.operations_witnesses, "shared", observer)
    with closing(Spool(role)) as spool:
        parts = (
            LetterWatch(role, observer, now).run(stop),
            NetworkWatch(role, observer, WatchSettings()).run(stop),
            OperationsWatch(role, observer, now, spool.note, settings=settings, cosigners=cosigners).run(stop),
        )
        async with TaskGroup() as group:
            for part in parts:
                group.create_task(part)
