"""Contracts and their ids: the .avsc files of this package under the ids of the lock file.

`schemas/` is the authority; nothing on the hot path asks a registry. Confluent's wire format names a
contract by its id, so an id once given is never given to another text (`ids.json`, see `schemas.lock`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from schemas.errors import HubError

CONTRACTS = Path(__file__).parent / "contracts"
IDS = Path(__file__).parent / "ids.json"


class ContractBroken(HubError):
    """A contract file does not agree with the lock of schema ids."""

    code = "schemas.contract-broken"
    hint = "A locked contract never changes: write the next version beside it and run `python -m schemas.lock`."


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """One version of one record: its short name, version, id, the schema as JSON and as fastavro parsed it."""

    name: str
    version: int
    schema_id: int
    schema: Mapping[str, Any]
    parsed: Any


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the lock: the id of a contract's text."""

    schema_id: int
    name: str
    version: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock file. `next_id` only ever grows, so that the id of a contract that is gone stays unused."""

    next_id: int
    rows: Mapping[tuple[str, int], Row]


@dataclass(frozen=True, slots=True)
class Book:
    """All contracts: by id, and the newest version of each record."""

    by_id: Mapping[int, Contract]
    newest: Mapping[str, Contract]


def fingerprint(text: str) -> str:
    """SHA-256 (hex) of a contract's JSON with sorted keys and no white space: properties and docs count.

    Raises ContractBroken if the text is no JSON.
    """
    canonical = json.dumps(_json(text), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def files(contracts: Path = CONTRACTS) -> dict[tuple[str, int], Path]:
    """All contract files by (record name, version), from `<RecordName>.<version>.avsc`. Raises ContractBroken."""
    found: dict[tuple[str, int], Path] = {}
    for path in sorted(contracts.rglob("*.avsc"), key=lambda each: each.name):
        name, _, version = path.name.removesuffix(".avsc").partition(".")
        if not version.isascii() or not version.isdigit() or int(version) < 1:
            raise ContractBroken(f"{path.name} is not named <RecordName>.<version>.avsc")
        if (name, int(version)) in found:
            raise ContractBroken(f"{name} version {version} exists twice")
        found[name, int(version)] = path
    return found


def read_lock(ids: Path = IDS) -> Lock:
    """Read the lock file; one that does not exist is empty. Raises ContractBroken if an id stands twice."""
    if not ids.exists():
        return Lock(1, {})
    said = json.loads(ids.read_text(encoding="utf-8"))
    listed = [Row(row["id"], row["name"], row["version"], row["sha256"]) for row in said["contracts"]]
    rows = {(row.name, row.version): row for row in listed}
    if len(rows) != len(listed) or len({row.schema_id for row in listed}) != len(listed):
        raise ContractBroken("an id or a contract stands twice in the lock")
    return Lock(max([said.get("next", 1), *(row.schema_id + 1 for row in listed)]), rows)


def load(contracts: Path = CONTRACTS, ids: Path = IDS) -> Book:
    """Read all contracts and hold them against the lock. Raises ContractBroken."""
    locked = read_lock(ids).rows
    found = files(contracts)
    if missing := sorted(locked.keys() - found.keys()):
        raise ContractBroken(f"{missing[0][0]} version {missing[0][1]} is locked, but its file is gone")
    by_id: dict[int, Contract] = {}
    newest: dict[str, Contract] = {}
    for (name, version), path in sorted(found.items()):
        text = path.read_text(encoding="utf-8")
        row = locked.get((name, version))
        if row is None or row.sha256 != fingerprint(text):
            raise ContractBroken(f"{name} version {version} {'is not locked' if row is None else 'was changed'}")
        schema, parsed = read_schema(text, name, version)
        newest[name] = by_id[row.schema_id] = Contract(name, version, row.schema_id, schema, parsed)
    return Book(dict(sorted(by_id.items())), newest)


def read_schema(text: str, name: str, version: int) -> tuple[Mapping[str, Any], Any]:
    """The schema in a contract's text, as JSON and as fastavro parsed it. Raises ContractBroken."""
    schema = _json(text)
    if not isinstance(schema, dict) or schema.get("name") != name:
        raise ContractBroken(f"the file of {name} version {version} holds a record of another name")
    if schema.get("type") != "record" or not isinstance(schema.get("fields"), list):
        raise ContractBroken(f"{name} version {version} is not an Avro record")
    try:
        parsed = fastavro.parse_schema(schema, named_schemas={})
    except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError):
        raise ContractBroken(f"{name} version {version} is not an Avro schema") from None
    return schema, parsed


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ContractBroken("a contract is not JSON") from None


@cache
def book() -> Book:
    """The contracts of this package; read once. Raises ContractBroken."""
    return load()


def contract(name: str) -> Contract:
    """The newest version of a record; KeyError for a name that no contract has."""
    return book().newest[name]


def by_id(schema_id: int) -> Contract | None:
    """The contract of an id, or None."""
    return book().by_id.get(schema_id)


def all_contracts() -> tuple[Contract, ...]:
    """Every version of every record, by id."""
    return tuple(book().by_id.values())
