"""`audit publish|key|prove|check`: the log as files for auditors, and proofs that need nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.output import console, errors, fail, json_line, reports_errors

if TYPE_CHECKING:
    from consumers.audit.checking import Proved

Json = Annotated[bool, typer.Option("--json", help="one object per line")]
Tenant = Annotated[str | None, typer.Option(help="tenant code; default all tenants of this home")]
_PATIENCE_SECONDS: Final = 30.0
"""a desk publishes every few seconds by itself, and takes as long as its disk and its witnesses do"""
Directory = Annotated[Path | None, typer.Option("--to", file_okay=False, help="where the log is published")]


@reports_errors
def publish(tenant: Tenant = None, to: Directory = None, as_json: Json = False) -> None:
    """Publish the log as tiles and a signed checkpoint; compare what is there. / 監査ログを公開する"""
    from cli.desks import opened
    from cli.log import log_directory, log_name, publisher_of
    from cli.people import desks, open_role, the_home
    from consumers.audit.witnesses import COSIGNED
    from hub.facts import Fact, WitnessAnswered
    from hub.settings import LogSettings

    def tell(fact: Fact) -> None:
        if isinstance(fact, WitnessAnswered) and fact.code != COSIGNED:
            errors.print(f"a witness of {fact.tenant} did not cosign: {fact.code}")

    home, settings = the_home(), LogSettings()
    found = desks(home, "audit", tenant)
    if to is not None and len(found) > 1:
        fail("cli.one-tenant", "--to is for one log", "Say which with --tenant.", as_json=as_json, status=2)
    for principal in found:
        role = open_role(home, principal)
        with opened(role) as (around, _, _):
            done = publisher_of(role, around.store, settings, to, tell).publish(patience_seconds=_PATIENCE_SECONDS)
        said = {
            "log": log_name(role, settings),
            "directory": str(log_directory(role, settings, to).path),
            "size": done.size,
            "root": done.root.hex(),
            "tiles_written": done.tiles,
            "cosignatures": done.cosignatures,
        }
        if as_json:
            json_line(said)
        else:
            console.print(f"{said['log']}  size {done.size}  root {done.root.hex()}", highlight=False, soft_wrap=True)
            console.print(
                f"  {said['directory']}  {done.tiles} tiles written, {done.cosignatures} cosignatures",
                highlight=False,
                soft_wrap=True,
            )


@reports_errors
def key(tenant: Tenant = None, as_json: Json = False) -> None:
    """Print each log's public keys (vkey), newest last; a file of them is --key of `audit check`. / 公開鍵を表示する"""
    from cli.log import log_keys
    from cli.people import NotEnrolled, open_role, the_home
    from hub.settings import LogSettings

    home, settings = the_home(), LogSettings()
    found = [name for name in home.roles("audit-") if tenant in (None, name.rpartition("-")[2])]
    if not found:
        raise NotEnrolled(f"audit {tenant or ''} in {home.path}")
    for principal in found:
        for each in log_keys(open_role(home, principal), settings):
            if as_json:
                json_line({"log": each.name, "vkey": each.encode()})
            else:
                typer.echo(each.encode())


@reports_errors
def prove(
    wanted: Annotated[str | None, typer.Argument(metavar="RECEIPT|EVENT-ID", help="receipt number or event id")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="where the proof goes")] = Path("proof.tlog-proof"),
    entry: Annotated[Path | None, typer.Option(help="where the entry goes, for --entry of `audit check`")] = None,
    stored: Annotated[bool, typer.Option("--stored", help="prove the review desk's receipt instead")] = False,
    opening: Annotated[
        Path | None, typer.Option(help="where the event's opening goes: it shows the receipt number; asks the broker")
    ] = None,
    index: Annotated[int | None, typer.Option(min=0, help="prove the entry at this index")] = None,
    tenant: Tenant = None,
    directory: Annotated[Path | None, typer.Option("--from", help="the published log, if elsewhere")] = None,
    as_json: Json = False,
) -> None:
    """Write a proof that an event is in the published log. / 登録の証明を書き出す"""
    from cli.desks import opened
    from cli.log import log_directory, log_identity
    from cli.noting import noted
    from cli.people import desks, open_role, the_home
    from consumers.audit import opening as openings
    from consumers.audit.fetching import fetched
    from consumers.audit.proving import NotInLog, event_of, find_event, find_index, find_stored
    from consumers.audit.proving import prove as proof_of
    from hub.envelope.operations import Kind
    from hub.settings import LogSettings

    home, settings = the_home(), LogSettings()
    if opening is not None and (stored or index is not None):
        fail("cli.usage", "--opening is for an event: not with --stored or --index", as_json=as_json, status=2)
    if (wanted is None) == (index is None):
        fail("cli.usage", "give a receipt number or event id, or --index", as_json=as_json, status=2)
    found, role = None, None
    for principal in desks(home, "audit", tenant):
        role = open_role(home, principal)
        with opened(role) as (around, _, _):
            try:
                if wanted is None:
                    found = find_index(around.store, index or 0)
                else:
                    found = (find_stored if stored else find_event)(around.store, wanted)
                break
            except NotInLog:
                continue
    if found is None or role is None:
        raise NotInLog
    code = f"entry {found.index}"
    with noted(role, "audit prove") as notes, notes.attempt(Kind.PROVED, receipt=wanted or "", code=code):
        proof = proof_of(log_directory(role, settings, directory), log_identity(role, settings).keys, found)
        if opening is not None:
            event = event_of(found.entry)
            opening.write_bytes(openings.write(fetched(role.endpoint, event.place), event))
        output.write_bytes(proof.encode())
        if entry is not None:
            entry.write_bytes(found.entry)
    if as_json:
        json_line({"index": found.index, "proof": str(output), "entry": None if entry is None else str(entry)})
    else:
        console.print(f"entry {found.index}: {output}" + ("" if entry is None else f", {entry}"), highlight=False)


@reports_errors
def check(
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="the log's vkey, from `audit key`")],
    proof: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="the proof")],
    entry: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="the entry, or a delivery receipt")],
    witness_key: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="demand this witness's cosignature")
    ] = None,
    opening: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="the event's opening, for its receipt number")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a proof from these files alone; 0 proved, 1 refused. / 証明を検証する"""
    from consumers.audit.checking import check as check_files
    from hub.crypto.checkpoints import MAX_PROOF_BYTES

    def content(path: Path) -> bytes:
        with path.open("rb") as file:
            return file.read(MAX_PROOF_BYTES + 1)

    found = check_files(
        content(key),
        content(proof),
        content(entry),
        [content(each) for each in witness_key or ()],
        None if opening is None else content(opening),
    )
    if as_json:
        json_line(_fields(found))
    else:
        for line in _words(found):
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _fields(found: Proved) -> dict[str, Any]:
    from cli.proof_words import meaning

    header = found.header if found.receipt is None else found.receipt.header
    return {
        "proved": True,
        "log": found.origin,
        "key_id": found.key_id.hex(),
        "index": found.index,
        "size": found.size,
        "root": found.root.hex(),
        "kind": found.kind,
        "entry": meaning(found),
        "receipt_number": None if header is None else header.receipt_number,
        "cosigned": [{"witness": each.name, "at": each.at.isoformat()} for each in found.cosigned],
    }


def _words(found: Proved) -> list[str]:
    from cli.proof_words import words

    return words(found)


def register(app: typer.Typer) -> None:
    """Add these commands to `audit`."""
    app.command("publish")(publish)
    app.command("key")(key)
    app.command("prove")(prove)
    app.command("check")(check)
