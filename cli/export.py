"""`review export|exports`: accepted rows as an encrypted file for another system, each once per series."""

from __future__ import annotations

import getpass
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import console, fail, json_line, reports_errors, table
from schemas.errors import HubError

if TYPE_CHECKING:
    from cli.noting import Notes
    from consumers.review.export.exporter import Exporter, LeftOut, Wish, Written
    from consumers.review.export.manifest import Manifest
    from consumers.review.export.rows import Place

Tenant = Annotated[str | None, typer.Option(help="tenant code; default every review desk of this home")]
Json = Annotated[bool, typer.Option("--json", help="one object per line")]
_HARMLESS = frozenset({"erased"})
_MAX_PASSWORD_BYTES = 1_024


class SeveralDesks(HubError):
    """Runs are counted by desk, and this home has several."""

    code = "cli.several-desks"
    hint = "Name one with --tenant."


@reports_errors
def export(
    to: Annotated[Path | None, typer.Option(help="existing directory for the file")] = None,
    series: Annotated[str, typer.Option(help="the receiving system; each row goes once to each series")] = "default",
    encoding: Annotated[str, typer.Option(help="utf-8 (with byte order mark) or cp932")] = "utf-8",
    on_missing: Annotated[
        str, typer.Option(help="rows with characters that cp932 lacks: refuse, or replace the characters")
    ] = "refuse",
    replacement: Annotated[str | None, typer.Option(help="one character, with replace; default 〓")] = None,
    tax_item: Annotated[list[str] | None, typer.Option(help="only rows for these; may stand several times")] = None,
    procedure: Annotated[list[str] | None, typer.Option(help="only these; may stand several times")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="file with the password, mode 0600; it is asked for otherwise")
    ] = None,
    again: Annotated[int | None, typer.Option(min=1, metavar="RUN", help="write this run once more")] = None,
    verify: Annotated[Path | None, typer.Option(metavar="FILE", help="check a file against its manifest")] = None,
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="finish an interrupted run in --to, not where it began")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be handed over, and write nothing")
    ] = False,
    tenant: Tenant = None,
    by: Annotated[
        str | None, typer.Option("--by", help="who exports; default the name of the person logged in")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hand accepted rows over as CSV in an AES-256 ZIP, each once per series. / 受理済みデータを出力する"""
    if verify is not None:
        from consumers.review.export import archive

        _tell_manifest(archive.verify(verify, _password(password_file, as_json=as_json)), as_json=as_json)
        return
    if to is None and not dry_run:
        fail("cli.usage", "--to is needed", "Name an existing directory.", as_json=as_json, status=2)
    directory = Path() if to is None else to
    wish = _wish(series, encoding, on_missing, replacement, directory, tax_item, procedure, elsewhere=elsewhere)
    if dry_run:
        bad = _at_desks(tenant, by, lambda code, exporter, notes: _would(code, exporter, notes, wish, as_json=as_json))
    elif again is not None:
        bad = _again(tenant, by, again, directory, _password(password_file, as_json=as_json), as_json=as_json)
    else:
        password = _password(password_file, as_json=as_json, new=True)
        bad = _at_desks(
            tenant, by, lambda code, exporter, notes: _does(code, exporter, notes, wish, password, as_json=as_json)
        )
    if bad:
        raise typer.Exit(1)


@reports_errors
def exports(tenant: Tenant = None, as_json: Json = False) -> None:
    """List the runs: what was handed over, when, by whom, how often. / 出力履歴"""
    from cli.people import desks, the_home

    rows = []
    for principal in desks(the_home(), "review", tenant):
        for said in _runs(principal):
            if as_json:
                json_line(said)
            else:
                taken = ", ".join(f"{each['by']} {each['at']}" for each in said["copies"])
                rows.append((*(said[key] for key in ("tenant", "run", "series", "state", "rows", "withdrawn")), taken))
    if not as_json:
        table("exports", ("tenant", "run", "series", "state", "rows", "withdrawn", "taken out by"), rows)


def _runs(principal: str) -> list[dict[str, Any]]:
    from cli.desks import opened
    from cli.people import open_role, the_home
    from consumers.review.export.rows import moment

    found: list[dict[str, Any]] = []
    with opened(open_role(the_home(), principal)) as (around, _, _):
        part = around.store.exports
        while page := part.runs(after=found[-1]["run"] if found else 0):
            found += [
                {
                    "tenant": around.tenant,
                    "run": run.run,
                    "series": run.series,
                    "state": run.state.value,
                    "encoding": run.encoding,
                    "rows": run.rows,
                    "withdrawn": run.withdrawn,
                    "claimed_by": run.by,
                    "claimed_at": moment(run.claimed_at_ms),
                    "copies": [
                        {"by": each.by, "at": moment(each.at_ms), "again": each.again, "erased": each.erased}
                        for each in part.copies(run.run)
                    ],
                }
                for run in page
            ]
    return found


def _at_desks(tenant: str | None, by: str | None, work: Callable[[str, Exporter, Notes], bool]) -> bool:
    """Do the work at each desk; say whether anything went otherwise than asked for."""
    from cli.desks import opened
    from cli.noting import noted
    from cli.people import desks, open_role, the_home
    from consumers.review.cases import Dossiers
    from consumers.review.export.exporter import Desk, Exporter

    home, bad = the_home(), False
    for principal in desks(home, "review", tenant):
        role = open_role(home, principal)
        with noted(role, "review export", by) as notes, opened(role) as (around, _, _):
            exporter = Exporter(
                around.store,
                Dossiers(around.store, around.vault(around.keys(notes.key_used))),
                Desk(around.role.namespace, around.tenant, around.role.state_directory / "export.lock"),
                by or getpass.getuser(),
                lambda: time.time_ns() // 1_000_000,
            )
            bad |= work(around.tenant, exporter, notes)
    return bad


def _does(tenant: str, exporter: Exporter, notes: Notes, wish: Wish, password: str, *, as_json: bool) -> bool:
    from hub.envelope.operations import Kind

    with notes.attempt(Kind.EXPORTED, code=wish.series, count=0):
        report = exporter.export(wish, password)
    for each in report.written:
        _note_written(each, notes)
        _tell_written(each, as_json=as_json)
    if not report.written and not as_json:
        console.print(f"{tenant}: nothing to hand over", markup=False)
    return _tell_left_out(tenant, report.left_out, as_json=as_json)


def _note_written(written: Written, notes: Notes) -> None:
    """How many rows a file has is known when it is there: the line before says that there would be one."""
    from hub.envelope.operations import Kind

    said = written.manifest
    notes.note(Kind.EXPORTED, code=f"{said.series} run {said.run}", count=said.rows)


def _would(tenant: str, exporter: Exporter, notes: Notes, wish: Wish, *, as_json: bool) -> bool:
    from hub.envelope.operations import Kind

    with notes.attempt(Kind.LISTED, about="review export --dry-run", code=wish.series, count=0):
        choice = exporter.choose(wish)
    notes.note(Kind.LISTED, about="review export --dry-run", code=wish.series, count=len(choice.decisions))
    said = {
        "tenant": tenant,
        "series": wish.series,
        "rows": len(choice.decisions),
        "withdrawn": choice.withdrawals,
        "left_out": len(choice.left_out),
        "dry_run": True,
    }
    if as_json:
        json_line(said)
    else:
        console.print(" ".join(f"{key} {value}" for key, value in said.items()), markup=False)
    return _tell_left_out(tenant, choice.left_out, as_json=as_json)


def _again(tenant: str | None, by: str | None, run: int, directory: Path, password: str, *, as_json: bool) -> bool:
    from cli.people import desks, the_home
    from hub.envelope.operations import Kind

    if len(desks(the_home(), "review", tenant)) > 1:
        raise SeveralDesks

    def repeat(_: str, exporter: Exporter, notes: Notes) -> bool:
        with notes.attempt(Kind.EXPORTED, code=f"again run {run}", count=0):
            written = exporter.again(run, directory, password)
        _note_written(written, notes)
        _tell_written(written, as_json=as_json)
        return not written.same

    return _at_desks(tenant, by, repeat)


def _tell_written(written: Written, *, as_json: bool) -> None:
    said = written.manifest
    line: dict[str, Any] = {
        "tenant": said.tenant,
        "series": said.series,
        "run": said.run,
        "file": str(written.path),
        "rows": said.rows,
        "withdrawn": said.withdrawn,
        "resumed": written.resumed,
        "same": written.same,
    }
    if as_json:
        json_line(line | {"erased": list(written.erased), "replaced": [_place(each) for each in written.places]})
        return
    notes = [
        "resumed" if written.resumed else "",
        "" if written.same else "NOT as it was",
        f"{len(written.places)} characters replaced or user-defined, see replaced.csv" if written.places else "",
    ]
    console.print(f"{said.tenant} run {said.run}: {said.rows} rows, {said.withdrawn} withdrawn", markup=False)
    console.print(f"  {written.path}", markup=False, soft_wrap=True)
    for note in filter(None, notes):
        console.print(f"  {note}", markup=False)
    for receipt in written.erased:
        console.print(f"  erased since: {receipt}", markup=False)


def _tell_left_out(tenant: str, left_out: tuple[LeftOut, ...], *, as_json: bool) -> bool:
    for each in left_out:
        if as_json:
            places = [_place(place) for place in each.places]
            who = {"tenant": tenant, "receipt_number": each.receipt_number, "event_id": each.event_id}
            json_line({"left_out": who | {"why": each.why, "places": places}})
            continue
        console.print(f"{tenant} left out {each.receipt_number}: {each.why}", markup=False, style="red")
        for place in each.places:
            row = "" if place.row is None else f" row {place.row}"
            code = f"U+{place.misfit.code_point:04X}"
            console.print(f"  {place.file}{row} {place.column} {code}", markup=False, soft_wrap=True)
    return any(each.why not in _HARMLESS for each in left_out)


def _place(place: Place) -> dict[str, Any]:
    misfit = place.misfit
    return {
        "receipt_number": place.receipt_number,
        "file": place.file,
        "row": place.row,
        "column": place.column,
        "code_point": f"U+{misfit.code_point:04X}",
        "becomes": f"U+{ord(misfit.becomes):04X}" if misfit.becomes else None,
    }


def _tell_manifest(manifest: Manifest, *, as_json: bool) -> None:
    files = [
        {"name": each.name, "rows": each.rows, "bytes": each.size, "sha256": each.sha256.hex()}
        for each in manifest.files
    ]
    if as_json:
        said = {"verified": True, "tenant": manifest.tenant, "series": manifest.series, "run": manifest.run}
        counts = {"rows": manifest.rows, "withdrawn": manifest.withdrawn, "erased": manifest.erased}
        json_line(said | counts | {"files": files})
        return
    console.print(f"verified: {manifest.tenant} {manifest.series} run {manifest.run}", markup=False)
    table("files", ("name", "rows", "bytes"), [(each["name"], each["rows"], each["bytes"]) for each in files])


def _wish(
    series: str,
    encoding: str,
    on_missing: str,
    replacement: str | None,
    directory: Path,
    tax_items: list[str] | None,
    procedures: list[str] | None,
    *,
    elsewhere: bool,
) -> Wish:
    from consumers.review.export.characters import Writing
    from consumers.review.export.columns import ProcedureUnknown
    from consumers.review.export.exporter import Wish
    from schemas.catalogue import TAX_ITEMS
    from schemas.catalogue import procedures as known
    from schemas.decisions import TaxItemUnknown

    if not set(tax_items or ()) <= set(TAX_ITEMS):
        raise TaxItemUnknown
    if not set(procedures or ()) <= known().keys():
        raise ProcedureUnknown(hint="`schemas list` names the procedures.")
    writing = Writing.declared(encoding, on_missing, replacement)
    return Wish(series, writing, directory, frozenset(tax_items or ()), frozenset(procedures or ()), elsewhere)


def _password(file: Path | None, *, as_json: bool, new: bool = False) -> str:
    """Read the password from its file, or ask for it; it never stands in the arguments of a process."""
    from consumers.review.export.errors import PasswordFileOpen, PasswordUnfit

    if file is not None:
        try:
            with file.open("rb") as source:
                about = file.stat()
                if stat.S_ISREG(about.st_mode) and about.st_mode & 0o077:
                    raise PasswordFileOpen
                text = source.read(_MAX_PASSWORD_BYTES).decode("ascii")
        except OSError:
            fail("cli.no-file", f"{file} cannot be read", as_json=as_json, status=2)
        except UnicodeDecodeError:
            raise PasswordUnfit from None
        return text.removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        fail("cli.usage", "--password-file is needed", "Nobody can be asked here.", as_json=as_json, status=2)
    return str(typer.prompt("password", hide_input=True, confirmation_prompt=new, err=True))


def register(app: typer.Typer) -> None:
    """Add these commands to `review`."""
    app.command("export")(export)
    app.command("exports")(exports)
