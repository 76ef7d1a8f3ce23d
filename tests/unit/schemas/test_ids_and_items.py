"""The lock of ids, and the catalogue item by item. Files are copied aside: the real lock is never written."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import lock, registry
from schemas.catalogue import GENERIC, Item, ItemType, Procedure, procedures
from schemas.registry import ContractBroken, all_contracts

COUNTS = (16, 23, 13, 9, 21, 30, 5, 17, 10)
NEW = [each for each in procedures().values() if each.kind == "new"]
ITEMS = [(procedure, item) for procedure in NEW for item in procedure.items]
LOCKED = registry.read_lock()
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.fixture
def copy(tmp_path: Path) -> tuple[Path, Path]:
    """The contracts and the lock, copied."""
    shutil.copytree(registry.CONTRACTS, tmp_path / "contracts")
    shutil.copy(registry.IDS, tmp_path / "ids.json")
    return tmp_path / "contracts", tmp_path / "ids.json"


def one(contracts: Path, name: str) -> Path:
    """The file of a contract's first version."""
    return next(contracts.rglob(f"{name}.1.avsc"))


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change a contract."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    edit(schema)
    path.write_text(json.dumps(schema, ensure_ascii=False), encoding="utf-8")


def fresh(contracts: Path, name: str, version: int = 1, **more: Any) -> Path:
    """A new contract."""
    path = contracts / f"{name}.{version}.avsc"
    path.write_text(json.dumps({"type": "record", "name": name, "fields": [], **more}), encoding="utf-8")
    return path


def broken(contracts: Path, ids: Path) -> str:
    """Both the reader and the tool refuse, and the lock stays as it was; returns what is said."""
    before = ids.read_bytes()
    with pytest.raises(ContractBroken):
        registry.load(contracts, ids)
    with pytest.raises(ContractBroken) as caught:
        lock.lock(contracts, ids)
    assert ids.read_bytes() == before
    return str(caught.value)


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a type": lambda each: each["fields"][0].update(type="string" if each["fields"][0]["type"] != "string" else "int"),
    "a doc": lambda each: each.update(doc="another"),
    "a property": lambda each: each.update(surprise=1),
    "a field more": lambda each: each["fields"].append({"name": "more", "type": "string"}),
    "a field less": lambda each: each["fields"].pop(),
    "the order of fields": lambda each: each["fields"].reverse(),
    "a default": lambda each: each["fields"][-1].update(default=None),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("name", ["Session", "EventHeader", "HelpdeskRecord", "AdvancePaymentOfferSubmission"])
def test_a_locked_contract_that_was_changed_is_refused(
    copy: tuple[Path, Path], name: str, edit: Callable[[dict[str, Any]], object]
) -> None:
    change(one(copy[0], name), edit)
    assert name in broken(*copy)


def test_another_layout_of_the_same_json_is_no_change(copy: tuple[Path, Path]) -> None:
    path = one(copy[0], "Session")
    schema = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(schema, indent=7), encoding="utf-8")
    assert lock.lock(*copy) == []
    assert registry.load(*copy).newest["Session"].schema == schema


def test_a_locked_contract_that_is_gone_is_refused(copy: tuple[Path, Path]) -> None:
    one(copy[0], "Checkpoint").unlink()
    assert "Checkpoint" in broken(*copy)


def test_what_is_not_locked_is_not_loaded(copy: tuple[Path, Path]) -> None:
    fresh(copy[0], "Fresh")
    with pytest.raises(ContractBroken, match="not locked"):
        registry.load(*copy)


def test_new_contracts_get_the_next_ids_and_no_id_moves(copy: tuple[Path, Path]) -> None:
    fresh(copy[0], "Aaa")
    fresh(copy[0], "Zzz")
    fresh(copy[0], "Session", 2)
    added = lock.lock(*copy)
    after = registry.read_lock(copy[1])
    assert {key: row for key, row in after.rows.items() if key in LOCKED.rows} == LOCKED.rows
    ids = sorted(after.rows[key].schema_id for key in after.rows.keys() - LOCKED.rows.keys())
    assert ids == [LOCKED.next_id, LOCKED.next_id + 1, LOCKED.next_id + 2]
    assert after.next_id == LOCKED.next_id + 3
    assert len(added) == 3
    assert lock.lock(*copy) == []
    assert registry.load(*copy).newest["Session"].version == 2


def test_an_id_is_never_given_again_even_if_its_line_is_taken_out(copy: tuple[Path, Path]) -> None:
    contracts, ids = copy
    path = fresh(contracts, "Fresh")
    lock.lock(contracts, ids)
    path.unlink()
    said = json.loads(ids.read_text(encoding="utf-8"))
    said["contracts"] = [row for row in said["contracts"] if row["name"] != "Fresh"]
    ids.write_text(json.dumps(said), encoding="utf-8")
    fresh(contracts, "Other")
    assert lock.lock(contracts, ids) == [f"Other.1 = {LOCKED.next_id + 1}"]


@pytest.mark.parametrize("key", ["id", "name"])
def test_a_lock_that_says_something_twice_is_refused(copy: tuple[Path, Path], key: str) -> None:
    said = json.loads(copy[1].read_text(encoding="utf-8"))
    said["contracts"][1][key] = said["contracts"][0][key]
    if key == "name":
        said["contracts"][1]["version"] = said["contracts"][0]["version"]
    copy[1].write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(ContractBroken, match="twice"):
        registry.load(*copy)


@pytest.mark.parametrize("name", ["Fresh.avsc", "Fresh.0.avsc", "Fresh.x.avsc", "Fresh.-1.avsc", "Fresh.１.avsc"])
def test_a_file_without_a_version_is_refused(copy: tuple[Path, Path], name: str) -> None:
    fresh(copy[0], "Fresh").rename(copy[0] / name)
    assert "Fresh" in broken(*copy)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        '{"type": "record", "name": "Other", "fields": []}',
        '{"type": "record", "name": "Fresh"}',
        '{"type": "enum", "name": "Fresh", "symbols": ["A"]}',
        '{"type": "record", "name": "Fresh", "fields": [{"name": "x", "type": "no-such-type"}]}',
        '{"type": "record", "name": "Fresh", "fields": [{"name": "x"}]}',
    ],
)
def test_what_is_no_contract_of_its_name_gets_no_id(copy: tuple[Path, Path], text: str) -> None:
    """Once it had one it could never be put right: a locked contract does not change."""
    fresh(copy[0], "Fresh").write_text(text, encoding="utf-8")
    broken(*copy)


def test_a_contract_in_two_folders_is_refused(copy: tuple[Path, Path]) -> None:
    (copy[0] / "again").mkdir()
    shutil.copy(one(copy[0], "Session"), copy[0] / "again")
    assert "twice" in broken(*copy)


def test_the_committed_lock_is_whole_and_its_ids_differ() -> None:
    ids = [each.schema_id for each in all_contracts()]
    assert len(set(ids)) == len(ids) == len(LOCKED.rows)
    assert all(0 < each < LOCKED.next_id for each in ids)
    for contract in all_contracts():
        assert registry.by_id(contract.schema_id) is contract
        assert contract.schema["namespace"] == "jp.eltax_hub"
    assert registry.by_id(LOCKED.next_id) is None


def test_there_are_nine_new_procedures_with_144_items_and_nine_existing_ones() -> None:
    assert tuple(len(each.items) for each in NEW) == COUNTS
    assert len(ITEMS) == 144
    assert [each.number for each in NEW] == list(range(1, 10))
    assert len(procedures()) == 18
    existing = [each for each in procedures().values() if each.kind == "existing"]
    assert len(existing) == 9
    assert {each.record_name for each in existing} == {GENERIC}
    assert len({each.label for each in procedures().values()}) == 18


@pytest.mark.parametrize(
    ("procedure", "item"), ITEMS, ids=lambda each: getattr(each, "slug", getattr(each, "name", ""))
)
def test_each_item_says_what_it_is_in_two_languages(procedure: Procedure, item: Item) -> None:
    assert JAPANESE.search(item.label)
    assert not JAPANESE.search(item.doc_en)
    assert len(item.doc_en) > 2
    assert item.type in ItemType
    assert item.classification in ("personal", "special_my_number", "business", "routing")
    assert (item.classification == "special_my_number") == (item.type is ItemType.MY_NUMBER)
    assert item.group is None or item.group in procedure.groups
    assert (item.max_length == 0) == item.type.is_number
    assert item.max_length <= 4_096


@pytest.mark.parametrize("procedure", NEW, ids=lambda each: each.slug)
def test_items_are_numbered_from_one_without_a_gap_and_named_once(procedure: Procedure) -> None:
    assert [each.seq for each in procedure.items] == list(range(1, len(procedure.items) + 1))
    assert len({each.name for each in procedure.items}) == len(procedure.items)
    assert {each.group for each in procedure.items if each.group} == set(procedure.groups)


def fields(schema: Any) -> list[dict[str, Any]]:
    """All fields of a schema, at any depth."""
    if isinstance(schema, list):
        return [each for part in schema for each in fields(part)]
    if not isinstance(schema, dict):
        return []
    own = schema.get("fields", [])
    return [*own, *(each for field in own for each in fields(field["type"])), *fields(schema.get("items"))]


@pytest.mark.parametrize("procedure", NEW, ids=lambda each: each.slug)
def test_the_contract_itself_documents_each_item_in_japanese_and_english(procedure: Procedure) -> None:
    schema = dict(registry.contract(procedure.record_name).schema)
    found = {each["name"]: each for each in fields(schema) if "item_type" in each}
    assert found.keys() == {each.name for each in procedure.items}
    for field in found.values():
        japanese, slash, english = field["doc"].partition(" / ")
        assert slash and JAPANESE.search(japanese) and english
        assert field["label"] and field["item_type"] and field["class"] and field["mask"] and field["seq"]
