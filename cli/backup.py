"""`backup` and `restore`: a home into sealed archives, and out of them onto an empty machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.output import console, fail, json_line, reports_errors

Json = Annotated[bool, typer.Option("--json", help="one object")]
PassphraseFile = Annotated[
    Path, typer.Option("--passphrase-file", metavar="FILE", help="the escrow key's passphrase, first line")
]


@reports_errors
def new_escrow(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="for the private half; on another machine")],
    passphrase_file: PassphraseFile,
    as_json: Json = False,
) -> None:
    """Make the key pair that backups are sealed to; refuses to replace one. / 退避鍵を作る"""
    from assurance.backup.escrow import new_escrow as make
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind

    home = the_home()
    with noted(open_role(home, ADMIN), "keys new-escrow") as notes, notes.attempt(Kind.COMMANDED):
        made = make(home.path, directory, _passphrase(passphrase_file, as_json), now=datetime.now(UTC))
    if as_json:
        json_line({"key_id": made.key_id.hex(), "directory": str(directory)})
    else:
        console.print(f"key {made.key_id.hex()}: take {directory} to another machine, the passphrase another way")


@reports_errors
def backup(
    to: Annotated[Path, typer.Option("--to", metavar="DIRECTORY", help="for the archives; made if missing")],
    as_json: Json = False,
) -> None:
    """Write a sealed backup of HUB_HOME, and the escrow of each epoch; the hub may run. / バックアップ"""
    from assurance.backup.making import make_backup
    from cli.home import NoHub
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind

    home = the_home()
    try:
        home.running()
        final = False
    except NoHub:
        final = True
    with noted(open_role(home, ADMIN), "backup") as notes, notes.attempt(Kind.COMMANDED):
        made = make_backup(home.path, to.resolve(), now=datetime.now(UTC), final=final)
    if as_json:
        escrows = {str(epoch): str(path) for epoch, path in made.escrows.items()}
        counts = {"files": made.files, "databases": made.databases, "final": final}
        json_line({"backup": str(made.backup), "escrows": escrows, **counts})
    else:
        console.print(f"{made.backup}: {made.files} files, {made.databases} databases")
        for path in made.escrows.values():
            console.print(f"{path}: keep it apart; it goes when its epoch is destroyed")
        if not final:
            console.print("the hub runs: what producers write from now on is not in it")


@reports_errors
def restore(
    archives: Annotated[list[Path], typer.Argument(metavar="ARCHIVE…", exists=True, dir_okay=False)],
    key: Annotated[Path, typer.Option("--key", metavar="DIRECTORY", help="with the escrow's private half")],
    passphrase_file: PassphraseFile,
    check: Annotated[bool, typer.Option("--check", help="only look whether it can be done")] = False,
    as_json: Json = False,
) -> None:
    """Restore a backup, and the epochs whose escrow is given, into an empty HUB_HOME. / 復元"""
    from assurance.backup.restoring import restore as bring_back
    from cli.people import the_home

    home = the_home()
    done = bring_back(home.path, archives, key, _passphrase(passphrase_file, as_json), keep=not check)
    if not check:
        _note(as_json)
    if as_json:
        epochs = {"epochs": done.epochs, "missing_epochs": done.missing, "set_aside": done.aside}
        counts = {"files": done.files, "databases": done.databases, "roles": len(done.roles)}
        json_line({"home": str(home.path), "made_at": done.made_at, "final": done.final, **counts, **epochs})
        return
    console.print(f"{home.path}: {done.files} files, {done.databases} databases, {len(done.roles)} roles can start")
    if check:
        console.print("nothing was put in place (--check)")
    for epoch in done.missing:
        console.print(f"epoch {epoch}: no escrow given, what was sealed to it stays unreadable")
    if done.aside:
        console.print(f"{len(done.aside)} journals set aside: docs/runbooks/backup.md says what may be missing")


def _note(as_json: bool) -> None:
    """The first line of the restored home's operations log."""
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind

    with noted(open_role(the_home(), ADMIN), "restore") as notes:
        notes.note(Kind.COMMANDED)


def _passphrase(file: Path, as_json: bool) -> bytes:
    try:
        said = file.read_bytes().splitlines()[0].strip()
    except (OSError, IndexError):
        said = b""
    if len(said) < 16:
        fail("cli.passphrase", f"{file} has no passphrase of 16 characters or more", as_json=as_json, status=2)
    return said
