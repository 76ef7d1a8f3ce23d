"""`mirror run`: MirrorMaker in the foreground, watched; what it says of itself is on its status topic."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from assurance.copying import Standstill, behind, failures
from broker.errors import MirrorFailed
from broker.mirror import Mirror, MirrorSettings
from hub.mirroring import Errand
from hub.transport import PartitionReader
from schemas.errors import HubError
from topics.copying import CONFIGS, GROUP, OFFSETS, STATUS

_RUN: Final = "run.json"
_LOOK_SECONDS: Final = 5.0
_BEHIND_SECONDS: Final = 20.0
"""how often it is asked what is not copied"""
_STILL_SECONDS: Final = 120.0
"""MirrorMaker goes on asking where it may read no more, and calls that running"""


def copy_on(directory: Path, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Copy until SIGTERM or SIGINT; `ready` is told once, when a task runs.

    Raises NoErrand, MirrorInUse, TransportError where a topic is missing or a right, MirrorFailed when it ended, a task
    failed, or it stands still.
    """
    errand = Errand.load(directory)
    asyncio.run(_there(errand, directory))
    settings = MirrorSettings(
        source=errand.source,
        copy=errand.copy,
        topics=[each.name for each in errand.topics],
        group=errand.own(GROUP),
        offsets=errand.own(OFFSETS),
        status=errand.own(STATUS),
        configs=errand.own(CONFIGS),
    )
    mirror = Mirror(directory, settings)
    run = directory / _RUN
    since_ms = time.time_ns() // 1_000_000
    try:
        mirror.start()
        run.write_text(json.dumps({"pid": os.getpid(), "java": mirror.pid, "since_ms": since_ms}))
        asyncio.run(_watch(mirror, errand, directory, since_ms, ready))
    finally:
        mirror.stop()
        run.unlink(missing_ok=True)


def since(directory: Path) -> int | None:
    """When the mirror of a directory was started (ms, 1970); None if it does not run."""
    try:
        said = json.loads((directory / _RUN).read_text())
        os.kill(int(said["pid"]), 0)
        return int(said["since_ms"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def _there(errand: Errand, directory: Path) -> None:
    """Every topic is on both sides, and may be read."""
    places = {(each.name, number): None for each in errand.topics for number in range(each.partitions)}
    for endpoint in errand.endpoints(directory):
        async with PartitionReader(endpoint, places) as reader:
            await reader.end_offsets()


async def _watch(
    mirror: Mirror,
    errand: Errand,
    directory: Path,
    since_ms: int,
    ready: Callable[[Mapping[str, Any]], None],
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    source, copy = errand.endpoints(directory)
    still, told, looked = Standstill(_STILL_SECONDS), False, 0.0
    while not stop.is_set():
        mirror.check()
        with _passing():
            running, failed = await failures(copy, errand.own(STATUS), since_ms)
            if failed:
                raise MirrorFailed(f"({', '.join(failed)})")
            if running and not told:
                ready({"state": "copying", "topics": len(errand.topics), "pid": mirror.pid})
                told = True
        if told and time.monotonic() - looked > _BEHIND_SECONDS:
            looked = time.monotonic()
            with _passing():
                found = await behind(source, copy, errand.own(OFFSETS), errand.topics)
                if still.look(found, time.monotonic()):
                    raise MirrorFailed(f"(nothing was copied for {_STILL_SECONDS:.0f} s, and something waits)")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_SECONDS if told else 1.0)


@contextmanager
def _passing() -> Iterator[None]:
    """Leave alone what passes: brokers that do not answer now are MirrorMaker's own affair. All else ends us."""
    try:
        yield
    except HubError as error:
        if not error.retriable:
            raise
