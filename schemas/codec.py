"""One codec: framed Avro, written by fastavro, read strictly.

    framed = 0x00 ‖ u32 big-endian schema id ‖ Avro body          (the Confluent wire format)

A reader names the records it accepts. A byte string is accepted only if it is the one encoding of its
value (re-encoded equal): trailing bytes, overlong varints and split array blocks are refused
(docs/envelope.md, Limits).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from schemas import counting, registry
from schemas.errors import HubError
from schemas.narrow import Check, int_check

FRAME_BYTES = 5


class CodecError(HubError):
    """These bytes are not a record that may stand here."""

    code = "codec.malformed"


class NotFramed(CodecError):
    """These bytes do not begin with a schema id."""

    code = "codec.not-framed"


class UnknownSchema(CodecError):
    """The schema id is not in the lock."""

    code = "codec.unknown-schema"


class ForeignSchema(CodecError):
    """The record is known, but may not stand here."""

    code = "codec.foreign-schema"


class Truncated(CodecError):
    """The record ends too early."""

    code = "codec.truncated"


class TrailingBytes(CodecError):
    """Bytes follow the record's end."""

    code = "codec.trailing-bytes"


class TooManyItems(CodecError):
    """The record's arrays have more items than any reader takes."""

    code = "codec.too-many"


class NotCanonical(CodecError):
    """The bytes are not the one encoding of their value."""

    code = "codec.not-canonical"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded record: short name, version, and its value as plain Python data."""

    name: str
    version: int
    value: dict[str, Any]


def frame_id(data: bytes) -> int:
    """The schema id of a framed record (0 to 2^32 - 1); raises NotFramed."""
    if len(data) < FRAME_BYTES or data[0] != 0:
        raise NotFramed
    return int.from_bytes(data[1:FRAME_BYTES], "big")


def encode(name: str, value: Mapping[str, Any]) -> bytes:
    """Encode a record with the newest version of its contract; raises CodecError if it does not fit."""
    contract = registry.contract(name)
    framed = _encode(contract, value)
    _bound(contract, framed)  # nobody writes what nobody reads
    return framed


def _bound(contract: registry.Contract, framed: bytes) -> None:
    most = counting.MOST_ITEMS.get(contract.name, counting.MAX_ITEMS)
    if len(framed) > counting.COUNTED_BYTES and counting.too_many(_walk(contract), framed, FRAME_BYTES, most):
        raise TooManyItems(contract.name)


def _encode(contract: registry.Contract, value: Mapping[str, Any]) -> bytes:
    out = BytesIO()
    out.write(b"\x00" + contract.schema_id.to_bytes(4, "big"))
    try:
        schemaless_writer(out, contract.parsed, value)
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, UnicodeEncodeError):
        raise CodecError(contract.name) from None
    if not _ints_fit(contract, value):
        raise CodecError(contract.name)
    return out.getvalue()


@cache
def _walk(contract: registry.Contract) -> counting.Walk:
    return counting.walk_of(contract.schema)


@cache
def _int_check(contract: registry.Contract) -> Check | None:
    return int_check(contract.schema)


def _ints_fit(contract: registry.Contract, value: Mapping[str, Any]) -> bool:
    check = _int_check(contract)
    return check is None or check(value)


def decode(framed: bytes, accept: Collection[str]) -> Decoded:
    """Decode a framed record of one of the accepted names; raises a CodecError that says which rule it broke.

    What an older version wrote comes in the form of the newest, with its defaults.
    """
    contract = registry.by_id(frame_id(framed))
    if contract is None:
        raise UnknownSchema
    if contract.name not in accept:
        raise ForeignSchema(contract.name)
    _bound(contract, framed)
    source = BytesIO(framed)
    source.seek(FRAME_BYTES)
    try:
        value: Any = schemaless_reader(source, contract.parsed, None)
    except (EOFError, IndexError) as problem:
        # A length below zero, and a branch that enum or union has not, come as these too; told apart by their words.
        malformed = str(problem).startswith(("Expected -", "list index"))
        raise (CodecError if malformed else Truncated)(contract.name) from None
    except (ValueError, TypeError, KeyError, OverflowError, UnicodeDecodeError, MemoryError, RecursionError):
        raise CodecError(contract.name) from None
    if source.tell() != len(framed):
        raise TrailingBytes(contract.name)
    if _encode(contract, value) != framed:
        raise NotCanonical(contract.name)
    newest = registry.contract(contract.name)
    if newest is not contract:
        value = _resolved(framed, contract, newest)
    return Decoded(contract.name, contract.version, value)


def _resolved(framed: bytes, writer: registry.Contract, reader: registry.Contract) -> Any:
    try:
        return schemaless_reader(BytesIO(framed[FRAME_BYTES:]), writer.parsed, reader.parsed)
    except (SchemaResolutionError, ValueError, TypeError, KeyError, OverflowError):
        raise CodecError(writer.name) from None
