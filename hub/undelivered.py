"""What a tenant has not been given yet, as the topics themselves tell: asked before the tenant is removed.

    submissions, behind the router's committed offsets            ─> not routed
    <T>.review, minus signed receipts, minus the desk's letters   ─> not stored

Needs the administrator's rights. Bodies stay sealed: headers, leaves and receipts suffice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope.letters import DeadLetter
from hub.envelope.reasons import EnvelopeError
from hub.envelope.records import StoredReceipt
from hub.envelope.signed import Signed
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.envelope.wire import frame_id
from hub.transport import Endpoint, KafkaRecord, OffsetGone, PartitionReader
from schemas.errors import HubError
from topics import names
from topics.layout import Topology

Place = tuple[str, int]
_POLL_BYTES: Final = 8 * 2**20
_TENANTS: Final = 100
"""asked for together"""


class Undelivered(HubError):
    """A tenant that is to be removed has events that did not reach its review desk."""

    code: ClassVar[str] = "topics.undelivered"
    hint: ClassVar[str] = (
        "Let router and review desk catch up, then apply again. With --force they are left where they are: "
        "routed ones in the tenant's topics until retention, others become dead letters (tenant-unknown)."
    )


@dataclass(frozen=True, slots=True)
class Left:
    """How many events of one tenant are not routed, and routed but not stored."""

    tenant: str
    unrouted: int
    unstored: int

    @property
    def nothing(self) -> bool:
        """Whether everything arrived."""
        return not self.unrouted and not self.unstored


async def find_undelivered(
    endpoint: Endpoint,
    topology: Topology,
    tenants: Collection[str],
    committed: Mapping[Place, int],
    trust: Trust,
) -> tuple[Left, ...]:
    """Look for each of `tenants`; `committed` are the router's offsets on the submissions. Raises TransportError."""
    unrouted = await find_unrouted(endpoint, topology, committed)
    unstored = await find_unstored(endpoint, topology, tenants, trust)
    return tuple(Left(tenant, unrouted.get(tenant, 0), unstored[tenant]) for tenant in sorted(tenants))


def insist(left: Collection[Left]) -> None:
    """Raise Undelivered if something is left."""
    found = [
        f"{each.tenant}: {each.unrouted} not routed, {each.unstored} not stored" for each in left if not each.nothing
    ]
    if found:
        raise Undelivered("; ".join(found))


async def find_unrouted(endpoint: Endpoint, topology: Topology, committed: Mapping[Place, int]) -> dict[str, int]:
    """How many submissions of each tenant the router has not taken; `committed` are its offsets on them."""
    return await count_unrouted(endpoint, topology, committed, _tenant)


async def count_unrouted(
    endpoint: Endpoint,
    topology: Topology,
    committed: Mapping[Place, int],
    sort: Callable[[KafkaRecord], str | None],
) -> dict[str, int]:
    """How many records of each sort lie behind the router's offsets; those of None are not counted."""
    topic = names.submissions(topology.namespace, topology.generation)
    starts = {(topic, number): committed.get((topic, number)) for number in range(topology.partitions)}
    found: dict[str, int] = {}
    try:
        async for record in read_all(endpoint, starts):
            which = sort(record)
            if which is not None:
                found[which] = found.get(which, 0) + 1
    except OffsetGone:  # retention passed the router by; what is left counts
        return await count_unrouted(endpoint, topology, {}, sort)
    return found


async def find_unstored(
    endpoint: Endpoint,
    topology: Topology,
    tenants: Collection[str],
    trust: Trust,
    *,
    younger_than: datetime | None = None,
) -> dict[str, int]:
    """How many routed submissions of each tenant its review desk has neither confirmed nor refused.

    Of what is not `younger_than` a moment nothing is said: retention may have deleted the answer before the record.
    Raises TransportError.
    """
    found: dict[str, int] = {}
    ordered = sorted(tenants)
    for start in range(0, len(ordered), _TENANTS):
        found |= await _unstored(endpoint, topology, ordered[start : start + _TENANTS], trust, younger_than)
    return found


async def _unstored(
    endpoint: Endpoint, topology: Topology, tenants: Sequence[str], trust: Trust, younger_than: datetime | None
) -> dict[str, int]:
    """Of some tenants together: a reader takes its time, and 1,788 of them an hour."""
    namespace, generation = topology.namespace, topology.generation  # earlier ones were drained before this one began
    reviews = {names.review(namespace, tenant, generation): tenant for tenant in tenants}
    statuses = {names.status(namespace, tenant, generation): tenant for tenant in tenants}
    letters = [names.dead_letters(namespace, f"review-{tenant}", generation) for tenant in tenants]
    oldest = 0 if younger_than is None else to_ms(younger_than)
    routed: dict[tuple[str, int, int], bytes] = {}
    settled: set[bytes] = set()
    put_aside: set[tuple[str, int, int]] = set()
    # what answers is read after what is to be answered: more of it does no harm
    async for record in read_all(endpoint, whole(reviews, topology.partitions)):
        leaf = _leaf(record) if record.timestamp_ms >= oldest else None
        if leaf is not None:
            routed[record.topic, record.partition, record.offset] = leaf
    async for record in read_all(endpoint, whole(statuses, topology.partitions)):
        settled |= _confirmed(record, statuses[record.topic], trust)
    async for record in read_all(endpoint, whole(letters, topology.partitions)):
        put_aside |= _refused(record)
    left = dict.fromkeys(tenants, 0)
    for place, leaf in routed.items():
        left[reviews[place[0]]] += leaf not in settled and place not in put_aside
    return left


def whole(topics: Collection[str], partitions: int) -> dict[Place, int | None]:
    """Every partition of some topics, from its beginning."""
    return {(topic, number): None for topic in topics for number in range(partitions)}


async def read_all(endpoint: Endpoint, starts: Mapping[Place, int | None]) -> AsyncIterator[KafkaRecord]:
    """Read from the starts to where the partitions end now."""
    async with PartitionReader(endpoint, starts) as reader:
        ends = await reader.end_offsets()
        while any([await reader.position(place) < end for place, end in ends.items()]):
            for record in await reader.poll(_POLL_BYTES, 200):
                yield record


def _tenant(record: KafkaRecord) -> str | None:
    try:
        if record.value is None or frame_id(record.value) != sealing.SCHEMA_ID:
            return None
        return headers.decode(sealing.parse(record.value).header).tenant
    except EnvelopeError:
        return None  # the router makes a dead letter of it, whoever is declared


def _leaf(record: KafkaRecord) -> bytes | None:
    try:
        if record.value is None or frame_id(record.value) != sealing.SCHEMA_ID:
            return None
        return sealing.parse(record.value).leaf()
    except EnvelopeError:
        return None


def _confirmed(record: KafkaRecord, tenant: str, trust: Trust) -> set[bytes]:
    """The leaves of a receipt; one that was signed before its key was revoked counts, for it was believed then."""
    try:
        if record.value is None or frame_id(record.value) == sealing.SCHEMA_ID:
            return set()
        signed = Signed.parse(record.value)
        if signed.name != StoredReceipt.RECORD:
            return set()
        receipt = StoredReceipt.decode(signed.body)
    except EnvelopeError:
        return set()
    desk = f"review-{tenant}"
    placed = (receipt.desk, receipt.tenant, receipt.partition) == (desk, tenant, record.partition)
    return {each.leaf for each in receipt.entries} if placed and trust.spoke(signed, desk, receipt.stored_at) else set()


def _refused(record: KafkaRecord) -> set[tuple[str, int, int]]:
    try:
        place = DeadLetter.decode(record.value or b"").place
    except EnvelopeError:
        return set()
    return {(place.topic, place.partition, place.offset)}
