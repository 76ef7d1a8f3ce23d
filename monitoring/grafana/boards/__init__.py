"""The boards, in the order in which a person looks at them."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import Board
from monitoring.grafana.boards import audit, brokers, flow, overview, security, state

BOARDS: Final[tuple[Board, ...]] = (
    overview.BOARD,
    flow.BOARD,
    state.BOARD,
    security.BOARD,
    audit.BOARD,
    brokers.BOARD,
)
