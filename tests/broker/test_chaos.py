"""A small bad day on three brokers, for every change; the long ones are `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.day import live
from tests.chaos.plan import SMOKE
from tests.chaos.site import site

EVENTS, RATE, SEED = 200, 4.0, 20_261_126


@pytest.mark.broker
@pytest.mark.soak(target="soak")  # 110 s of processor, which `make test` does not have yet: 758 s with it, 720 may be
@pytest.mark.timeout(420)
def test_nothing_acknowledged_is_lost_doubled_or_out_of_order_on_a_bad_day(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with site(tmp_path, seed=SEED, events=EVENTS, rate=RATE) as found:
        day = live(found, SEED, EVENTS, SMOKE, ask_each_time=False)
    assert day.judgement.good, day.judgement
    assert day.acknowledged == EVENTS
    assert 3 * EVENTS <= day.records <= 3 * (EVENTS + day.judgement.again)
    assert day.agreed and day.verified and day.dead_letters == 0
    assert len(day.rows) == len(SMOKE) and day.portals == 2
