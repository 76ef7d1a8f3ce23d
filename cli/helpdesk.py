"""`helpdesk lookup`: what the helpdesk may see of a receipt."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors, table

app = typer.Typer(help="The helpdesk. / ヘルプデスク", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The helpdesk. / ヘルプデスク"""


@app.command("lookup")
@reports_errors
def lookup(
    receipt: Annotated[str, typer.Argument(help="receipt number")],
    tenant: Annotated[str | None, typer.Option(help="tenant code; default all tenants of this home")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object per submission")] = False,
) -> None:
    """Show masked items and the timeline of a receipt. / 受付番号から照会する（伏字）"""
    from cli.desks import opened
    from cli.noting import noted
    from cli.people import desks, open_role, the_home
    from consumers.helpdesk.queries import HelpdeskQueries
    from consumers.store.errors import NotFound
    from hub.envelope.operations import Kind

    found = 0
    home = the_home()
    for principal in desks(home, "helpdesk", tenant):
        role = open_role(home, principal)
        with noted(role, "helpdesk lookup") as notes, opened(role) as (around, _, _):
            queries = HelpdeskQueries(around.store, around.vault(around.keys(notes.key_used)))
            try:
                with notes.attempt(Kind.LOOKED_UP, receipt=receipt):
                    shown = queries.lookup(receipt)
            except NotFound:
                continue
        found += len(shown)
        for each in shown:
            if as_json:
                json_line(each)
                continue
            console.print(f"[bold]{each['receipt_number']}[/]  {each['tenant']}  {each['status']}")
            table("", ("item", "row", "shown"), [(i["name"], i["row"], i["shown"]) for i in each["items"] or ()])
            for ticket in each["tickets"]:
                if ticket["outcome"] == "open":
                    console.print(f"could not be processed since {ticket['since']}: {ticket['waits_for_ja']}")
            table("", ("at", "what", ""), [(t["at"], t["what"], t["detail"]) for t in each["timeline"]])
    if not found:
        raise NotFound
