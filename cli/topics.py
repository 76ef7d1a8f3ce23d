"""`topics plan|apply`: what the cluster lacks, and making it so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, json_line, reports_errors, table

if TYPE_CHECKING:
    from topics.plan import Plan, Step

app = typer.Typer(help="Topics, rights, quotas. / トピックと権限", no_args_is_help=True)

Prune = Annotated[bool, typer.Option("--prune", help="also take away what is not declared")]
Json = Annotated[bool, typer.Option("--json", help="one object per step")]


async def _plan(prune: bool, *, apply: bool) -> tuple[Plan, Plan | None]:
    from cli.people import open_role, the_home
    from hub.transport.admin import Admin
    from topics.plan import plan

    home = the_home()
    home.running()
    role = open_role(home, "admin")
    async with Admin(role.endpoint) as admin:
        found = plan(await admin.current(role.topology), role.topology, prune=prune)
        if not apply:
            return found, None
        await admin.execute(found)
        return found, await admin.settle(role.topology)


def _show(steps: tuple[Step, ...], title: str, *, as_json: bool) -> None:
    if as_json:
        for step in steps:
            json_line({"kind": title, **step.describe()})
    elif steps:
        rows = []
        for step in steps:
            said = step.describe()
            rows.append((said.pop("step"), ", ".join(f"{key}={value}" for key, value in said.items())))
        table(title, ("step", "what"), rows)


@app.command("plan")
@reports_errors
def plan_(prune: Prune = False, as_json: Json = False) -> None:
    """Show what `apply` would do, and what is there beyond the declaration. Exit 1 if anything differs."""
    found, _ = asyncio.run(_plan(prune, apply=False))
    _show(found.steps, "step", as_json=as_json)
    _show(found.drift, "drift", as_json=as_json)
    if not as_json and found.empty:
        console.print("nothing to do" + (f"; {len(found.drift)} not declared, left alone" if found.drift else ""))
    if not found.empty:
        raise typer.Exit(1)


@app.command("apply")
@reports_errors
def apply(prune: Prune = False, as_json: Json = False) -> None:
    """Create and alter what differs; delete nothing without --prune. / 宣言どおりに適用する"""
    found, left = asyncio.run(_plan(prune, apply=True))
    _show(found.steps, "done", as_json=as_json)
    _show(found.drift, "drift", as_json=as_json)
    if not as_json:
        console.print(f"{len(found.steps)} steps done")
    if left is not None and not left.empty:
        _show(left.steps, "left", as_json=as_json)
        raise typer.Exit(1)
