"""`audit verify`: recompute the whole log from its rows."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors

app = typer.Typer(help="The audit log. / 監査ログ", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The audit log. / 監査ログ"""


@app.command("verify")
@reports_errors
def verify(
    tenant: Annotated[str | None, typer.Option(help="tenant code; default all tenants of this home")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object per tenant")] = False,
) -> None:
    """Verify log, heads, checkpoints, sessions and receipts from the rows alone. / 監査ログを検証する"""
    from cli.desks import opened
    from cli.people import desks, open_role, the_home
    from consumers.audit.consumer import verify_store

    home, good = the_home(), True
    for principal in desks(home, "audit", tenant):
        role = open_role(home, principal)
        with opened(role) as (around, _, _):
            found = verify_store(role, around.store, time.time_ns() // 1_000_000)
        good = good and found.verified
        said = {"tenant": principal.rpartition("-")[2], **found.as_json()}
        if as_json:
            json_line(said)
        else:
            console.print(
                f"{said['tenant']}  {'[green]verified[/]' if found.verified else '[bold red]NOT verified[/]'}"
                f"  size {found.size}  events {found.events}  checkpoints {found.checkpoints}  gaps {found.gaps}"
                f"  duplicates {found.duplicates}  unconfirmed {found.unconfirmed}"
            )
            console.print(f"  root {found.root.hex()}")
            for trouble, count in found.troubles.items():
                console.print(f"  [red]{trouble} {count}[/]")
            if found.noticed:
                console.print(f"  {found.noticed} not here: dead letters by the router's word; see dead-letters list")
            for damage in found.damage:
                console.print(f"  [red]{damage}[/]")
    if not good:
        raise typer.Exit(1)
