"""SealedEvent by hand: the one record that the router reads and writes for every event.

    value    = 0x00 ‖ u32 schema id ‖ bytes header ‖ sections ‖ mac
    sections = long count (1 to 16, one block) ‖ section* ‖ 0x00           (or 0x00 alone: no section)
    section  = string audience ‖ digest(32) ‖ (0x00 | 0x02 ‖ bytes ciphertext)
    mac      = 0x00 | 0x02 ‖ mac(32)

What `parse` accepts has exactly one encoding, so a copy can be joined from slices of the original and
nobody can make two byte strings of one event. fastavro takes three times as long and accepts more; it is
the oracle in the tests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hmac import compare_digest
from typing import Final, NamedTuple

from hub.crypto.hkdf import sha256
from hub.envelope.contracts import schema_id
from hub.envelope.leaf import leaf
from hub.envelope.limits import MAX_AUDIENCE_BYTES, MAX_HEADER_BYTES, MAX_SEALED_BYTES, MAX_SECTIONS
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.wire import FRAME_BYTES, encode_bytes, encode_long, frame, frame_id, read_length

SCHEMA_ID: Final = schema_id("SealedEvent")
_ACCEPTED: Final = frozenset({SCHEMA_ID})
_HASH_BYTES: Final = 32


class Section(NamedTuple):
    """One section of a parsed event. `ciphertext` is None where a hop removed it."""

    audience: str
    digest: bytes
    ciphertext: bytes | None
    start: int
    """place of the section in the value"""
    union: int
    """place behind the digest, where the ciphertext begins with its union index"""
    end: int


class Sealed(NamedTuple):
    """A parsed event: slices of `value`, and where they came from. NamedTuples: one per event, hot path."""

    value: bytes
    header: bytes
    sections: tuple[Section, ...]
    mac: bytes | None
    tail: int
    """place of what follows the sections"""

    @property
    def digests(self) -> tuple[tuple[str, bytes], ...]:
        """Audience and digest of each section, as the leaf wants them."""
        return tuple((section.audience, section.digest) for section in self.sections)

    def leaf(self) -> bytes:
        """Return the event's leaf; says nothing about whether the ciphertexts fit the digests."""
        return leaf(self.header, self.digests)

    def ciphertext(self, audience: str) -> bytes | None:
        """Return the ciphertext for an audience; None if it has no section or was removed."""
        for section in self.sections:
            if section.audience == audience:
                return section.ciphertext
        return None

    def digests_hold(self) -> bool:
        """Say whether every ciphertext that is present has its digest."""
        return all(
            section.ciphertext is None or compare_digest(sha256(section.ciphertext), section.digest)
            for section in self.sections
        )


def parse(value: bytes, schema_ids: Collection[int] = _ACCEPTED) -> Sealed:
    """Read a sealed event strictly, whatever is in its header and ciphertexts.

    `schema_ids` are the outer ids that the topic accepts (a registry may have given its own).
    Raises NOT_FRAMED, FOREIGN_SCHEMA, TOO_LARGE, TRUNCATED, MALFORMED, AUDIENCE_ORDER, TRAILING_BYTES.
    """
    if frame_id(value) not in schema_ids:
        raise EnvelopeError(Reason.FOREIGN_SCHEMA)
    size = len(value)
    if size > MAX_SEALED_BYTES:
        raise EnvelopeError(Reason.TOO_LARGE)
    try:
        length, at = read_length(value, FRAME_BYTES, MAX_HEADER_BYTES)
        header = value[at : at + length]
        at += length
        count, at = read_length(value, at, MAX_SECTIONS)
        sections = []
        before = ""
        for _ in range(count):
            start = at
            length = value[at]  # one byte: an audience has at most 63 bytes
            if length & 1 or length > _LONGEST_AUDIENCE:
                raise EnvelopeError(Reason.MALFORMED)
            at += 1
            union = at + (length >> 1)
            audience = value[at:union].decode("ascii")
            if audience <= before:
                raise EnvelopeError(Reason.AUDIENCE_ORDER)
            before = audience
            at = union + _HASH_BYTES
            digest = value[union:at]
            union = at
            present = value[at]
            at += 1
            ciphertext = None
            if present == 2:
                length, at = read_length(value, at, MAX_SEALED_BYTES)
                ciphertext = value[at : at + length]
                at += length
            elif present:
                raise EnvelopeError(Reason.MALFORMED)
            sections.append(Section(audience, digest, ciphertext, start, union, at))
        tail = at
        if count:
            if value[at]:
                raise EnvelopeError(Reason.MALFORMED)
            at += 1
        present = value[at]
        at += 1
        mac = None
        if present == 2:
            mac = value[at : at + _HASH_BYTES]
            at += _HASH_BYTES
        elif present:
            raise EnvelopeError(Reason.MALFORMED)
    except IndexError as problem:
        raise EnvelopeError(Reason.TRUNCATED) from problem
    except UnicodeDecodeError as problem:
        raise EnvelopeError(Reason.MALFORMED) from problem
    if at > size:  # a slice came out short
        raise EnvelopeError(Reason.TRUNCATED)
    if at < size:
        raise EnvelopeError(Reason.TRAILING_BYTES)
    return Sealed(value, header, tuple(sections), mac, tail)


def build(header: bytes, sections: Iterable[tuple[str, bytes, bytes | None]], mac: bytes | None) -> bytes:
    """Write an event of (audience, digest, ciphertext); sorts them. Raises TOO_LARGE, AUDIENCE_ORDER."""
    ordered = sorted(sections)
    if len(ordered) > MAX_SECTIONS or len(header) > MAX_HEADER_BYTES:
        raise EnvelopeError(Reason.TOO_LARGE)
    parts = [_FRAME, encode_bytes(header), encode_long(len(ordered))]
    before = ""
    for audience, digest, ciphertext in ordered:
        if not check_audience(audience) or len(digest) != _HASH_BYTES:
            raise EnvelopeError(Reason.MALFORMED)
        if audience <= before:
            raise EnvelopeError(Reason.AUDIENCE_ORDER)
        before = audience
        parts += (encode_bytes(audience.encode("ascii")), digest)
        parts.append(b"\x00" if ciphertext is None else b"\x02" + encode_bytes(ciphertext))
    if ordered:
        parts.append(b"\x00")
    parts.append(b"\x00" if mac is None else b"\x02" + mac)
    value = b"".join(parts)
    if len(value) > MAX_SEALED_BYTES:
        raise EnvelopeError(Reason.TOO_LARGE)
    return value


def outputs(sealed: Sealed, keeps: Sequence[str | None]) -> list[bytes]:
    """Return one copy per entry of `keeps`, with only that audience's ciphertext (None: with none).

    Each copy is joined from slices of the original; header, digests and mac are the same bytes.
    """
    value, _, sections, _, tail = sealed
    end = value[tail:]
    if not sections:
        return [value for _ in keeps]
    stripped: list[bytes] = []
    at = 0
    names = []
    for section in sections:
        stripped.append(value[at : section.union])
        at = section.end
        names.append(section.audience)
    none = b"\x00".join(stripped)
    copies = []
    for keep in keeps:
        if keep not in names:
            copies.append(none + b"\x00" + end)
            continue
        place = names.index(keep)
        kept = sections[place]
        copies.append(
            b"".join(
                (
                    b"\x00".join(stripped[: place + 1]),
                    value[kept.union : kept.end],
                    b"\x00".join(stripped[place + 1 :]),
                    b"\x00" if place + 1 < len(stripped) else b"",
                    end,
                )
            )
        )
    return copies


def check_audience(audience: str) -> bool:
    """Say whether `audience` can be one: 1 to 63 ASCII characters."""
    return 0 < len(audience) < MAX_AUDIENCE_BYTES and audience.isascii()


_FRAME: Final = frame(SCHEMA_ID)
_LONGEST_AUDIENCE: Final = (MAX_AUDIENCE_BYTES - 1) << 1
