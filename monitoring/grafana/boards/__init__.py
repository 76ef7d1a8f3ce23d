"""The boards, in the order in which a person looks at them."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.awaited import without_awaited
from monitoring.grafana.board import Board
from monitoring.grafana.boards import audit, brokers, flow, overview, security, state

DECLARED: Final[tuple[Board, ...]] = (
    overview.BOARD,
    flow.BOARD,
    state.BOARD,
    security.BOARD,
    audit.BOARD,
    brokers.BOARD,
)
BOARDS: Final[tuple[Board, ...]] = tuple(board for board in map(without_awaited, DECLARED) if board.rows)
