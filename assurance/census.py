"""Counts what the router's outputs really hold, record by record, on the committed topics themselves.

Nothing here asks a store: stores drop what comes twice, and would hide a duplicate. The census reads every
output of every tenant from its beginning and compares with what the portal says it got acknowledged; and what
comes back, decisions and hand-overs, with what the review desks say they told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from assurance.reconcile import Report, State
from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope import signed as signing
from hub.envelope.letters import DeadLetterNotice, Place
from hub.envelope.reasons import EnvelopeError
from hub.envelope.records import Checkpoint, LetterResolved, StoredReceipt
from hub.envelope.sealed import parse
from hub.envelope.signed import Signed
from hub.envelope.wire import frame_id
from hub.transport import Endpoint, KafkaRecord, PartitionReader
from schemas.parts import ATTACHMENT_PART
from topics import names
from topics.layout import Topology
from topics.names import in_generation

_POLL_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Census:
    """What was read: per topic how often each leaf (32 bytes) stands there; letters; what is neither.

    A topic's generations count as one, under the name of the first: an event stands in one of them.
    `parts` counts parts of attachments on the way to tax teams, which are events of their own.
    """

    leaves: Mapping[str, Mapping[bytes, int]]
    parts: int
    dead_letters: int
    """letters that the operator neither replayed nor discarded"""
    foreign: int
    sent_back: Mapping[str, Mapping[bytes, int]] = field(default_factory=dict)
    """per output topic how often the operator stated that he sent a leaf back to it, where a desk had refused it"""


@dataclass(frozen=True, slots=True)
class Account:
    """The census against the portal's report. `routed` counts events that stand in every output of their tenant."""

    submitted: int
    routed: int
    lost: int
    """acknowledged by the portal, missing from an output: one per event and output"""
    duplicates: int
    """copies beyond the first and beyond those that the operator sent back, over all outputs"""
    extra: int
    """in an output, but never sent by the portal"""
    dead_letters: int


@dataclass(frozen=True, slots=True)
class Returns:
    """Decisions or hand-overs on their topics, against what the review desks say they told."""

    told: int
    lost: int
    duplicates: int
    extra: int


async def take_census(endpoint: Endpoint, topology: Topology) -> Census:
    """Read outputs, status, accepted and dead-letter topics to their present end. Needs the administrator's rights.

    Raises TransportError.
    """
    partitions = topology.partitions_of
    outputs = {topic for route in topology.routes for topic in _of_all(topology, route.topic)}
    for tenant in topology.tenants:
        for name in (names.status, names.accepted):
            outputs.update(topology.every(partial(name, topology.namespace, tenant.code)))
    letters = {topic for principal in topology.principals for topic in principal.all_dead_letters}
    resolutions = names.resolutions(topology.namespace)
    read = outputs | letters | {resolutions}
    starts = {(topic, number): None for topic in read for number in range(partitions[topic])}
    leaves: dict[str, Counter[bytes]] = {in_generation(topic, 1): Counter() for topic in outputs}
    sent_back: dict[str, Counter[bytes]] = {topic: Counter() for topic in leaves}
    open_letters: set[Place] = set()
    ended: set[Place] = set()
    foreign = parts = 0
    async with PartitionReader(endpoint, starts) as reader:
        ends = await reader.end_offsets()
        while any([await reader.position(place) < end for place, end in ends.items()]):
            for record in await reader.poll(_POLL_BYTES, 200):
                if record.topic in letters:
                    open_letters.add(Place(record.topic, record.partition, record.offset))
                    continue
                if record.topic == resolutions:
                    said = _resolution(record)
                    foreign += said is None
                    if said is not None:
                        ended.add(said.letter)
                        if said.replayed_to is not None and said.event is not None and said.origin.topic in outputs:
                            sent_back[in_generation(said.origin.topic, 1)][said.event.leaf] += 1
                    continue
                leaf = _leaf(record)
                if leaf and _is_part(record):
                    parts += 1
                elif leaf:
                    leaves[in_generation(record.topic, 1)][leaf] += 1
                elif leaf is None:
                    foreign += 1
    return Census(leaves, parts, len(open_letters - ended), foreign, sent_back)


def account(census: Census, portal: Report, topology: Topology) -> Account:
    """Compare a census with what the portal got acknowledged. Pure."""
    sent: dict[str, set[bytes]] = {tenant.code: set() for tenant in topology.tenants}
    void: set[bytes] = set()
    for entry in portal.entries:
        if entry.state in (State.VOID, State.PENDING):
            void.add(entry.leaf)
        else:
            sent.setdefault(entry.tenant, set()).add(entry.leaf)
    routed = lost = duplicates = extra = 0
    for tenant, leaves in sent.items():
        held = [census.leaves.get(in_generation(route.topic, 1), {}) for route in topology.routes_of(tenant)]
        routed += sum(bool(held) and all(leaf in each for each in held) for leaf in leaves)
        lost += sum(leaf not in each for leaf in leaves for each in held) + (0 if held else len(leaves))
        duplicates += sum(
            _surplus(held_, census.sent_back.get(in_generation(route.topic, 1), {}))
            for held_, route in zip(held, topology.routes_of(tenant), strict=True)
        )
        extra += sum(len(each.keys() - leaves - void) for each in held)
    return Account(
        submitted=sum(map(len, sent.values())),
        routed=routed,
        lost=lost,
        duplicates=duplicates,
        extra=extra + census.foreign,
        dead_letters=census.dead_letters,
    )


def account_returns(census: Census, told: Iterable[Report], topic_of: Callable[[str], str]) -> Returns:
    """Compare the topics of a flow back, `topic_of` each tenant, with what its review desk says. Pure."""
    count = lost = duplicates = extra = 0
    for report in told:
        assert report.tenant is not None  # a desk speaks for one
        topic = topic_of(report.tenant)
        said = {entry.leaf for entry in report.entries if entry.state not in (State.VOID, State.PENDING)}
        stands = census.leaves.get(topic, {})
        count += len(said & stands.keys())
        lost += len(said - stands.keys())
        duplicates += _surplus(stands, census.sent_back.get(topic, {}))
        extra += len(stands.keys() - said)
    return Returns(count, lost, duplicates, extra)


def _of_all(topology: Topology, present: str) -> tuple[str, ...]:
    """A topic of the present generation, in all of them."""
    return topology.every(partial(in_generation, present))


def _is_part(record: KafkaRecord) -> bool:
    if record.value is None or ATTACHMENT_PART.encode() not in record.value:  # the header stands in clear
        return False
    try:
        return headers.decode(parse(record.value).header).procedure == ATTACHMENT_PART
    except EnvelopeError:
        return False


def _surplus(counts: Mapping[bytes, int], sent_back: Mapping[bytes, int]) -> int:
    return sum(max(0, count - 1 - sent_back.get(leaf, 0)) for leaf, count in counts.items())


def _resolution(record: KafkaRecord) -> LetterResolved | None:
    try:
        return LetterResolved.hear(Signed.parse(record.value or b"").body)
    except EnvelopeError:
        return None


_STATEMENTS = frozenset(
    {
        Checkpoint.RECORD,
        DeadLetterNotice.RECORD,
        LetterResolved.RECORD,
        LetterResolved.TOLD,
        StoredReceipt.RECORD,
    }
)


def _leaf(record: KafkaRecord) -> bytes | None:
    """The leaf of an event; empty for a signed statement about events; None for what does not belong there."""
    if record.value is None:
        return None
    try:
        schema = frame_id(record.value)
        if schema == sealing.SCHEMA_ID:
            return parse(record.value).leaf()
        if schema == signing.SCHEMA_ID:
            name = Signed.parse(record.value).name
            return b"" if name in _STATEMENTS else None
    except EnvelopeError:
        return None
    return None
