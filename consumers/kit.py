"""For tax systems: accepted submissions, opened with the team's own key, each exactly once by your own transaction.

    async for delivery in accepted_submissions(role, places):
        with database:                                   # one transaction of yours:
            database.execute("INSERT ...", ...)          #   what you make of it
            database.execute("UPDATE place ...", delivery.partition, delivery.place)
                                                         # and where to go on
Start again with the places that your database has. A `place` is an opaque text: it also names parts of large
attachments that came before their submission. If your transaction fails, raise; nothing was consumed.
What is not sealed for your team is passed over; what is not valid becomes a dead letter of your principal.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from hub.envelope.inspection import PRODUCED
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.times import from_ms
from hub.facts import Observer, ignore
from hub.producing.producer import now_utc
from hub.reading.intake import Arrived, Expectation, Refused
from hub.reading.stream import SealedStream, Stopped, StreamRole
from hub.transport import KafkaRecord
from schemas.decisions import AcceptedRecord
from schemas.errors import HubError
from schemas.parts import ATTACHMENT_PART, Part, completed, join, read_part
from schemas.submission import Submission
from topics import names

MAX_WAITING_PARTS: Final = 4_096
"""places of parts per partition that are remembered until their submission comes; then the oldest is forgotten"""

_PROGRESS_SECONDS: Final = 1.0
_MAX_OFFSET: Final = 2**63 - 1
_MAX_WHOLE: Final = 64
_LEAF: Final = re.compile("[0-9a-f]{64}")
_NUMBER: Final = re.compile("[1-9][0-9]{0,2}")

Progress = Callable[[int, str], None]


class PlaceInvalid(HubError):
    """A place that was handed back is not one that this kit gave."""

    code = "kit.place"
    hint = "Hand back the text of `Delivery.place` of this partition, unchanged."


@dataclass(frozen=True, slots=True)
class Delivery:
    """One accepted submission for your team, or (`submission` None) that an acceptance is revoked.

    `event_id` is unique: keep the first of one id, for the same hand-over may come again, and under another `leaf` (32
    bytes) if somebody altered what is not for you. `revision` grows with each decision on a filing, so an older one
    never replaces a newer. `place` is where to go on after this one.
    """

    event_id: str
    leaf: bytes
    tenant: str
    tax_item: str
    receipt_number: str
    procedure: str
    decision: str
    revision: int
    reason: str
    decided_at: datetime
    submission_event_id: str
    epoch: int
    """the month (YYYYMM) of the own key that it is sealed to; nothing of it may be readable without that key"""
    partition: int
    place: str
    submission: Submission | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one event is: a part, or a record with its header's facts; neither if it is another team's."""

    arrived: Arrived
    part: Part | None = field(default=None, repr=False)
    record: AcceptedRecord | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Lane:
    """One partition: what comes next, and by leaf (hex) where parts lie that wait for their submission.

    `whole` are the last submissions whose parts were put together and forgotten: a desk that crashed may send
    its last event again, and only that one.
    """

    next_offset: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    whole: dict[str, None] = field(default_factory=dict)

    def said(self) -> dict[str, object]:
        return {"next": self.next_offset, "parts": self.parts, "whole": list(self.whole)}

    def remember(self, leaf: bytes, offset: int) -> None:
        self.parts[leaf.hex()] = offset
        while len(self.parts) > MAX_WAITING_PARTS:
            del self.parts[next(iter(self.parts))]

    def forget(self, record: AcceptedRecord, leaf: bytes) -> None:
        """Forget the parts of a submission that is whole; one that was refused may be replayed, and needs them."""
        if not record.large:
            return
        for large in record.large:
            for name in large.parts:
                self.parts.pop(name.leaf.hex(), None)
        self.whole[leaf.hex()] = None
        while len(self.whole) > _MAX_WHOLE:
            del self.whole[next(iter(self.whole))]


class _Lanes:
    """The lanes of all partitions and generations of the topic; a place is those of one partition."""

    def __init__(self, topics: Mapping[str, int], places: Mapping[int, str]) -> None:
        """`topics` are named with their generations. Raises PlaceInvalid."""
        self._topics = topics
        self._lanes = {
            (generation, partition): lane
            for partition, text in places.items()
            for generation, lane in _lanes_of(text).items()
        }

    def of(self, topic: str, partition: int) -> _Lane:
        return self._lanes.setdefault((self._topics[topic], partition), _Lane())

    def starts(self) -> dict[tuple[str, int], int]:
        return {
            (topic, number): lane.next_offset
            for (generation, number), lane in self._lanes.items()
            for topic, known in self._topics.items()
            if known == generation
        }

    def place(self, partition: int) -> str:
        """The text; of a topic that never grew, and before anything of a later generation came, that of one lane."""
        found = {
            str(generation): lane.said()
            for (generation, number), lane in sorted(self._lanes.items())
            if number == partition and generation in self._topics.values()
        }
        return json.dumps(found["1"] if found.keys() == {"1"} else {"generations": found}, separators=(",", ":"))


class _Passed:
    """Tells how far a caller may go on without a delivery: seldom, for it will write that down."""

    def __init__(self, lanes: _Lanes, progress: Progress | None) -> None:
        self._lanes = lanes
        self._progress = progress
        self._behind: set[int] = set()
        self._last = time.monotonic()

    def note(self, partition: int) -> None:
        self._behind.add(partition)
        if time.monotonic() - self._last >= _PROGRESS_SECONDS:
            self.tell()

    def beyond(self, record: KafkaRecord) -> None:
        """A dead letter was written: not again after a restart."""
        self._lanes.of(record.topic, record.partition).next_offset = record.offset + 1
        self._behind.add(record.partition)
        self.tell()

    def told(self, partition: int) -> None:
        """Take note that a delivery's own place was kept."""
        self._behind.discard(partition)

    def tell(self) -> None:
        if self._progress is not None:
            for partition in sorted(self._behind):
                self._progress(partition, self._lanes.place(partition))
        self._behind.clear()
        self._last = time.monotonic()


def _lanes_of(text: str) -> dict[int, _Lane]:
    """By generation. Raises PlaceInvalid."""
    try:
        said = json.loads(text)
        if "generations" not in said:
            return {1: _lane(said)}
        found = said["generations"].items()
        if not all(_NUMBER.fullmatch(number) for number, _ in found):
            raise PlaceInvalid
        return {int(number): _lane(each) for number, each in found}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise PlaceInvalid from None


def _lane(said: Any) -> _Lane:
    try:
        following, parts, whole = said["next"], said["parts"], dict.fromkeys(said["whole"])
        offsets = [following, *parts.values()]
        # type(), not isinstance(): true and false are no offsets
        valid = all(type(each) is int and 0 <= each <= _MAX_OFFSET for each in offsets)
        valid = valid and all(_LEAF.fullmatch(leaf) for leaf in (*parts, *whole))
        valid = valid and len(parts) <= MAX_WAITING_PARTS and len(whole) <= _MAX_WHOLE
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PlaceInvalid from None
    if not valid or any(offset >= following for offset in parts.values()):
        raise PlaceInvalid
    return _Lane(following, parts, whole)


async def accepted_submissions(
    role: StreamRole,
    places: Mapping[int, str],
    observer: Observer = ignore,
    *,
    follow: bool = True,
    stop: asyncio.Event | None = None,
    progress: Progress | None = None,
    wall: Callable[[], datetime] = now_utc,
) -> AsyncGenerator[Delivery]:
    """Yield what was handed over to the team of `role` (principal `tax-<item>-<tenant>`), in order per filing.

    `places` are those of your database by partition; empty the first time. With `follow` it goes on until `stop`
    is set, else it ends where the topic ends now. `progress(partition, place)` tells, between deliveries and once
    a second at most, how far what is not yours was passed over: keep it if you may be idle for longer than the
    topic's retention.

    Raises PlaceInvalid, OffsetGone (the topic no longer has what comes next), NotAuthorized, RoleGrown (the topic has
    grown: start again); waits for brokers and keys that are away.
    """
    team, _, tenant = role.principal.rpartition("-")
    topology = role.topology
    topics = {names.accepted(role.namespace, tenant, each.number): each.number for each in topology.generations}
    lanes = _Lanes(topics, places)
    passed = _Passed(lanes, progress)
    stream = SealedStream(
        role,
        role.principal,
        {topic: Expectation(tenant, Kind.ACCEPTED, topic, PRODUCED) for topic in topics},
        topology.every(partial(names.desk_sessions, role.namespace, tenant)),
        lanes.starts(),
        partial(_read, team.removeprefix("tax-")),
        observer,
        letters=True,
        wall=wall,
        put_aside=passed.beyond,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(stream.close)
        await stream.connect(stop)
        events = await stack.enter_async_context(aclosing(stream.events(follow=follow, stop=stop)))
        async for record, read in events:
            lane = lanes.of(record.topic, record.partition)
            lane.next_offset = record.offset + 1
            leaf = read.arrived.leaf
            if read.record is None or leaf.hex() in lane.whole:
                if read.part is not None:
                    lane.remember(leaf, record.offset)
                passed.note(record.partition)
                continue
            try:
                submission = await _whole(stream, record, read, lane)
                if isinstance(submission, Reason):
                    await stream.refuse(record, Refused(submission, False, read.arrived.header.session, leaf))
                    continue
            except Stopped:
                return
            lane.forget(read.record, leaf)
            yield _delivery(lanes.place(record.partition), record, read, submission)
            passed.told(record.partition)
        passed.tell()


async def _whole(
    stream: SealedStream[_Read], record: KafkaRecord, read: _Read, lane: _Lane
) -> Submission | Reason | None:
    """Fetch the parts of large attachments again and put them together."""
    assert read.record is not None
    submission = read.record.submission
    if submission is None:  # the acceptance is revoked
        return None
    contents: dict[int, bytes] = {}
    for large in read.record.large:
        pieces: list[Part | None] = []
        for name in large.parts:
            offset = lane.parts.get(name.leaf.hex())
            found = None if offset is None else await stream.again((record.topic, record.partition), offset)
            pieces.append(None if found is None or found.arrived.leaf != name.leaf else found.part)
        try:
            contents[large.position] = await asyncio.to_thread(join, submission, large, pieces)
        except HubError:
            return Reason.PLAINTEXT_INVALID
    return completed(submission, contents)


def _read(tax_item: str, record: KafkaRecord, arrived: Arrived) -> _Read | Reason:
    header = arrived.header
    if arrived.plaintext is None or header.cause is None:
        return _Read(arrived)  # another team's
    try:
        if header.procedure == ATTACHMENT_PART:
            part = read_part(arrived.plaintext)
            same = (part.receipt_number, part.tenant) == (header.receipt_number, header.tenant)
            return _Read(arrived, part=part) if same else Reason.SECTION_MISMATCH
        accepted = AcceptedRecord.decode(arrived.plaintext)
    except HubError:
        return Reason.PLAINTEXT_INVALID
    said = (accepted.receipt_number, accepted.tenant, accepted.tax_item)
    if said != (header.receipt_number, header.tenant, header.tax_item) or accepted.tax_item != tax_item:
        return Reason.SECTION_MISMATCH  # sealed for this team, but not meant for it
    if accepted.submission is not None and accepted.submission.procedure != header.procedure:
        return Reason.SECTION_MISMATCH
    return _Read(arrived, record=accepted)


def _delivery(place: str, record: KafkaRecord, read: _Read, submission: Submission | None) -> Delivery:
    accepted, header = read.record, read.arrived.header
    assert accepted is not None
    assert header.cause is not None  # `_read` has seen to both
    sealed = read.arrived.session.audience(f"tax-{accepted.tax_item}-{accepted.tenant}")
    assert sealed is not None  # or it would not have been opened
    return Delivery(
        header.event_id,
        read.arrived.leaf,
        header.tenant,
        accepted.tax_item,
        header.receipt_number,
        header.procedure,
        accepted.decision,
        accepted.revision,
        accepted.reason,
        from_ms(accepted.decided_at),
        header.cause.event_id,
        sealed.epoch,
        record.partition,
        place,
        submission,
    )
