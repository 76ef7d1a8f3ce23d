"""`schemas list|show|check`: the contracts."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cli.output import console, fail, json_line, reports_errors, table

app = typer.Typer(help="Avro contracts. / スキーマ", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="one object per line")]


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
def check(as_json: Json = False) -> None:
    """Check the lock and that every version can read all before it (BACKWARD_TRANSITIVE). / 互換性を検査する"""
    from schemas.compatibility import check as violations
    from schemas.registry import all_contracts

    count = len(all_contracts())  # raises if a locked contract was changed
    found = list(violations())
    if as_json:
        json_line({"contracts": count, "violations": [str(each) for each in found]})
    else:
        for each in found:
            console.print(str(each), markup=False)
        console.print(f"{count} contracts, {len(found)} violations")
    if found:
        raise typer.Exit(1)
