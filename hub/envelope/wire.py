"""Avro's primitive encodings, strictly: one byte string per value, or refusal.

long  = zigzag, then base 128 little-endian groups; minimal: the last byte is not 0x00 unless it is the only one
bytes = long length ‖ content;  string = the same, UTF-8
frame = 0x00 ‖ u32 schema id
"""

from __future__ import annotations

from hub.envelope.reasons import EnvelopeError, Reason

FRAME_BYTES = 5


def frame(schema_id: int) -> bytes:
    """Return the five bytes in front of a record."""
    return b"\x00" + schema_id.to_bytes(4, "big")


def frame_id(data: bytes) -> int:
    """Return the schema id of a framed record. Raises NOT_FRAMED."""
    if len(data) < FRAME_BYTES or data[0]:
        raise EnvelopeError(Reason.NOT_FRAMED)
    return int.from_bytes(data[:FRAME_BYTES], "big")  # the first byte is zero


def encode_long(value: int) -> bytes:
    """Encode a signed 64-bit number, 1 to 10 bytes."""
    rest = value << 1 if value >= 0 else (~value << 1) | 1
    if rest >> 64:
        raise ValueError("not a 64-bit number")
    if rest < 0x80:
        return bytes((rest,))
    out = bytearray()
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def encode_bytes(value: bytes) -> bytes:
    """Encode a length and the content."""
    return encode_long(len(value)) + value


def encode_text(value: str) -> bytes:
    """Encode a string; lone surrogates have no encoding and raise HEADER_INVALID."""
    try:
        return encode_bytes(value.encode())
    except UnicodeEncodeError as problem:
        raise EnvelopeError(Reason.HEADER_INVALID) from problem


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """Read a number; return it and the place behind it. Raises IndexError at the data's end, MALFORMED."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    value = byte & 0x7F
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise EnvelopeError(Reason.MALFORMED)
    if not byte or value >> 64:
        raise EnvelopeError(Reason.MALFORMED)
    return (value >> 1) ^ -(value & 1), at


def read_length(data: bytes, at: int, limit: int) -> tuple[int, int]:
    """Read a length of 0 to `limit`. Raises IndexError at the end of the data, MALFORMED, TOO_LARGE."""
    length, at = read_long(data, at)
    if length < 0:
        raise EnvelopeError(Reason.MALFORMED)
    if length > limit:
        raise EnvelopeError(Reason.TOO_LARGE)
    return length, at


def read_text(data: bytes, at: int, limit: int) -> tuple[str, int]:
    """Read a string of 1 to `limit` bytes. Raises IndexError or a refusal; a slice never comes out short."""
    length, start = read_length(data, at, limit)
    at = start + length
    if at > len(data):
        raise IndexError
    if not length:
        raise EnvelopeError(Reason.MALFORMED)
    try:
        return data[start:at].decode(), at
    except UnicodeDecodeError as problem:
        raise EnvelopeError(Reason.MALFORMED) from problem
