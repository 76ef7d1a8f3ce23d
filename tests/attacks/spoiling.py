"""Spoils records byte by byte, writes them where their owner may write, and says what became of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.envelope.header import SESSION_AT, SESSION_END
from hub.envelope.letters import DeadLetter
from hub.envelope.sealed import parse
from hub.envelope.wire import read_long
from hub.facts import DeadLettered, Fact
from hub.transport import BatchWriter, Outgoing
from schemas.generator import generate
from tests.broker.router_stage import PARTITIONS, Stage
from topics import names
from topics.partition import partition_for

CUT = -1
_EDGE = 100


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A record with one bit of byte `at` turned (`bit` 0 to 7), or (`bit` CUT) ending before byte `at`."""

    at: int
    bit: int
    value: bytes = field(repr=False)


def flips(value: bytes, *, every_bit: bool) -> Iterator[Spoiled]:
    """Yield the record with one bit turned, of every byte: one bit each, another from byte to byte, or all eight."""
    for at, byte in enumerate(value):
        for bit in range(8) if every_bit else (at % 8,):
            yield Spoiled(at, bit, b"".join((value[:at], bytes((byte ^ 1 << bit,)), value[at + 1 :])))


def cuts(value: bytes, *, every_one: bool) -> Iterator[Spoiled]:
    """Yield proper beginnings of the record: all, or but one in 29 within what is no more than a long string."""
    for at in range(len(value)):
        if every_one or at < _EDGE or at > len(value) - _EDGE or at % 29 == 0:
            yield Spoiled(at, CUT, value[:at])


class Part(StrEnum):
    """What a byte of a sealed event belongs to."""

    FRAME = "frame"
    LENGTHS = "lengths, counts and union indices"
    SESSION = "session id in the header"
    HEADER = "rest of the header"
    AUDIENCE = "audience name"
    DIGEST = "digest"
    CIPHERTEXT = "ciphertext"
    MAC = "mac"


def parts(value: bytes) -> list[tuple[Part, str]]:
    """Say for each byte of a sealed event what it belongs to, and to which audience's section."""
    found: list[tuple[Part, str]] = [(Part.LENGTHS, "")] * len(value)
    sealed = parse(value)

    def mark(start: int, end: int, part: Part, audience: str = "") -> None:
        found[start:end] = [(part, audience)] * (end - start)

    mark(0, 5, Part.FRAME)
    _, at = read_long(value, 5)
    mark(at, at + len(sealed.header), Part.HEADER)
    mark(at + SESSION_AT, at + SESSION_END, Part.SESSION)
    for section in sealed.sections:
        name = section.audience
        mark(section.union - 32 - len(name), section.union - 32, Part.AUDIENCE, name)
        mark(section.union - 32, section.union, Part.DIGEST, name)
        if section.ciphertext is not None:
            mark(section.end - len(section.ciphertext), section.end, Part.CIPHERTEXT, name)
    if sealed.mac is not None:
        mark(len(value) - 32, len(value), Part.MAC)
    assert len(found) == len(value)
    return found


@dataclass
class Sweep:
    """All spoiled forms of one record, written to one partition; `outcome` are the dead letters of one reader."""

    topic: str
    partition: int
    original: bytes = field(repr=False)
    written: dict[int, Spoiled] = field(default_factory=dict, repr=False)
    """by offset"""
    outcome: dict[int, DeadLetter] = field(default_factory=dict, repr=False)
    """by offset"""

    def for_another(self) -> Sweep:
        """Return the same records, for another reader of the topic."""
        return Sweep(self.topic, self.partition, self.original, self.written)

    @property
    def count(self) -> int:
        """How many were written."""
        return len(self.written)

    def refused(self) -> Iterator[tuple[Spoiled, DeadLetter]]:
        """Yield what became a dead letter."""
        for offset, letter in self.outcome.items():
            yield self.written[offset], letter

    def passed(self) -> list[tuple[int, Spoiled]]:
        """Return what did not become a dead letter, with its offset."""
        return [(offset, spoiled) for offset, spoiled in self.written.items() if offset not in self.outcome]

    def reasons(self, *, cut: bool) -> Counter[str]:
        """Count the reasons of what was cut, or of what was flipped."""
        return Counter(letter.reason.value for each, letter in self.refused() if (each.bit == CUT) is cut)

    def reasons_by_part(self) -> Mapping[tuple[Part, str], set[str]]:
        """Return the reasons of the flips of a sealed event, by what was flipped."""
        where = parts(self.original)
        found: dict[tuple[Part, str], set[str]] = {}
        for spoiled, letter in self.refused():
            if spoiled.bit != CUT:
                found.setdefault(where[spoiled.at], set()).add(letter.reason.value)
        return found


async def spoil(
    stage: Stage,
    principal: str,
    topic: str,
    partition: int,
    key: bytes,
    original: bytes,
    *,
    thorough: bool = False,
    midst: Callable[[], Awaitable[object]] | None = None,
) -> Sweep:
    """Write all spoiled forms with a principal's own certificate; in the middle of it let `midst` be done."""
    sweep = Sweep(topic, partition, original)
    forms = [*flips(original, every_bit=thorough), *cuts(original, every_one=thorough)]
    half = len(forms) // 2
    async with BatchWriter(stage.role(principal).endpoint) as writer:
        for some in (forms[:half], forms[half:]):
            for start in range(0, len(some), 2_000):
                slab = some[start : start + 2_000]
                offsets = await writer.write(topic, partition, [Outgoing(key, each.value) for each in slab])
                sweep.written.update(zip(offsets, slab, strict=True))
            if midst is not None:
                await midst()
                midst = None
    return sweep


async def sort_letters(stage: Stage, principal: str, sweeps: Iterable[Sweep]) -> list[DeadLetter]:
    """Give each sweep its dead letters, and return those that are of none of them."""
    others = []
    several = {(s.topic, s.partition, offset): s for s in sweeps for offset in s.written}
    for record in await stage.read(names.dead_letters(stage.namespace, principal)):
        letter = DeadLetter.decode(record.value or b"")
        place = letter.place
        sweep = several.get((place.topic, place.partition, place.offset))
        if sweep is None:
            others.append(letter)
        else:
            assert place.offset not in sweep.outcome, "two letters of one record"
            sweep.outcome[place.offset] = letter
    return others


def letters_told(facts: Collection[Fact], stage: str) -> int:
    """How many dead letters a stage says that it has written."""
    return sum(fact.count for fact in facts if isinstance(fact, DeadLettered) and fact.stage == stage)


def documents_for(tenant: str, partition: int, *, large: bool = False) -> list[bytes]:
    """Return artificial submissions of one tenant that all lie on one partition, small ones first.

    Large ones have an attachment; sealed they are of some 6 to 10 KiB.
    """
    found: list[bytes] = []
    for document in generate(7, 400, (tenant,)):
        if partition_for(document["receipt_number"], PARTITIONS) == partition and ("attachments" in document) is large:
            found.append(json.dumps(document, ensure_ascii=False).encode())
    found = [each for each in found if not large or len(each) > 5_000]
    found.sort(key=len)
    return found
