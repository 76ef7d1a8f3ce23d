"""Every version of a record must be able to read all versions before it (BACKWARD_TRANSITIVE)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from schemas.registry import Contract, Lock, Row, all_contracts


@dataclass(frozen=True, slots=True)
class Violation:
    """A version that cannot read an older one."""

    name: str
    reader: int
    writer: int
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.name} version {self.reader} cannot read version {self.writer}: {'; '.join(self.reasons)}"


def check(contracts: Iterable[Contract] | None = None) -> list[Violation]:
    """Compare all versions of all records; an empty list is good."""
    by_name: dict[str, list[Contract]] = {}
    for contract in all_contracts() if contracts is None else contracts:
        by_name.setdefault(contract.name, []).append(contract)
    found = []
    for name, versions in by_name.items():
        versions.sort(key=lambda each: each.version)
        for place, newer in enumerate(versions):
            for older in versions[:place]:
                reasons = incompatible(newer.schema, older.schema)
                if reasons:
                    found.append(Violation(name, newer.version, older.version, reasons))
    return found


def incompatible(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> tuple[str, ...]:
    """Why `reader` cannot read what `writer` wrote; empty if it can."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    outcome = checker.get_compatibility(avro_schema(reader), avro_schema(writer))
    if outcome.compatibility is SchemaCompatibilityType.compatible:
        return ()
    return tuple(str(message) for message in outcome.messages) or ("incompatible",)


def avro_schema(schema: Mapping[str, Any]) -> avro.schema.Schema:
    """Return a contract as the avro package parses it. Raises its AvroException for what is no schema."""
    return avro.schema.parse(json.dumps(schema))


@dataclass(frozen=True, slots=True)
class Beside:
    """How the contracts of two versions of this program get along that run side by side.

    `changed`: ids of the older one that mean another text now, or nothing: what it wrote would be misread.
    `unknown`: what the older one cannot read. `first`: those of them that it writes and reads in an older version
    itself, so that its readers must all be exchanged before anybody who writes.
    """

    changed: tuple[Row, ...]
    unknown: tuple[Row, ...]
    first: tuple[Row, ...]


def beside(older: Lock, newer: Lock) -> Beside:
    """Compare the locks of two versions. Pure."""
    by_id = {row.schema_id: row for row in newer.rows.values()}
    known = set(older.rows.values())
    names = {row.name for row in known}
    unknown = [row for row in newer.rows.values() if row.schema_id not in {each.schema_id for each in known}]
    in_order = sorted(unknown, key=lambda each: each.schema_id)
    return Beside(
        tuple(sorted((row for row in known if by_id.get(row.schema_id) != row), key=lambda each: each.schema_id)),
        tuple(in_order),
        tuple(row for row in in_order if row.name in names),
    )
