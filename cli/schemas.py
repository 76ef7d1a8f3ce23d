"""`schemas list|show|check|resolve|publish`: the contracts, and a registry that has copies of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, fail, json_line, reports_errors, table

if TYPE_CHECKING:
    from schemas.remote.client import RegistryClient

app = typer.Typer(help="Avro contracts. / スキーマ", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="one object per line")]
Registry = Annotated[str, typer.Option("--registry", metavar="URL", help="of a registry; default: HUB_REGISTRY_URL")]


@app.command("list")
@reports_errors
def list_(as_json: Json = False) -> None:
    """List all contracts with their ids. / スキーマの一覧"""
    from schemas.registry import all_contracts

    rows = [(each.schema_id, each.name, each.version) for each in all_contracts()]
    if as_json:
        for number, name, version in rows:
            json_line({"id": number, "name": name, "version": version})
    else:
        table("contracts", ("id", "record", "version"), rows)


@app.command("show")
@reports_errors
def show(
    name: Annotated[str, typer.Argument(help="record name, or a procedure's slug")],
    json_schema: Annotated[bool, typer.Option("--json-schema", help="the JSON Schema of a procedure's input")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the same; a contract is JSON")] = False,
) -> None:
    """Show a contract, or the JSON Schema of a procedure's input (`all` for every one). / スキーマを表示する"""
    from schemas.catalogue import procedures
    from schemas.jsonschema import json_schema as input_schema
    from schemas.registry import all_contracts, contract

    catalogue = procedures()
    if json_schema:
        if name not in catalogue and name != "all":
            fail("cli.unknown", f"no procedure {name}", f"One of: {', '.join(catalogue)}, all", status=2)
        shown = input_schema(None if name == "all" else name)
    else:
        record = catalogue[name].record_name if name in catalogue else name
        if record not in {each.name for each in all_contracts()}:
            fail(
                "cli.unknown", f"no contract {name}", "`eltax-hub schemas list` names them.", as_json=as_json, status=2
            )
        shown = dict(contract(record).schema)
    sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=None if as_json else 2) + "\n")


@app.command("check")
@reports_errors
def check(
    registry: Registry = "",
    older: Annotated[
        Path | None, typer.Option("--older", exists=True, dir_okay=False, help="schemas/ids.json of an older version")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the lock and that every version can read all before it (BACKWARD_TRANSITIVE). / 互換性を検査する

    With --registry also what that registry has: everything of ours, and nothing else under our ids. With --older also
    whether that version can run beside this one: each of its ids means the same here; what it cannot read is listed.
    """
    from schemas.compatibility import beside
    from schemas.compatibility import check as violations
    from schemas.publication import differences
    from schemas.registry import all_contracts, read_lock

    contracts = all_contracts()  # raises if a locked contract was changed
    found = [str(each) for each in violations()]
    told: list[str] = []
    if registry:
        from schemas.remote.publishing import survey

        with _client(registry) as client:
            told = [str(each) for each in differences(contracts, survey(client, contracts))]
    sides: dict[str, list[str]] = {}
    if older is not None:
        compared = beside(read_lock(older), read_lock())
        sides = {
            kind: [f"{row.name} {row.version} (id {row.schema_id})" for row in getattr(compared, kind)]
            for kind in ("changed", "unknown", "first")
        }
    if as_json:
        line: dict[str, object] = {"contracts": len(contracts), "violations": found}
        json_line(line | ({"differences": told} if registry else {}) | sides)
    else:
        for each in [*found, *told]:
            console.print(each, markup=False)
        for kind, words in (
            ("changed", "means something else here"),
            ("unknown", "is unknown to the older version"),
            ("first", "is read by the older version as it was: exchange readers before writers"),
        ):
            for each in sides.get(kind, ()):
                console.print(f"{each} {words}", markup=False)
        console.print(
            f"{len(contracts)} contracts, {len(found)} violations"
            + (f", {len(told)} differences in the registry" if registry else "")
        )
    if found or told or sides.get("changed"):
        raise typer.Exit(1)


@app.command("resolve")
@reports_errors
def resolve(
    schema_id: Annotated[int, typer.Argument(metavar="ID", help="as it stands in a record")],
    registry: Registry = "",
    as_json: Json = False,
) -> None:
    """Show the contract of an id; with --registry as that registry tells it. / ID からスキーマを引く"""
    from schemas.publication import same
    from schemas.registry import by_id
    from schemas.remote.errors import RegistryDisagrees

    ours = by_id(schema_id)
    schema = None if ours is None else dict(ours.schema)
    if registry:
        with _client(registry) as client:
            said = client.text(schema_id)
        if ours is not None and said is not None and not same(ours, said):
            raise RegistryDisagrees(f"(id {schema_id})")
        if said is None:
            schema = None
        elif schema is None:
            schema = _object(said)
    if schema is None:
        where = "the registry has" if registry else "there is"
        fail("cli.unknown", f"{where} no contract {schema_id}", "`eltax-hub schemas list`", as_json=as_json)
    if as_json:
        whose = {"name": ours.name, "version": ours.version} if ours else {"name": None, "version": None}
        json_line({"id": schema_id, **whose, "schema": schema})
    else:
        sys.stdout.write(json.dumps(schema, ensure_ascii=False, indent=2) + "\n")


@app.command("publish")
@reports_errors
def publish(registry: Registry = "", as_json: Json = False) -> None:
    """Bring all contracts to a registry under their own ids, or refuse. / スキーマをレジストリへ公開する"""
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind
    from schemas.publication import publishable
    from schemas.registry import all_contracts
    from schemas.remote.publishing import publish as bring

    contracts = publishable(all_contracts())
    role = open_role(the_home(), ADMIN)
    with _client(registry) as client, noted(role, "schemas publish") as notes, notes.attempt(Kind.COMMANDED):
        new = bring(client, contracts)
    if as_json:
        json_line({"contracts": len(contracts), "published": [each.schema_id for each in new]})
    else:
        console.print(f"{len(new)} contracts published, {len(contracts) - len(new)} were there; ids as locked")


def _client(registry: str) -> RegistryClient:
    """A client of the registry that is named, with the administrator's certificate unless another is set."""
    import ssl

    from cli.people import the_home
    from hub.settings import RegistrySettings
    from hub.transport.endpoint import TlsIdentity, ssl_context
    from schemas.remote.client import RegistryClient
    from schemas.remote.errors import RegistryUntrusted

    settings = RegistrySettings()
    url = registry or settings.url
    if not url:
        fail("cli.no-registry", "no registry is named", "--registry URL, or HUB_REGISTRY_URL", status=2)
    if not url.startswith("https:"):
        return RegistryClient(url, None)
    where: Path = the_home().certificates
    try:
        identity = TlsIdentity(
            settings.certificate or where / "admin.crt",
            settings.key or where / "admin.key",
            settings.ca or where / "ca.crt",
        )
        context = ssl_context(identity)
    except (OSError, ssl.SSLError) as error:
        raise RegistryUntrusted(f"({type(error).__name__}: a certificate or key cannot be read)") from None
    return RegistryClient(url, context)


def _object(text: str) -> dict[str, object]:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {"type": said}
