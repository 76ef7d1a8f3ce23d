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


def fingerprint(text: str) -> str:
    """SHA-256 (hex) of a contract's JSON with sorted keys and no white space: properties and docs count."""
    canonical = json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def files() -> dict[tuple[str, int], Path]:
    """All contract files by (record name, version), from `<RecordName>.<version>.avsc`."""
    found: dict[tuple[str, int], Path] = {}
    for path in sorted(CONTRACTS.rglob("*.avsc")):
        name, version, _ = path.name.split(".")
        if (name, int(version)) in found:
            raise ContractBroken(f"{name} version {version} exists twice")
        found[name, int(version)] = path
    return found


@cache
def _loaded() -> Mapping[int, Contract]:
    locked = {(row["name"], row["version"]): row for row in json.loads(IDS.read_text(encoding="utf-8"))["contracts"]}
    found = files()
    if missing := sorted(locked.keys() - found.keys()):
        raise ContractBroken(f"{missing[0][0]} version {missing[0][1]} is locked, but its file is gone")
    by: dict[int, Contract] = {}
    for (name, version), path in found.items():
        text = path.read_text(encoding="utf-8")
        row = locked.get((name, version))
        if row is None or row["sha256"] != fingerprint(text):
            raise ContractBroken(f"{name} version {version} {'is not locked' if row is None else 'was changed'}")
        schema = json.loads(text)
        by[row["id"]] = Contract(name, version, row["id"], schema, fastavro.parse_schema(schema, named_schemas={}))
    return by


@cache
def _newest() -> Mapping[str, Contract]:
    newest: dict[str, Contract] = {}
    for made in sorted(_loaded().values(), key=lambda each: each.version):
        newest[made.name] = made
    return newest


def contract(name: str) -> Contract:
    """The newest version of a record; KeyError for a name that no contract has."""
    return _newest()[name]


def by_id(schema_id: int) -> Contract | None:
    """The contract of an id, or None."""
    return _loaded().get(schema_id)


def all_contracts() -> tuple[Contract, ...]:
    """Every version of every record, by id."""
    return tuple(made for _, made in sorted(_loaded().items()))
