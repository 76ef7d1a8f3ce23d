"""Joins the group, fences each assigned partition, feeds its worker, and lets go in order.

    assigned ─> fence (the owner before can no longer commit) ─> committed offset ─> release ─> work
    revoked  ─> finish the transaction under way ─> let go

Records of a partition are held back until its transactional id is initialised, and only then its committed
offset is read: in the other order it may be stale. Being fenced ends the process: the other owner is right.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from hub.crashpoints import reached
from hub.envelope.names import ROUTER
from hub.envelope.times import epoch_of
from hub.facts import Alarm, BacklogAge, Lag, Observer, PartitionFenced, PartitionLost, Paused, Ready
from hub.loop import TaskGroup
from hub.reading.audiences import AudienceDirectory
from hub.reading.backlog import Backlog
from hub.reading.errors import KeyNotLoaded
from hub.reading.secrets import OwnSecrets
from hub.reading.sessions import SessionRegistry
from hub.router.batch import Clerk
from hub.router.lanes import Lanes
from hub.router.partition import MAX_BYTES, Caution, PartitionRouter, Surroundings
from hub.router.readiness import Outputs
from hub.router.role import RouterRole
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
from hub.transport.survey import Surveyor
from schemas.errors import HubError
from topics import names

_POLL_BYTES: Final = 16 * 2**20
_POLL_MS: Final = 20
_STOP_SECONDS: Final = 8.0
"""under the group's rebalance time: who is slower is cancelled, and its transaction aborted"""
_LOOK_AGAIN_SECONDS: Final = 2.0
_REFRESH_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = (0.05, 0.2, 0.5, 1.0, 2.0)
_FENCING_SECONDS: Final = 120.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Owned:
    """A partition that this process owns, or is about to."""

    task: asyncio.Task[None]
    worker: PartitionRouter | None = None
    waiting: bool = False
    revoked: bool = False


class Router:
    """`await Router(role, observer).run(stop)`: routes until `stop` is set; raises if it must end."""

    def __init__(self, role: RouterRole, observer: Observer, *, now: Callable[[], datetime] = _now) -> None:
        """Nothing is connected before `run`. `now` gives aware times."""
        self._role = role
        self._observer = observer
        self._now = now
        namespace, topology = role.namespace, role.topology
        principal = topology.principal(role.principal)
        assert principal.group is not None
        assert principal.transactional_ids is not None
        generation = topology.generation  # of another one this process never hears: it begins anew with it
        self._topic = names.submissions(namespace, generation)
        self._group = principal.group
        self._ids = principal.transactional_ids
        self._outputs = Outputs(lambda: role.topology, Surveyor(role.endpoint))
        self._audiences = AudienceDirectory(role.endpoint, names.audiences(namespace), lambda: role.trust, now)
        self._registry = SessionRegistry(
            role.endpoint,
            (names.sessions(namespace, generation),),
            lambda: role.trust,
            now,
            observer,
            audience_keys=self._audiences.key,
            catch_up=role.catch_up,
        )
        self._secrets = OwnSecrets(
            ROUTER,
            role.keystore,
            announced=lambda epoch: bool(self._audiences.announced(ROUTER, epoch)),
            destroyed=lambda epoch: self._audiences.destroyed(ROUTER, epoch),
        )
        self._owned: dict[int, _Owned] = {}
        self._waiting: tuple[str, ...] = ()
        self._around = Surroundings(
            topic=self._topic,
            partitions=topology.partitions,
            group=self._group,
            routes=lambda: self._outputs.ready,
            declared=lambda: self._outputs.declared,
            catch_up=self._catch_up,
            clerk=Clerk(
                role.principal,
                names.dead_letters(namespace, role.principal, generation),
                role.identity,
                self._audiences.current,
                self._outputs.open,
            ),
            trust=lambda: role.trust,
            now=now,
            monotonic=time.monotonic,
            observer=observer,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Route until `stop`. Raises (in a group) ForeignProducer when fenced out, HubError for what cannot heal."""
        reader = GroupReader(self._role.endpoint, self._topic, self._group, on_revoked=self._revoked)
        try:
            if not await self._caught_up(reader, stop):
                return
            async with TaskGroup() as tasks:
                refresh = tasks.create_task(self._refresh(), name="refresh")
                watch = tasks.create_task(self._watch(reader), name="watch")
                try:
                    while not stop.is_set():
                        await self._turn(reader, tasks, stop)
                finally:
                    refresh.cancel()
                    watch.cancel()
                    await self._give_up(frozenset(self._owned))
        finally:
            await reader.close()
            for each in (self._registry, self._audiences, self._outputs):
                await each.close()

    async def _caught_up(self, reader: GroupReader, stop: asyncio.Event) -> bool:
        """Audiences and sessions read to the end, own key loaded, outputs surveyed, group joined; False if stopped."""

        async def own_key() -> None:
            epoch = epoch_of(self._now())
            if not await asyncio.to_thread(self._secrets.load, epoch):
                raise KeyNotLoaded(f"{ROUTER} {epoch}")

        steps: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("", self._audiences.refresh),
            ("audiences", own_key),
            ("sessions", lambda: self._registry.ensure(())),
            ("", self._survey),
            ("", reader.start),
        )
        for condition, work in steps:
            if not await self._patiently(work, stop):
                return False
            if condition:
                self._observer(Ready(condition, True))
        return True

    async def _patiently(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
        """Repeat what can heal until it is done; False if stopped before."""
        code, attempt = "", 0
        while not stop.is_set():
            try:
                await work()
            except HubError as error:
                if not error.retriable:
                    raise
                if error.code != code:
                    self._pause(code, error.code)
                    code = error.code
                await _sleep(stop, attempt)
                attempt += 1
            else:
                self._pause(code, "")
                return True
        self._pause(code, "")
        return False

    def _pause(self, before: str, now: str) -> None:
        if before:
            self._observer(Paused(ROUTER, before, False))
        if now:
            self._observer(Paused(ROUTER, now, True))
            self._observer(Alarm(now, ROUTER))

    async def _turn(self, reader: GroupReader, tasks: TaskGroup, stop: asyncio.Event) -> None:
        assigned = reader.take_assignment()
        if assigned is not None:
            for partition in sorted(assigned):
                task = tasks.create_task(self._own(partition, reader), name=f"partition-{partition}")
                self._owned[partition] = _Owned(task)
            self._tell_fenced()
        try:
            records = await reader.poll(_POLL_BYTES, _POLL_MS)
        except (BrokerUnavailable, TopicMissing) as error:
            self._pause("", error.code)
            await _sleep(stop, 2)
            self._pause(error.code, "")
            return
        records.sort(key=attrgetter("partition"))  # stable: order within a partition stays
        for partition, some in groupby(records, key=attrgetter("partition")):
            owned = self._owned.get(partition)
            if owned is not None and owned.worker is not None:
                owned.worker.put(list(some))
        for partition, owned in self._owned.items():
            self._balance(reader, partition, owned)
        await asyncio.sleep(0)

    def _balance(self, reader: GroupReader, partition: int, owned: _Owned) -> None:
        """Fetch no more for a partition whose worker is behind; bounded memory, nothing dropped."""
        if owned.worker is None:
            owned.waiting = False
        elif not owned.waiting and owned.worker.queued_bytes > MAX_BYTES:
            reader.pause(partition)
            owned.waiting = True
        elif owned.waiting and owned.worker.queued_bytes < MAX_BYTES // 2:
            reader.resume(partition)
            owned.waiting = False

    def _working(self) -> list[tuple[int, PartitionRouter]]:
        return [(number, owned.worker) for number, owned in self._owned.items() if owned.worker is not None]

    def _tell_fenced(self) -> None:
        self._observer(Ready("fenced", all(owned.worker is not None for owned in self._owned.values())))

    async def _own(self, partition: int, reader: GroupReader) -> None:
        """Fence, read the committed offset, work; after a failed transaction the same again."""
        hooks = Hooks(
            lambda: reached("router.before-send"),
            lambda: reached("router.after-send"),
            lambda: reached("router.after-commit"),
        )
        writer = TransactionalWriter(self._role.endpoint, f"{self._ids}{self._topic}/{partition}", hooks=hooks)
        lanes = Lanes(partition, self._topic, self._registry, self._secrets, lambda: self._role.trust)
        owned, caution, failures = self._owned[partition], Caution(), 0
        fenced_out = False
        try:
            while True:
                offset = await self._fenced(partition, reader, writer)
                worker = PartitionRouter(partition, self._around, lanes, writer, caution, offset or 0)
                owned.worker = worker
                await reader.release(partition, offset)
                self._observer(PartitionFenced(partition))
                self._tell_fenced()
                try:
                    await worker.run()
                    if owned.revoked:
                        await writer.probe({(self._topic, partition): offset or 0}, self._group)
                    return
                except TransactionFailed:
                    owned.worker = None
                    reader.hold(partition)
                    self._tell_fenced()
                    failures = 0 if worker.committed else failures + 1
                    with contextlib.suppress(HubError):  # an output may be gone; if this fails, so will the fence
                        await self._survey()
                    await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
        except ForeignProducer:
            fenced_out = True
            self._observer(Alarm("router.fenced", f"partition {partition}"))
            raise
        finally:
            self._observer(PartitionLost(partition, fenced_out))
            await writer.close()

    async def _fenced(self, partition: int, reader: GroupReader, writer: TransactionalWriter) -> int | None:
        """Initialise the transactional id, then ask for the committed offset: in this order, or it may be stale."""
        attempt, until = 0, time.monotonic() + _FENCING_SECONDS
        while True:
            try:
                await writer.fence()
                return await reader.committed(partition)
            except TransportError as error:
                if not error.retriable or time.monotonic() > until:
                    raise
                if not attempt:
                    self._observer(Alarm(error.code, f"partition {partition}"))
            await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
            attempt += 1

    async def _revoked(self, partitions: frozenset[int]) -> None:
        """The group takes partitions away, which it also does when we were away too long and lost them unawares.

        Each worker then asks whether it was fenced meanwhile; if so, somebody else was the owner, and this
        process ends rather than join again.
        """
        for partition in partitions & self._owned.keys():
            self._owned[partition].revoked = True
        await self._give_up(partitions)

    async def _give_up(self, partitions: frozenset[int]) -> None:
        """End the work on partitions that others get now: finish what is under way, take no more."""
        ending = [self._owned.pop(partition) for partition in partitions if partition in self._owned]
        for owned in ending:
            if owned.worker is None:
                owned.task.cancel()
            else:
                owned.worker.stop()
        if not ending:
            return
        _, late = await asyncio.wait([owned.task for owned in ending], timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _survey(self) -> None:
        """See which tenants can be delivered to, and say so when it changes."""
        await self._outputs.refresh()
        if self._outputs.waiting != self._waiting:
            self._waiting = self._outputs.waiting
            for tenant in self._waiting:
                self._observer(Alarm("tenant-not-ready", tenant))

    async def _catch_up(self) -> bool:
        """See whether the administrator has declared something new, and be ready for it; say whether so.

        Who produced an event for a new tenant has heard of it: reading to the end now, so shall we.
        """
        await self._role.catch_up()
        if not self._outputs.outdated:
            return False
        await self._audiences.refresh()
        await self._survey()
        return True

    async def _refresh(self) -> None:
        """Look for new keys and tenants now and then; what cannot be read now is read next time."""
        due = 0.0
        while True:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            wanting = self._outputs.outdated or bool(self._waiting) or self._audiences.current() is None
            if not wanting and time.monotonic() < due:
                continue
            due = time.monotonic() + _REFRESH_SECONDS
            for work in (self._audiences.refresh, self._survey):
                try:
                    await work()
                except HubError as error:
                    self._observer(Alarm(error.code, ROUTER))

    async def _watch(self, reader: GroupReader) -> None:
        """Say how much of the owned partitions is not routed yet, and for how long the oldest of it has waited."""
        backlog, told = Backlog(), frozenset[int]()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                async with asyncio.timeout(_WATCH_SECONDS):
                    places = {
                        number: worker.position if worker.busy else await reader.position(number)
                        for number, worker in self._working()
                    }
                    ends = await reader.end_offsets(places)
            except (HubError, TimeoutError):
                continue  # whoever reads next says so
            found = {(self._topic, number): (places[number], end) for number, end in ends.items()}
            for number in told - places.keys():  # another process has it now, and tells
                self._observer(Lag(self._topic, number, 0))
            told = frozenset(places)
            for (topic, number), (position, end) in found.items():
                self._observer(Lag(topic, number, max(0, end - position)))
            for topic, age in backlog.look(found, time.monotonic()).items():
                self._observer(BacklogAge(topic, age))


async def _sleep(stop: asyncio.Event, attempt: int) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
