"""One city floods the portal, another files steadily: what that one notices, with turns and first come first served.

    python -m benchmarks.flood --directory /dev/shm

The flood keeps as many submissions waiting as its city can have callers (`--callers`), ten times and more of what the
other city sends. Latency is from `submit` to the acknowledgement by the broker, and to the other city's review topic
behind a router that runs as a process. First come first served is the same code with one name for all cities.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.artificial import codes
from benchmarks.ground import Ground
from benchmarks.scale_out import _so, owners, until
from benchmarks.tenants import NAMESPACE, SEED, tell
from hub.loop import loop_run
from hub.producing.turns import Turns
from hub.transport import PartitionReader
from portal.producer import PortalProducer
from schemas.generator import generate

_FLOOD, _STEADY = codes(2)
_FEW: Final = 3


@contextmanager
def first_come_first_served(really: bool) -> Iterator[None]:
    """Let all cities have one name, as if there were no turns."""
    put = Turns.put

    def under_one_name(self: Turns[Any], name: str, item: Any) -> None:
        put(self, "" if really else name, item)

    Turns.put = under_one_name  # type: ignore[method-assign]
    try:
        yield
    finally:
        Turns.put = put  # type: ignore[method-assign]


class Documents:
    """Submissions that were made before, so that making them costs the portal nothing."""

    def __init__(self) -> None:
        self._seed = SEED

    def of(self, tenant: str, count: int) -> list[bytes]:
        """So many of a city, never the same twice."""
        self._seed += 1
        return [json.dumps(each, ensure_ascii=False).encode() for each in generate(self._seed, count, [tenant])]


@asynccontextmanager
async def arrivals(ground: Ground) -> AsyncIterator[dict[str, float]]:
    """When the steady city's events were read from its review topic, by event id."""
    found: dict[str, float] = {}
    topic = f"{NAMESPACE}.{_STEADY}.review"
    endpoint = ground.role("admin").endpoint
    async with PartitionReader(endpoint, {(topic, number): None for number in range(ground.partitions)}) as reader:

        async def read() -> None:
            while True:
                for record in await reader.poll(8 * 2**20, 50):
                    found.setdefault((record.key or b"").decode("ascii", "replace"), time.perf_counter())

        task = asyncio.create_task(read())
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def span(
    ground: Ground, portal: PortalProducer, documents: Documents, chosen: argparse.Namespace, *, flood: bool
) -> dict[str, float]:
    """A span with or without the flood; the steady city's latencies in ms, and both cities' events per second."""
    steady = documents.of(_STEADY, int(chosen.per_second * chosen.seconds))
    stock = iter(documents.of(_FLOOD, chosen.stock) if flood else [])
    begun: dict[str, float] = {}
    acknowledged: list[float] = []
    flooded = 0

    async def caller() -> None:
        nonlocal flooded
        for document in stock:
            await portal.submit(document)
            flooded += 1

    async def one(document: bytes) -> None:
        at = time.perf_counter()
        result = await portal.submit(document)
        assert result.event_id is not None
        acknowledged.append(time.perf_counter() - at)
        begun[result.event_id] = at

    async with arrivals(ground) as read:
        callers = [asyncio.create_task(caller()) for _ in range(chosen.callers if flood else 0)]
        await asyncio.sleep(_FEW)
        before, started = flooded, time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, document in enumerate(steady):
                await asyncio.sleep(max(0.0, started + number / chosen.per_second - time.perf_counter()))
                tasks.create_task(one(document))
        seconds, during = time.perf_counter() - started, flooded - before
        stock_left = sum(1 for _ in stock)
        if flood and not stock_left:
            raise RuntimeError("the flood ended before the span: more --stock")
        for each in callers:
            each.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(120):
                while not begun.keys() <= read.keys():  # noqa: ASYNC110 - read by another task
                    await asyncio.sleep(0.1)
        routed = [read[key] - at for key, at in begun.items() if key in read]
    if len(routed) != len(steady):
        raise RuntimeError(f"{len(routed)} of {len(steady)} came through")
    return {
        "acknowledged_p50_ms": _percentile(acknowledged, 50),
        "acknowledged_p99_ms": _percentile(acknowledged, 99),
        "routed_p50_ms": _percentile(routed, 50),
        "routed_p99_ms": _percentile(routed, 99),
        "steady_per_second": round(len(steady) / seconds, 1),
        "flood_per_second": round(during / seconds, 1),
    }


def _percentile(values: list[float], which: int) -> float:
    return round(statistics.quantiles(values, n=100)[which - 1] * 1_000, 1)


async def measure(ground: Ground, chosen: argparse.Namespace) -> dict[str, Any]:
    """Each kind of span in each round."""
    ground.router(1)
    await until(lambda: _so(owners(ground), 1))
    documents = Documents()
    found: dict[str, list[dict[str, float]]] = {"alone": [], "flood, turns": [], "flood, first come": []}
    for _ in range(chosen.rounds):
        for name in found:
            with first_come_first_served(name.endswith("first come")):
                async with PortalProducer(ground.role("portal")) as portal:
                    found[name].append(await span(ground, portal, documents, chosen, flood=name != "alone"))
            tell(f"  {name}: {found[name][-1]}")
    return {
        "callers_of_the_flood": chosen.callers,
        **{
            name: {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
            for name, rounds in found.items()
        },
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-second", type=int, default=20, help="what the steady city sends")
    parser.add_argument("--callers", type=int, default=8_000, help="of the flood, each with one submission at a time")
    parser.add_argument("--stock", type=int, default=60_000, help="submissions of the flood at most")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--directory", type=Path)
    chosen = parser.parse_args()
    with Ground(2, chosen.partitions, chosen.directory) as ground:
        found = loop_run(measure(ground, chosen))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
