"""Routers join and leave under load: the rate of one, two and three, and the longest stall of each change.

Each router is a process with a role directory of its own. A rate is taken from what the group commits while it works
off a full topic. A stall is the longest time from writing an event to reading its copy (read_committed) at a steady
load, in the half minute after a router joins, leaves or is killed. Events are counted: none lost, none doubled.

    python -m benchmarks.scale_out --directory /dev/shm

Broker, routers and this program share the machine: with fewer cores than processes two routers cannot be twice one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks.artificial import codes
from benchmarks.bench_router import Bench
from benchmarks.ground import Ground
from benchmarks.tenants import NAMESPACE, sessions, tell
from hub.applying import admin_endpoint
from hub.enrolment import published_keys
from hub.loop import loop_run
from hub.transport import BatchWriter, BrokerUnavailable, Outgoing, PartitionReader
from hub.transport.admin import Admin
from topics import names

T = TypeVar("T")
_GROUP: Final = f"{NAMESPACE}.router"
_SUBMISSIONS: Final = names.submissions(NAMESPACE)
_ROUND_SECONDS: Final = 150.0
_PATIENCE: Final = 60.0


@dataclass(slots=True)
class Seen:
    """When each event was written, and when its copy was read."""

    written: dict[bytes, float] = field(default_factory=dict)
    read: dict[bytes, float] = field(default_factory=dict)
    copies: Counter[bytes] = field(default_factory=Counter)
    order: dict[int, list[bytes]] = field(default_factory=dict)

    def stall(self, since: float, until: float) -> float:
        """The longest way of an event that was written in a span."""
        ways = [self.read[key] - at for key, at in self.written.items() if since <= at < until and key in self.read]
        return max(ways, default=0.0)


class Load:
    """Sealed events of one tenant, written steadily or at once, and their copies read back."""

    def __init__(self, ground: Ground, bench: Bench) -> None:
        """Of this hub, under the bench's sessions."""
        self._ground = ground
        self._bench = bench
        self.topic = f"{NAMESPACE}.{codes(1)[0]}.review"

    async def at_once(self, count: int) -> None:
        """Fill the topic."""
        made = await asyncio.to_thread(self._bench.seal, count, partitions=self._ground.partitions)
        async with BatchWriter(self._ground.role("admin").endpoint) as writer:
            for partition, records in made.items():
                for at in range(0, len(records), 500):
                    await writer.write(_SUBMISSIONS, partition, records[at : at + 500])

    async def steadily(self, seen: Seen, per_second: int, stop: asyncio.Event) -> None:
        """Write the same number each tenth of a second until told to stop."""
        async with BatchWriter(self._ground.role("admin").endpoint) as writer:
            due = time.perf_counter()
            while not stop.is_set():
                made = self._bench.seal(max(1, per_second // 10), partitions=self._ground.partitions)
                for partition, records in made.items():
                    if records:
                        at = time.perf_counter()
                        await writer.write(_SUBMISSIONS, partition, records)
                        for each in records:
                            seen.written[_key(each)] = at
                            seen.order.setdefault(partition, []).append(_key(each))
                due += 0.1
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def read_back(self, seen: Seen, starts: dict[tuple[str, int], int | None], stop: asyncio.Event) -> None:
        """Read the copies until told to stop; orders are compared by the caller."""
        found: dict[int, list[bytes]] = {}
        async with PartitionReader(self._ground.role("admin").endpoint, starts) as reader:
            while not stop.is_set():
                for record in await reader.poll(8 * 2**20, 50):
                    key = record.key or b""
                    if key in seen.copies or not key.startswith(b"checkpoint/"):
                        seen.copies[key] += 1
                        seen.read.setdefault(key, time.perf_counter())
                        found.setdefault(record.partition, []).append(key)
        for partition, keys in found.items():
            if keys != seen.order.get(partition, [])[: len(keys)]:
                raise AssertionError(f"partition {partition}: another order than it was written in")


def _key(record: Outgoing) -> bytes:
    assert record.key is not None
    return record.key


async def committed(ground: Ground) -> int:
    """How many events the group has routed."""
    async with Admin(admin_endpoint(ground.home.path, ground.bootstrap)) as admin:
        return sum((await patiently(lambda: admin.committed(_GROUP))).values())


async def owners(ground: Ground) -> int:
    """How many routers are members of the group."""
    async with Admin(admin_endpoint(ground.home.path, ground.bootstrap)) as admin:
        return len(await patiently(lambda: admin.members(_GROUP)))


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the broker makes its topic of groups, which it does for the first one."""
    for _ in range(60):
        try:
            return await ask()
        except BrokerUnavailable:
            await asyncio.sleep(0.5)
    return await ask()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = _PATIENCE) -> None:
    """Wait for something to become so."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - asked of another process
            await asyncio.sleep(0.2)


async def rate(ground: Ground, load: Load, routers: int, events: int) -> float:
    """Events per second of so many routers, between a tenth and nine tenths of a full topic."""
    before = await committed(ground)
    workers = [ground.router(number + 1) for number in range(routers)]
    try:
        await until(lambda: _so(owners(ground), routers))
        await load.at_once(events // 20)
        await until(lambda: _reached(ground, before + events // 20))  # all are awake
        for worker in workers:
            os.kill(worker.pid, 19)
        await load.at_once(events)
        for worker in workers:
            os.kill(worker.pid, 18)
        start = before + events // 20
        marks: list[tuple[float, int]] = []
        deadline = time.monotonic() + _ROUND_SECONDS
        async with Admin(admin_endpoint(ground.home.path, ground.bootstrap)) as admin:
            while not marks or marks[-1][1] < events:
                done = sum((await admin.committed(_GROUP)).values()) - start
                marks.append((time.perf_counter(), done))
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{done} of {events} routed")
                await asyncio.sleep(0.1)
        inner = [(at, done) for at, done in marks if events * 0.1 <= done <= events * 0.9]
        (first, few), (last, many) = inner[0], inner[-1]
        return (many - few) / (last - first)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            await asyncio.to_thread(worker.wait, 30)


async def _so(asked: Awaitable[int], wanted: int) -> bool:
    return await asked == wanted


async def _reached(ground: Ground, wanted: int) -> bool:
    return await committed(ground) >= wanted


async def stalls(ground: Ground, load: Load, per_second: int, span: float) -> dict[str, Any]:
    """The longest stall of each change, in seconds, at a steady load; all events counted."""
    seen, stop_writing, stop_reading = Seen(), asyncio.Event(), asyncio.Event()
    first = ground.router(1)
    await until(lambda: _so(owners(ground), 1))
    async with PartitionReader(
        ground.role("admin").endpoint, {(load.topic, number): None for number in range(ground.partitions)}
    ) as reader:
        starts: dict[tuple[str, int], int | None] = dict(await reader.end_offsets())
    found: dict[str, float] = {}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.steadily(seen, per_second, stop_writing))
        tasks.create_task(load.read_back(seen, starts, stop_reading))

        async def span_of(name: str, change: Callable[[], Any]) -> Any:
            began = time.perf_counter()
            made = change()
            await asyncio.sleep(span)
            found[name] = round(seen.stall(began, began + span - 5), 2)
            tell(f"  {name}: {found[name]} s")
            return made

        await asyncio.sleep(5)
        await span_of("nothing changes", lambda: None)
        second = await span_of("a second joins", lambda: ground.router(2))
        third = await span_of("a third joins", lambda: ground.router(3))
        await span_of("the third leaves politely", third.terminate)
        await span_of("the second is killed", second.kill)
        second = await span_of("a second joins again", lambda: ground.router(2))
        await span_of("the first leaves politely", first.terminate)
        stop_writing.set()
        with contextlib.suppress(TimeoutError):
            await until(lambda: _all_read(seen), 30)
        stop_reading.set()
        await asyncio.to_thread(second.terminate)
    lost = len(seen.written.keys() - seen.read.keys())
    doubled = sum(count - 1 for count in seen.copies.values())
    return {"per_second": per_second, "longest_seconds": found, "events": len(seen.written)} | {
        "lost": lost,
        "doubled": doubled,
    }


async def _all_read(seen: Seen) -> bool:
    return len(seen.read) >= len(seen.written)


async def measure(ground: Ground, chosen: argparse.Namespace) -> dict[str, Any]:
    """Rates in turns, then stalls."""
    made = await sessions(ground.role("portal"), dict(published_keys(ground.home.path)), 1)
    bench = Bench(ground.home.path, ground.bootstrap, ground.role("admin").topology, made)
    load = Load(ground, bench)
    rates: dict[int, list[float]] = {number: [] for number in chosen.workers}
    for turn in range(chosen.rounds):
        for number in chosen.workers if turn % 2 == 0 else reversed(chosen.workers):
            rates[number].append(await rate(ground, load, number, chosen.events))
            tell(f"  {number} routers: {rates[number][-1]:.0f} a second")
    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "partitions": ground.partitions,
        "per_second": {number: [round(each) for each in some] for number, some in rates.items()},
    }
    if len(chosen.workers) > 1 and chosen.rounds:
        one = chosen.workers[0]
        found["ratio_to_fewest"] = {
            number: round(statistics.median(x / y for x, y in zip(rates[number], rates[one], strict=True)), 2)
            for number in chosen.workers[1:]
        }
    if chosen.span:
        found["stalls"] = await stalls(ground, load, chosen.per_second, chosen.span)
    return found


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--span", type=float, default=25.0, help="seconds watched after each change; 0: no stalls")
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--directory", type=Path)
    chosen = parser.parse_args()
    with Ground(1, chosen.partitions, chosen.directory) as ground:
        found = loop_run(measure(ground, chosen))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
