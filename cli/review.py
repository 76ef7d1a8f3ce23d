"""`review list|show`: what the review desk holds."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, json_line, reports_errors, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.noting import Notes
    from consumers.review.queries import ReviewQueries
    from consumers.store.model import StoredEvent

app = typer.Typer(help="The review desk. / 審査部門", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option(help="tenant code; default all tenants of this home")]
Json = Annotated[bool, typer.Option("--json", help="one object per line")]


@contextmanager
def _queries(principal: str, command: str) -> Iterator[tuple[ReviewQueries, Notes]]:
    from cli.desks import opened
    from cli.noting import noted
    from cli.people import open_role, the_home
    from consumers.review.queries import ReviewQueries

    role = open_role(the_home(), principal)
    with noted(role, command) as notes, opened(role) as (around, _, _):
        yield ReviewQueries(around.store, around.vault(around.keys(notes.key_used))), notes


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
    from hub.envelope.operations import Kind

    today = datetime.now(JAPAN).date()
    wanted = Wanted(status, assignee, unassigned, today if overdue else None, with_findings)
    columns = ("receipt_number", "procedure", "status", "assignee", "due_on", "findings")
    rows = []
    for principal in desks(the_home(), "review", tenant):
        with _queries(principal, "review list") as (queries, notes):
            notes.note(Kind.LISTED, count=0)
            count = 0
            for row in queries.listed(wanted, limit=limit):
                count += 1
                if as_json:
                    json_line(row)
                else:
                    confirmed = "yes" if row["confirmed"] else "no"
                    rows.append((*(row[column] or "" for column in columns), confirmed))
            notes.note(Kind.LISTED, count=count)
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
    from consumers.store.errors import NotFound
    from hub.envelope.operations import Kind

    with ExitStack() as stack:
        asked = [stack.enter_context(_queries(each, "review show")) for each in desks(the_home(), "review", tenant)]
        having = [(queries, notes, rows) for queries, notes in asked if (rows := _rows(queries, receipt))]
        if not having:
            for _, notes in asked:
                notes.note(Kind.VIEWED, receipt=receipt, outcome=NotFound.code, count=0)
            raise NotFound
        for queries, notes, rows in having:
            number = rows[0].event.receipt_number
            with notes.attempt(Kind.VIEWED, receipt=number, count=len(rows)):
                shown = queries.show(receipt)
            for each in shown:
                if as_json:
                    json_line(each)
                else:
                    console.print_json(json.dumps(each, ensure_ascii=False))
            if save is not None:
                with notes.attempt(Kind.EXPORTED, receipt=number, about="review show --save", count=len(rows)):
                    _save(queries, rows, save, as_json=as_json)


def _rows(queries: ReviewQueries, receipt: str) -> Sequence[StoredEvent]:
    from consumers.store.errors import NotFound

    try:
        return queries.find(receipt)
    except NotFound:
        return ()


def _save(queries: ReviewQueries, rows: Sequence[StoredEvent], directory: Path, *, as_json: bool) -> None:
    from consumers.review.queries import save

    for row in rows:
        for path in save(queries.attachments(row), directory):
            if not as_json:
                console.print(f"saved {path}", markup=False)
