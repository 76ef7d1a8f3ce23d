"""The service where no broker answers: it says so, waits, and stops when it is told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from broker.ports import choose
from hub.facts import Fact, Paused, Ready
from hub.role import load_role
from hub.settings import RoleSettings
from monitoring.analysis.findings import FILE, read_findings
from monitoring.analysis.service import Analysis
from monitoring.analysis.settings import AnalysisSettings
from tests.unit.standing.world import NS, PARTITIONS, Office


async def test_without_brokers_it_waits_and_says_so_and_stops(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.enrol()
    port = choose()
    settings = RoleSettings(
        role_dir=tmp_path / "roles" / "analysis", bootstrap=f"127.0.0.1:{port}", namespace=NS, partitions=PARTITIONS
    )
    role = load_role(settings, allow_weak=True)
    facts: list[Fact] = []
    stop = asyncio.Event()

    def observe(fact: Fact) -> None:
        facts.append(fact)
        if len([each for each in facts if isinstance(each, Ready)]) >= 1:
            stop.set()

    analysis = Analysis(role, AnalysisSettings(), observe, lambda _: None, lambda: datetime.now(UTC))
    async with asyncio.timeout(60):
        await analysis.run(stop)
    assert Paused("analysis", "kafka.unavailable", True) in facts
    assert Ready("windows", False) in facts
    assert Ready("windows", True) not in facts
    store = role.state_directory / FILE
    assert store.exists()
    assert read_findings(store, datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC)) == []
