"""`review list|show`: what the review desk holds."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, json_line, reports_errors, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.review.queries import ReviewQueries

app = typer.Typer(help="The review desk. / 審査部門", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option(help="tenant code; default all tenants of this home")]
Json = Annotated[bool, typer.Option("--json", help="one object per line")]


@contextmanager
def _queries(principal: str) -> Iterator[ReviewQueries]:
    from cli.desks import opened
    from cli.people import open_role, the_home
    from consumers.review.queries import ReviewQueries

    with opened(open_role(the_home(), principal)) as (around, _, _):
        yield ReviewQueries(around.store, around.vault(around.keys()))


@app.command("list")
@reports_errors
def list_(
    tenant: Tenant = None,
    limit: Annotated[int | None, typer.Option(min=1, help="at most so many per tenant")] = None,
    status: Annotated[str | None, typer.Option(help="stored, accepted, returned, held, revoked or erased")] = None,
    assignee: Annotated[str | None, typer.Option(help="only this person's")] = None,
    unassigned: Annotated[bool, typer.Option("--unassigned", help="only nobody's")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="only open ones past their last day")] = False,
    with_findings: Annotated[bool, typer.Option("--with-findings", help="only those with findings")] = False,
    as_json: Json = False,
) -> None:
    """List what is stored; opens nothing. / 受付済みの一覧"""
    from datetime import datetime

    from cli.people import desks, the_home
    from consumers.review.deadlines import JAPAN
    from consumers.review.queries import Wanted

    today = datetime.now(JAPAN).date()
    wanted = Wanted(status, assignee, unassigned, today if overdue else None, with_findings)
    columns = ("receipt_number", "procedure", "status", "assignee", "due_on", "findings")
    rows = []
    for principal in desks(the_home(), "review", tenant):
        with _queries(principal) as queries:
            for row in queries.listed(wanted, limit=limit):
                if as_json:
                    json_line(row)
                else:
                    confirmed = "yes" if row["confirmed"] else "no"
                    rows.append((*(row[column] or "" for column in columns), confirmed))
    if not as_json:
        table("review", (*(column.replace("_", " ") for column in columns), "confirmed"), rows)


@app.command("show")
@reports_errors
def show(
    receipt: Annotated[str, typer.Argument(help="receipt number or event id")],
    tenant: Tenant = None,
    save: Annotated[Path | None, typer.Option(help="write the attachments into this directory")] = None,
    as_json: Json = False,
) -> None:
    """Show a submission as it was sent, with findings and history. / 申請内容を表示する"""
    from cli.people import desks, the_home
    from consumers.review.queries import save as save_attachments
    from consumers.store.errors import NotFound

    found = 0
    for principal in desks(the_home(), "review", tenant):
        with _queries(principal) as queries:
            try:
                shown = queries.show(receipt)
            except NotFound:
                continue
            found += len(shown)
            for each in shown:
                if as_json:
                    json_line(each)
                else:
                    console.print_json(json.dumps(each, ensure_ascii=False))
            if save is not None:
                for row in queries.find(receipt):
                    for path in save_attachments(queries.attachments(row), save):
                        if not as_json:
                            console.print(f"saved {path}", markup=False)
    if not found:
        raise NotFound
