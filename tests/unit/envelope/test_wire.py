"""Avro's numbers: one encoding each, 64 bits."""

from __future__ import annotations

from io import BytesIO

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.wire import encode_bytes, encode_long, encode_text, frame, frame_id, read_length, read_long, read_text

LONG = fastavro.parse_schema("long")


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_number_is_written_as_fastavro_writes_it_and_read_back(number: int) -> None:
    out = BytesIO()
    fastavro.schemaless_writer(out, LONG, number)
    assert encode_long(number) == out.getvalue()
    assert read_long(encode_long(number) + b"x", 0) == (number, len(encode_long(number)))


@given(st.binary(min_size=1, max_size=12))
def test_only_the_shortest_encoding_of_64_bits_is_read(data: bytes) -> None:
    try:
        number, end = read_long(data, 0)
    except (EnvelopeError, IndexError):
        return
    assert encode_long(number) == data[:end]


@pytest.mark.parametrize(
    "data",
    [b"\x80\x00", b"\x82\x80\x00", b"\xff" * 9 + b"\x02", b"\xff" * 9 + b"\x7f", b"\xff" * 10 + b"\x01", b"\x80" * 20],
)
def test_overlong_or_larger_number_is_refused(data: bytes) -> None:
    with pytest.raises(EnvelopeError):
        read_long(data, 0)


def test_number_of_65_bits_is_not_written() -> None:
    for number in (1 << 63, -(1 << 63) - 1):
        with pytest.raises(ValueError, match="64-bit"):
            encode_long(number)


def test_text_and_lengths_are_bounded_and_never_cut_short() -> None:
    assert read_text(b"\x06\xe5\x8c\xba!", 0, 3) == ("区", 4)
    for data, limit in ((b"\x06\xe5\x8c\xba", 2), (b"\x00", 9), (b"\x01", 9), (b"\x04\xe5\x8c", 9)):
        with pytest.raises(EnvelopeError):
            read_text(data, 0, limit)
    with pytest.raises(IndexError):
        read_text(b"\x06\xe5\x8c", 0, 9)
    with pytest.raises(EnvelopeError):
        read_length(b"\x14", 0, 9)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (63, "7e"),
        (-64, "7f"),
        (64, "8001"),
        (-65, "8101"),
        (8_191, "fe7f"),
        (8_192, "808001"),
        ((1 << 62) - 1, "feffffffffffffff7f"),
        (1 << 62, "80808080808080808001"),
        ((1 << 63) - 1, "feffffffffffffffff01"),
        (-(1 << 63), "ffffffffffffffffff01"),
    ],
)
def test_numbers_at_the_bounds_of_their_lengths(number: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert encode_long(number) == data
    assert read_long(b"\xff" + data + b"\xff", 1) == (number, 1 + len(data))
    for end in range(len(data)):
        with pytest.raises(IndexError):
            read_long(data[:end], 0)


@pytest.mark.parametrize("data", ["ffffffffffffffffff02", "80808080808080808080", "8080808080808080808001", "8000"])
def test_number_over_64_bits_or_longer_than_need_be_is_malformed(data: str) -> None:
    with pytest.raises(EnvelopeError) as refused:
        read_long(bytes.fromhex(data), 0)
    assert refused.value.reason is Reason.MALFORMED


def test_length_and_text_up_to_their_limit() -> None:
    assert read_length(b"\x08", 0, 4) == (4, 1) and read_length(b"\x00", 0, 4) == (0, 1)
    assert read_text(b"\x08text", 0, 4) == ("text", 5) and read_text(b"\x02x", 0, 4) == ("x", 2)
    for data, reason in ((b"\x08text", Reason.TOO_LARGE), (b"\x01", Reason.MALFORMED), (b"\x00", Reason.MALFORMED)):
        with pytest.raises(EnvelopeError) as refused:
            read_text(data, 0, 3)
        assert refused.value.reason is reason
    with pytest.raises(EnvelopeError) as refused:
        read_text(b"\x02\xff", 0, 3)
    assert refused.value.reason is Reason.MALFORMED


def test_frame_is_a_zero_and_four_bytes_of_the_schema_id() -> None:
    assert frame(0x01020304) == b"\x00\x01\x02\x03\x04" and frame_id(b"\x00\x01\x02\x03\x04") == 0x01020304
    assert frame_id(b"\x00\x00\x00\x00\x07rest") == 7
    for data in (b"", b"\x00\x00\x00\x07", b"\x01\x00\x00\x00\x07"):
        with pytest.raises(EnvelopeError) as refused:
            frame_id(data)
        assert refused.value.reason is Reason.NOT_FRAMED


def test_text_is_written_as_utf8_and_a_lone_surrogate_is_not() -> None:
    assert encode_text("区") == b"\x06\xe5\x8c\xba" and encode_bytes(b"") == b"\x00"
    with pytest.raises(EnvelopeError) as refused:
        encode_text("\ud800")
    assert refused.value.reason is Reason.HEADER_INVALID
