"""Signed records: a body as its signers saw it. Nobody encodes a body again.

    value     = frame ‖ bytes body ‖ long n ‖ n × (key id(8) ‖ signature(64)) ‖ 0x00        (1 ≤ n ≤ 8)
    signature = Ed25519 over L(short record name) ‖ body
    hash      = SHA-256(body)

Key ids are strictly ascending. The record's name comes from the schema id in front of the body, so a
signature cannot be carried over to another kind of record.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hub.crypto.hkdf import sha256
from hub.crypto.identity import KEY_ID_BYTES, SIGNATURE_BYTES, IdentityKey, verify
from hub.crypto.labels import label
from hub.envelope.contracts import schema_id
from hub.envelope.limits import MAX_BODY_BYTES, MAX_SIGNATURES
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.wire import FRAME_BYTES, encode_bytes, encode_long, frame, frame_id, read_length
from schemas import registry

SCHEMA_ID: Final = schema_id("SignedRecord")
_ACCEPTED: Final = frozenset({SCHEMA_ID})
_FRAME: Final = frame(SCHEMA_ID)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signer's mark: which key, and 64 bytes."""

    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A parsed signed record. Parsing says nothing of who signed: see `verify` and hub.envelope.validation."""

    body: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, value: bytes, schema_ids: Collection[int] = _ACCEPTED) -> Signed:
        """Read a signed record strictly.

        Raises NOT_FRAMED, FOREIGN_SCHEMA, TOO_LARGE, TRUNCATED, MALFORMED or TRAILING_BYTES.
        """
        if frame_id(value) not in schema_ids:
            raise EnvelopeError(Reason.FOREIGN_SCHEMA)
        try:
            length, at = read_length(value, FRAME_BYTES, MAX_BODY_BYTES)
            body = value[at : at + length]
            at += length
            count, at = read_length(value, at, MAX_SIGNATURES)
            if not count:
                raise EnvelopeError(Reason.MALFORMED)
            signatures = []
            for _ in range(count):
                middle, end = at + KEY_ID_BYTES, at + KEY_ID_BYTES + SIGNATURE_BYTES
                signatures.append(Signature(value[at:middle], value[middle:end]))
                at = end
            if value[at]:
                raise EnvelopeError(Reason.MALFORMED)
        except IndexError as problem:
            raise EnvelopeError(Reason.TRUNCATED) from problem
        if at + 1 != len(value):
            raise EnvelopeError(Reason.TRAILING_BYTES)
        if any(one.key_id >= other.key_id for one, other in pairwise(signatures)):
            raise EnvelopeError(Reason.MALFORMED)
        return cls(body, tuple(signatures))

    @property
    def hash(self) -> bytes:
        """SHA-256(body), 32 bytes: by this other records refer to it; a session's is its id."""
        return sha256(self.body)

    @property
    def name(self) -> str:
        """Short name of the record in the body. Raises NOT_FRAMED or UNKNOWN_SCHEMA."""
        contract = registry.by_id(frame_id(self.body))
        if contract is None:
            raise EnvelopeError(Reason.UNKNOWN_SCHEMA)
        return contract.name

    def verify(self, key_id: bytes, public: bytes) -> bool:
        """Say whether the signature that names `key_id` is there and is `public`'s."""
        for signature in self.signatures:
            if signature.key_id == key_id:
                return verify(public, signature.signature, message(self.name, self.body))
        return False

    def encode(self) -> bytes:
        """Write the framed record."""
        parts = [_FRAME, encode_bytes(self.body), encode_long(len(self.signatures))]
        for signature in self.signatures:
            parts += (signature.key_id, signature.signature)
        return b"".join((*parts, b"\x00"))


def message(name: str, body: bytes) -> bytes:
    """Return what is signed: L(short record name) ‖ body."""
    return label(name) + body


def sign(name: str, body: bytes, *keys: IdentityKey) -> bytes:
    """Sign a framed body; return the framed SignedRecord. Raises FOREIGN_SCHEMA if the body is no `name`."""
    if not 0 < len(keys) <= MAX_SIGNATURES or len(body) > MAX_BODY_BYTES:
        raise EnvelopeError(Reason.TOO_LARGE)
    contract = registry.by_id(frame_id(body))
    if contract is None or contract.name != name:
        raise EnvelopeError(Reason.FOREIGN_SCHEMA)
    text = message(name, body)
    marks = sorted((key.key_id, key.sign(text)) for key in keys)
    return Signed(body, tuple(Signature(*mark) for mark in marks)).encode()
