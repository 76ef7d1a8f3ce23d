"""The analysis and brokers that are slow or do not answer.

A batch counts as done when Kafka holds what came of it, however slowly Faust's producer empties its buffer; and who is
told to stop stops, though no broker answers.
"""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from faust import Stream
from faust.transport.producer import ProducerBuffer

from monitoring.analysis.service import TICK_SECONDS, Analysis
from monitoring.analysis.settings import AnalysisSettings
from tests.kafka import TestKafka
from tests.watch.desk import Desk
from tests.watch.month import Month, plants
from tests.watch.test_analysis import until


async def small_month(kafka: TestKafka, namespace: str, home: Path) -> tuple[Desk, Month]:
    """A month of 2,000 lines with every anomaly, written."""
    clean = Month(2_000, 7, namespace)
    month = replace(clean, plants=plants(clean))
    desk = await Desk.prepare(kafka, home, month)
    await desk.write(month, late="admin", repeats=random.Random(7), written=lambda _: None)
    return desk, month


@pytest.mark.broker
@pytest.mark.timeout(180)
async def test_marks_are_done_when_the_state_behind_them_is_held(
    kafka: TestKafka, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, month = await small_month(kafka, namespace, tmp_path)
    marks = f"{namespace}.analysis-marks"
    handed: list[asyncio.Future[Any]] = []
    early: list[int] = []
    acknowledged = slowed = 0
    put, send, ack = ProducerBuffer.put, ProducerBuffer._send_pending, Stream.ack

    def hand(buffer: Any, sent: Any) -> None:
        handed.append(sent)
        put(buffer, sent)

    async def slowly(buffer: Any, sent: Any) -> None:
        nonlocal slowed
        if slowed < 24:  # beyond that the test would only last longer
            slowed += 1
            await asyncio.sleep(0.3)
        await send(buffer, sent)

    async def counted(stream: Any, event: Any) -> Any:
        nonlocal acknowledged
        if event.message.topic == marks:
            acknowledged += 1
            early.extend(place for place, sent in enumerate(handed) if not sent.done())
        return await ack(stream, event)

    monkeypatch.setattr(ProducerBuffer, "put", hand)
    monkeypatch.setattr(ProducerBuffer, "_send_pending", slowly)
    monkeypatch.setattr(Stream, "ack", counted)
    analysis = Analysis(
        desk.role("analysis"),
        AnalysisSettings(),
        lambda _: None,
        lambda _: None,
        lambda: month.ends + timedelta(days=1),
        until=month.ends,
        tick_seconds=0.5,
    )
    await analysis.run(asyncio.Event())
    assert acknowledged and slowed
    assert not early, "acknowledged before Kafka held them"


@pytest.mark.broker
@pytest.mark.soak(target="watch-long")  # it waits, a minute, for nobody
@pytest.mark.timeout(180)
async def test_it_stops_though_no_broker_answers(kafka: TestKafka, namespace: str, tmp_path: Path) -> None:
    desk, month = await small_month(kafka, namespace, tmp_path)
    with desk.analysing(month, until=datetime.now(UTC) + timedelta(days=1)) as process:
        until(lambda: bool(desk.findings(month)), process, 60)
        kafka.kafka.freeze()
        try:
            await asyncio.sleep(1.5 * TICK_SECONDS)  # it asks brokers at every tick, and waits for the answer now
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            kafka.kafka.thaw()
