"""Sessions of a portal whose journal is gone: found on the topics, and closed by the administrator.

A portal closes its sessions itself, after any crash, from its journal. Without the journal nobody can: what it wrote
last stands in no checkpoint, and the session has no end. docs/envelope.md has the administrator sign both then. What
it vouches for is what the router has let through (the audit topics): the router alone can tell who sealed an event.

    sessions: announced and not closed ─> audit topics: events, checkpoints ─> what no checkpoint lists
                                                            ─> checkpoints on the submissions ─> close on the sessions
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Final

from hub.crypto.identity import IdentityKey
from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Checkpoint, CheckpointEntry, ClosedPartition, Session, SessionClose
from hub.envelope.signed import Signed, sign
from hub.envelope.times import from_ms
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_checkpoint, validate_close, validate_session
from hub.envelope.wire import frame_id
from hub.transport import BatchWriter, Endpoint, KafkaRecord, Outgoing
from hub.undelivered import find_unrouted, read_all, whole
from schemas.errors import HubError
from topics import names
from topics.layout import Topology

ALIVE: Final = timedelta(seconds=150)
"""a living session writes a checkpoint each minute, if only an empty one"""
_ENTRIES: Final = 256
"""in one checkpoint, as a portal does it"""


class StillAlive(HubError):
    """This session wrote something a moment ago: its portal may be alive."""

    code: ClassVar[str] = "lost.alive"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "End that portal, or shut it out (docs/runbooks/shut-out.md); then wait three minutes."


class NotAllRouted(HubError):
    """The router has not taken everything yet, so what belongs to a session is not known."""

    code: ClassVar[str] = "lost.unrouted"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "Let the router catch up (`eltax-hub doctor`), then do it again."


class Incomplete(HubError):
    """An event in the midst of this session did not come through the router."""

    code: ClassVar[str] = "lost.incomplete"
    hint: ClassVar[str] = "`eltax-hub dead-letters list` shows it: replay or discard it first."


@dataclass(slots=True)
class OpenLane:
    """What of a session came through on one partition; `settle` says where its checkpoints end."""

    leaves: dict[int, bytes] = field(default_factory=dict)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def settle(self) -> tuple[int, bytes | None]:
        """The sequence that the next checkpoint begins with, and the hash of the last one."""
        following = {each.previous: each for each in self.checkpoints}
        last: Checkpoint | None = None
        while (found := following.pop(None if last is None else last.hash, None)) is not None:
            if not found.follows(last):
                break
            last = found
        return (0, None) if last is None else (last.next_sequence, last.hash)

    def unlisted(self) -> list[bytes]:
        """The leaves that no checkpoint lists, in order. Raises Incomplete if one between them is missing."""
        begin, _ = self.settle()
        left = sorted(each for each in self.leaves if each >= begin)
        if left != list(range(begin, begin + len(left))):
            raise Incomplete
        return [self.leaves[each] for each in left]


@dataclass(slots=True)
class OpenSession:
    """A session without an end; `newest` is when something of it was last written, as the broker says."""

    session: Session
    newest: datetime
    lanes: dict[int, OpenLane] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """How many of its events came through."""
        return sum(len(each.leaves) for each in self.lanes.values())


async def find_open(
    endpoint: Endpoint,
    topology: Topology,
    trust: Trust,
    producer: str,
    committed: Mapping[tuple[str, int], int],
    now: datetime,
) -> tuple[OpenSession, ...]:
    """The open sessions of a portal, oldest first. `committed` are the router's offsets on the submissions.

    Raises NotAllRouted, TransportError.
    """
    namespace, generation = topology.namespace, topology.generation
    found: dict[bytes, OpenSession] = {}
    topic = names.sessions(namespace, generation)
    closes: list[tuple[bytes | None, Signed]] = []
    async for record in read_all(endpoint, whole([topic], 1)):
        _announced(record, topic, trust, producer, now, found, closes)
    for key, signed in closes:  # a close may stand before a session that was announced again
        for each in list(found.values()):
            if not isinstance(validate_close(signed, each.session, trust, now, key=key), Reason):
                del found[each.session.id]
    if found and await find_unrouted(endpoint, topology, committed):
        raise NotAllRouted
    for tenant in sorted({each.session.tenant for each in found.values()}):
        async for record in read_all(
            endpoint, whole([names.audit(namespace, tenant, generation)], topology.partitions)
        ):
            _came_through(record, trust, now, found)
    return tuple(sorted(found.values(), key=lambda each: each.session.created_at))


def statements(found: OpenSession, admin: IdentityKey, now: datetime) -> tuple[list[tuple[int, Outgoing]], Outgoing]:
    """What ends a session: checkpoints with their partitions, in order, and the close. Raises Incomplete, StillAlive.

    `now` is aware; nothing is signed for a session that wrote something in the last minutes.
    """
    if now - found.newest < ALIVE:
        raise StillAlive(f"({found.session.id.hex()[:16]})")
    session = found.session.id
    written: list[tuple[int, Outgoing]] = []
    ends = []
    for partition, lane in sorted(found.lanes.items()):
        first, previous = lane.settle()
        leaves = lane.unlisted()
        while leaves:
            listed, leaves = leaves[:_ENTRIES], leaves[_ENTRIES:]
            made = Checkpoint(session, partition, first, tuple(map(CheckpointEntry, listed)), previous, now)
            body = made.encode()
            written.append((partition, Outgoing(made.key.encode(), sign(Checkpoint.RECORD, body, admin))))
            first, previous = made.next_sequence, Checkpoint.decode(body).hash
        ends.append(ClosedPartition(partition, first - 1, previous))
    close = SessionClose(session, tuple(ends), now)
    return written, Outgoing(close.key.encode(), sign(SessionClose.RECORD, close.encode(), admin))


async def end(endpoint: Endpoint, topology: Topology, found: OpenSession, admin: IdentityKey, now: datetime) -> None:
    """Write a session's missing checkpoints and its close. Raises StillAlive, Incomplete, TransportError.

    What a crash cuts short is done by the next call, once the router has taken what was written.
    """
    checkpoints, close = statements(found, admin, now)
    async with BatchWriter(endpoint) as writer:
        for partition, record in checkpoints:
            await writer.write(names.submissions(topology.namespace, topology.generation), partition, [record])
        await writer.write(names.sessions(topology.namespace, topology.generation), 0, [close])


def _announced(
    record: KafkaRecord,
    topic: str,
    trust: Trust,
    producer: str,
    now: datetime,
    found: dict[bytes, OpenSession],
    closes: list[tuple[bytes | None, Signed]],
) -> None:
    signed = _signed(record)
    if signed is not None and signed.name == SessionClose.RECORD:
        closes.append((record.key, signed))
    if signed is None or signed.name != Session.RECORD:
        return
    session = validate_session(signed, trust, now, topic=topic, key=record.key)
    if not isinstance(session, Reason) and session.producer == producer:
        found.setdefault(session.id, OpenSession(session, from_ms(record.timestamp_ms)))


def _came_through(record: KafkaRecord, trust: Trust, now: datetime, found: Mapping[bytes, OpenSession]) -> None:
    """Take one record of an audit topic, which the router alone writes."""
    signed = _signed(record)
    if signed is not None:
        if signed.name != Checkpoint.RECORD:
            return
        for each in _of(found, Checkpoint, signed):
            said = validate_checkpoint(signed, each.session, trust, now, partition=record.partition, key=record.key)
            if not isinstance(said, Reason):
                each.lanes.setdefault(record.partition, OpenLane()).checkpoints.append(said)
                each.newest = max(each.newest, said.produced_at, from_ms(record.timestamp_ms))
        return
    try:
        if record.value is None or frame_id(record.value) != sealing.SCHEMA_ID:
            return
        event = sealing.parse(record.value)
        header = headers.decode(event.header)
    except EnvelopeError:
        return
    known = found.get(header.session)
    if known is not None:
        known.lanes.setdefault(record.partition, OpenLane()).leaves[header.sequence] = event.leaf()
        known.newest = max(known.newest, from_ms(record.timestamp_ms))


def _of(found: Mapping[bytes, OpenSession], kind: type[Checkpoint], signed: Signed) -> Iterable[OpenSession]:
    try:
        known = found.get(kind.decode(signed.body).session)
    except EnvelopeError:
        known = None
    return () if known is None else (known,)


def _signed(record: KafkaRecord) -> Signed | None:
    try:
        if record.value is None or frame_id(record.value) == sealing.SCHEMA_ID:
            return None
        return Signed.parse(record.value)
    except EnvelopeError:
        return None
