"""Every byte of a recorded event and of its copies, spoiled, through the real router and the real desks."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.facts import BatchRouted
from hub.transport import KafkaRecord
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.attacks.bytes_flow import EVERY_BIT, Flow, flowing
from tests.attacks.spoiling import Part, Sweep, letters_told, sort_letters, spoil
from tests.broker.router_stage import TENANT, events_of, until
from tests.kafka import TestKafka
from topics import names

pytestmark = pytest.mark.broker


@dataclass
class Seen:
    event: Sweep
    checkpoint: Sweep
    outputs: dict[str, list[KafkaRecord]]
    good: list[str]


async def _through_the_router(flow: Flow) -> Seen:
    stage, submissions = flow.stage, names.submissions(flow.stage.namespace)
    sweeps = []
    for name in ("submissions", "checkpoint"):
        found = flow.recorded[name]
        sweeps.append(
            await spoil(stage, "portal", submissions, found.partition, found.key or b"", found.value or b"",
                        every_bit=EVERY_BIT, midst=flow.submit)
        )
    count = sum(sweep.count for sweep in sweeps)
    await flow.submit()
    def told() -> int:
        return sum(sum(fact.dead_letters.values()) for fact in flow.router if isinstance(fact, BatchRouted))
    print("written", count)
    await until(lambda: told() >= count, 120)
    others = await sort_letters(stage, "router", sweeps)
    assert others == []
    return Seen(*sweeps, await stage.outputs(), flow.event_ids)


async def _all(kafka, home):
    import time
    t=time.monotonic()
    async with flowing(kafka, home) as flow:
        print("flowing", time.monotonic()-t, {k: len(v.value) for k,v in flow.recorded.items()})
        seen = await _through_the_router(flow)
        print("router", time.monotonic()-t)
        print(seen.event.reasons_by_part(), seen.event.reasons(cut=True), seen.event.reasons(cut=False))
        print(seen.checkpoint.reasons(cut=True), seen.checkpoint.reasons(cut=False), seen.checkpoint.passed())
        for n, r in seen.outputs.items():
            print(n, Counter((x.key or b"").split(b"/")[0][:12] for x in r))
        return seen

def test_x(kafka, tmp_path):
    asyncio.run(_all(kafka, tmp_path))
