"""Which declared metrics stand on no panel, and why: the only way not to be shown. A test holds both lists together."""

from __future__ import annotations

from typing import Final

from monitoring.declared import BY_NAME
from monitoring.grafana.board import Board, Panel, declared_name, metrics_in

NOT_SHOWN: Final[dict[str, str]] = {}
"""metric → why no panel shows it"""


def named_in(panel: Panel) -> frozenset[str]:
    """Return the metrics of a panel by their declared names; those of others (`up`, `kafka_…`) as they are."""
    return frozenset(declared_name(exposed, BY_NAME) for query in panel.queries for exposed in metrics_in(query.expr))


def measures_of(panel: Panel) -> frozenset[str]:
    """Return the measures of the checklist that a panel helps to fulfil, by what it shows."""
    return frozenset(measure for name in named_in(panel) if name in BY_NAME for measure in BY_NAME[name].measures)


def shown_on(boards: tuple[Board, ...]) -> frozenset[str]:
    """Return all metrics that some panel shows."""
    return frozenset(name for board in boards for panel in board.panels for name in named_in(panel))
