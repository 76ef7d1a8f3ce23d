"""The one declared list of metrics: registration, docs/metrics.md and the dashboard checks derive from it."""

from __future__ import annotations

from typing import Final

from monitoring.declared import (
    access,
    analysis,
    brokers,
    collected,
    desks,
    flow,
    network,
    operations,
    process,
    state,
)
from monitoring.declared.base import MEASURES, Kind, Metric

__all__ = ["BROKERS", "BY_NAME", "MEASURES", "METRICS", "Kind", "Metric"]

METRICS: Final[tuple[Metric, ...]] = (
    *flow.METRICS,
    *desks.METRICS,
    *state.METRICS,
    *access.METRICS,
    *analysis.METRICS,
    *collected.METRICS,
    *network.METRICS,
    *operations.METRICS,
    *process.METRICS,
)
"""in the order in which a page shows them"""
BY_NAME: Final = {metric.name: metric for metric in METRICS}
BROKERS: Final[tuple[Metric, ...]] = brokers.METRICS
"""what brokers export; no process of ours does"""
