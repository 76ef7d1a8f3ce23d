"""What panels show: metrics, the measures these serve, the alerts that watch them; and why a metric is not shown."""

from __future__ import annotations

from functools import cache
from typing import Final

from monitoring.declared import BY_NAME, Metric, brokers
from monitoring.grafana.board import Board, Panel, declared_name, metrics_in
from monitoring.prometheus.rules import all_alerts, all_recordings

KNOWN: Final[dict[str, Metric]] = {**BY_NAME, **{metric.name: metric for metric in brokers.METRICS}}
"""declared name → metric: what our processes say of themselves, and what brokers export"""
NOT_SHOWN: Final[dict[str, str]] = {}
"""metric → why no panel shows it"""


def named_in(panel: Panel) -> frozenset[str]:
    """Return the metrics of a panel by their declared names; those of Prometheus (`up`) as they are."""
    return frozenset(declared_name(exposed, KNOWN) for query in panel.queries for exposed in metrics_in(query.expr))


def measures_of(panel: Panel) -> frozenset[str]:
    """Return the measures of the checklist that a panel helps to fulfil, by what it shows."""
    return frozenset(measure for name in named_in(panel) if name in KNOWN for measure in KNOWN[name].measures)


def shown_on(boards: tuple[Board, ...]) -> frozenset[str]:
    """Return all metrics that some panel shows."""
    return frozenset(name for board in boards for panel in board.panels for name in named_in(panel))


@cache
def watched_by() -> dict[str, frozenset[str]]:
    """Return alert → the metrics that it looks at, those behind recorded series too."""
    recorded = {name: metrics_in(rule.expr) for name, rule in all_recordings().items()}
    return {
        name: frozenset(
            declared_name(exposed, KNOWN)
            for one in metrics_in(rule.expr)
            for exposed in recorded.get(one, frozenset({one}))
        )
        for name, rule in all_alerts().items()
    }


def alerts_of(panel: Panel) -> tuple[str, ...]:
    """Return the alerts that watch what a panel shows, in the order of the rules."""
    shown = named_in(panel) - {"ALERTS"}
    return tuple(name for name, metrics in watched_by().items() if metrics & shown)
