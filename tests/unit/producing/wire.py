"""What any reader of the topics can check of a producer, from the bytes alone.

Used by unit tests over `Memory` and by broker tests over Kafka.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.envelope import header as headers
from hub.envelope import sealed as sealed_events
from hub.envelope.records import Checkpoint, Session, SessionClose
from hub.envelope.signed import Signed


@dataclass
class Seen:
    """What lies on an events topic and its sessions topic."""

    sessions: dict[bytes, Session] = field(default_factory=dict)
    closes: dict[bytes, SessionClose] = field(default_factory=dict)
    events: dict[tuple[bytes, int, int], tuple[str, bytes]] = field(default_factory=dict)
    """(session, partition, sequence) → (event id, leaf)"""
    values: dict[str, bytes] = field(default_factory=dict)
    checkpoints: dict[tuple[bytes, int], list[Checkpoint]] = field(default_factory=lambda: defaultdict(list))
    copies: int = 0
    """records that repeat an earlier one byte for byte"""


def look(
    sessions: Iterable[tuple[bytes | None, bytes | None]],
    partitions: Mapping[int, Iterable[tuple[bytes | None, bytes | None]]],
) -> Seen:
    """Read (key, value) pairs; fail on anything that contradicts itself."""
    seen = Seen()
    for key, value in sessions:
        assert key is not None and value is not None
        signed = Signed.parse(value)
        if signed.name == "SessionClose":
            close = SessionClose.decode(signed.body)
            assert seen.closes.setdefault(close.session, close) == close, "two different closes"
            assert key == close.key.encode()
        else:
            session = Session.decode(signed.body)
            assert seen.sessions.setdefault(session.id, session) == session
            assert key == session.key.encode()
    for partition, records in partitions.items():
        highest: dict[bytes, int] = {}
        for key, value in records:
            assert key is not None and value is not None
            if key.startswith(b"checkpoint/"):
                _checkpoint(seen, key, value)
            else:
                _event(seen, partition, key, value, highest)
    return seen


def _event(seen: Seen, partition: int, key: bytes, value: bytes, highest: dict[bytes, int]) -> None:
    event = sealed_events.parse(value)
    header = headers.decode(event.header)
    assert event.digests_hold()
    assert key == header.event_id.encode()
    assert header.partition == partition
    assert header.session in seen.sessions, "an event before its session was announced"
    if seen.values.setdefault(header.event_id, value) != value:
        raise AssertionError("one event id, two byte strings: it was sealed twice")
    place = (header.session, partition, header.sequence)
    if place in seen.events:
        seen.copies += 1
    else:
        assert header.sequence > highest.get(header.session, -1), "first copies come in order"
        highest[header.session] = header.sequence
    assert seen.events.setdefault(place, (header.event_id, event.leaf())) == (header.event_id, event.leaf())


def _checkpoint(seen: Seen, key: bytes, value: bytes) -> None:
    checkpoint = Checkpoint.decode(Signed.parse(value).body)
    assert key == checkpoint.key.encode()
    chain = seen.checkpoints[checkpoint.session, checkpoint.partition]
    if any(known.hash == checkpoint.hash for known in chain):
        seen.copies += 1
        return
    assert checkpoint.follows(chain[-1] if chain else None), "the chain of checkpoints is broken"
    for at, entry in enumerate(checkpoint.entries, start=checkpoint.first_sequence):
        known = seen.events.get((checkpoint.session, checkpoint.partition, at))
        if not entry.void:
            assert known is not None, "a checkpoint lists what is not there"
            assert known[1] == entry.leaf
    chain.append(checkpoint)


def assert_whole(seen: Seen) -> None:
    """Every session is closed and chained; its checkpoints list every event of it and nothing else."""
    assert set(seen.closes) == set(seen.sessions)
    follows: dict[tuple[str, str], bytes | None] = {}
    for session in seen.sessions.values():  # in the order of the topic
        place = (session.instance, session.tenant)
        assert session.previous == follows.get(place), "the chain of sessions is broken"
        follows[place] = session.id
    for session_id, close in seen.closes.items():
        events = {place for place in seen.events if place[0] == session_id}
        listed = {
            (session_id, partition, sequence)
            for (of, partition), chain in seen.checkpoints.items()
            if of == session_id
            for checkpoint in chain
            for sequence, entry in enumerate(checkpoint.entries, start=checkpoint.first_sequence)
            if not entry.void
        }
        assert listed == events
        for (of, partition), chain in seen.checkpoints.items():
            if of == session_id:
                closed = close.partition(partition)
                assert closed is not None
                assert closed.last_sequence == chain[-1].next_sequence - 1
                assert closed.last_checkpoint == chain[-1].hash
