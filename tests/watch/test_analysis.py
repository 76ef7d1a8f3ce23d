"""The analysis on a real Kafka: a month with every anomaly planted; killed in the middle, stopped, brought to an end.

The rules alone, without Kafka, say what must come out (monitoring.analysis.detector).
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.envelope.declared import StandingReport
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent
from hub.envelope.times import JST
from hub.transport import Outgoing
from monitoring.analysis.findings import Finding
from monitoring.analysis.rules import RULES
from monitoring.analysis.silence import RULE as SILENT
from tests.kafka import TestKafka
from tests.watch.desk import PARTITIONS, Desk
from tests.watch.month import Month, analysed, found, planted, plants

EVENTS = int(os.environ.get("HUB_TEST_EVENTS", "100000"))


@pytest.mark.broker
@pytest.mark.timeout(600)
async def test_what_was_planted_is_found_across_kill_and_stop_and_nothing_else(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    await through_kafka(kafka, namespace, tmp_path, EVENTS)


@pytest.mark.broker
@pytest.mark.soak(target="watch-long")
@pytest.mark.timeout(7_200)
async def test_the_same_with_two_million_lines(kafka: TestKafka, namespace: str, tmp_path: Path) -> None:
    await through_kafka(kafka, namespace, tmp_path, int(os.environ.get("HUB_SOAK_EVENTS", "2000000")))


async def through_kafka(kafka: TestKafka, namespace: str, home: Path, events: int) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    clean = Month(events, seed, namespace)
    month = replace(clean, plants=plants(clean))
    must = planted(month)
    assert {rule for rule, _ in must} == {rule.name for rule in RULES} | {SILENT}
    desk = await Desk.prepare(kafka, home, month)
    await desk.put(0, *foreign(desk, month))
    for partition in range(PARTITIONS):
        await desk.put(partition, said_before(desk, partition))
    since = await desk.ends()
    patience = 300 + events / 500
    began = time.monotonic()

    some: set[tuple[str, str]] = set()
    enough = threading.Event()

    def killed() -> None:
        """Begin while the second half of the month is being written, and be killed at the first finding."""
        assert enough.wait(patience)
        with desk.analysing(month) as process:
            until(lambda: bool(desk.findings(month)), process, patience)
            process.kill()
            assert process.wait() == -signal.SIGKILL
        some.update(found(desk.findings(month)))

    def written(lines: int) -> None:
        if lines >= 0.45 * events:
            enough.set()

    lines, _ = await asyncio.gather(
        desk.write(month, late="admin", repeats=random.Random(seed), written=written), asyncio.to_thread(killed)
    )
    print(f"{lines} lines written, the analysis killed: {time.monotonic() - began:.1f} s")
    assert some < must, "killed in the middle"

    with desk.analysing(month) as process:
        until(lambda: len(desk.findings(month)) > len(some), process, patience)
        process.send_signal(signal.SIGTERM)
        alone = analysed(month)
        assert process.wait(60) == 0
    print(f"stopped: {time.monotonic() - began:.1f} s")
    with desk.analysing(month) as process:
        assert analysed(clean) == [], "a clean month has no findings"
        assert process.wait(patience) == 0, (home / "analysis.out").read_text()[-3_000:]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"at the end: {time.monotonic() - began:.1f} s, processes used {used.ru_utime + used.ru_stime:.1f} s")

    result = desk.findings(month)
    assert found(result) == must
    assert in_order(result) == in_order(alone), "as the rules alone, to the count and the evidence"
    told = [line.operation for line in await desk.told(since) if line.operation.kind is Kind.FINDING]
    assert {(each.about, each.code) for each in told} == {(each.rule, each.finding_id) for each in result}
    assert len(told) <= len(result) + len(some), "who was killed may say again what it had said, under the same id"


def foreign(desk: Desk, month: Month) -> list[Outgoing]:
    """A report of standing, garbage, and lines about an anomaly that nobody may believe."""
    at = month.ends.astimezone(JST) - timedelta(days=10)
    stranger = Operation(Kind.PEER_UNEXPECTED, at, "unexpected", actor="forged")
    forged = OperationEvent("monitor", "monitor-1", month.namespace, bytes(16), 0, FIRST, stranger)
    portal = desk.role("portal").identity
    report = StandingReport("portal", "portal-1", month.namespace, 1, 0, at)
    return [
        Outgoing(report.key.encode(), report.sign(portal)),
        Outgoing(forged.key.encode(), forged.sign(portal)),
        Outgoing(
            b"operation/" + b"0" * 32, replace(forged, log=bytes(15) + b"\x01").sign(desk.role("monitor").identity)
        ),
        Outgoing(b"operation/x", b"garbage"),
        Outgoing(b"", b""),
    ]


def said_before(desk: Desk, partition: int) -> Outgoing:
    """A finding of today, before all lines of the month: who took its time for theirs would call the month over."""
    analysis = desk.role("analysis")
    finding = Operation(
        Kind.FINDING, datetime.now(UTC), "ticket", actor="nobody", about="repeated-look-up", code="0" * 32
    )
    line = OperationEvent(
        "analysis", "analysis-1", desk.topology.namespace, bytes([*bytes(15), partition]), 0, FIRST, finding
    )
    return Outgoing(line.key.encode(), line.sign(analysis.identity))


def in_order(findings: list[Finding]) -> list[Finding]:
    """By id."""
    return sorted(findings, key=lambda each: each.finding_id)


def until(done: Callable[[], bool], process: object, seconds: float) -> None:
    """Wait for something that a process does."""
    ends = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, "it ended"  # type: ignore[attr-defined]
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
