"""The analysis of the operations log: what it has read, how far it is, what it found."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, IDENTITY, READINESS, WATCH, Metric, counter, gauge

METRICS: Final[tuple[Metric, ...]] = (
    counter(
        "hub_analysis_events_total", "lines", "class",
        "Lines of the operations log that the analysis has taken.", "分析した操作記録の件数（分類別）。", WATCH,
    ),
    counter(
        "hub_analysis_refused_total", "lines", "reason",
        "Lines of the operations log that the analysis does not believe.",
        "署名・形式の検証で除外した操作記録の件数。", WATCH, DEFENCE,
    ),
    counter(
        "hub_analysis_late_total", "lines", "",
        "Lines that came later than the allowed lateness; they are analysed all the same.",
        "許容時間より遅れて届いた操作記録の件数。", WATCH,
    ),
    gauge(
        "hub_analysis_watermark_seconds", "seconds", "",
        "Up to when the operations log has been analysed, since 1970-01-01 UTC.",
        "分析済みの時刻。", WATCH, READINESS,
    ),
    counter(
        "hub_analysis_findings_total", "findings", "rule",
        "Findings of the analysis, each once.", "分析による検出件数（規則別）。", WATCH, IDENTITY, READINESS,
    ),
)  # fmt: skip
