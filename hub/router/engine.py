"""Joins the group, fences each assigned partition, feeds its worker, and lets go in order.

On assignment a partition is held until its transactional id is initialised (which fences the owner
before) and only then its committed offset is read. A fence that fails ends the process; so does being
fenced: the other owner is right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from hub.crashpoints import reached
from hub.envelope.times import epoch_of
from hub.facts import Alarm, Observer, PartitionFenced, PartitionLost, Paused, Ready
from hub.reading.audiences import QuarantineKeys
from hub.reading.errors import KeyNotLoaded
from hub.reading.sessions import SessionRegistry
from hub.role import Role
from hub.router.lanes import Lanes, MacKeys
from hub.router.partition import MAX_BYTES, PartitionRouter, Surroundings
from hub.transport import (
    BrokerUnavailable,
    ForeignProducer,
    GroupReader,
    Hooks,
    TransactionalWriter,
    TransactionFailed,
    TransportError,
)
from hub.transport.errors import TopicMissing
from schemas.errors import HubError
from topics import names
from topics.layout import Route

_POLL_BYTES: Final = 16 * 2**20
_POLL_MS: Final = 20
_STOP_SECONDS: Final = 15.0
_REFRESH_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 0.5
_MAX_RETRIES_AT_START: Final = 240


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Owned:
    """A partition that this process owns, or is about to."""

    worker: PartitionRouter | None
    task: asyncio.Task[None]
    waiting: bool = False


class Router:
    """`await Router(role, observer).run(stop)`: routes until `stop` is set; raises if it must end."""

    def __init__(self, role: Role, observer: Observer, *, now: Callable[[], datetime] = _now) -> None:
        """Nothing is connected before `run`."""
        self._role = role
        self._observer = observer
        self._now = now
        namespace = role.namespace
        self._topic = names.submissions(namespace)
        principal = role.topology.principal(role.principal)
        assert principal.group is not None
        assert principal.transactional_ids is not None
        self._group = principal.group
        self._ids = principal.transactional_ids
        self._registry = SessionRegistry(role.endpoint, (names.sessions(namespace),), lambda: role.trust, now, observer)
        self._quarantine = QuarantineKeys(role.endpoint, names.audiences(namespace), lambda: role.trust, now)
        self._keys = MacKeys(role.keystore)
        self._owned: dict[int, _Owned] = {}
        self._routes: dict[str, tuple[Route, ...]] = {
            tenant.code: role.topology.routes_of(tenant.code) for tenant in role.topology.tenants
        }
        self._around = Surroundings(
            topic=self._topic,
            partitions=role.topology.partitions,
            group=self._group,
            letters_topic=names.dead_letters(namespace, role.principal),
            routes=lambda: self._routes,
            trust=lambda: role.trust,
            identity=role.identity,
            quarantine_key=self._quarantine.current,
            now=now,
            monotonic=time.monotonic,
            observer=observer,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Route until `stop`. Raises ForeignProducer when fenced out, HubError for what cannot heal."""
        reader = GroupReader(self._role.endpoint, self._topic, self._group, on_revoked=self._give_up)
        try:
            if not await self._caught_up(stop):
                return
            await self._patiently(reader.start, stop)
            async with asyncio.TaskGroup() as tasks:
                refresh = tasks.create_task(self._refresh(), name="audiences")
                try:
                    while not stop.is_set():
                        await self._turn(reader, tasks)
                finally:
                    refresh.cancel()
                    await self._give_up(frozenset(self._owned))
        except* ForeignProducer:
            self._observer(Alarm("router.fenced", self._topic))
            raise
        finally:
            await reader.close()
            await self._registry.close()
            await self._quarantine.close()

    async def _caught_up(self, stop: asyncio.Event) -> bool:
        """Own key loaded, sessions and audiences read to the end, before anything is read."""

        async def own_key() -> None:
            epoch = epoch_of(self._now())
            if not self._keys.ready(epoch):
                raise KeyNotLoaded(f"router {epoch}")

        for condition, work in (
            ("sessions", lambda: self._registry.ensure(())),
            ("audiences", self._quarantine.refresh),
            ("audiences", own_key),
        ):
            await self._patiently(work, stop)
            if stop.is_set():
                return False
            self._observer(Ready(condition, True))
        return True

    async def _patiently(self, work: Callable[[], object], stop: asyncio.Event) -> None:
        code = ""
        while not stop.is_set():
            try:
                await work()  # type: ignore[misc]
            except HubError as error:
                if not error.retriable:
                    raise
                if error.code != code:
                    self._observer(Paused("router", error.code, True))
                    self._observer(Alarm(error.code, "router"))
                    code = error.code
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if code:
                    self._observer(Paused("router", code, False))
                return

    async def _turn(self, reader: GroupReader, tasks: asyncio.TaskGroup) -> None:
        assigned = reader.take_assignment()
        if assigned is not None:
            self._observer(Ready("fenced", not assigned))
            for partition in sorted(assigned):
                self._owned[partition] = _Owned(
                    None, tasks.create_task(self._own(partition, reader), name=f"partition-{partition}")
                )
        try:
            records = await reader.poll(_POLL_BYTES, _POLL_MS)
        except (BrokerUnavailable, TopicMissing) as error:
            self._observer(Paused("router.poll", error.code, True))
            await asyncio.sleep(_RETRY_SECONDS)
            self._observer(Paused("router.poll", error.code, False))
            return
        records.sort(key=lambda record: record.partition)  # stable: order within a partition stays
        for partition, some in groupby(records, key=lambda record: record.partition):
            owned = self._owned.get(partition)
            if owned is not None and owned.worker is not None:
                owned.worker.put(list(some))
        for partition, owned in self._owned.items():
            self._balance(reader, partition, owned)
        await asyncio.sleep(0)

    def _balance(self, reader: GroupReader, partition: int, owned: _Owned) -> None:
        """Fetch no more for a partition whose worker is behind; bounded memory, nothing dropped."""
        if owned.worker is None:
            return
        if not owned.waiting and owned.worker.queued_bytes > MAX_BYTES:
            reader.pause(partition)
            owned.waiting = True
        elif owned.waiting and owned.worker.queued_bytes < MAX_BYTES // 2:
            reader.resume(partition)
            owned.waiting = False

    async def _own(self, partition: int, reader: GroupReader) -> None:
        """Fence, read the committed offset, work; after a failed transaction the same again."""
        hooks = Hooks(
            lambda: reached("router.before-send"),
            lambda: reached("router.after-send"),
            lambda: reached("router.after-commit"),
        )
        writer = TransactionalWriter(self._role.endpoint, f"{self._ids}{self._topic}/{partition}", hooks=hooks)
        lanes = Lanes(partition, self._topic, self._registry, self._keys, lambda: self._role.trust)
        try:
            while True:
                offset = await self._fenced(partition, reader, writer)
                worker = PartitionRouter(partition, self._around, lanes, writer)
                self._owned[partition].worker = worker
                await reader.release(partition, offset)
                self._observer(PartitionFenced(partition))
                self._observer(Ready("fenced", all(each.worker is not None for each in self._owned.values())))
                try:
                    await worker.run()
                    return
                except TransactionFailed:
                    reader.hold(partition)
                    self._owned[partition].worker = None
                    self._observer(Ready("fenced", False))
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await asyncio.shield(writer.close())

    async def _fenced(self, partition: int, reader: GroupReader, writer: TransactionalWriter) -> int | None:
        """Initialise the transactional id, then ask for the committed offset: in this order, or it may be stale."""
        for attempt in range(_MAX_RETRIES_AT_START):
            try:
                await writer.fence()
                return await reader.committed(partition)
            except TransportError as error:
                if not error.retriable:
                    raise
                if attempt == 0:
                    self._observer(Alarm(error.code, f"partition {partition}"))
                await asyncio.sleep(_RETRY_SECONDS)
        raise BrokerUnavailable(f"partition {partition} could not be fenced")

    async def _give_up(self, partitions: frozenset[int]) -> None:
        """End the work on partitions that others get now: finish what is under way, take no more."""
        ending = {partition: self._owned.pop(partition) for partition in partitions if partition in self._owned}
        for owned in ending.values():
            if owned.worker is None:
                owned.task.cancel()
            else:
                owned.worker.stop()
        if not ending:
            return
        tasks = [owned.task for owned in ending.values()]
        _, late = await asyncio.wait(tasks, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        for partition in ending:
            self._observer(PartitionLost(partition, fenced=False))

    async def _refresh(self) -> None:
        """Look for new quarantine keys now and then; what cannot be read now is read next time."""
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            try:
                await self._quarantine.refresh()
            except HubError as error:
                self._observer(Alarm(error.code, "router"))
