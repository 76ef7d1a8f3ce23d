"""Who came, and who was refused."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, READINESS, WATCH, Metric, counter

METRICS: Final[tuple[Metric, ...]] = (
    counter(
        "hub_authentication_failures_total", "connections", "listener reason",
        "Connections that were refused for who made them, or for how.",
        "認証に失敗し拒否した接続の件数。", WATCH, DEFENCE, READINESS,
    ),
)  # fmt: skip
