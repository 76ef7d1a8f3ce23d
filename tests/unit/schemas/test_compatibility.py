"""Compatibility holds with every older version of a record, by the avro package's own checker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas import compatibility, registry
from schemas.registry import Contract


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "Sample", "namespace": "jp.eltax_hub", "fields": list(fields)})


NAME = {"name": "name", "type": "string"}
NOTE = {"name": "note", "type": ["null", "string"], "default": None}


def versions(*texts: str) -> list[Contract]:
    return [Contract("Sample", n, n, json.loads(text), None) for n, text in enumerate(texts, 1)]


COMPATIBLE = (record(NAME), record(NAME, NOTE))
INCOMPATIBLE = {
    "field without default": record(NAME, {"name": "note", "type": "string"}),
    "another type": record({"name": "name", "type": "int"}),
}


def test_a_field_with_default_may_be_added() -> None:
    assert compatibility.check(versions(*COMPATIBLE)) == []


@pytest.mark.parametrize("newer", INCOMPATIBLE.values(), ids=INCOMPATIBLE.keys())
def test_a_version_that_cannot_read_older_ones_is_named(newer: str) -> None:
    found = compatibility.check(versions(*COMPATIBLE, newer))
    assert {(each.reader, each.writer) for each in found} == {(3, 1), (3, 2)}
    assert "Sample version 3 cannot read version 1" in str(found[0])


def test_every_older_version_counts_not_only_the_last() -> None:
    """Version 3 reads 2 but not 1: a check of neighbours alone would not see it."""
    middle = record(NAME, {"name": "note", "type": "string", "default": ""})
    last = record(NAME, {"name": "note", "type": "string"})
    found = compatibility.check(versions(record(NAME), middle, last))
    assert [(each.reader, each.writer) for each in found] == [(3, 1)]


@pytest.mark.parametrize("contract", registry.all_contracts(), ids=lambda each: f"{each.name}.{each.version}")
def test_every_contract_is_a_schema_to_the_avro_package(contract: Contract) -> None:
    assert compatibility.incompatible(contract.schema, contract.schema) == ()


def _locked(*rows: tuple[int, str, int, str]) -> registry.Lock:
    return registry.Lock(99, {(name, version): registry.Row(n, name, version, text) for n, name, version, text in rows})


OLDER = ((1, "A", 1, "a"), (2, "B", 1, "b"))


def test_a_version_runs_beside_an_older_one_that_knows_every_id_and_misses_what_came_later() -> None:
    found = compatibility.beside(_locked(*OLDER), _locked(*OLDER, (3, "C", 1, "c"), (4, "B", 2, "bb")))
    assert found.changed == ()
    assert [row.schema_id for row in found.unknown] == [3, 4]
    assert [row.schema_id for row in found.first] == [4]


@pytest.mark.parametrize(
    "newer",
    [OLDER[:1], (OLDER[0], (2, "B", 1, "other")), (OLDER[0], (2, "C", 1, "b")), (OLDER[0], (2, "B", 2, "b"))],
    ids=["gone", "another text", "another record", "another version"],
)
def test_an_id_that_means_something_else_now_forbids_it(newer: tuple[tuple[int, str, int, str], ...]) -> None:
    assert [row.schema_id for row in compatibility.beside(_locked(*OLDER), _locked(*newer)).changed] == [2]
