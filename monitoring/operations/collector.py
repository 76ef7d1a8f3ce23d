"""Reads `<ns>.operations` from where the store's last transaction left off, and keeps what counts.

    poll ─> judged (in a thread) ─> unknown signer? catch up with the trust list, judge again ─> kept: rows, leaves,
    signed head and offsets in one transaction ─> facts, alarms

Broker and disk are waited for. An offset that is gone is noted as lost and rings; reading goes on behind it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from consumers.patience import Patience
from hub.crypto.identity import IdentityKey
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.facts import Alarm, BacklogAge, Lag, Observer, Ready
from hub.reading.backlog import Backlog
from hub.transport import Endpoint, KafkaRecord, OffsetGone, PartitionReader
from monitoring.operations.facts import OperationsCollected, OperationsDeleted, OperationsRefused
from monitoring.operations.judging import Line, Refused, Report, judged
from monitoring.operations.keeping import Batch, Item, Kept, Place
from monitoring.operations.store import OperationsStore
from topics import names
from topics.layout import Topology

STAGE: Final = "operations"
CONDITION: Final = "operations"
_POLL_BYTES: Final = 4 * 2**20
_POLL_MS: Final = 500
_LAG_SECONDS: Final = 5.0


class CollectingRole(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def identity(self) -> IdentityKey: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def topology(self) -> Topology: ...
    @property
    def state_directory(self) -> Path: ...
    async def catch_up(self) -> None: ...


class Collector:
    """`await Collector(role, store, observer, now).run(stop)`."""

    def __init__(
        self, role: CollectingRole, store: OperationsStore, observer: Observer, now: Callable[[], datetime]
    ) -> None:
        """Nothing is connected before `run`. `now` gives aware times."""
        self._role, self._store, self._observe, self._now = role, store, observer, now
        self._topic = names.operations(role.namespace)
        self._patience = Patience(STAGE, observer)
        self._ready = False
        self._backlog = Backlog()

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop`. Raises what cannot heal."""
        while not stop.is_set():
            await self._patience.while_going(CONDITION, lambda going: self._collect(going, stop), stop)

    async def _collect(self, going: Callable[[], None], stop: asyncio.Event) -> bool:
        places = await asyncio.to_thread(self._store.places)
        starts = {place: places.get(place) for place in self._places()}
        told = 0.0
        async with PartitionReader(self._role.endpoint, starts) as reader:
            while not stop.is_set():
                try:
                    records = await reader.poll(_POLL_BYTES, _POLL_MS)
                except OffsetGone:
                    await self._skip(places)
                    return True
                if records:
                    await self._take(records, places)
                now = asyncio.get_running_loop().time()
                if now - told > _LAG_SECONDS or not self._ready:
                    told = now
                    await self._lag(reader)
                    if self._ready:  # who still reads what was written while it was away is not there yet
                        going()
        return True

    def _places(self) -> list[Place]:
        declared = next(topic for topic in self._role.topology.topics if topic.name == self._topic)
        return [(self._topic, number) for number in range(declared.partitions)]

    async def _take(self, records: Sequence[KafkaRecord], places: dict[Place, int]) -> None:
        found = await asyncio.to_thread(self._judged, records)
        if any(isinstance(each, Refused) and each.news_may_help for each in found):
            await self._role.catch_up()
            found = await asyncio.to_thread(self._judged, records)
        items = tuple(
            Item(record.topic, record.partition, record.offset, record.key, record.value, each)
            for record, each in zip(records, found, strict=True)
            if not isinstance(each, Report)
        )
        ends = {(record.topic, record.partition): record.offset + 1 for record in records}
        moves = [(place, places.get(place), following) for place, following in sorted(ends.items())]
        kept = await asyncio.to_thread(self._store.keep, Batch(to_ms(self._now()), moves, items))
        places.update(ends)
        self._tell(kept)

    def _judged(self, records: Sequence[KafkaRecord]) -> list[Line | Report | Refused]:
        trust = self._role.trust
        partitions = len(self._places())
        return [judged(record, trust, partitions) for record in records]

    async def _skip(self, places: dict[Place, int]) -> None:
        """Go on behind what is gone: retention was faster than we, or the topic was made anew."""
        async with PartitionReader(self._role.endpoint, dict.fromkeys(self._places())) as reader:
            ends = await reader.end_offsets()
            for place in self._places():
                ours, oldest = places.get(place), await reader.position(place)
                if ours is not None and not oldest <= ours <= ends[place]:
                    await asyncio.to_thread(self._store.lose, place, ours, oldest, to_ms(self._now()))
                    self._observe(Alarm("operations.offset-gone", f"{place[0]}/{place[1]}"))

    async def _lag(self, reader: PartitionReader) -> None:
        found = {place: (await reader.position(place), end) for place, end in (await reader.end_offsets()).items()}
        behind = {place: max(0, end - position) for place, (position, end) in found.items()}
        for (topic, partition), records in behind.items():
            self._observe(Lag(topic, partition, records))
        for topic, age in self._backlog.look(found, time.monotonic()).items():
            self._observe(BacklogAge(topic, age))
        if not self._ready and not any(behind.values()):
            self._ready = True
            self._observe(Ready(CONDITION, True))
            self._observe(OperationsCollected({}, await asyncio.to_thread(self._store.missing), self._store.size()))

    def _tell(self, kept: Kept) -> None:
        """Facts and alarms of a batch; each trouble rings once for each principal."""
        lines = {kind.value: count for kind, count in sorted(kept.lines.items())}
        if lines:
            self._observe(OperationsCollected(lines, self._store.missing(), kept.leaves))
        for reason, count in sorted(kept.refused.items()):
            self._observe(OperationsRefused(reason, count))
            self._observe(Alarm("operations.refused", reason))
        for trouble, principal in sorted(set(kept.troubles)):
            self._observe(Alarm(f"operations.{trouble.value}", principal))
        if kept.deleted:
            self._observe(OperationsDeleted({kind.value: count for kind, count in sorted(kept.deleted.items())}))
        if kept.not_deleted:
            self._observe(Alarm("operations.not-deleted", self._role.principal))
