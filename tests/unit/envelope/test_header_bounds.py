"""Each field of the header at its bound: written and read there, refused one further by writer and reader alike."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro
import pytest

from hub.envelope import header as headers
from hub.envelope.event_ids import is_event_id, new_event_id
from hub.envelope.header import SESSION_AT, SESSION_END, Cause, Check
from hub.envelope.names import Kind
from hub.envelope.reasons import EnvelopeError, Reason
from tests.unit.envelope.support import header_for, world
from tests.unit.envelope.test_header import PARSED, as_dict

HEADER = header_for(world().secrets)
CAUSE = Cause(HEADER.event_id, bytes(32))
BOUNDS: dict[str, tuple[Any, Any]] = {
    "producer": ("p" * 128, "p" * 129),
    "partition": ((1 << 31) - 1, None),
    "sequence": ((1 << 63) - 1, None),
    "receipt_number": ("1" * 512, "1" * 513),
    "procedure": ("p" * 128, "p" * 129),
    "procedure_version": ((1 << 31) - 1, None),
    "tax_item": ("t" * 128, "t" * 129),
    "accepted_at_ms": (253_402_300_799_999, 253_402_300_800_000),
    "produced_at_ms": (253_402_300_799_999, 253_402_300_800_000),
}
LEAST: dict[str, tuple[Any, Any]] = {
    "producer": ("p", ""),
    "partition": (0, -1),
    "sequence": (0, -1),
    "receipt_number": ("1", ""),
    "procedure": ("p", ""),
    "procedure_version": (1, 0),
    "tax_item": ("t", ""),
    "accepted_at_ms": (0, -1),
    "produced_at_ms": (0, -1),
}
EVERY = [(field, *bounds) for table in (BOUNDS, LEAST) for field, bounds in table.items()]


def by_a_stranger(change: dict[str, Any]) -> bytes:
    """A header by a writer that knows Avro and none of our rules."""
    value = as_dict(HEADER) | {field.removesuffix("_ms"): each for field, each in change.items()}
    out = BytesIO()
    fastavro.schemaless_writer(out, PARSED, value)
    return headers.encode(HEADER)[:5] + out.getvalue()


@pytest.mark.parametrize(("field", "good", "bad"), EVERY)
def test_field_at_its_bound(field: str, good: Any, bad: Any) -> None:
    header = HEADER._replace(**{field: good})
    assert headers.decode(headers.encode(header)) == header
    assert by_a_stranger({field: good}) == headers.encode(header)
    if bad is None:
        return
    for refuse in (
        lambda: headers.encode(HEADER._replace(**{field: bad})),
        lambda: headers.decode(by_a_stranger({field: bad})),
    ):
        with pytest.raises(EnvelopeError) as refused:
            refuse()
        assert refused.value.reason is Reason.HEADER_INVALID


@pytest.mark.parametrize("field", ["partition", "procedure_version", "sequence"])
def test_number_that_its_type_cannot_hold_is_not_written(field: str) -> None:
    most = BOUNDS[field][0]
    with pytest.raises(EnvelopeError) as refused:
        headers.encode(HEADER._replace(**{field: most + 1}))
    assert refused.value.reason is Reason.HEADER_INVALID


def test_partition_or_version_of_33_bits_is_not_read() -> None:
    data = headers.encode(HEADER)
    end = len(headers.prefix(HEADER[:5]))
    start = end - 1  # partition 3 is one byte
    large = b"\x80\x80\x80\x80\x10"
    with pytest.raises(EnvelopeError) as refused:
        headers.decode(data[:start] + large + data[end:])
    assert refused.value.reason is Reason.HEADER_INVALID
    marker = HEADER.procedure.encode() + b"\x02"
    at = data.index(marker) + len(marker) - 1
    with pytest.raises(EnvelopeError) as refused:
        headers.decode(data[:at] + large + data[at + 1 :])
    assert refused.value.reason is Reason.HEADER_INVALID


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("check", list(Check))
def test_kinds_and_checks_are_numbered_as_in_the_contract(kind: Kind, check: Check) -> None:
    cause = None if kind is Kind.SUBMISSION else CAUSE
    header = HEADER._replace(kind=kind, cause=cause, calculation_check=check, signature_check=Check.PASSED)
    data = headers.encode(header)
    assert headers.decode(data) == header
    change = {"kind": kind, "calculation_check": check, "signature_check": Check.PASSED}
    assert by_a_stranger(change | {"cause": None if cause is None else cause._asdict()}) == data
    assert data[SESSION_END] == 2 * list(Kind).index(kind) and data[SESSION_AT:SESSION_END] == HEADER.session


def test_kind_or_check_that_does_not_exist_is_not_read() -> None:
    data = headers.encode(HEADER)
    for at in (SESSION_END, len(data) - 3, len(data) - 2):
        for number in (6, 1, 3, 5):
            with pytest.raises(EnvelopeError) as refused:
                headers.decode(data[:at] + bytes((number,)) + data[at + 1 :])
            assert refused.value.reason is Reason.HEADER_INVALID


def test_cause_is_read_whole_or_not_at_all() -> None:
    header = HEADER._replace(kind=Kind.STATUS, cause=CAUSE)
    data = headers.encode(header)
    assert headers.decode(data) == header
    at = len(data) - 32 - 37 - 1
    assert data[at] == 2
    for bad in (
        data[:-1],
        data + b"\x00",
        data[:at] + b"\x04" + data[at + 1 :],
        data[:at] + b"\x02\x46" + data[at + 2 :],
    ):
        with pytest.raises(EnvelopeError) as refused:
            headers.decode(bad)
        assert refused.value.reason is Reason.HEADER_INVALID
    for cause in (Cause("x", bytes(32)), Cause(HEADER.event_id, bytes(31)), Cause(HEADER.event_id, bytes(33))):
        with pytest.raises(EnvelopeError) as refused:
            headers.encode(HEADER._replace(kind=Kind.STATUS, cause=cause))
        assert refused.value.reason is Reason.CAUSE


def test_tax_item_is_there_or_not() -> None:
    data = headers.encode(HEADER)
    marker = HEADER.procedure.encode() + b"\x02"
    at = data.index(marker) + len(marker)
    assert data[at] == 0
    for branch in (b"\x01", b"\x04"):
        with pytest.raises(EnvelopeError) as refused:
            headers.decode(data[:at] + branch + data[at + 1 :])
        assert refused.value.reason is Reason.HEADER_INVALID


def test_prefix_is_of_a_session_and_a_tenant() -> None:
    good = HEADER[:5]
    assert headers.read_fixed(headers.encode(HEADER)) == (good, len(headers.prefix(good)))
    for place, bad in ((0, bytes(31)), (0, bytes(33)), (2, "x"), (4, -1), (4, 1 << 31)):
        fixed: Any = (*good[:place], bad, *good[place + 1 :])
        with pytest.raises(EnvelopeError) as refused:
            headers.prefix(fixed)
        assert refused.value.reason is Reason.HEADER_INVALID


def test_event_id_holds_its_time_and_74_random_bits() -> None:
    assert new_event_id(0, bytes) == "00000000-0000-7000-8000-000000000000"
    ones = new_event_id((1 << 48) - 1, lambda count: b"\xff" * count)
    assert ones == "ffffffff-ffff-7fff-bfff-ffffffffffff"
    assert new_event_id(1 << 48, bytes) == new_event_id(0, bytes)
    tail = bytes.fromhex("0123456789abcdef0123")
    assert new_event_id(0x0123_4567_89AB, lambda _: tail) == expected(tail)
    assert not is_event_id("00000000-0000-7000-8000-00000000000") and not is_event_id(ones + "0")


def expected(tail: bytes) -> str:
    """RFC 9562, 5.7: 12 bits rand_a, then variant 10 and 62 bits rand_b; here the upper and lower of 74 bits."""
    bits = f"{int.from_bytes(tail, 'big'):080b}"[6:]
    whole = f"{0x0123_4567_89AB:048b}" + "0111" + bits[:12] + "10" + bits[12:]
    text = f"{int(whole, 2):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def test_outcomes_of_checks_are_the_contracts_symbols() -> None:
    assert [check.value for check in Check] == ["passed", "failed", "not_performed"]
