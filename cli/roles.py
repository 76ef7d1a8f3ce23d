"""`route` and `consume`: one role, one process; what `up` starts, and what production runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from cli.output import reports_errors
from cli.tax import consume_tax

if TYPE_CHECKING:
    from hub.facts import Observer
    from hub.role import Role

consume = typer.Typer(help="Run one consumer of one tenant. / 受信側の処理を起動する", no_args_is_help=True)


@reports_errors
def route() -> None:
    """Run the exactly-once router (HUB_ROLE_DIR, HUB_BOOTSTRAP, HUB_NAMESPACE). / ルーターを起動する"""
    from cli.role_process import run_role
    from hub.router.engine import Router

    async def work(role: Role, observer: Observer, stop: asyncio.Event) -> None:
        await Router(role, observer).run(stop)

    raise typer.Exit(run_role("route", frozenset({"fenced", "sessions", "audiences"}), work))


@consume.command("review")
@reports_errors
def review() -> None:
    """Run the review desk's consumer. / 審査部門の受信処理"""
    raise typer.Exit(_consume("review"))


@consume.command("helpdesk")
@reports_errors
def helpdesk() -> None:
    """Run the helpdesk's consumer. / ヘルプデスクの受信処理"""
    raise typer.Exit(_consume("helpdesk"))


@consume.command("audit")
@reports_errors
def audit() -> None:
    """Run the audit consumer. / 監査の受信処理"""
    raise typer.Exit(_consume("audit"))


consume.command("tax")(consume_tax)


def _consume(kind: str) -> int:
    from cli.desks import run_desk
    from cli.role_process import run_role
    from hub.settings import RoleSettings

    days = RoleSettings.from_environment().service_days

    async def work(role: Role, observer: Observer, stop: asyncio.Event) -> None:
        await run_desk(kind, role, observer, stop, service_days=days)

    return run_role(f"consume-{kind}", frozenset({"sessions", "audiences", "store"}), work)
