"""Signed records: only the bytes that were signed, by the one encoding there is."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.crypto.identity import IdentityKey
from hub.envelope.contracts import decode_body
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import KeyDestroyed
from hub.envelope.signed import SCHEMA_ID, Signature, Signed, message, sign
from schemas import registry
from tests.unit.envelope.support import NOW, identity

PARSED = registry.contract("SignedRecord").parsed
BODY = KeyDestroyed("router", 202604, bytes(8), NOW).encode()
VALUE = sign("KeyDestroyed", BODY, identity("router"), identity("admin"))


def agrees(value: bytes) -> None:
    """Refused, or exactly what fastavro reads and writes."""
    try:
        signed = Signed.parse(value)
    except EnvelopeError:
        return
    read: Any = fastavro.schemaless_reader(BytesIO(value[5:]), PARSED, None)
    out = BytesIO()
    fastavro.schemaless_writer(out, PARSED, read)
    assert value[:5] + out.getvalue() == value == signed.encode()
    assert read["body"] == signed.body
    assert [Signature(**each) for each in read["signatures"]] == list(signed.signatures)


def test_signed_record_is_what_fastavro_reads() -> None:
    agrees(VALUE)
    signed = Signed.parse(VALUE)
    assert (signed.body, signed.name) == (BODY, "KeyDestroyed")
    assert [each.key_id for each in signed.signatures] == sorted([identity("router").key_id, identity("admin").key_id])


@settings(max_examples=400)
@given(st.data())
def test_any_edit_is_refused_or_is_what_fastavro_reads(data: st.DataObject) -> None:
    at = data.draw(st.integers(5, len(VALUE) - 1))
    until = data.draw(st.integers(at, min(at + 4, len(VALUE))))
    agrees(VALUE[:at] + data.draw(st.binary(max_size=4)) + VALUE[until:])


def test_every_truncation_extension_or_flip_is_refused_or_breaks_a_signature() -> None:
    signers = [identity("router"), identity("admin")]
    for end in range(len(VALUE)):
        with pytest.raises(EnvelopeError):
            Signed.parse(VALUE[:end])
    with pytest.raises(EnvelopeError) as refused:
        Signed.parse(VALUE + b"\x00")
    assert refused.value.reason is Reason.TRAILING_BYTES
    for at in range(len(VALUE)):
        changed = bytearray(VALUE)
        changed[at] ^= 1
        try:
            signed = Signed.parse(bytes(changed))
            assert not all(signed.verify(key.key_id, key.public) for key in signers)
        except EnvelopeError:
            continue


def test_signature_does_not_pass_for_another_record_or_key() -> None:
    signed = Signed.parse(VALUE)
    router = identity("router")
    assert signed.verify(router.key_id, router.public)
    assert not signed.verify(router.key_id, identity("admin").public)
    assert not signed.verify(IdentityKey.generate().key_id, router.public)
    other = message("Checkpoint", BODY)
    forged = Signed(BODY, (Signature(router.key_id, router.sign(other)),))
    assert not forged.verify(router.key_id, router.public)


def test_signing_under_another_name_is_refused() -> None:
    with pytest.raises(EnvelopeError) as refused:
        sign("Checkpoint", BODY, identity("router"))
    assert refused.value.reason is Reason.FOREIGN_SCHEMA
    for keys in ((), (identity("router"),) * 9):
        with pytest.raises(EnvelopeError):
            sign("KeyDestroyed", BODY, *keys)


def test_no_signature_twice_the_same_or_nine_are_refused() -> None:
    mark = Signature(bytes(8), bytes(64))
    marks = [Signature(bytes([number]) * 8, bytes(64)) for number in range(9)]
    for signatures, reason in (
        ((), Reason.MALFORMED),
        ((mark, mark), Reason.MALFORMED),
        (tuple(reversed(marks[:3])), Reason.MALFORMED),
        (tuple(marks), Reason.TOO_LARGE),
    ):
        with pytest.raises(EnvelopeError) as refused:
            Signed.parse(Signed(BODY, signatures).encode())
        assert refused.value.reason is reason


def test_body_with_trailing_bytes_or_of_another_record_is_refused() -> None:
    """Four byte strings decode equal in fastavro; one of them is the record."""
    for body, reason in (
        (BODY + b"\x00", Reason.TRAILING_BYTES),
        (BODY[:-1], Reason.TRUNCATED),
        (b"{}", Reason.NOT_FRAMED),
        (b"\x00\xff\xff\xff\xff", Reason.UNKNOWN_SCHEMA),
        (VALUE, Reason.FOREIGN_SCHEMA),
    ):
        with pytest.raises(EnvelopeError) as refused:
            decode_body("KeyDestroyed", body)
        assert refused.value.reason is reason
    assert VALUE[:5] == b"\x00" + SCHEMA_ID.to_bytes(4, "big")


def test_most_signatures_and_the_largest_body() -> None:
    signers = [IdentityKey.from_seed(bytes([number]) * 32) for number in range(9)]
    most = Signed.parse(sign("KeyDestroyed", BODY, *signers[:8]))
    assert all(most.verify(key.key_id, key.public) for key in signers[:8])
    with pytest.raises(EnvelopeError) as refused:
        sign("KeyDestroyed", BODY, *signers)
    assert refused.value.reason is Reason.TOO_LARGE
    largest = BODY[:5] + bytes(4 * 1024 * 1024 - 5)
    value = sign("KeyDestroyed", largest, signers[0])
    assert Signed.parse(value).body == largest
    with pytest.raises(EnvelopeError) as refused:
        sign("KeyDestroyed", largest + b"\x00", signers[0])
    assert refused.value.reason is Reason.TOO_LARGE
    with pytest.raises(EnvelopeError) as refused:
        Signed.parse(Signed(largest + b"\x00", Signed.parse(value).signatures).encode())
    assert refused.value.reason is Reason.TOO_LARGE


def test_body_of_no_contract_is_not_signed_and_has_no_name() -> None:
    body = b"\x00\xff\xff\xff\xff"
    with pytest.raises(EnvelopeError) as refused:
        sign("KeyDestroyed", body, identity("router"))
    assert refused.value.reason is Reason.FOREIGN_SCHEMA
    with pytest.raises(EnvelopeError) as refused:
        _ = Signed(body, ()).name
    assert refused.value.reason is Reason.UNKNOWN_SCHEMA
