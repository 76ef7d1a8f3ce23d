"""Sealed events: parsing, inspection at every kind of hop, headers, the router's copies, a desk's intake."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from hub.crypto import sections as keys
from hub.crypto.errors import NotAuthentic
from hub.crypto.hkdf import sha256
from hub.crypto.secret import Secret
from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope.inspection import PRODUCED, STRIPPED, Inspected, Refusal, inspect, peek_session, routed_to
from hub.envelope.names import Kind
from hub.envelope.padding import pad, unpad
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import LetterResolved, Session
from hub.envelope.sealed import Sealed, build, outputs, parse
from hub.envelope.session import open_section
from hub.reading.intake import Expectation, Intake, Refused
from hub.transport import KafkaRecord
from schemas import codec
from schemas.codec import CodecError
from tests.fuzz import world
from tests.fuzz.guard import ensure, refusal
from tests.fuzz.target import Target
from topics.partition import partition_for

_PARTITIONS = 6
_HOPS = (
    (world.SUBMISSIONS, PRODUCED, True),
    (world.SUBMISSIONS, routed_to(world.REVIEW), False),
    (world.SUBMISSIONS, STRIPPED, False),
    (world.STATUS, PRODUCED, False),
)
_DIGESTS, _MAC, _SEAL, _HEADER, _INTAKE = 4, 8, 16, 32, 64


class Known:
    """The two sessions of the world, for an intake."""

    def find(self, session: bytes) -> Session | Reason:
        for topic in (world.SUBMISSIONS, world.STATUS):
            if session == world.session(topic).session.id:
                return world.session(topic).session
        return Reason.UNKNOWN_SESSION


class Opened:
    """The review desk's secrets."""

    def unlock(self, session: Session) -> Secret | Reason:
        return world.secret(session.topic, world.REVIEW)


@cache
def intake() -> Intake:
    expected = {
        world.SUBMISSIONS: Expectation(
            world.T,
            Kind.SUBMISSION,
            world.SUBMISSIONS,
            routed_to(world.REVIEW),
            notices=True,
            resolutions=LetterResolved.TOLD,
        ),
        world.STATUS: Expectation(world.T, Kind.STATUS, world.STATUS, PRODUCED, receipts=True, noticing=world.REVIEW),
    }
    return Intake(world.REVIEW, expected.__getitem__, lambda _: _PARTITIONS, Known(), Opened(), world.trust)


def _repaired(flags: int, payload: bytes, topic: str) -> bytes:
    """Give a mutated event the digests, ciphertexts or mac that its producer would have given it."""
    if flags & _HEADER:
        header = headers.prefix(world.header(topic)[:5]) + payload
        whole = parse(world.event(topic).value)
        return _built(flags, header, [(each.audience, each.digest, each.ciphertext) for each in whole.sections], topic)
    try:
        found = parse(payload)
    except EnvelopeError:
        return payload
    return _built(flags, found.header, [(s.audience, s.digest, s.ciphertext) for s in found.sections], topic, found.mac)


def _built(
    flags: int, header: bytes, sections: list[tuple[str, bytes, bytes | None]], topic: str, mac: bytes | None = None
) -> bytes:
    made = []
    for audience, digest, ciphertext in sections:
        if flags & _SEAL and ciphertext is not None:  # what is there becomes the plaintext, padding and all
            ciphertext = keys.seal_section(world.secret(topic, audience), header, audience, ciphertext)
        fix = ciphertext is not None and flags & (_DIGESTS | _SEAL)
        made.append((audience, sha256(ciphertext) if fix and ciphertext is not None else digest, ciphertext))
    try:
        whole = build(header, made, mac)
    except EnvelopeError:
        return header
    if flags & _MAC and topic == world.SUBMISSIONS:
        mac = keys.mac(keys.mac_key(world.secret(topic, "router")), parse(whole).leaf())
        whole = build(header, made, mac)
    return whole


def run(data: bytes) -> None:
    if not data:
        return
    flags, payload = data[0], data[1:]
    topic, expect, router = _HOPS[flags & 3]
    value = _repaired(flags, payload, topic) if flags & (_DIGESTS | _MAC | _SEAL | _HEADER) else payload
    sealed = refusal((EnvelopeError,), value, lambda: parse(value))
    if sealed is not None:
        _parsed(sealed, value)
    named = peek_session(value)
    ensure(isinstance(named, Refusal) or len(named) == 32, "a session id has 32 bytes")
    header = None if sealed is None else refusal((EnvelopeError,), value, lambda: headers.decode(sealed.header))
    if sealed is not None and header is not None:
        ensure(headers.encode(header) == sealed.header, "an accepted header has one encoding")
    key = None if header is None else header.event_id.encode()
    one = world.lane_of(topic, router=router)
    found = inspect(value, key, {one.session: one}, expect)
    if isinstance(found, Inspected):
        ensure(sealed is not None and header == found.header, "what is inspected is what was parsed")
        ensure(found.leaf == found.sealed.leaf(), "the leaf is that of header and digests")
        ensure(not router or found.sealed.mac is not None, "the router believes no event without a mac")
        ensure(found.sealed.digests_hold(), "every ciphertext has its digest")
    else:
        ensure(found.reason in Reason, "a refusal has a reason of the list")
        ensure(not found.authentic or found.mac_good, "authentic is more than a good mac")
    if flags & _INTAKE:
        _take(value, key, topic, 0 if header is None else partition_for(header.receipt_number, _PARTITIONS))


def _take(value: bytes, key: bytes | None, topic: str, partition: int) -> None:
    outcome = intake().take(KafkaRecord(topic, partition, 7, 1_775_012_400_000, key, value), world.NOW)
    if isinstance(outcome, Refused):
        ensure(outcome.reason in Reason, "a refusal has a reason of the list")


def _parsed(sealed: Sealed, value: bytes) -> None:
    sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
    ensure(build(sealed.header, sections, sealed.mac) == value, "an accepted event has one encoding")
    try:
        ensure(codec.encode("SealedEvent", codec.decode(value, {"SealedEvent"}).value) == value, "Avro reads the same")
    except CodecError:
        ensure(False, "what is accepted is Avro")
    names = [each.audience for each in sealed.sections]
    for keep, copy in zip([None, *names], outputs(sealed, [None, *names]), strict=True):
        stripped = parse(copy)
        kept = [each.audience for each in stripped.sections if each.ciphertext is not None]
        ensure(kept == ([] if keep is None or sealed.ciphertext(keep) is None else [keep]), "a copy keeps one section")
        ensure(stripped.leaf() == sealed.leaf(), "a copy has the leaf of its original")
    if sealed.sections and (ciphertext := sealed.sections[0].ciphertext) is not None:
        audience = sealed.sections[0].audience
        secret = world.secret(world.SUBMISSIONS, audience)
        refusal((EnvelopeError,), value, lambda: open_section(secret, sealed.header, audience, ciphertext))
        plain = refusal((EnvelopeError,), value, lambda: unpad(ciphertext))
        ensure(plain is None or pad(plain) == ciphertext, "padding has one form")
        refusal((NotAuthentic,), value, lambda: keys.open_section(secret, sealed.header, audience, ciphertext))


def seeds() -> Iterator[bytes]:
    for hop, (topic, _, _) in enumerate(_HOPS):
        value = world.event(topic).value
        whole = parse(value)
        stripped, review = outputs(whole, [None, world.REVIEW])
        made = value if hop in (0, 3) else review if hop == 1 else stripped
        small = [(each.audience, sha256(b"x"), b"x" if each.ciphertext else None) for each in parse(made).sections]
        short = build(whole.header, small, whole.mac)
        for flags in (0, _DIGESTS | _MAC | _INTAKE, _SEAL | _MAC | _INTAKE):
            yield bytes((hop | flags,)) + (made if not flags and hop == 1 else short)
        yield (
            bytes((hop | _HEADER | _DIGESTS | _MAC | _INTAKE,))
            + whole.header[len(headers.prefix(world.header(topic)[:5])) :]
        )
    yield bytes((0,)) + build(world.event().value[:0], [], None)


SEALED = Target(
    "sealed",
    "sealed event: parse, inspection (router, desk, audit), header, copies, intake, padding",
    run,
    seeds,
    words=(
        b"portal",
        b"router",
        world.REVIEW.encode(),
        world.HELPDESK.encode(),
        sealing.SCHEMA_ID.to_bytes(5, "big"),
        headers.SCHEMA_ID.to_bytes(5, "big"),
    ),
)
