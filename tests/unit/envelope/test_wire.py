"""Avro's numbers: one encoding each, 64 bits."""

from __future__ import annotations

from io import BytesIO

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.envelope.reasons import EnvelopeError
from hub.envelope.wire import encode_long, read_length, read_long, read_text

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
