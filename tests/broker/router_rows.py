"""Every way in which a record can be bad at the router: how it is made, and what must become of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.crypto import sections as keys
from hub.crypto.hkdf import sha256
from hub.envelope import header as headers
from hub.envelope.header import Cause, EventHeader
from hub.envelope.leaf import leaf
from hub.envelope.names import Kind
from hub.envelope.padding import pad
from hub.envelope.reasons import Reason
from hub.envelope.records import Checkpoint, CheckpointEntry
from hub.envelope.sealed import Sealed, build, outputs, parse
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.transport import Outgoing
from tests.broker.router_stage import OTHER, PARTITIONS, Event, Session

PLAIN: Final = json.dumps({"name": "見本太郎", "address": "テスト区架空町1-1"}, ensure_ascii=False).encode()


@dataclass
class Hand:
    """What the rows are made with: announced sessions, and numbers that nobody else uses."""

    session: Session
    second: Session
    withheld: Session
    foreign_topic: Session
    badly_signed: Session
    number: int = 10_000

    def event(self, session: Session | None = None, **changes: object) -> Event:
        """Seal a good event; if nothing is changed it would be routed. Its sequence number is used up."""
        self.number += 1
        return (session or self.session).seal(self.number, **changes)

    def header(self, **changes: object) -> EventHeader:
        self.number += 1
        return self.session.header(self.number, **changes)


Made = tuple[int, Outgoing]
"""partition, record"""


@dataclass(frozen=True)
class Row:
    """One kind of bad record. `authentic`: its letter keeps the bytes; `noticed`: the tenant's readers are told."""

    name: str
    make: Callable[[Hand], Made]
    reason: Reason
    authentic: bool = False
    noticed: bool = False


def seal_anyway(session: Session, header: EventHeader, *, extra: str = "", mac: bool = True) -> Outgoing:
    """Seal as a producer without our checks would: right keys, wrong contents."""
    framed = headers.encode(header)
    made = []
    for name, secret in session.secrets._secrets.items():
        if name != "router":
            ciphertext = keys.seal_section(secret, framed, name, pad(b"\x00artificial"))
            made.append((name, sha256(ciphertext), ciphertext))
    if extra:
        made.append((extra, sha256(b"x"), b"x"))
    made.sort()
    assert session.secrets._mac_key is not None
    digest = leaf(framed, ((name, digest) for name, digest, _ in made))
    return Outgoing(
        header.event_id.encode(), build(framed, made, keys.mac(session.secrets._mac_key, digest) if mac else None)
    )


def rebuilt(sealed: Sealed, change: Callable[[list[tuple[str, bytes, bytes | None]]], object]) -> bytes:
    """Write an event again with other sections under the same header and mac."""
    sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
    change(sections)
    return build(sealed.header, sections, sealed.mac)


def altered(hand: Hand, change: Callable[[bytes], bytes | None]) -> Made:
    """Return a good event whose value was changed on the way."""
    event = hand.event()
    return event.partition, Outgoing(event.key, change(event.out.value))


def flip(value: bytes, at: int) -> bytes:
    return value[:at] + bytes((value[at] ^ 1,)) + value[at + 1 :]


def _swap(sections: list[tuple[str, bytes, bytes | None]]) -> None:
    (a, one, first), (b, two, second) = sections
    sections[:] = [(a, one, second), (b, two, first)]


def _drop_last(sections: list[tuple[str, bytes, bytes | None]]) -> None:
    name, digest, _ = sections[-1]
    sections[-1] = (name, digest, None)


def _anyway(hand: Hand, **changes: object) -> Made:
    header = hand.header(**changes)
    partition = header.partition if header.partition < PARTITIONS else 0
    return partition, seal_anyway(hand.session, header)


def _other_partition(hand: Hand) -> Made:
    event = hand.event()
    return (event.partition + 1) % PARTITIONS, event.outgoing


def _partition_of_another_receipt(hand: Hand) -> Made:
    header = hand.header()
    wrong = (header.partition + 1) % PARTITIONS
    return wrong, seal_anyway(hand.session, header._replace(partition=wrong))


def _answered(hand: Hand) -> Made:
    cause = Cause(hand.event().out.event_id, bytes(32))
    return _anyway(hand, kind=Kind.STATUS, cause=cause)


def _claims_other_session(hand: Hand) -> Made:
    return _anyway(hand, session=hand.second.id)


def _names_unknown_session(hand: Hand) -> Made:
    return _anyway(hand, session=secrets.token_bytes(32))


def _of(session: Callable[[Hand], Session]) -> Callable[[Hand], Made]:
    def make(hand: Hand) -> Made:
        event = hand.event(session(hand))
        return event.partition, event.outgoing

    return make


def _wrong_key(key: bytes | None) -> Callable[[Hand], Made]:
    def make(hand: Hand) -> Made:
        event = hand.event()
        return event.partition, Outgoing(key, event.out.value)

    return make


def _checkpoint(
    hand: Hand, *, signer: str = "portal", partition: int = 0, key: bytes | None = None, at: int = 0
) -> Made:
    body = Checkpoint(
        hand.session.id, at, 0, (CheckpointEntry(secrets.token_bytes(32)),), None, datetime.now(UTC)
    ).encode()
    value = sign(Checkpoint.RECORD, body, hand.session.stage.role(signer).identity)
    return 0, Outgoing(key or Checkpoint.decode(body).key.encode(), value)


def _session_record(hand: Hand) -> Made:
    return 0, Outgoing(hand.session.secrets.session.key.encode(), hand.session.secrets.signed)


def _tomorrow(hand: Hand) -> Made:
    return _anyway(hand, produced_at_ms=to_ms(datetime.now(UTC) + timedelta(days=1)))


ROWS: Final = (
    Row("plaintext", lambda hand: (0, Outgoing(b"R8-13104-000000001", PLAIN)), Reason.NOT_FRAMED),
    Row("empty", lambda hand: (0, Outgoing(None, b"")), Reason.NOT_FRAMED),
    Row("tombstone", lambda hand: (1, Outgoing(b"key", None)), Reason.NOT_FRAMED),
    Row("framed plaintext", lambda hand: (0, Outgoing(b"k", b"\x00\x00\x00\x00\x00" + PLAIN)), Reason.FOREIGN_SCHEMA),
    Row(
        "another schema id",
        lambda hand: altered(hand, lambda value: b"\x00\x7f\xff\xff\xff" + value[5:]),
        Reason.FOREIGN_SCHEMA,
    ),
    Row("a session where events belong", _session_record, Reason.FOREIGN_SCHEMA),
    Row("truncated", lambda hand: altered(hand, lambda value: value[:-7]), Reason.TRUNCATED),
    Row("truncated in the header", lambda hand: altered(hand, lambda value: value[:60]), Reason.TRUNCATED),
    Row("trailing bytes", lambda hand: altered(hand, lambda value: value + b"\x00"), Reason.TRAILING_BYTES),
    Row("forged mac", lambda hand: altered(hand, lambda value: flip(value, len(value) - 1)), Reason.BAD_MAC),
    Row(
        "no mac",
        lambda hand: (0, seal_anyway(hand.session, hand.header(partition=0), mac=False)),
        Reason.BAD_MAC,
    ),
    Row("altered header", lambda hand: altered(hand, lambda value: flip(value, 100)), Reason.BAD_MAC),
    Row(
        "altered ciphertext",
        lambda hand: altered(hand, lambda value: flip(value, len(value) - 100)),
        Reason.DIGEST_MISMATCH,
        noticed=True,
    ),
    Row(
        "swapped ciphertexts",
        lambda hand: altered(hand, lambda value: rebuilt(parse(value), _swap)),
        Reason.DIGEST_MISMATCH,
        noticed=True,
    ),
    Row(
        "one ciphertext stripped",
        lambda hand: altered(hand, lambda value: rebuilt(parse(value), _drop_last)),
        Reason.STRIPPED_CIPHERTEXT,
        noticed=True,
    ),
    Row(
        "a routed copy",
        lambda hand: altered(hand, lambda value: outputs(parse(value), [hand.session.review])[0]),
        Reason.STRIPPED_CIPHERTEXT,
        noticed=True,
    ),
    Row(
        "a section for somebody else",
        lambda hand: (0, seal_anyway(hand.session, hand.header(partition=0), extra="zz-somebody")),
        Reason.SECTIONS,
        noticed=True,
    ),
    Row("another partition than it says", _other_partition, Reason.WRONG_PARTITION, authentic=True, noticed=True),
    Row(
        "another partition than its receipt's",
        _partition_of_another_receipt,
        Reason.WRONG_PARTITION,
        authentic=True,
        noticed=True,
    ),
    Row("another tenant than its session's", lambda hand: _anyway(hand, tenant=OTHER), Reason.WRONG_TENANT, True),
    Row(
        "another producer than its session's",
        lambda hand: _anyway(hand, producer="review-131041"),
        Reason.WRONG_PRODUCER,
        authentic=True,
        noticed=True,
    ),
    Row("a kind of another topic", _answered, Reason.WRONG_TOPIC, authentic=True, noticed=True),
    Row("a session of another topic", _of(lambda hand: hand.foreign_topic), Reason.WRONG_TOPIC),
    Row("a session that another signed", _of(lambda hand: hand.badly_signed), Reason.UNTRUSTED),
    Row("a foreign session", _claims_other_session, Reason.BAD_MAC),
    Row("an unknown session", _names_unknown_session, Reason.UNKNOWN_SESSION),
    Row("a withheld session", _of(lambda hand: hand.withheld), Reason.UNKNOWN_SESSION),
    Row("a key that is not its id", _wrong_key(b"R8-13104-000000001"), Reason.WRONG_KEY, authentic=True, noticed=True),
    Row("no key", _wrong_key(None), Reason.WRONG_KEY, authentic=True, noticed=True),
    Row("produced after its session", _tomorrow, Reason.PRODUCED_OUTSIDE_SESSION, authentic=True, noticed=True),
    Row("a checkpoint that another signed", lambda hand: _checkpoint(hand, signer="router"), Reason.UNTRUSTED),
    Row("a checkpoint elsewhere", lambda hand: _checkpoint(hand, at=1), Reason.WRONG_PARTITION),
    Row("a checkpoint under another key", lambda hand: _checkpoint(hand, key=b"checkpoint/x"), Reason.WRONG_KEY),
)

__all__ = ["PLAIN", "ROWS", "Hand", "Made", "Row", "seal_anyway"]
