"""The analysis: its facts as numbers and lines."""

from __future__ import annotations

from typing import Final

from hub.facts import Fact
from monitoring.adapter.base import LogLine, ToLog, ToMetrics, quiet
from monitoring.analysis.facts import AnalysedUntil, FindingMade, LinesAnalysed
from monitoring.metrics import Metrics


def _lines(metrics: Metrics, fact: LinesAnalysed) -> None:
    for name, count in fact.by_class.items():
        metrics.count("hub_analysis_events_total", count, **{"class": name})
    for reason, count in fact.refused.items():
        metrics.count("hub_analysis_refused_total", count, reason=reason)
    metrics.count("hub_analysis_late_total", fact.late)


def _until(metrics: Metrics, fact: AnalysedUntil) -> None:
    metrics.set("hub_analysis_watermark_seconds", fact.watermark / 1000)


def _finding(metrics: Metrics, fact: FindingMade) -> None:
    metrics.count("hub_analysis_findings_total", rule=fact.finding.rule)


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    LinesAnalysed: _lines,
    AnalysedUntil: _until,
    FindingMade: _finding,
}


def _tell_finding(fact: FindingMade) -> LogLine:
    found = fact.finding
    return "warning", {"event": "finding", "rule": found.rule, "code": found.finding_id, "count": found.count}


def _tell_refused(fact: LinesAnalysed) -> LogLine | None:
    if not fact.refused:
        return None
    return "warning", {"event": "lines-refused", "count": sum(fact.refused.values()), "reason": min(fact.refused)}


TO_LOG: Final[dict[type[Fact], ToLog]] = {
    LinesAnalysed: _tell_refused,
    AnalysedUntil: quiet,
    FindingMade: _tell_finding,
}
