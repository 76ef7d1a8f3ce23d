"""Who was refused: facts as numbers and lines."""

from __future__ import annotations

from typing import Final

from hub.facts import Fact
from monitoring.adapter.base import ToLog, ToMetrics, line
from monitoring.endpoint import ScrapesRefused
from monitoring.metrics import Metrics


def _scrapes_refused(metrics: Metrics, fact: ScrapesRefused) -> None:
    metrics.count("hub_authentication_failures_total", fact.count, listener="metrics", reason=fact.reason)


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {ScrapesRefused: _scrapes_refused}
TO_LOG: Final[dict[type[Fact], ToLog]] = {ScrapesRefused: line("warning", "scrapes-refused", "reason", "count")}
