"""`consume tax` and `tax list`: a tax team's own end, one role, one process."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, json_line, reports_errors

if TYPE_CHECKING:
    from hub.facts import Observer
    from hub.role import Role

app = typer.Typer(help="A tax team. / 税目担当", no_args_is_help=True)
STORE = "tax.db"


@app.callback()
def _group() -> None:
    """A tax team. / 税目担当"""


@reports_errors
def consume_tax(
    drain: Annotated[bool, typer.Option("--drain", help="end where the topic ends now")] = False,
) -> None:
    """Take over what was accepted for one tax team (HUB_ROLE_DIR of tax-<item>-<tenant>). / 税目担当の受信処理"""
    from cli.role_process import run_role
    from consumers.tax.consumer import TaxConsumer
    from consumers.tax.store import TaxStore

    async def work(role: Role, observer: Observer, stop: asyncio.Event) -> None:
        store = TaxStore(role.state_directory / STORE, f"{role.namespace}/{role.principal}")
        try:
            await TaxConsumer(role, store, observer).run(stop, follow=not drain)
        finally:
            store.close()

    raise typer.Exit(run_role("consume-tax", frozenset({"store"}), work))


@app.command("list")
@reports_errors
def list_(
    team: Annotated[str, typer.Argument(help="principal, such as tax-resident-tax-131041")],
    receipt: Annotated[str | None, typer.Option(help="only this receipt number")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object per line")] = False,
) -> None:
    """Show what one team has taken over, opened with its own key. / 引き渡された申請の一覧"""
    from cli.noting import noted
    from cli.people import NotEnrolled, open_role, the_home
    from consumers.tax.consumer import shown
    from consumers.tax.store import TaxStore
    from hub.envelope.operations import Kind

    home = the_home()
    path = home.role(team) / "state" / STORE
    if not path.exists():
        raise NotEnrolled(f"{team} has taken nothing over in {home.path}")
    role = open_role(home, team)
    store = TaxStore(path, f"{role.namespace}/{role.principal}")
    count = 0
    try:
        with noted(role, "tax list") as notes, notes.attempt(Kind.VIEWED, receipt=receipt or "", count=0):
            notes.note(Kind.KEY_USED, about=role.principal)
            for row in shown(role, store, receipt):
                count += 1
                if as_json:
                    json_line(row)
                else:
                    console.print_json(json.dumps(row, ensure_ascii=False))
            notes.note(Kind.VIEWED, receipt=receipt or "", count=count)
    finally:
        store.close()
