"""A role process ends in time though a library in it waits without end, and says how."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka import TestKafka
from tests.watch.desk import Desk
from tests.watch.month import Month
from tests.watch.test_analysis import until

PROGRAM = """
import asyncio, contextlib, os, sys, threading, time
from pathlib import Path
from cli.role_process import run_role
from schemas.errors import HubError

class Left(HubError):
    "Something is left."
    code = "test.left"
    hint = "None."

async def stubborn():
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

async def work(role, observer, stop):
    kind, place = sys.argv[1], Path(sys.argv[2])
    with (place / "begun").open("a") as out:
        out.write("x")
    if kind == "anew" and len((place / "begun").read_text()) > 1:
        return
    asyncio.get_running_loop().stubborn = asyncio.create_task(stubborn())
    threading.Thread(target=time.sleep, args=(600,)).start()
    if kind == "anew":
        raise Left
    await stop.wait()
    if kind == "never":
        await asyncio.Event().wait()

sys.exit(run_role("test", frozenset(), work, leave_seconds=2.0, anew=frozenset({"test.left"})))
"""


def ended(desk: Desk, home: Path, kind: str) -> tuple[int, list[dict[str, object]], int]:
    """Exit status, lines of the log, and how often the work began."""
    program = home / "program.py"
    program.write_text(PROGRAM)
    environment = {**desk.environment("analysis"), "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen([sys.executable, str(program), kind, str(home)], env=environment)
    try:
        begun = home / "begun"
        until(begun.exists, process, 60)
        if kind != "anew":
            process.send_signal(signal.SIGTERM)
        status = process.wait(60)
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in (home / "analysis.log").read_text().splitlines()]
    return status, lines, len(begun.read_text())


def said(lines: list[dict[str, object]], event: str) -> list[object]:
    return [line.get("code") for line in lines if line["event"] == event]


@pytest.mark.parametrize(
    ("kind", "status", "begun", "event", "codes"),
    [
        ("tasks", 0, 1, "stopped", [None]),
        ("never", 1, 1, "failed", ["role.stuck"]),
        ("anew", 0, 2, "stopped", ["test.left", None]),
    ],
)
@pytest.mark.broker
@pytest.mark.timeout(120)
async def test_it_ends_in_time(
    kafka: TestKafka,
    namespace: str,
    tmp_path: Path,
    kind: str,
    status: int,
    begun: int,
    event: str,
    codes: list[object],
) -> None:
    desk = await Desk.prepare(kafka, tmp_path, Month(100, 1, namespace))
    found, lines, times = await asyncio.to_thread(ended, desk, tmp_path, kind)
    assert (found, times, said(lines, event)) == (status, begun, codes)
