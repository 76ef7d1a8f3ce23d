"""Every contract, whole: each byte is needed, none may follow, and no declared size is believed."""

from __future__ import annotations

import random
import resource
import tracemalloc
from io import BytesIO
from typing import Any

import pytest
from avro.io import BinaryDecoder, DatumReader

from schemas import codec, registry
from schemas.codec import CodecError
from schemas.compatibility import avro_schema
from schemas.registry import Contract
from tests.unit.schemas.support import named_types, random_value

ALL = registry.all_contracts()
NAMES = frozenset(each.name for each in ALL)
each_contract = pytest.mark.parametrize("contract", ALL, ids=lambda each: f"{each.name}.{each.version}")


def sample(contract: Contract, seed: int = 0) -> bytes:
    """One framed record of a contract."""
    rng = random.Random(f"{contract.name}{seed}")
    return codec.encode(contract.name, random_value(contract.schema, rng, named_types(contract.schema)))


def refused(data: bytes, accept: frozenset[str] = NAMES) -> None:
    with pytest.raises(CodecError):
        codec.decode(data, accept)


@each_contract
def test_every_truncation_of_every_record_is_refused(contract: Contract) -> None:
    whole = sample(contract)
    assert codec.decode(whole, {contract.name}).name == contract.name
    step = max(1, len(whole) // 400)
    for end in (*range(0, len(whole), step), len(whole) - 1):
        with pytest.raises(CodecError) as caught:
            codec.decode(whole[:end], NAMES)
        assert caught.value.code == ("codec.truncated" if end >= codec.FRAME_BYTES else "codec.not-framed")


@each_contract
def test_every_byte_after_the_end_is_refused(contract: Contract) -> None:
    whole = sample(contract)
    for tail in (b"\x00", b"\xff", b"\x00" * 64, whole):
        refused(whole + tail)


@each_contract
def test_a_record_is_accepted_only_where_its_name_may_stand(contract: Contract) -> None:
    refused(sample(contract), NAMES - {contract.name})
    refused(sample(contract), frozenset())


@each_contract
def test_the_body_of_one_record_under_the_id_of_another_never_passes_as_two_forms(contract: Contract) -> None:
    """A foreign body may be a value by chance; then it is the one encoding of that value."""
    for other in ALL:
        data = sample(contract)[:5] + sample(other)[5:]
        try:
            decoded = codec.decode(data, {contract.name})
        except CodecError:
            continue
        assert codec.encode(contract.name, decoded.value) == data


@each_contract
def test_a_flipped_bit_is_refused_or_is_another_value(contract: Contract) -> None:
    whole = sample(contract)
    original = codec.decode(whole, {contract.name}).value
    rng = random.Random(11)
    for _ in range(120):
        at, bit = rng.randrange(5, len(whole)) if len(whole) > 5 else 4, rng.randrange(8)
        bent = bytearray(whole)
        bent[at] ^= 1 << bit
        try:
            decoded = codec.decode(bytes(bent), NAMES)
        except CodecError:
            continue
        assert (decoded.name, decoded.value) != (contract.name, original)
        assert codec.encode(decoded.name, decoded.value) == bytes(bent)


def varint(number: int) -> bytes:
    """An Avro long."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def lengths(schema: Any, at: bytes = b"") -> list[bytes]:
    """Where a record with empty values says its first length or count: all bytes before it, field by field."""
    found: list[bytes] = []
    body = at
    for field in schema["fields"]:
        kind = field["type"]
        if isinstance(kind, list):
            body += varint(kind.index("null"))
            continue
        name = kind["type"] if isinstance(kind, dict) else kind
        if name in ("string", "bytes", "array"):
            found.append(body)
            body += b"\x00"
        elif name == "fixed":
            body += bytes(kind["size"])
        elif name in ("int", "long", "enum", "boolean"):
            body += b"\x00"
        else:
            break  # a record inside: what stands before it is enough
    return found


HUGE = (2**31, 2**31 - 1, 2**40, 2**62, 2**63 - 1, -1, -2, -(2**31), -(2**63))


@each_contract
def test_a_length_or_count_that_cannot_be_takes_no_memory(contract: Contract) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    frame = sample(contract)[:5]
    tracemalloc.start()
    try:
        for head in lengths(contract.schema):
            for number in HUGE:
                refused(frame + head + varint(number) + b"\x00" * 40)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 2**10, "KiB of the whole process"


def test_overlong_numbers_are_refused_wherever_a_length_stands() -> None:
    seen = 0
    for contract in ALL:
        frame = sample(contract)[:5]
        empty = [head for head in lengths(contract.schema) if head.strip(b"\x00") == b""]
        for head in empty:
            refused(frame + head + b"\x80\x00" + b"\x00" * 400)
            refused(frame + head + b"\x80" * 9 + b"\x00" + b"\x00" * 400)
            seen += 1
    assert seen > 20


def test_what_we_wrote_long_strings_and_deep_rows_of_is_read_by_the_avro_package() -> None:
    contract = registry.contract("HeirRepresentativeDesignationSubmission")
    value = random_value(contract.schema, random.Random(2), named_types(contract.schema))
    value["attachments"] = [{"file_name": "見" * 255, "media_type": "x", "content": bytes(3 * 2**20)}] * 2
    ours = codec.encode(contract.name, value)
    theirs = DatumReader(avro_schema(contract.schema)).read(BinaryDecoder(BytesIO(ours[5:])))
    assert theirs == value == codec.decode(ours, {contract.name}).value


@pytest.mark.parametrize("schema_id", [0, 2**16, 2**31, 2**32 - 1])
def test_an_id_that_is_in_no_lock_is_refused(schema_id: int) -> None:
    with pytest.raises(codec.UnknownSchema):
        codec.decode(b"\x00" + schema_id.to_bytes(4, "big") + sample(ALL[0])[5:], NAMES)
