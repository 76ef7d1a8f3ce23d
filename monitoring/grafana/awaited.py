"""Metrics that panels are ready for and that the hub does not declare yet: such queries are left out of the JSON.

Empty in the end; a test holds every other name to monitoring/declared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from monitoring.grafana.board import Board, Look, Panel, metrics_in

AWAITED: Final[frozenset[str]] = frozenset(
    {
        "hub_host_cpu_seconds_total",
        "hub_host_load_ratio",
        "hub_host_memory_bytes",
        "hub_host_disk_read_bytes_total",
        "hub_host_disk_written_bytes_total",
        "hub_clock_max_error_seconds",
        "hub_negative_durations_total",
        "hub_clock_synchronised",
        "hub_host_network_received_bytes_total",
        "hub_host_network_sent_bytes_total",
        "hub_host_network_errors_total",
        "hub_host_disk_bytes",
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
    queries = tuple(query for query in panel.queries if not any(map(is_awaited, metrics_in(query.expr))))
    if len(queries) < len(panel.queries) and (panel.look is Look.TABLE or not queries):
        return None
    return replace(panel, queries=queries)


def is_awaited(name: str) -> bool:
    return name in AWAITED or name.startswith(("kafka_", "jvm_", "jmx_"))
