"""Nobody makes a second valid form of a signed record, but for signatures that nobody counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from hub.crypto.identity import IdentityKey, verify
from hub.envelope import header as headers
from hub.envelope import validation as v
from hub.envelope.contracts import decode_body
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import (
    Checkpoint,
    CheckpointEntry,
    ClosedPartition,
    DeadLetterNotice,
    KeyDestroyed,
    Session,
    SessionClose,
    StoredEvent,
    StoredReceipt,
)
from hub.envelope.sealed import parse
from hub.envelope.signed import Signature, Signed, message, sign
from hub.envelope.trust import Trust, TrustRefused
from schemas.codec import CodecError, decode
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.envelope import avro_forms
from tests.unit.envelope.support import (
    NOW,
    REVIEW,
    YEAR,
    T,
    audience_key,
    identity,
    seed,
    signed_audience_key,
    trust,
    trust_builder,
    world,
)

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19
SESSION = world().session
BODY = Checkpoint(SESSION.id, 0, 0, (CheckpointEntry(bytes(32)), CheckpointEntry(bytes(32), True)), None, NOW).encode()
PORTAL, ADMIN = identity("portal"), identity("admin")


def checkpoint(value: bytes | Signed) -> Checkpoint | Reason:
    return v.validate_checkpoint(value, SESSION, trust(), NOW)


def marked(*marks: tuple[bytes, bytes]) -> bytes:
    """The checkpoint with these (key id, signature), in the order that parsing demands."""
    return Signed(BODY, tuple(Signature(*mark) for mark in sorted(marks))).encode()


def mark(key: IdentityKey, name: str = Checkpoint.RECORD, body: bytes = BODY) -> tuple[bytes, bytes]:
    return key.key_id, key.sign(message(name, body))


def test_other_forms_of_one_signature_are_none(attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "adds the group order to a signature's S, or writes S or R in another form")
    known, signature = mark(PORTAL)
    assert isinstance(checkpoint(marked((known, signature))), Checkpoint)
    s = int.from_bytes(signature[32:], "little")
    others = [signature[:32] + (s + times * ORDER).to_bytes(32, "little") for times in range(1, 16)]
    others += [signature[:31] + bytes((signature[31] ^ 0x80,)) + signature[32:]]
    others += [signature[:63] + bytes((signature[63] | bit,)) for bit in (0x20, 0x40, 0x80)]
    r = int.from_bytes(signature[:32], "little")
    if r % 2**255 < 19:
        others.append((r + PRIME).to_bytes(32, "little") + signature[32:])
    found = {checkpoint(marked((known, each))) for each in others}
    assert found == {Reason.BAD_SIGNATURE}
    tried.prevented(by="router and every desk", how=f"dead letter `{Reason.BAD_SIGNATURE.value}`", within="its batch")


def test_signer_cannot_make_a_second_form_of_its_own_signature() -> None:
    """With R the neutral element, which has three encodings, only the signer's own could be a second form."""
    digest = bytearray(hashlib.sha512(PORTAL.seed()).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    scalar = int.from_bytes(digest, "little")
    neutral = (1).to_bytes(32, "little")
    accepted = []
    for r in (neutral, (PRIME + 1).to_bytes(32, "little"), (1 | 1 << 255).to_bytes(32, "little")):
        text = message(Checkpoint.RECORD, BODY)
        challenge = int.from_bytes(hashlib.sha512(r + PORTAL.public + text).digest(), "little")
        s = challenge * scalar % ORDER
        if isinstance(checkpoint(marked((PORTAL.key_id, r + s.to_bytes(32, "little")))), Checkpoint):
            accepted.append(r)
    assert accepted in ([], [neutral]), "only the one canonical encoding, if any"


SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
"""All encodings, canonical or not, of the eight points whose order divides 8."""


def test_key_of_small_order_signs_nothing(attack: Attack) -> None:
    """Under such a key one signature fits (nearly) every message: who gave it could say it had signed none of them."""
    tried = attack(Attacker.PORTAL, "hands in a public key of small order, under which one signature fits any message")
    fitting = 0
    for public in map(bytes.fromhex, SMALL_ORDER):
        for r in map(bytes.fromhex, SMALL_ORDER):
            for text in (b"one", b"another", b"a third", b"a fourth"):
                fitting += verify(public, r + bytes(32), text)
        builder = trust_builder()
        builder.identity("portal", public, NOW - YEAR, NOW + YEAR)
        with pytest.raises(TrustRefused):
            Trust.load(builder.sign(NOW, ADMIN), ADMIN.public)
    assert fitting == 0
    tried.prevented(by="every role", how="trust.refused; no signature holds under such a key", within="at once")


def test_signatures_of_others_count_for_nothing_and_change_no_hash(attack: Attack) -> None:
    tried = attack(
        Attacker.BROKER, "adds a valid signature by a key that nobody knows to a signed record", Verdict.CONTAINED
    )
    stranger = IdentityKey.from_seed(seed("stranger"))
    plain, more = marked(mark(PORTAL)), marked(mark(PORTAL), mark(stranger))
    assert plain != more
    assert Signed.parse(plain).hash == Signed.parse(more).hash
    assert checkpoint(plain) == checkpoint(more)
    assert isinstance(checkpoint(more), Checkpoint)
    session = world().secrets.signed
    body = Signed.parse(session).body
    again = sign(Session.RECORD, body, PORTAL, stranger, identity("router"))
    assert again != session
    assert v.validate_session(again, trust(), NOW) == v.validate_session(session, trust(), NOW) == SESSION
    assert checkpoint(marked(mark(stranger))) is Reason.UNTRUSTED
    tried.contained(
        by="every reader", how="the same record: its id and hash are of the body alone, and it counts once",
        within="at once",
    )  # fmt: skip


def test_signatures_cannot_be_exchanged_or_repeated(attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "exchanges, repeats, reorders or takes over signatures and key ids")
    router = identity("router")
    (portal_id, portal_signature), (router_id, router_signature) = mark(PORTAL), mark(router)
    review_receipt = mark(PORTAL, name="StoredReceipt")
    cases: list[tuple[bytes, Reason]] = [
        (marked((portal_id, router_signature), (router_id, portal_signature)), Reason.BAD_SIGNATURE),
        (marked((portal_id, router_signature)), Reason.BAD_SIGNATURE),
        (marked((router_id, portal_signature)), Reason.UNTRUSTED),
        (marked((portal_id, portal_signature), (portal_id, portal_signature)), Reason.MALFORMED),
        (marked((portal_id, portal_signature), (portal_id, router_signature)), Reason.MALFORMED),
        (marked(review_receipt), Reason.BAD_SIGNATURE),
        (marked(mark(PORTAL, body=BODY[:-1])), Reason.BAD_SIGNATURE),
        (marked((portal_id, bytes(64))), Reason.BAD_SIGNATURE),
        (Signed(BODY, ()).encode(), Reason.MALFORMED),
        (
            Signed(
                BODY, tuple(Signature(*each) for each in sorted([mark(PORTAL), mark(router)], reverse=True))
            ).encode(),
            Reason.MALFORMED,
        ),
    ]
    for value, reason in cases:
        assert checkpoint(value) is reason
    codes = sorted({reason.value for _, reason in cases})
    tried.prevented(
        by="router and every desk", how=f"dead letter {', '.join(f'`{code}`' for code in codes)}", within="its batch"
    )


def test_key_that_lost_a_signature_is_no_key(attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "takes the owner's or the administrator's signature off an audience key")
    signed = Signed.parse(signed_audience_key(audience_key(REVIEW)))
    assert len(signed.signatures) == 2
    for kept in signed.signatures:
        value = Signed(signed.body, (kept,)).encode()
        assert v.validate_audience_key(value, trust(), NOW) is Reason.UNTRUSTED
    tried.prevented(by="producers and readers", how="the key does not count (`untrusted`)", within="at once")


def _statements() -> dict[str, tuple[bytes, IdentityKey | None, Callable[[bytes], object]]]:
    """Each signed record: a good body, who signs it, and who judges it."""
    entry = StoredEvent(0, world().event.event_id, world().event.leaf)
    closed = (ClosedPartition(0, -1, None), ClosedPartition(3, 0, bytes(32)))
    sealed = parse(world().event.value)
    notice = DeadLetterNotice(T, sealed.header, sealed.digests, Reason.BAD_MAC, NOW)
    admin = identity("admin")
    return {
        "Session": (SESSION.encode(), PORTAL, lambda value: v.validate_session(value, trust(), NOW)),
        "Checkpoint": (BODY, PORTAL, checkpoint),
        "SessionClose": (
            SessionClose(SESSION.id, closed, NOW).encode(),
            PORTAL,
            lambda value: v.validate_close(value, SESSION, trust(), NOW),
        ),
        "StoredReceipt": (
            StoredReceipt(SESSION.id, 3, T, REVIEW, (entry, replace(entry, sequence=1)), NOW).encode(),
            identity(REVIEW),
            lambda value: v.validate_receipt(value, trust(), NOW),
        ),
        "DeadLetterNotice": (
            notice.encode(),
            identity("router"),
            lambda value: v.validate_notice(value, trust(), NOW),
        ),
        "AudienceKey": (
            audience_key(REVIEW).encode(),
            None,
            lambda value: v.validate_audience_key(value, trust(), NOW),
        ),
        "KeyDestroyed": (
            KeyDestroyed(REVIEW, 202604, bytes(8), NOW).encode(),
            None,
            lambda value: v.validate_key_destroyed(value, trust(), NOW),
        ),
        "Trust": (Signed.parse(trust_builder().sign(NOW, admin)).body, admin, _load),
    }


def _load(value: bytes) -> object:
    try:
        return Trust.load(value, ADMIN.public)
    except TrustRefused as problem:
        return Reason.MALFORMED if problem.detail in (Reason.MALFORMED.value, Reason.TRUNCATED.value) else problem


def test_every_record_has_one_encoding_even_for_its_own_signer(attack: Attack) -> None:
    """Overlong numbers, counts with a size, split arrays, booleans of 2: signed properly, and refused all the same."""
    tried = attack(Attacker.PORTAL, "signs a second encoding of the same record, so that it has two hashes")
    seen: Counter[str] = Counter()
    for name, (body, signer, judge) in _statements().items():
        value: Mapping[str, Any] = decode_body(name, body)
        assert avro_forms.encoded(name, value) == body, name
        keys = [signer] if signer else [identity(REVIEW), ADMIN]
        assert not isinstance(judge(sign(name, body, *keys)), Reason), name
        for form, odd in avro_forms.odd_forms(name, value):
            assert judge(sign(name, odd, *keys)) is Reason.MALFORMED, form
            seen[name] += 1
    assert set(seen) == set(_statements())
    assert min(seen.values()) >= 3, seen
    tried.prevented(by="every reader", how=f"refused as `{Reason.MALFORMED.value}`", within="its batch")


def test_event_and_header_have_one_encoding(attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "writes an event or a signed record in another Avro encoding")
    event, header = parse(world().event.value), world().header
    sections = [{"audience": s.audience, "digest": s.digest, "ciphertext": s.ciphertext} for s in event.sections]
    signed = Signed.parse(marked(mark(PORTAL), mark(ADMIN)))
    marks = [{"key_id": each.key_id, "signature": each.signature} for each in signed.signatures]
    fields = dict(zip(header._fields, header, strict=True))
    named = {name.removesuffix("_ms"): value for name, value in fields.items()}
    cases: list[tuple[str, Mapping[str, Any], bytes, Callable[[bytes], object]]] = [
        ("SealedEvent", {"header": event.header, "sections": sections, "mac": event.mac}, event.value, parse),
        ("SignedRecord", {"body": signed.body, "signatures": marks}, signed.encode(), Signed.parse),
        ("EventHeader", named, event.header, headers.decode),
    ]
    count = 0
    for name, value, normal, read in cases:
        assert avro_forms.encoded(name, value) == normal, name
        read(normal)
        for form, odd in avro_forms.odd_forms(name, value):
            with pytest.raises(EnvelopeError):
                read(odd)
            count += 1
            assert form
    assert count > 20
    tried.prevented(by="router and every desk", how="dead letter `malformed` or `header-invalid`", within="its batch")


def test_codec_agrees_that_there_is_one_form() -> None:
    for name, (body, _, _) in _statements().items():
        for form, odd in avro_forms.odd_forms(name, decode_body(name, body)):
            with pytest.raises(CodecError):
                decode(odd, {name})
            assert form
