"""Metrics that panels are ready for and that the hub does not declare yet: such queries are left out of the JSON.

Empty in the end; a test holds every other name to monitoring/declared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from monitoring.grafana.board import Board, Look, Panel, metrics_in

AWAITED: Final[frozenset[str]] = frozenset(
    {
        "hub_operations_lines_total",
        "hub_operations_waiting",
        "hub_operations_stopped",
        "hub_analysis_events_total",
        "hub_operations_collected_total",
        "hub_operations_missing",
        "hub_operations_refused_total",
        "hub_operations_collected_leaves",
        "hub_broker_denials_total",
        "hub_broker_handshakes_refused_total",
        "hub_peers_unexpected_total",
        "hub_certificate_not_after_seconds",
        "hub_key_not_after_seconds",
        "hub_epoch_not_after_seconds",
        "hub_clock_offset_seconds",
        "hub_access_total",
        "hub_store_bytes",
        "hub_journal_bytes",
        "hub_backlog_oldest_seconds",
    }
)


def without_awaited(board: Board) -> Board:
    """Return a board without the queries that nothing answers yet, and without what is left empty by that."""
    rows = (replace(row, panels=tuple(filter(None, map(_known, row.panels)))) for row in board.rows)
    return replace(board, rows=tuple(row for row in rows if row.panels))


def _known(panel: Panel) -> Panel | None:
    queries = tuple(query for query in panel.queries if not metrics_in(query.expr) & AWAITED)
    if len(queries) < len(panel.queries) and (panel.look is Look.TABLE or not queries):
        return None
    return replace(panel, queries=queries)
