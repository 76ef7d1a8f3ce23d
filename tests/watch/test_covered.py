"""Each alert is made to fire somewhere, and where only promtool does it, the reason is said."""

from __future__ import annotations

from monitoring.prometheus.rules import all_alerts
from tests.watch.covered import IN_CI, LONG, ONLY_PROMTOOL


def test_every_alert_stands_in_one_of_the_three_lists() -> None:
    assert set(IN_CI) | set(LONG) | ONLY_PROMTOOL.keys() == all_alerts().keys()
    assert not (set(IN_CI) | set(LONG)) & ONLY_PROMTOOL.keys()
    assert not set(IN_CI) & set(LONG)
