"""The whole path with every role a process of its own: portal rate, review rate, latency at a steady load.

portal   submissions per second through `PortalProducer`: parse, check, encode, seal, journal, acknowledged
review   events per second that one review desk commits while it catches up with a full topic
latency  from sealing at the portal to the review desk's commit, at a steady 200 submissions per second
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from cli.desks import opened
from cli.home import Home
from cli.stack import Stack
from hub.loop import loop_run
from hub.role import Role, load_role
from hub.settings import RoleSettings
from portal.producer import PortalProducer
from schemas.generator import generate

TENANT: Final = "131041"
SEED: Final = 20251201
_UNDER_WAY: Final = 1_024
_REVIEW: Final = f"review-{TENANT}"


def _role(stack: Stack, principal: str) -> Role:
    return load_role(
        RoleSettings(
            role_dir=stack.home.role(principal),
            bootstrap=stack.bootstrap,
            namespace=stack.topology.namespace,
            partitions=stack.topology.partitions,
        )
    )


def _documents(seed: int, count: int) -> list[bytes]:
    return [json.dumps(each, ensure_ascii=False).encode() for each in generate(seed, count, [TENANT])]


async def _submit(role: Role, documents: list[bytes], per_second: int | None = None) -> float:
    """Submit all; return the seconds from the first call to the last answer, without start and close."""
    room = asyncio.Semaphore(_UNDER_WAY)
    async with PortalProducer(role) as portal:

        async def one(document: bytes) -> None:
            async with room:
                await portal.submit(document)

        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, document in enumerate(documents):
                if per_second is not None:
                    await asyncio.sleep(max(0.0, started + number / per_second - time.perf_counter()))
                elif number % 64 == 0:
                    await asyncio.sleep(0)
                tasks.create_task(one(document))
        return time.perf_counter() - started


def _rows(stack: Stack) -> list[tuple[int, int]]:
    """(stored_at, produced_at) in milliseconds of every stored submission, in order of storing."""
    rows: list[tuple[int, int]] = []
    with opened(_role(stack, _REVIEW)) as (around, *_):
        after = 0
        while page := around.store.events(after=after, limit=1_000):
            rows += [(row.event.stored_at_ms, row.event.produced_at_ms) for row in page]
            after = page[-1].number
    return rows


def _wait_stored(stack: Stack, count: int, seconds: float = 120) -> list[tuple[int, int]]:
    deadline = time.monotonic() + seconds
    while len(rows := _rows(stack)) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(rows)} of {count} stored")
        time.sleep(0.5)
    return rows


def _stop_review(stack: Stack) -> None:
    role = stack.roles.running.pop(_REVIEW)
    role.process.terminate()
    role.process.wait(30)
    role.stderr.close()


def run(count: int, rounds: int, latency_seconds: int = 10) -> dict[str, Any]:
    """Measure; returns minimum, median and maximum over the rounds."""
    portal, review, p50, p99 = [], [], [], []
    directory = Path(tempfile.mkdtemp(prefix="eltax-hub-bench-"))
    try:
        with Stack(Home(directory / "home"), namespace="rehearsal") as stack:
            role = _role(stack, "portal")
            known = 0
            for number in range(rounds):
                _stop_review(stack)
                documents = _documents(SEED + number, count)
                portal.append(count / loop_run(_submit(role, documents)))
                time.sleep(1)
                stack.roles.start(_REVIEW, _REVIEW, "consume", "review")
                rows = _wait_stored(stack, known + count)[known:]
                known += count
                later = [stored for stored, _ in rows if stored > rows[0][0]]  # a batch has one time: not the first one
                if later:
                    review.append(len(later) * 1_000 / (later[-1] - rows[0][0]))
                stack.roles.wait_ready(60, lambda *_: None)
                steady = _documents(SEED + 1_000 + number, 200 * latency_seconds)
                loop_run(_submit(role, steady, 200))
                rows = _wait_stored(stack, known + len(steady))[known:]
                known += len(steady)
                delays = sorted(stored - produced for stored, produced in rows)
                p50.append(float(delays[len(delays) // 2]))
                p99.append(float(delays[len(delays) * 99 // 100]))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "portal_per_second": spread(portal),
        "review_per_second": spread(review),
        "latency_p50_ms": spread(p50),
        "latency_p99_ms": spread(p99),
    }


def spread(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum; empty if there were too few events to tell."""
    if not values:
        return {}
    return {"min": round(min(values), 1), "median": round(statistics.median(values), 1), "max": round(max(values), 1)}
