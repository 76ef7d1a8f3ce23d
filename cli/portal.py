"""`submit` and `portal`: the upstream end on the command line."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, fail, json_line, reports_errors

if TYPE_CHECKING:
    from portal.results import Result

app = typer.Typer(help="The upstream end. / 送信側（ポータル）", no_args_is_help=True)


def _standard_input() -> Iterator[bytes]:
    while piece := os.read(sys.stdin.fileno(), 1 << 20):
        yield piece


@reports_errors
def submit(
    files: Annotated[list[str], typer.Argument(help="JSON or JSON Lines files; - for standard input")],
    as_json: Annotated[bool, typer.Option("--json", help="one object per submission")] = False,
) -> None:
    """Check, seal, journal and publish submissions; same input, same event. / 申請データを送信する"""
    from cli.portal_run import run_submit

    missing = [name for name in files if name != "-" and not Path(name).is_file()]
    if missing:
        fail(
            "cli.no-file",
            f"not a file: {missing[0]}",
            "Give files, or - for standard input.",
            as_json=as_json,
            status=2,
        )
    counts: Counter[str] = Counter()

    def show(result: Result) -> None:
        counts[result.status.value] += 1
        if as_json:
            json_line(result.as_json())
        else:
            _print(result)

    run_submit([(name, _standard_input() if name == "-" else None) for name in files], show)
    if not as_json:
        console.print(
            " · ".join(f"{status} {count}" for status, count in sorted(counts.items())) or "nothing to submit"
        )
    if counts["refused"]:
        raise typer.Exit(1)


def _print(result: Result) -> None:
    colour = {"accepted": "green", "duplicate": "yellow", "refused": "red"}[result.status.value]
    console.print(f"[{colour}]{result.status.value:<9}[/] {result.receipt_number or ''}  {result.event_id or ''}")
    for error in result.errors:
        console.print(f"    {error.path or '/'}  [{error.rule}]", markup=False)
        console.print(f"      {error.message_ja}", markup=False)
        console.print(f"      {error.message}", markup=False)


@app.command("serve")
@reports_errors
def serve(
    inbox: Annotated[Path, typer.Argument(file_okay=False, help="directory; its in/ is watched, answers/ has answers")],
) -> None:
    """Submit every file that appears in a directory, until SIGTERM. / 投入フォルダーを監視する

    Put a file beside `in/` and rename it into it. While this runs, `submit` is refused: there is one journal.
    """
    import asyncio

    from cli.role_process import run_role
    from hub.facts import Observer
    from hub.role import Role
    from portal.inbox import Inbox
    from portal.inbox import serve as watch
    from portal.producer import PortalProducer

    found = Inbox(inbox.resolve())

    async def work(role: Role, observer: Observer, stop: asyncio.Event) -> None:
        async with PortalProducer(role, observer) as portal:
            await watch(portal, found, stop, observer)

    raise typer.Exit(run_role("portal", frozenset({"journal"}), work))


@app.command("report")
@reports_errors
def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="where the signed report goes")],
) -> None:
    """Write this portal's signed report for reconciliation. / 照合用の署名付き報告を書き出す"""
    from cli.reports import portal_report

    portal_report(output)
