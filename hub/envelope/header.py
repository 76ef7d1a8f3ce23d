"""The event header: public to whoever may read the topic, passed on byte for byte, never encoded again.

What a session and a partition fix comes first, so that the router compares one constant prefix and reads
only the rest. Decoding is by hand and strict: what it accepts has exactly one encoding (fastavro is the
oracle in the tests).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from hub.envelope.contracts import schema_id
from hub.envelope.event_ids import PATTERN, is_event_id
from hub.envelope.limits import (
    MAX_NAME_BYTES,
    MAX_RECEIPT_NUMBER_BYTES,
    MAX_TIME_MS,
)
from hub.envelope.names import Kind, is_tenant
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.times import from_ms
from hub.envelope.wire import FRAME_BYTES, encode_long, encode_text, frame, frame_id, read_long, read_text

SCHEMA_ID: Final = schema_id("EventHeader")
_FRAME: Final = frame(SCHEMA_ID)
SESSION_AT: Final = FRAME_BYTES
SESSION_END: Final = FRAME_BYTES + 32
_KINDS: Final = tuple(Kind)
_HASH_BYTES: Final = 32
_EVENT_ID_BYTES: Final = 36
_EVENT_ID_LENGTH: Final = 72
"""the one-byte encoding of 36"""
_MAX_INT: Final = (1 << 31) - 1
_MAX_LONG: Final = (1 << 63) - 1
_is_event_id = PATTERN.fullmatch


class Check(StrEnum):
    """The outcome of a check that the portal made."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PERFORMED = "not_performed"


_CHECKS: Final = tuple(Check)
_CHECK_BYTES: Final = {check: encode_long(place) for place, check in enumerate(_CHECKS)}
_CHECK_OF: Final = {place << 1: check for place, check in enumerate(_CHECKS)}


class Cause(NamedTuple):
    """The event that a `status` or `accepted` event answers."""

    event_id: str
    leaf: bytes


class EventHeader(NamedTuple):
    """A header's fields, in the order of the wire. Times are milliseconds since 1970-01-01T00:00:00Z.

    A NamedTuple and not a dataclass: the router makes one per event, and a frozen dataclass of 16 fields
    takes three times as long.
    """

    session: bytes
    kind: Kind
    tenant: str
    producer: str
    partition: int
    sequence: int
    event_id: str
    receipt_number: str
    procedure: str
    procedure_version: int
    tax_item: str | None
    accepted_at_ms: int
    produced_at_ms: int
    calculation_check: Check
    signature_check: Check
    cause: Cause | None

    @property
    def accepted_at(self) -> datetime:
        """Legal time of acceptance at the portal, UTC."""
        return from_ms(self.accepted_at_ms)

    @property
    def produced_at(self) -> datetime:
        """When the producer sealed the event, UTC."""
        return from_ms(self.produced_at_ms)


Fixed = tuple[bytes, Kind, str, str, int]
"""What a session and a partition fix: session, kind, tenant, producer, partition."""


def prefix(fixed: Fixed) -> bytes:
    """Return the bytes with which every header of one session and partition begins.

    frame ‖ session(32) ‖ kind ‖ string tenant ‖ string producer ‖ int partition
    """
    session, kind, tenant, producer, partition = fixed
    if len(session) != _HASH_BYTES or not is_tenant(tenant) or not 0 <= partition <= _MAX_INT:
        raise EnvelopeError(Reason.HEADER_INVALID)
    return b"".join(
        (
            _FRAME,
            session,
            encode_long(_KINDS.index(kind)),
            encode_text(tenant),
            _name(producer),
            encode_long(partition),
        )
    )


def encode(header: EventHeader) -> bytes:
    """Encode a header, framed; its fields' bounds keep it under MAX_HEADER_BYTES.

    Raises HEADER_INVALID, or CAUSE, if it breaks a rule.
    """
    if not is_event_id(header.event_id):
        raise EnvelopeError(Reason.HEADER_INVALID)
    parts = [
        prefix(header[:5]),
        encode_long(_from_zero(header.sequence, _MAX_LONG)),
        encode_text(header.event_id),
        _name(header.receipt_number, MAX_RECEIPT_NUMBER_BYTES),
        _name(header.procedure),
        encode_long(_from_zero(header.procedure_version - 1, _MAX_INT - 1) + 1),
        b"\x00" if header.tax_item is None else b"\x02" + _name(header.tax_item),
        encode_long(_from_zero(header.accepted_at_ms, MAX_TIME_MS - 1)),
        encode_long(_from_zero(header.produced_at_ms, MAX_TIME_MS - 1)),
        _CHECK_BYTES[header.calculation_check],
        _CHECK_BYTES[header.signature_check],
        b"\x00",
    ]
    if (header.cause is None) != (header.kind is Kind.SUBMISSION):
        raise EnvelopeError(Reason.CAUSE)
    if header.cause is not None:
        if not is_event_id(header.cause.event_id) or len(header.cause.leaf) != _HASH_BYTES:
            raise EnvelopeError(Reason.CAUSE)
        parts[-1] = b"\x02" + encode_text(header.cause.event_id) + header.cause.leaf
    return b"".join(parts)


def _name(text: str, limit: int = MAX_NAME_BYTES) -> bytes:
    encoded = encode_text(text)
    if not text or len(text.encode()) > limit:
        raise EnvelopeError(Reason.HEADER_INVALID)
    return encoded


def _from_zero(value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise EnvelopeError(Reason.HEADER_INVALID)
    return value


def decode(header: bytes) -> EventHeader:
    """Read a header whole. Raises FOREIGN_SCHEMA, CAUSE or HEADER_INVALID."""
    fixed, at = read_fixed(header)
    return read_rest(header, at, fixed)


def read_fixed(header: bytes) -> tuple[Fixed, int]:
    """Read what a session and a partition fix; return it and the place behind it. Raises as `decode`."""
    if frame_id(header) != SCHEMA_ID:
        raise EnvelopeError(Reason.FOREIGN_SCHEMA)
    try:
        kind, at = read_long(header, SESSION_END)
        tenant, at = read_text(header, at, MAX_NAME_BYTES)
        producer, at = read_text(header, at, MAX_NAME_BYTES)
        partition, at = read_long(header, at)
    except (IndexError, EnvelopeError) as problem:
        raise EnvelopeError(Reason.HEADER_INVALID) from problem
    if not 0 <= kind < len(_KINDS) or not is_tenant(tenant) or not 0 <= partition <= _MAX_INT:
        raise EnvelopeError(Reason.HEADER_INVALID)
    return (header[SESSION_AT:SESSION_END], _KINDS[kind], tenant, producer, partition), at


def read_rest(header: bytes, at: int, fixed: Fixed) -> EventHeader:
    """Read what follows the prefix, to the exact end. Raises CAUSE or HEADER_INVALID."""
    try:
        sequence, at = read_long(header, at)
        event_id, at = _event_id(header, at)
        receipt_number, at = read_text(header, at, MAX_RECEIPT_NUMBER_BYTES)
        procedure, at = read_text(header, at, MAX_NAME_BYTES)
        version, at = read_long(header, at)
        tax_item: str | None = None
        if header[at] == 2:
            tax_item, at = read_text(header, at + 1, MAX_NAME_BYTES)
        elif header[at]:
            raise EnvelopeError(Reason.HEADER_INVALID)
        else:
            at += 1
        accepted, at = read_long(header, at)
        produced, at = read_long(header, at)
        calculation = _CHECK_OF[header[at]]
        signature = _CHECK_OF[header[at + 1]]
        cause, at = (None, at + 3) if header[at + 2] == 0 else _cause(header, at + 2)
    except (IndexError, KeyError, EnvelopeError) as problem:
        raise EnvelopeError(Reason.HEADER_INVALID) from problem
    if (
        at != len(header)
        or sequence < 0
        or not 1 <= version <= _MAX_INT
        or not 0 <= accepted < MAX_TIME_MS
        or not 0 <= produced < MAX_TIME_MS
    ):
        raise EnvelopeError(Reason.HEADER_INVALID)
    if (cause is None) != (fixed[1] is Kind.SUBMISSION):
        raise EnvelopeError(Reason.CAUSE)
    return EventHeader(
        *fixed,
        sequence,
        event_id,
        receipt_number,
        procedure,
        version,
        tax_item,
        accepted,
        produced,
        calculation,
        signature,
        cause,
    )


def _event_id(header: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + _EVENT_ID_BYTES
    if header[at] != _EVENT_ID_LENGTH:
        raise EnvelopeError(Reason.HEADER_INVALID)
    text = header[at + 1 : end].decode("latin-1")
    if not _is_event_id(text):
        raise EnvelopeError(Reason.HEADER_INVALID)
    return text, end


def _cause(header: bytes, at: int) -> tuple[Cause, int]:
    if header[at] != 2:
        raise EnvelopeError(Reason.HEADER_INVALID)
    event_id, at = _event_id(header, at + 1)
    end = at + _HASH_BYTES
    return Cause(event_id, header[at:end]), end  # beyond the header's end, if it is cut: the caller compares
