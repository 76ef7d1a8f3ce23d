"""Which schema ids the hand-written codecs of this room stand for, and the codec for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.envelope.reasons import EnvelopeError, Reason
from schemas import codec, registry
from schemas.codec import CodecError


def schema_id(name: str, version: int = 1) -> int:
    """Return the locked id of one version of a contract."""
    for contract in registry.all_contracts():
        if contract.name == name and contract.version == version:
            return contract.schema_id
    raise LookupError(f"no contract {name} version {version}")


def encode_body(name: str, value: Mapping[str, Any]) -> bytes:
    """Encode a record to a framed body. Raises MALFORMED if it breaks its contract."""
    try:
        return codec.encode(name, value)
    except CodecError as problem:
        raise EnvelopeError(Reason.MALFORMED) from problem


def decode_body(name: str, body: bytes) -> dict[str, Any]:
    """Decode a framed body, accepting only its one canonical encoding. Raises EnvelopeError."""
    try:
        decoded = codec.decode(body, {name})
    except CodecError as problem:
        raise EnvelopeError(_REASONS.get(problem.code, Reason.MALFORMED)) from problem
    return dict(decoded.value)


_REASONS: Final = {
    "codec.not-framed": Reason.NOT_FRAMED,
    "codec.unknown-schema": Reason.UNKNOWN_SCHEMA,
    "codec.foreign-schema": Reason.FOREIGN_SCHEMA,
    "codec.truncated": Reason.TRUNCATED,
    "codec.trailing-bytes": Reason.TRAILING_BYTES,
    "codec.too-many": Reason.TOO_LARGE,
}
