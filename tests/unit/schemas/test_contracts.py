"""Contracts: two libraries agree on every byte, ids stay, the catalogue holds the 144 items, bombs are refused."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import pytest

from schemas import codec, lock, registry
from schemas.catalogue import Mask, procedures
from schemas.codec import CodecError
from schemas.compatibility import check, incompatible
from schemas.registry import Contract, ContractBroken, all_contracts

COUNTS = (16, 23, 13, 9, 21, 30, 5, 17, 10)


def named(schema: Any) -> dict[str, Any]:
    """All named types of a schema."""
    if isinstance(schema, list):
        return {name: each for branch in schema for name, each in named(branch).items()}
    if not isinstance(schema, Mapping):
        return {}
    found = named(schema["type"]) | named(schema.get("items"))
    for field in schema.get("fields", ()):
        found |= named(field["type"])
    return found | ({schema["name"]: schema} if "name" in schema else {})


def some_value(rng: random.Random, schema: Any, names: dict[str, Any]) -> Any:
    """A random value of a schema."""
    if isinstance(schema, list):
        return some_value(rng, rng.choice(schema), names)
    if isinstance(schema, str) and schema in names:
        schema = names[schema]
    kind = schema["type"] if isinstance(schema, Mapping) else schema
    match kind:
        case "null":
            return None
        case "boolean":
            return rng.random() < 0.5
        case "int" if isinstance(schema, Mapping) and schema.get("logicalType") == "date":
            return date(1970, 1, 1) + timedelta(days=rng.randrange(-40_000, 40_000))
        case "int":
            return rng.choice((0, -1, 1, 2**31 - 1, -(2**31), rng.randrange(1_000)))
        case "long":
            return rng.choice((0, -1, 2**63 - 1, -(2**63), rng.randrange(10**12)))
        case "string":
            return rng.choice(("", "見本太郎", "髙﨑𠮷", "a" * 200, "\ue000", "辻\U000e0100"))
        case "bytes":
            return rng.randbytes(rng.randrange(40))
        case "fixed":
            return rng.randbytes(schema["size"])
        case "enum":
            return rng.choice(schema["symbols"])
        case "array":
            return [some_value(rng, schema["items"], names) for _ in range(rng.randrange(3))]
        case "record":
            return {each["name"]: some_value(rng, each["type"], names) for each in schema["fields"]}
    raise AssertionError(kind)


@pytest.mark.parametrize("contract", all_contracts(), ids=lambda each: f"{each.name}.{each.version}")
def test_fastavro_and_avro_write_the_same_bytes_and_read_each_others(contract: Contract) -> None:
    rng = random.Random(contract.schema_id)
    schema = avro.schema.parse(json.dumps(contract.schema))
    for _ in range(25):
        value = some_value(rng, contract.schema, named(contract.schema))
        ours = codec.encode(contract.name, value)
        out = io.BytesIO()
        avro.io.DatumWriter(schema).write(value, avro.io.BinaryEncoder(out))
        assert ours == b"\0" + contract.schema_id.to_bytes(4, "big") + out.getvalue()
        theirs = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(io.BytesIO(ours[5:])))
        assert theirs == value
        assert codec.decode(ours, {contract.name}).value == value


def test_every_truncation_and_every_trailing_byte_is_refused() -> None:
    record = codec.encode("SealedEvent", {"header": b"h" * 20, "sections": [], "mac": b"m" * 32})
    for end in range(len(record)):
        with pytest.raises(CodecError):
            codec.decode(record[:end], {"SealedEvent"})
    with pytest.raises(CodecError):
        codec.decode(record + b"\0", {"SealedEvent"})
    with pytest.raises(CodecError):
        codec.decode(record, {"Session"})
    with pytest.raises(CodecError):
        codec.decode(b"\0\0\0\x99\x99" + record[5:], {"SealedEvent"})


def test_declared_lengths_and_counts_that_cannot_be_are_refused_at_once() -> None:
    frame = codec.encode("SealedEvent", {"header": b"", "sections": [], "mac": None})[:5]
    huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    started = time.monotonic()
    for body in (huge + b"x", b"\0" + huge + b"\0", b"\x02a" + huge):
        with pytest.raises(CodecError):
            codec.decode(frame + body, {"SealedEvent"})
    assert time.monotonic() - started < 60, "bounded, not fast"


def test_overlong_numbers_are_refused() -> None:
    frame = codec.encode("SealedEvent", {"header": b"", "sections": [], "mac": None})[:5]
    assert codec.decode(frame + b"\0\0\0", {"SealedEvent"}).value["header"] == b""
    with pytest.raises(CodecError):
        codec.decode(frame + b"\x80\0\0\0", {"SealedEvent"})


def test_the_catalogue_holds_nine_new_procedures_with_144_items_and_nine_existing_ones() -> None:
    new = [each for each in procedures().values() if each.kind == "new"]
    assert tuple(len(each.items) for each in new) == COUNTS
    assert sum(COUNTS) == 144
    assert len(procedures()) == 18
    for procedure in new:
        assert [item.seq for item in procedure.items] == list(range(1, len(procedure.items) + 1))
        for item in procedure.items:
            assert item.label
            assert item.doc_en
            assert item.classification in ("personal", "special_my_number", "business", "routing")
            assert item.subject
            if item.type == "my_number":
                assert item.mask is Mask.ABSENT


def test_a_changed_contract_is_refused_and_a_new_one_gets_the_next_id(tmp_path: Path) -> None:
    for path in registry.CONTRACTS.rglob("*.avsc"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ids = tmp_path / "ids.json"
    ids.write_bytes(registry.IDS.read_bytes())
    highest = max(each.schema_id for each in all_contracts())
    record = {"type": "record", "name": "Fresh", "namespace": "jp.eltax_hub", "doc": "x", "fields": []}
    (tmp_path / "Fresh.1.avsc").write_text(json.dumps(record))
    added = lock.lock(ids=ids, contracts=tmp_path)
    assert added == [f"Fresh.1 = {highest + 1}"]
    session = tmp_path / "Session.1.avsc"
    session.write_text(session.read_text().replace('"long"', '"int"', 1))
    with pytest.raises(ContractBroken):
        lock.lock(ids=ids, contracts=tmp_path)


def test_all_contracts_are_compatible_and_an_incompatible_change_is_found() -> None:
    assert check() == []
    older = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}
    newer = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
    assert incompatible(newer, older)
    optional = [*older["fields"], {"name": "b", "type": ["null", "int"], "default": None}]
    assert not incompatible({**older, "fields": optional}, older)
