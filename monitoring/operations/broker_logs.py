"""Reads the brokers' authorizer and network logs into the operations log, once in an interval.

    look (both files) ─> read_line ─> Tally ─> Note (durable) ─> how far it was read, kept ─> numbers, alarms

What was noted and not kept is noted again after a crash: at least once. The directory must be where the monitor can
read it; where it cannot, the watch is blind, which pauses the monitor and rings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from consumers.patience import Patience, sleep
from hub import crashpoints
from hub.envelope.operations import Kind, Operation
from hub.envelope.times import to_ms
from hub.facts import Alarm, Observer, Paused
from hub.operations import Note
from monitoring.operations.broker_lines import read_line
from monitoring.operations.collector import CollectingRole
from monitoring.operations.follower import Follower, Look
from monitoring.operations.peers import Expected, Peer
from monitoring.operations.settings import Peers
from monitoring.operations.store import OperationsStore
from monitoring.operations.tally import Connections, Tally

STAGE: Final = "broker-logs"
UNREADABLE: Final = "broker-logs.unreadable"
LOST: Final = "broker-logs.lost"
UNEXPECTED: Final = "peer.unexpected"
FAMILIES: Final = ("authorizer", "network")
_MOST_LOOKS: Final = 50
"""in one interval: 100 MB of each log, which a broker does not write in that time"""
_RING_SECONDS: Final = 3_600.0
_MOST_RUNG: Final = 1_000


class BrokerWatch:
    """`await BrokerWatch(role, store, note, observer, now, directories, …).run(stop)`."""

    def __init__(
        self,
        role: CollectingRole,
        store: OperationsStore,
        note: Note,
        observer: Observer,
        now: Callable[[], datetime],
        directories: Sequence[Path],
        *,
        seconds: float,
        networks: Peers,
    ) -> None:
        """Nothing is read before `run`; `seconds` is one interval."""
        self._role, self._store, self._note, self._observe, self._now = role, store, note, observer, now
        self._directories, self._seconds, self._networks = tuple(directories), seconds, networks
        self._patience = Patience(STAGE, observer)
        self._connections = Connections()
        self._rung: dict[tuple[str, str, Peer], float] = {}
        self._blind = False
        self._followers: list[Follower] = []
        self._learned: dict[str, set[str]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`. Raises what cannot heal."""
        while not stop.is_set():
            await self._patience.until_done(STAGE, self._interval, stop)
            await sleep(stop, self._seconds)

    async def _interval(self) -> bool:
        if not self._followers:
            kept = await asyncio.to_thread(self._store.followed)
            self._learned = await asyncio.to_thread(self._store.peers)
            # one directory alone needs no name: what was kept before there were several still counts
            several = len(self._directories) > 1
            self._followers = [
                Follower(directory, family, kept, of=str(directory) if several else "")
                for directory in self._directories
                for family in FAMILIES
            ]
        for _ in range(_MOST_LOOKS):
            now = self._now()
            looks, tally = await asyncio.to_thread(self._look, now)
            self._see(all(look.readable for look in looks))
            lost = any(look.lost for look in looks)
            await self._write(tally, lost=lost, now=now)
            crashpoints.reached("collector.before-following")
            places = [place for look in looks for place in look.places]
            await asyncio.to_thread(self._store.follow, places, list(tally.met), to_ms(now))
            for follower, look in zip(self._followers, looks, strict=True):
                follower.taken(look)
            for principal, address in tally.met:
                self._learned.setdefault(principal, set()).add(address)
            self._ring(tally, lost=lost)
            if not any(look.more for look in looks):
                break
        return True

    def _look(self, now: datetime) -> tuple[list[Look], Tally]:
        looks = [each.look() for each in self._followers]
        tally = Tally(now, self._expected(), self._learned, self._declared())
        for look in looks:
            for line in look.lines:
                tally.add(read_line(line, now))
        return looks, tally

    async def _write(self, tally: Tally, *, lost: bool, now: datetime) -> None:
        operations = tally.operations()
        always = [each.name for each in self._role.topology.principals if each.super_user]
        operations += self._connections.take(tally.connected, always, now, time.monotonic())
        if lost:
            operations.append(Operation(Kind.FAILED, now, "lost", about=STAGE, code=LOST))
        for operation in operations:
            await asyncio.to_thread(self._note, operation)

    def _ring(self, tally: Tally, *, lost: bool) -> None:
        self._observe(tally.fact())
        if lost:
            self._observe(Alarm(LOST, STAGE))
        clock = time.monotonic()
        for peer in tally.unexpected:
            if clock - self._rung.get(peer, float("-inf")) >= _RING_SECONDS:
                self._rung.pop(peer, None)
                self._rung[peer] = clock
                self._observe(Alarm(UNEXPECTED, f"{peer[0]} {peer[1]} {peer[2].value}"))
        for peer in list(self._rung)[: max(0, len(self._rung) - _MOST_RUNG)]:
            del self._rung[peer]

    def _see(self, sighted: bool) -> None:
        if sighted is self._blind:
            self._blind = not sighted
            self._observe(Paused(STAGE, UNREADABLE, self._blind))
            if self._blind:
                self._observe(Alarm(UNREADABLE, STAGE))

    def _expected(self) -> Expected:
        instances = {each.name: len(each.instances) for each in self._role.topology.principals}
        return Expected(instances, self._networks)

    def _declared(self) -> set[str]:
        topology = self._role.topology
        found = {topic.name for topic in topology.topics}
        for each in topology.principals:
            found |= {name for name in (each.group, each.transactional_ids) if name}
        return found
