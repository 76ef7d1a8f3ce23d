"""The lock keeps every id to its text for ever; compatibility holds with every older version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import compatibility, lock, registry
from schemas.registry import Contract, ContractBroken

Home = tuple[Path, Path]


def record(*fields: dict[str, Any], name: str = "Sample") -> str:
    return json.dumps({"type": "record", "name": name, "namespace": "jp.eltax_hub", "fields": list(fields)})


NAME = {"name": "name", "type": "string"}
NOTE = {"name": "note", "type": ["null", "string"], "default": None}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "Sample.1.avsc").write_text(record(NAME), encoding="utf-8")
    ids = tmp_path / "ids.json"
    assert lock.lock(contracts, ids) == ["Sample.1 = 1"]
    return contracts, ids


def test_committed_contracts_agree_with_the_committed_lock() -> None:
    before = registry.IDS.read_bytes()
    assert lock.lock() == []
    assert registry.IDS.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"string"', '"bytes"'),
        lambda text: text.replace('"name": "name"', '"name": "name", "doc": "another meaning"'),
    ],
    ids=["type", "doc"],
)
def test_a_changed_contract_is_refused_by_lock_and_loader(home: Home, change: Callable[[str], str]) -> None:
    contracts, ids = home
    path, before = contracts / "Sample.1.avsc", ids.read_bytes()
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    (contracts / "Other.1.avsc").write_text(record(NAME, name="Other"), encoding="utf-8")
    with pytest.raises(ContractBroken, match="Sample version 1 was changed"):
        lock.lock(contracts, ids)
    with pytest.raises(ContractBroken):
        registry.load(contracts, ids)
    assert ids.read_bytes() == before


def test_white_space_does_not_change_a_contract(home: Home) -> None:
    contracts, ids = home
    path = contracts / "Sample.1.avsc"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=4), encoding="utf-8")
    assert lock.lock(contracts, ids) == []


def test_a_locked_contract_cannot_be_taken_away(home: Home) -> None:
    contracts, ids = home
    (contracts / "Sample.1.avsc").unlink()
    for refuses in (lock.lock, registry.load):
        with pytest.raises(ContractBroken, match="its file is gone"):
            refuses(contracts, ids)


def test_an_id_is_not_given_again_even_if_its_row_was_taken_out(home: Home) -> None:
    contracts, ids = home
    said = json.loads(ids.read_text(encoding="utf-8"))
    ids.write_text(json.dumps({**said, "contracts": []}), encoding="utf-8")
    assert lock.lock(contracts, ids) == ["Sample.1 = 2"]


@pytest.mark.parametrize("again", [{"id": 1, "name": "Other", "version": 1}, {"id": 2, "name": "Sample", "version": 1}])
def test_an_id_or_a_contract_stands_once_in_the_lock(home: Home, again: dict[str, Any]) -> None:
    contracts, ids = home
    said = json.loads(ids.read_text(encoding="utf-8"))
    said["contracts"].append({**again, "sha256": "0" * 64})
    ids.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(ContractBroken, match="twice"):
        registry.load(contracts, ids)


@pytest.mark.parametrize("name", ["Sample.avsc", "Sample.0.avsc", "Sample.x.avsc", "Sample.1.2.avsc"])
def test_a_file_without_a_version_is_refused(home: Home, name: str) -> None:
    contracts, ids = home
    (contracts / name).write_text(record(NAME), encoding="utf-8")
    with pytest.raises(ContractBroken, match="is not named"):
        lock.lock(contracts, ids)


def test_the_same_version_in_two_folders_is_refused(home: Home) -> None:
    contracts, ids = home
    (contracts / "more").mkdir()
    (contracts / "more" / "Sample.1.avsc").write_text(record(NAME), encoding="utf-8")
    with pytest.raises(ContractBroken, match="exists twice"):
        lock.lock(contracts, ids)


def test_a_file_holds_the_record_it_is_named_after(home: Home) -> None:
    contracts, ids = home
    (contracts / "Other.1.avsc").write_text(record(NAME), encoding="utf-8")
    before = ids.read_bytes()
    with pytest.raises(ContractBroken, match="another name"):
        lock.lock(contracts, ids)
    assert ids.read_bytes() == before, "what cannot be loaded gets no id"


def test_a_contract_that_is_not_locked_is_not_used(home: Home) -> None:
    contracts, ids = home
    (contracts / "Sample.2.avsc").write_text(record(NAME, NOTE), encoding="utf-8")
    with pytest.raises(ContractBroken, match="is not locked"):
        registry.load(contracts, ids)
    assert lock.lock(contracts, ids) == ["Sample.2 = 2"]
    book = registry.load(contracts, ids)
    assert (book.newest["Sample"].version, book.by_id[1].version) == (2, 1)


def test_main_says_what_to_do_about_a_changed_contract(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[str]:
        raise ContractBroken("Sample version 1 was changed")

    monkeypatch.setattr(lock, "lock", lambda: ["Sample.2 = 2"])
    assert lock.main() == 0
    assert capsys.readouterr().out == "Sample.2 = 2\n"
    monkeypatch.setattr(lock, "lock", broken)
    assert lock.main() == 1
    assert "write the next version beside it" in capsys.readouterr().err


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
