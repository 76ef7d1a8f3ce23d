"""The contract of a schema registry, as tests that each implementation inherits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import pytest

from schemas.publication import IncompatibleContract, subject, text
from schemas.registry import Contract, all_contracts, contract, fingerprint, read_lock, read_schema


class UnderTest(Protocol):
    """An implementation that holds the contracts of this package already."""

    def text(self, schema_id: int) -> str | None: ...

    def id_of(self, name: str, said: str) -> int | None: ...

    def versions(self, name: str) -> Mapping[int, int]: ...

    def publish(self, contracts: tuple[Contract, ...]) -> tuple[int, ...]: ...


def made(name: str, version: int, schema_id: int, *fields: tuple[str, bool]) -> Contract:
    """A contract of the tests' own; each field is a string, with a default or without."""
    listed = [{"name": each, "type": "string", **({"default": ""} if default else {})} for each, default in fields]
    schema: dict[str, Any] = {"type": "record", "name": name, "namespace": "jp.eltax_hub", "fields": listed}
    return Contract(name, version, schema_id, *read_schema(json.dumps(schema), name, version))


def changed(name: str, version: int, schema_id: int, **field: str) -> Contract:
    """The next version of one of our contracts: a field more."""
    schema = json.loads(json.dumps(contract(name).schema))
    schema["fields"].append({"name": "added", "type": "string", **field})
    return Contract(name, version, schema_id, *read_schema(json.dumps(schema), name, version))


class RegistryContract:
    """Inherited with a fixture `registry` that returns an UnderTest, shared by the tests of a class."""

    def test_every_locked_id_names_the_locked_text(self, registry: UnderTest) -> None:
        locked = {row.schema_id: row.sha256 for row in read_lock().rows.values()}
        found = {number: registry.text(number) for number in locked}
        assert {number: fingerprint(said) for number, said in found.items() if said is not None} == locked

    def test_an_id_that_was_never_given_names_nothing(self, registry: UnderTest) -> None:
        unused = set(range(1, 31)) - {each.schema_id for each in all_contracts()}
        assert unused
        assert {registry.text(number) for number in (*unused, 4_000_000)} == {None}

    def test_a_text_is_found_under_its_id_however_it_is_written(self, registry: UnderTest) -> None:
        for each in all_contracts()[:5]:
            assert registry.id_of(subject(each), text(each)) == each.schema_id
            assert registry.id_of(subject(each), json.dumps(each.schema, indent=3)) == each.schema_id

    def test_a_subject_has_our_versions_in_order(self, registry: UnderTest) -> None:
        for each in all_contracts():
            assert registry.versions(subject(each))[each.version] == each.schema_id

    def test_publishing_again_changes_nothing(self, registry: UnderTest) -> None:
        before = {subject(each): dict(registry.versions(subject(each))) for each in all_contracts()}
        assert registry.publish(all_contracts()) == ()
        assert {name: dict(registry.versions(name)) for name in before} == before

    def test_an_incompatible_version_is_refused_and_nothing_of_it_stays(self, registry: UnderTest) -> None:
        worse = changed("StoredReceipt", 2, 3_000)
        with pytest.raises(IncompatibleContract):
            registry.publish((*all_contracts(), worse, made("Beside", 1, 3_001, ("a", False))))
        assert registry.text(3_000) is None
        assert registry.text(3_001) is None
        assert set(registry.versions(subject(worse))) == {1}

    def test_a_compatible_version_and_a_new_record_get_the_locks_ids(self, registry: UnderTest) -> None:
        following = read_lock().next_id
        better, new = changed("TreeHead", 2, following, default=""), made("Added", 1, following + 1, ("a", False))
        added = tuple(sorted((better, new), key=lambda each: each.name))  # in which order the lock numbers
        added = tuple(replace(each, schema_id=following + place) for place, each in enumerate(added))
        assert set(registry.publish((*all_contracts(), *added))) == {following, following + 1}
        for each in added:
            assert fingerprint(registry.text(each.schema_id) or "") == fingerprint(text(each))
            assert registry.versions(subject(each))[each.version] == each.schema_id
        assert set(registry.versions("jp.eltax_hub.TreeHead")) == {1, 2}
