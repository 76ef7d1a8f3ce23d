"""`monitor operations`: what was collected of the operations log: verify it, look at it, hand it out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, fail, json_line, reports_errors, table

if TYPE_CHECKING:
    from hub.crypto.notes import NoteSigner, VerifierKey
    from hub.envelope.operations import Operation
    from hub.role import Role
    from monitoring.operations.reading import Wanted

app = typer.Typer(help="The collected operations log. / 操作記録", no_args_is_help=True)
MONITOR = "monitor"

Json = Annotated[bool, typer.Option("--json", help="one object per line")]
OfClass = Annotated[str, typer.Option("--class", help="system, network, access or administration")]
OfPrincipal = Annotated[str, typer.Option("--principal", help="whose log")]
OfActor = Annotated[str, typer.Option("--actor", help="an account, or a principal that a broker saw")]
OfReceipt = Annotated[str, typer.Option("--receipt", help="a receipt number, or its fingerprint of 32 hex digits")]
Since = Annotated[datetime | None, typer.Option(help="occurred then or later; Japan's time if no offset is given")]
Until = Annotated[datetime | None, typer.Option(help="occurred before then")]


@app.command("verify")
@reports_errors
def verify(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="a checkpoint that was kept elsewhere; may be repeated"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute tree, chains, signatures and checkpoints from the rows alone. / 操作記録を検証する"""
    from monitoring.operations.verifying import read_checkpoint
    from monitoring.operations.verifying import verify as recompute
    from monitoring.operations.watch import LOG, directory_of

    with _opened("verify") as (role, db):
        keys = _signer(role, revoked=True)[1]
        outside = [read_checkpoint(path.read_bytes(), keys) for path in checkpoint or ()]
        published = directory_of(role) / "checkpoint"
        if published.exists():
            outside.append(read_checkpoint(published.read_bytes(), keys))
        found = recompute(db, role.trust, MONITOR, LOG, outside)
    if as_json:
        json_line(found.as_json())
    else:
        console.print(
            f"{'[green]verified[/]' if found.verified else '[bold red]NOT verified[/]'}  size {found.size}"
            f"  bodies {found.bodies}  deleted {found.deleted}  logs {found.logs}  missing {found.missing}"
            f"  forks {found.forks}  checkpoints {found.checkpoints}"
        )
        console.print(f"  root {found.root.hex()}")
        for damage in found.damage:
            console.print(f"  [red]{damage}[/]")
    if not found.verified:
        raise typer.Exit(1)


@app.command("list")
@reports_errors
def list_lines(
    of_class: OfClass = "",
    principal: OfPrincipal = "",
    actor: OfActor = "",
    receipt: OfReceipt = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="the newest so many")] = 100,
    as_json: Json = False,
) -> None:
    """Show lines, oldest first. / 操作記録を表示する"""
    from monitoring.operations.reading import lines

    with _opened("list") as (_, db):
        found = lines(db, _wanted(of_class, principal, actor, receipt, since, until, as_json), limit)
        if as_json:
            for line in found:
                json_line(line.as_json())
            return
        table(
            "Operations",
            ("number", "occurred", "principal", "kind", "who", "what", "times"),
            ([line.number, *_cells(line.event.principal, line.event.operation)] for line in found),
        )


def _cells(principal: str, said: Operation) -> list[object]:
    from hub.envelope.times import in_japan

    at = in_japan(said.occurred_at).strftime("%Y-%m-%d %H:%M:%S")
    who = " ".join(filter(None, (said.actor, said.address)))
    what = " ".join(filter(None, (said.about, said.code, said.tenant, said.receipt)))
    outcome = "" if said.outcome == "ok" else said.outcome
    return [at, principal, said.kind.value, who, " ".join(filter(None, (what, outcome))), said.count]


@app.command("export")
@reports_errors
def export_lines(
    to: Annotated[Path, typer.Option("--to", dir_okay=False, help="the file; its proof gets `.proof` behind the name")],
    of_class: OfClass = "",
    principal: OfPrincipal = "",
    actor: OfActor = "",
    receipt: OfReceipt = "",
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Write lines as JSON Lines, and a file that proves them. / 操作記録を書き出す"""
    from monitoring.operations.exporting import export

    proof = to.with_name(to.name + ".proof")
    with _opened("export") as (role, db):
        wanted = _wanted(of_class, principal, actor, receipt, since, until, as_json)
        try:
            done = export(db, wanted, _signer(role)[0], to, proof)
        except OSError as problem:
            fail("operations.file", f"cannot write {to} ({type(problem).__name__})", as_json=as_json)
    said = {"file": str(to), "proof": str(proof), "lines": done.lines, "size": done.size, "root": done.root.hex()}
    if as_json:
        json_line(said)
    else:
        console.print(f"{done.lines} lines in {to}, proved by {proof}", highlight=False, soft_wrap=True)


@app.command("check")
@reports_errors
def check_export(
    exported: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="the log's vkeys: `monitor operations key`")],
    proof: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="default: EXPORTED.proof")] = None,
    as_json: Json = False,
) -> None:
    """Verify an export by its proof; needs no hub. / 書き出した操作記録を検証する"""
    from hub.crypto.notes import read_keys
    from monitoring.operations.exporting import check

    beside = proof or exported.with_name(exported.name + ".proof")
    found = check(exported.read_bytes(), beside.read_bytes(), read_keys(key.read_bytes()))
    said = {"proved": True, "lines": found.lines, "size": found.checkpoint.size, "origin": found.checkpoint.origin}
    if as_json:
        json_line(said)
    else:
        console.print(f"[green]proved[/]  {found.lines} lines  {found.checkpoint.origin} size {found.checkpoint.size}")


@app.command("checkpoint")
@reports_errors
def checkpoint_now() -> None:
    """Print a signed checkpoint: keep it where the monitor cannot reach, for `verify --checkpoint`. / 検証用署名"""
    from hub.crypto.checkpoints import TreeCheckpoint, sign_checkpoint
    from hub.crypto.merkle import EMPTY_ROOT

    with _opened("checkpoint") as (role, db):
        signer = _signer(role)[0]
        size, root = db.execute("SELECT size, root FROM tree").fetchone() or (0, EMPTY_ROOT)
        typer.echo(sign_checkpoint(TreeCheckpoint(signer.name, size, root), signer).encode().decode(), nl=False)


@app.command("key")
@reports_errors
def print_key() -> None:
    """Print the log's public keys, one vkey a line. / 公開鍵"""
    from cli.people import open_role, the_home

    for each in _signer(open_role(the_home(), MONITOR))[1]:
        typer.echo(each.encode())


@contextmanager
def _opened(command: str) -> Iterator[tuple[Role, sqlite3.Connection]]:
    """The store as it is now, for a command that is noted before anything is shown; checking is always possible.

    Raises Unlogged, StoreError.
    """
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.operations import Kind
    from monitoring.operations.reading import snapshot
    from monitoring.operations.watch import FILE

    role = open_role(the_home(), MONITOR)
    with (
        snapshot(role.state_directory / FILE, f"{role.namespace}/{role.principal}") as db,
        noted(role, f"monitor operations {command}") as notes,
    ):
        if command in ("verify", "checkpoint"):
            notes.tell(Kind.COMMANDED)
            yield role, db
        else:
            with notes.attempt(Kind.COMMANDED):
                yield role, db


def _signer(role: Role, *, revoked: bool = False) -> tuple[NoteSigner, tuple[VerifierKey, ...]]:
    from hub.crypto.notes import NoteSigner
    from hub.settings import LogSettings
    from monitoring.operations.watch import log_keys, log_name

    name = log_name(role.namespace, LogSettings())
    return NoteSigner(name, role.identity), log_keys(role.trust, role.principal, name, revoked=revoked)


def _wanted(
    of_class: str,
    principal: str,
    actor: str,
    receipt: str,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> Wanted:
    import re

    from hub.envelope.operations import Class, fingerprint
    from hub.envelope.times import JST
    from monitoring.operations.reading import Wanted

    if of_class and of_class not in tuple(Class):
        fail("operations.class", f"no class {of_class}", "system, network, access, administration", as_json=as_json)

    def aware(at: datetime | None) -> datetime | None:
        return at if at is None or at.tzinfo is not None else at.replace(tzinfo=JST)

    mark = receipt if not receipt or re.fullmatch(r"[0-9a-f]{32}", receipt) else fingerprint(receipt)
    kind = Class(of_class) if of_class else None
    return Wanted(kind, principal, actor, mark, aware(since), aware(until))
