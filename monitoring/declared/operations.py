"""The operations log: what each role writes of itself and of the people who use it."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import INTEGRITY, READINESS, WATCH, Metric, counter, gauge

METRICS: Final[tuple[Metric, ...]] = (
    counter(
        "hub_operations_lines_total", "lines", "class",
        "Lines of this role's operations log that Kafka has acknowledged, commands of people included.",
        "Kafkaに登録した操作記録の件数（分類別、職員の操作を含む）。", WATCH, READINESS,
    ),
    gauge(
        "hub_operations_waiting", "lines", "",
        "Lines of this role's operations log that are not on Kafka yet.",
        "未送信の操作記録の件数。", WATCH, READINESS,
    ),
    gauge(
        "hub_operations_stopped", "boolean", "",
        "1 while nothing is shown, exported or decided because it could not be logged.",
        "操作記録が書けないため、表示・出力・審査を停止中（1）。", WATCH, READINESS, INTEGRITY,
    ),
)  # fmt: skip
