"""What a hop asks of one sealed event, in one go: the hot path of the router, and the same for every reader.

A `Lane` holds what one session and one partition fix: the header's constant prefix, the mac key, the time
bounds, the procedures that the trust file grants. `inspect` compares with it and reads only the rest.
Judging comes in an order that finds out first whether the event is authentic (mac and every present digest
good): only then may a dead letter carry its bytes in the clear, and only then is its tenant told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as mac_digest
from typing import Final, NamedTuple

from hub.crypto.secret import Unprintable
from hub.envelope import header as headers
from hub.envelope.header import SESSION_AT, SESSION_END, EventHeader, Fixed
from hub.envelope.names import ROUTER, Kind, kind_of_topic
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session
from hub.envelope.sealed import Sealed, parse
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.envelope.wire import frame_id
from schemas import registry


@dataclass(frozen=True, slots=True, repr=False)
class Lane(Unprintable):
    """What one session and partition fix. Make it with `lane`."""

    session: bytes
    fixed: Fixed
    prefix: bytes
    mac_key: bytes | None
    """None where the reader is not the router, or the events have no mac"""
    from_ms: int
    until_ms: int
    """produced_at must be from `from_ms` to before `until_ms`"""
    procedures: frozenset[str] | None
    """None: all"""
    sections: tuple[str, ...]
    """audiences of the session without the router, in order"""
    whole: bool
    """every event must have all of `sections` (submissions); else at least one of them"""
    has_mac: bool


def lane(session: Session, partition: int, trust: Trust, *, topic: str, mac_key: bytes | None = None) -> Lane | Reason:
    """Make the lane of a valid session on a partition of the topic to which its producer writes.

    For a routed copy, `topic` is still the producer's. Refuses WRONG_TOPIC, NOT_PERMITTED.
    """
    kind = kind_of_topic(topic)
    if kind is None or topic != session.topic:
        return Reason.WRONG_TOPIC
    rights = trust.rights(session.producer, topic, session.tenant)
    if not rights:
        return Reason.NOT_PERMITTED
    granted: set[str] | None = set()
    for right in rights:
        granted = None if granted is None or right.procedures is None else granted | right.procedures
    fixed: Fixed = (session.id, kind, session.tenant, session.producer, partition)
    return Lane(
        session.id,
        fixed,
        headers.prefix(fixed),
        mac_key,
        to_ms(session.created_at),
        to_ms(session.expires_at),
        None if granted is None else frozenset(granted),
        tuple(each.audience for each in session.audiences if each.audience != ROUTER),
        kind is Kind.SUBMISSION,
        kind is Kind.SUBMISSION,
    )


class Inspected(NamedTuple):
    """An event that passed; `sealed.value` is it, byte for byte."""

    sealed: Sealed
    header: EventHeader
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that did not pass, with what is known of it for its dead letter."""

    reason: Reason
    session: bytes | None = None
    """as the header names it, right or wrong"""
    leaf: bytes | None = None
    mac_good: bool = False
    """header and digests are what the producer sealed: the tenant is to be told"""
    authentic: bool = False
    """mac and every digest were good: the bytes are what the producer sealed"""
    sealed: Sealed | None = field(default=None, repr=False)


class Expect(NamedTuple):
    """Which ciphertexts must be there: all of them (as produced), or exactly the reader's own, or none."""

    whole: bool
    own: str | None = None


PRODUCED: Final = Expect(True)
"""on submissions, status and accepted"""
STRIPPED: Final = Expect(False)
"""on a routed output without ciphertexts (audit)"""


def routed_to(audience: str) -> Expect:
    """Expect exactly this audience's ciphertext."""
    return Expect(False, audience)


def peek_session(value: bytes) -> bytes | Refusal:
    """Return the session id that a sealed event names, or why it cannot be one; checks nothing else."""
    try:
        sealed = parse(value)
    except EnvelopeError as problem:
        return Refusal(problem.reason)
    return _session(sealed) or Refusal(_no_header(sealed.header), sealed=sealed)


def _session(sealed: Sealed) -> bytes | None:
    header = sealed.header
    if len(header) < SESSION_END or header[:SESSION_AT] != _HEADER_FRAME:
        return None
    return header[SESSION_AT:SESSION_END]


def _no_header(header: bytes) -> Reason:
    """Say why bytes are no header of ours: one of a later version is for software that knows it, and not broken."""
    later = len(header) >= SESSION_AT and not header[0] and registry.by_id(frame_id(header)) is None
    return Reason.UNKNOWN_SCHEMA if later else Reason.HEADER_INVALID


_HEADER_FRAME: Final = b"\x00" + headers.SCHEMA_ID.to_bytes(4, "big")


def inspect(
    value: bytes, key: bytes | None, lanes: Mapping[bytes, Lane], expect: Expect = PRODUCED
) -> Inspected | Refusal:
    """Judge one record of a partition: framing, session, mac, digests, header, key, times, sections.

    `lanes` are the partition's known sessions. A session that is not among them is refused as
    UNKNOWN_SESSION; whether it really is unknown is for the caller to find out. Nothing raises.
    """
    try:
        sealed = parse(value)
    except EnvelopeError as problem:
        return Refusal(problem.reason)
    header = sealed.header
    if header[:SESSION_AT] != _HEADER_FRAME or len(header) < SESSION_END:
        return Refusal(_no_header(header), sealed=sealed)
    session = header[SESSION_AT:SESSION_END]
    one = lanes.get(session)
    if one is None:
        return Refusal(Reason.UNKNOWN_SESSION, session, sealed=sealed)
    digest, mac_good, reason = _contents(sealed, one, expect)
    if reason is not None:
        return Refusal(reason, session, digest, mac_good, sealed=sealed)
    prefix = one.prefix
    if not header.startswith(prefix):
        return Refusal(_difference(header, one.fixed), session, digest, mac_good, mac_good, sealed)
    try:
        read = headers.read_rest(header, len(prefix), one.fixed)
    except EnvelopeError as problem:
        return Refusal(problem.reason, session, digest, mac_good, mac_good, sealed)
    reason = _agreement(read, key, one)
    if reason is not None:
        return Refusal(reason, session, digest, mac_good, mac_good, sealed)
    return Inspected(sealed, read, digest)


def _contents(sealed: Sealed, one: Lane, expect: Expect) -> tuple[bytes, bool, Reason | None]:
    """Return the leaf, whether the mac was checked and is good, and what is wrong with the contents."""
    header = sealed.header
    whole, own = expect
    reason = None
    parts = [b"\x00", len(header).to_bytes(4, "big"), header]
    audiences = []
    for audience, digest, ciphertext, _, _, _ in sealed.sections:
        name = audience.encode()
        parts += (len(name).to_bytes(4, "big"), name, digest)
        audiences.append(audience)
        if ciphertext is None:
            if whole or audience == own:
                reason = reason or Reason.STRIPPED_CIPHERTEXT
        elif not whole and audience != own:
            reason = reason or Reason.FOREIGN_CIPHERTEXT
        elif not compare_digest(sha256(ciphertext).digest(), digest):
            reason = reason or Reason.DIGEST_MISMATCH
    found = sha256(b"".join(parts)).digest()
    mac = sealed.mac
    if (mac is None) == one.has_mac:
        return found, False, Reason.BAD_MAC
    mac_key = one.mac_key
    mac_good = False
    if mac_key is not None and mac is not None:
        mac_good = compare_digest(mac_digest(mac_key, found, "sha256"), mac)
        if not mac_good:
            return found, False, Reason.BAD_MAC
    if reason is None and tuple(audiences) != one.sections and _foreign(audiences, one):
        reason = Reason.SECTIONS
    if reason is None and own is not None and own not in audiences:
        # What a reader cannot read it must not confirm, even if it is all that its session has.
        reason = Reason.SECTIONS if own in one.sections else Reason.NOT_ADDRESSED
    return found, mac_good, reason


def _foreign(audiences: list[str], one: Lane) -> bool:
    """Say whether the sections are not those of the session: all, or (of what a desk produces) some."""
    return one.whole or not audiences or not set(audiences) <= set(one.sections)


def _difference(header: bytes, fixed: Fixed) -> Reason:
    """Say which of the header's first fields is not its session's; slow, and only for what is refused."""
    try:
        (session, kind, tenant, producer, _), _ = headers.read_fixed(header)
    except EnvelopeError as problem:
        return problem.reason
    if session != fixed[0]:
        return Reason.FOREIGN_SESSION
    if kind is not fixed[1]:
        return Reason.WRONG_TOPIC
    if tenant != fixed[2]:
        return Reason.WRONG_TENANT
    if producer != fixed[3]:
        return Reason.WRONG_PRODUCER
    return Reason.WRONG_PARTITION  # all that is left: what can be read has one encoding


def _agreement(header: EventHeader, key: bytes | None, one: Lane) -> Reason | None:
    if key != header.event_id.encode():
        return Reason.WRONG_KEY
    if not one.from_ms <= header.produced_at_ms < one.until_ms:
        return Reason.PRODUCED_OUTSIDE_SESSION
    if one.procedures is not None and header.procedure not in one.procedures:
        return Reason.NOT_PERMITTED
    return None
