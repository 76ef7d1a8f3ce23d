"""What the operator does to single records: each way to an event of its own, all in one history.

Nothing here needs a key. What a desk makes of a record is found again by where it lay in the operator's copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope.header import EventHeader
from hub.envelope.wire import frame_id
from hub.transport import KafkaRecord
from tests.attacks.evil.copies import Copies, Place

Edit = Callable[[KafkaRecord], Iterable[KafkaRecord]]


def is_event(record: KafkaRecord) -> bool:
    """Whether a record is a sealed event, good or bad."""
    return record.value is not None and frame_id(record.value) == sealing.SCHEMA_ID


def is_checkpoint(record: KafkaRecord) -> bool:
    return (record.key or b"").startswith(b"checkpoint/")


def header_of(record: KafkaRecord) -> EventHeader:
    """What an event's header says."""
    return headers.decode(sealing.parse(record.value or b"").header)


def session_of(record: KafkaRecord) -> bytes | None:
    """Whose session a record of an event topic belongs to, as it says."""
    if is_event(record):
        return header_of(record).session
    if is_checkpoint(record):
        return bytes.fromhex((record.key or b"").split(b"/")[1].decode())
    return None


def changed(record: KafkaRecord, before: bytes, after: bytes) -> KafkaRecord:
    """The record with some of its bytes exchanged, everywhere."""
    assert before != after and before in (record.value or b"")
    return replace(record, value=(record.value or b"").replace(before, after))


def flipped(record: KafkaRecord, part: bytes) -> KafkaRecord:
    """The record with one bit of a part of it turned."""
    middle = len(part) // 2
    other = part[:middle] + bytes([part[middle] ^ 1]) + part[middle + 1 :]
    return changed(record, part, other)


@dataclass
class Tampered:
    """One victim's view of some topics, made from the honest one."""

    copies: Copies
    victim: str
    places: Sequence[Place]
    edits: dict[bytes, tuple[str, Edit]] = field(default_factory=dict)
    """by Kafka key"""
    _appended: defaultdict[Place, list[tuple[str, KafkaRecord]]] = field(default_factory=lambda: defaultdict(list))
    _at: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def events(self) -> list[KafkaRecord]:
        """Honest events of these places, those of one partition together."""
        return [record for place in self.places for record in self.copies.honest(place) if is_event(record)]

    def edit(self, name: str, record: KafkaRecord, how: Edit) -> None:
        """Put in this record's place what `how` makes of it."""
        self.edits[record.key or b""] = (name, how)

    def append(self, name: str, place: Place, record: KafkaRecord) -> None:
        """Show one record more, at the end of a partition."""
        self._appended[place].append((name, record))

    def show(self) -> None:
        """Let the victim see it."""
        for place in self.places:
            log: list[KafkaRecord] = []
            for record in self.copies.honest(place):
                name, how = self.edits.get(record.key or b"", ("", lambda one: [one]))
                for made in how(record):
                    if name:
                        self._at[place[0], place[1], len(log)] = name
                    log.append(made)
            for name, record in self._appended[place]:
                self._at[place[0], place[1], len(log)] = name
                log.append(record)
            self.copies.show(self.victim, place, log)

    def named(self, topic: str, partition: int, offset: int) -> str:
        """Which attempt the record at a place of the copy was; empty: none."""
        return self._at.get((topic, partition, offset), "")
