"""`audit report`: a day or month of the audit log, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import console, fail, json_line, reports_errors

if TYPE_CHECKING:
    from consumers.audit.report import Report


@reports_errors
def report(
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="a day in Japan")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="a month in Japan")] = None,
    tenant: Annotated[str | None, typer.Option(help="tenant code; default all tenants of this home")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object per tenant")] = False,
) -> None:
    """Report counts, gaps and alarms of a day or month; the same log gives the same report. / 監査報告を作成する"""
    from cli.desks import opened
    from cli.noting import noted
    from cli.people import desks, open_role, the_home
    from consumers.audit import report as reports
    from consumers.audit.signatures import SignatureRules
    from hub.envelope.operations import Kind

    if (day is None) == (month is None):
        fail("cli.usage", "give --day or --month", as_json=as_json, status=2)
    try:
        period = reports.day(day) if day is not None else reports.month(month or "")
    except reports.NoPeriod as error:
        fail(error.code, str(error), error.advice, as_json=as_json, status=2)
    home = the_home()
    for principal in desks(home, "audit", tenant):
        role = open_role(home, principal)
        with noted(role, "audit report") as notes, opened(role) as (around, _, _):
            notes.note(Kind.PROVED, code=period.name)
            found = reports.report(
                around.store, principal.rpartition("-")[2], period, SignatureRules(role.trust, principal).head_holds
            )
        if as_json:
            json_line(found.as_json())
        else:
            for line in lines(found):
                console.print(line, highlight=False, markup=False, soft_wrap=True)


def lines(found: Report) -> list[str]:
    """The report as text, a line each."""
    said = found.as_json()
    begin, end = said["tree_at_begin"], said["tree_at_end"]
    made = [
        f"Audit log of {found.tenant}, {found.period.name} (Asia/Tokyo): {said['begin']} to {said['end']}",
        f"  tree at begin  size {begin['size']}  root {begin['root']}  signed {begin['signed_at'] or '-'}",
        f"  tree at end    size {end['size']}  root {end['root']}  signed {end['signed_at'] or '-'}",
        f"  {said['entries']} entries, {said['tree_heads_signed']} tree heads signed",
    ]
    if not found.closed:
        made.append("  nothing was entered after this period yet: more may still enter it")
    for kind, procedures in said["events"].items():
        made += [f"  {kind}: {sum(procedures.values())}", *_counted(procedures)]
    made.append(
        f"  repeated {said['events_repeated']}, leaves in checkpoints {said['leaves_in_checkpoints']},"
        f" events in receipts {said['events_in_receipts']}"
    )
    for title, key in (
        ("signed statements", "statements"),
        ("dead letters", "dead_letters"),
        ("refused records", "refused_records"),
        ("dead letters resolved", "letters_resolved"),
        ("alarms at begin", "alarms_at_begin"),
        ("alarms at end", "alarms_at_end"),
    ):
        made += [f"  {title}: {sum(said[key].values())}", *_counted(said[key])]
    made.append(f"  sequences missing: {said['sequences_missing']}")
    made += [f"    {gap['session'][:16]} partition {gap['partition']}: {_run(gap)}" for gap in said["gaps"]]
    made.append(f"  sessions without end: {len(found.unended)}")
    made += [f"    {each['session'][:16]} of {each['producer']}" for each in said["sessions_without_end"]]
    return made


def _counted(counts: dict[str, int]) -> list[str]:
    return [f"    {name}: {count}" for name, count in counts.items()]


def _run(gap: dict[str, Any]) -> str:
    return str(gap["first"]) if gap["first"] == gap["last"] else f"{gap['first']} to {gap['last']}"


def register(app: typer.Typer) -> None:
    """Add this command to `audit`."""
    app.command("report")(report)
