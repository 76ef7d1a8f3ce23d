"""Avro from its specification, as far as the contracts need it: values in JSON form in, canonical bytes out.

JSON form: bytes and fixed as hex, unions as the value itself or null, everything else as JSON has it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.vectors.reference import avro_bytes, framed, zigzag

SCHEMAS = Path(__file__).parents[2] / "schemas"


@cache
def contract(name: str) -> tuple[int, Any]:
    """(schema id, schema) of the newest version of a record, from the lock and the contract's file."""
    rows = json.loads((SCHEMAS / "ids.json").read_text(encoding="utf-8"))["contracts"]
    row = max((each for each in rows if each["name"] == name), key=lambda each: int(each["version"]))
    (path,) = SCHEMAS.glob(f"contracts/*/{name}.{row['version']}.avsc")
    return row["id"], json.loads(path.read_text(encoding="utf-8"))


def encode(name: str, value: Any) -> bytes:
    """The framed record of a value in JSON form."""
    schema_id, schema = contract(name)
    return framed(schema_id, _body(schema, value, _names(schema)))


def _names(schema: Any) -> dict[str, Any]:
    """Every record, enum and fixed of a schema by its name."""
    if isinstance(schema, list):
        return {name: each for branch in schema for name, each in _names(branch).items()}
    if not isinstance(schema, dict):
        return {}
    found = {schema["name"]: schema} if schema["type"] in ("record", "enum", "fixed") else {}
    for field in schema.get("fields", []):
        found |= _names(field["type"])
    return found | _names(schema.get("items")) | (_names(schema["type"]) if isinstance(schema["type"], dict) else {})


def _body(schema: Any, value: Any, named: dict[str, Any]) -> bytes:
    if isinstance(schema, list):
        branch = schema.index("null") if value is None else next(n for n, each in enumerate(schema) if each != "null")
        return zigzag(branch) + _body(schema[branch], value, named)
    if isinstance(schema, str):
        return _body(named[schema], value, named) if schema in named else _primitive(schema, value)
    kind = schema["type"]
    match kind:
        case "record":
            assert set(value) == {field["name"] for field in schema["fields"]}, schema["name"]
            return b"".join(_body(field["type"], value[field["name"]], named) for field in schema["fields"])
        case "enum":
            return zigzag(schema["symbols"].index(value))
        case "fixed":
            assert len(value) == 2 * schema["size"], schema["name"]
            return bytes.fromhex(value)
        case "array":
            items = b"".join(_body(schema["items"], each, named) for each in value)
            return zigzag(len(value)) + items + b"\0" if value else b"\0"
        case _:
            return _body(kind, value, named) if isinstance(kind, dict | list) else _primitive(kind, value)


def _primitive(kind: str, value: Any) -> bytes:
    match kind:
        case "null":
            return b""
        case "boolean":
            return b"\1" if value else b"\0"
        case "int" | "long":
            return zigzag(value)
        case "string":
            return avro_bytes(value.encode())
        case "bytes":
            return avro_bytes(bytes.fromhex(value))
    raise ValueError(kind)
