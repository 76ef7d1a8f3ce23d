"""From facts to metrics and to log lines: the only place that knows both.

One entry per kind of fact in each table; a test enumerates the facts and fails when one has no entry.
An observer must neither raise nor wait, so a fact that cannot be told is counted and work goes on.
"""

from __future__ import annotations

from typing import Final

import structlog

from hub.facts import Fact, Observer
from monitoring.adapter import (
    access,
    analysis,
    collected,
    desks,
    flow,
    network,
    operations,
    state,
)
from monitoring.adapter.base import ToLog, ToMetrics
from monitoring.metrics import Metrics

_PARTS: Final = (
    access,
    analysis,
    collected,
    desks,
    flow,
    network,
    operations,
    state,
)
TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    kind: rule for part in _PARTS for kind, rule in part.TO_METRICS.items()
}
TO_LOG: Final[dict[type[Fact], ToLog]] = {kind: rule for part in _PARTS for kind, rule in part.TO_LOG.items()}


def combine(*observers: Observer) -> Observer:
    """Return an observer that hands each fact to all; one that raises does not keep it from the others."""

    def observe(fact: Fact) -> None:
        for observer in observers:
            try:
                observer(fact)
            except Exception:  # noqa: BLE001, S112 - a watcher must not stop the work; the adapters count their own
                continue

    return observe


def metrics_observer(metrics: Metrics) -> Observer:
    """Return the observer that turns every fact into numbers."""

    def observe(fact: Fact) -> None:
        try:
            TO_METRICS[type(fact)](metrics, fact)
        except Exception:  # noqa: BLE001 - see the module's docstring
            metrics.count("hub_observer_failures_total")

    return observe


def log_observer() -> Observer:
    """Return the observer that writes the facts a person may want to read as log lines."""
    log = structlog.get_logger()

    def observe(fact: Fact) -> None:
        line = TO_LOG[type(fact)](fact)
        if line is not None:
            level, event = line
            getattr(log, level)(**event)

    return observe
