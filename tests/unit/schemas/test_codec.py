"""One codec: equal to the avro package both ways, one encoding per value, nothing that explodes."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from avro.io import BinaryDecoder, BinaryEncoder, DatumReader, DatumWriter
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, lock, registry
from schemas.codec import CodecError
from schemas.compatibility import avro_schema
from schemas.registry import Contract
from schemas.sections import review_section
from tests.unit.schemas.support import documents, good, named_types, random_value

ALL = registry.all_contracts()
NAMES = {each.name for each in ALL}
RECEIPT = review_section(good(next(iter(documents(1)))))


def framed(contract: Contract, body: bytes) -> bytes:
    return b"\x00" + contract.schema_id.to_bytes(4, "big") + body


@pytest.mark.parametrize("contract", ALL, ids=lambda each: f"{each.name}.{each.version}")
def test_codec_and_avro_package_agree_in_both_directions(contract: Contract) -> None:
    schema = avro_schema(contract.schema)
    writer, reader = DatumWriter(schema), DatumReader(schema)  # type: ignore[no-untyped-call]
    rng, names = random.Random(contract.name), named_types(contract.schema)
    for _ in range(60):
        value = random_value(contract.schema, rng, names)
        out = BytesIO()
        writer.write(value, BinaryEncoder(out))  # type: ignore[no-untyped-call]
        ours = codec.encode(contract.name, value)
        assert ours == framed(contract, out.getvalue())
        decoded = codec.decode(ours, {contract.name})
        assert (decoded.name, decoded.version, decoded.value) == (contract.name, contract.version, value)
        assert reader.read(BinaryDecoder(BytesIO(ours[5:]))) == value  # type: ignore[no-untyped-call]


def code_of(data: bytes, accept: set[str] = NAMES) -> str:
    with pytest.raises(CodecError) as caught:
        codec.decode(data, accept)
    return caught.value.code


RECORD = registry.contract("DeadLetterContent")
VALUE = random_value(RECORD.schema, random.Random(3), {})
GOOD = codec.encode("DeadLetterContent", VALUE)
NUMBER_OF = {each.name: each.schema_id.to_bytes(4, "big") for each in ALL}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "codec.not-framed"),
        (b"\x00\x00\x00\x00", "codec.not-framed"),
        (b"\x01" + GOOD[1:], "codec.not-framed"),
        (b'{"procedure": "plaintext"}', "codec.not-framed"),
        (b"\x00\xff\xff\xff\xff" + GOOD[5:], "codec.unknown-schema"),
        (GOOD[:-1], "codec.truncated"),
        (GOOD[:5], "codec.truncated"),
        (GOOD + b"\x00", "codec.trailing-bytes"),
        (GOOD[:5] + b"\x02\x01" + GOOD[5:], "codec.malformed"),
        (GOOD[:5] + b"\x04" + GOOD[6:], "codec.malformed"),
        (b"\x00" + NUMBER_OF["AudienceKey"] + b"\x02x\x02" + bytes(8) + b"\x04", "codec.malformed"),
    ],
)
def test_what_is_not_a_record_is_refused_by_its_code(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_a_known_record_in_the_wrong_place_is_refused() -> None:
    assert code_of(GOOD, {"Session"}) == "codec.foreign-schema"


def test_an_id_that_was_given_up_stays_unknown() -> None:
    gone = set(range(1, registry.read_lock().next_id)) - {each.schema_id for each in ALL}
    for schema_id in gone | {registry.read_lock().next_id}:
        assert code_of(b"\x00" + schema_id.to_bytes(4, "big") + GOOD[5:]) == "codec.unknown-schema"


HELPDESK = registry.contract("HelpdeskRecord")
HELPDESK_VALUE = random_value(HELPDESK.schema, random.Random(5), {}) | {"attachments": 0, "items": []}


def split_in_blocks(item: dict[str, Any]) -> bytes:
    """Two items in two blocks of one, where one block of two would do."""
    whole = codec.encode("HelpdeskRecord", {**HELPDESK_VALUE, "items": [item, item]})
    empty = codec.encode("HelpdeskRecord", HELPDESK_VALUE)
    one = whole[len(empty) : -1]
    one = one[: len(one) // 2]
    return empty[:-1] + b"\x02" + one + b"\x02" + one + b"\x00"


def sized_block(item: dict[str, Any]) -> bytes:
    """One block with a negative count and its size in bytes."""
    whole = codec.encode("HelpdeskRecord", {**HELPDESK_VALUE, "items": [item]})
    empty = codec.encode("HelpdeskRecord", HELPDESK_VALUE)
    one = whole[len(empty) : -1]
    return empty[:-1] + b"\x01" + bytes([len(one) * 2]) + one + b"\x00"


ITEM = {"name": "term", "group": None, "row": None, "shown": "x"}


def overlong() -> bytes:
    return codec.encode("HelpdeskRecord", HELPDESK_VALUE)[:-1] + b"\x80\x00"


@pytest.mark.parametrize(
    "data", [split_in_blocks(ITEM), sized_block(ITEM), overlong()], ids=["two blocks", "sized block", "overlong"]
)
def test_another_encoding_of_the_same_value_is_refused(data: bytes) -> None:
    assert code_of(data) == "codec.not-canonical"


def test_two_booleans_are_all_there_are() -> None:
    data = bytearray(RECEIPT)
    at = data.index(b"\x01", 5)
    for place in range(at, len(data)):
        if data[place] == 1 and code_or_none(bytes(data[:place]) + b"\x02" + bytes(data[place + 1 :])) is None:
            pytest.fail("a byte other than 0 and 1 passed as a boolean")


def code_or_none(data: bytes) -> str | None:
    try:
        value = codec.decode(data, NAMES)
    except CodecError as refused:
        return refused.code
    return None if codec.encode(value.name, value.value) != data else "equal"


LONGEST = b"\xfe" + b"\xff" * 8 + b"\x01"  # 2^63 - 1 as a varint
BOMBS = {
    "string of 2^63 bytes": LONGEST + b"x",
    "negative string": b"\x01" + b"x" * 50,
    "varint without end": b"\x80" * 1_000_000,
    "varint of 2^80": b"\xff" * 12 + b"\x01",
    "not UTF-8": b"\x04\xff\xfe" + b"\x00" * 60,
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize("name", ["HelpdeskRecord", "AdvancePaymentOfferSubmission", "Session", "Checkpoint"])
def test_bombs_are_refused_before_memory_is_taken(body: bytes, name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            codec.decode(framed(registry.contract(name), body), {name})
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [LONGEST, b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x20"], ids=["max", "min", "2^32"])
def test_an_array_that_says_it_is_endless_ends_with_its_bytes(count: bytes) -> None:
    empty = codec.encode("HelpdeskRecord", HELPDESK_VALUE)
    begun = time.monotonic()
    with pytest.raises(CodecError):
        codec.decode(empty[:-1] + count + b"\x00" * 64, {"HelpdeskRecord"})
    assert time.monotonic() - begun < 5, "it counted instead of reading"


@given(st.data())
def test_no_bytes_make_it_raise_anything_else_or_pass_in_two_forms(data: st.DataObject) -> None:
    broken = bytearray(RECEIPT)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(5, len(broken) - 1))
        broken[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=12))
        if len(broken) < 7:
            break
    try:
        decoded = codec.decode(bytes(broken), NAMES)
    except CodecError:
        return
    assert codec.encode(decoded.name, decoded.value) == bytes(broken)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {**HELPDESK_VALUE, "tenant": 131041},
        {**HELPDESK_VALUE, "attachments": 2**31},
        {**HELPDESK_VALUE, "attachments": 2**80},
        {**HELPDESK_VALUE, "items": [{**ITEM, "row": -(2**31) - 1}]},
        {**HELPDESK_VALUE, "items": 5},
    ],
    ids=["empty", "number for text", "no int", "no long", "no int inside", "not an array"],
)
def test_what_breaks_its_contract_is_not_encoded(value: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        codec.encode("HelpdeskRecord", value)


def test_a_number_that_no_other_reader_could_read_is_refused() -> None:
    data = codec.encode("HelpdeskRecord", HELPDESK_VALUE)
    wide = data[:-2] + b"\x80\x80\x80\x80\x20" + data[-1:]
    assert code_of(wide) == "codec.malformed"


def test_errors_hold_no_content() -> None:
    with pytest.raises(CodecError) as caught:
        codec.encode("HelpdeskRecord", {**HELPDESK_VALUE, "tenant": ["見本太郎"]})
    assert "見本" not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_what_an_older_version_wrote_comes_in_the_form_of_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [{"name": "name", "type": "string"}]
    note = {"name": "note", "type": ["null", "string"], "default": None}
    ids = tmp_path / "ids.json"
    for version in (1, 2):
        text = {"type": "record", "name": "Sample", "fields": fields if version == 1 else [*fields, note]}
        (tmp_path / f"Sample.{version}.avsc").write_text(json.dumps(text), encoding="utf-8")
    lock.lock(tmp_path, ids)
    book = registry.load(tmp_path, ids)
    monkeypatch.setattr(registry, "book", lambda: book)
    old = b"\x00\x00\x00\x00\x01\x02x"
    decoded = codec.decode(old, {"Sample"})
    assert (decoded.version, decoded.value) == (1, {"name": "x", "note": None})
    assert codec.encode("Sample", decoded.value)[:5] == b"\x00\x00\x00\x00\x02"
    assert code_of(old + b"\x00", {"Sample"}) == "codec.trailing-bytes"
    assert code_of(old[:5] + b"\x82\x00x", {"Sample"}) == "codec.not-canonical"
