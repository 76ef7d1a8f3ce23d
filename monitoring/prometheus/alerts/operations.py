"""The operations log and its analysis."""

from __future__ import annotations

from monitoring.analysis import silence
from monitoring.analysis.findings import Severity as Found
from monitoring.analysis.rules import RULES
from monitoring.declared.base import DEFENCE, IDENTITY, INTEGRITY, READINESS, WATCH
from monitoring.prometheus.base import Alert, Explained, Severity, Team, risen
from monitoring.prometheus.limits import Limits

_FOUND = (*((rule.name, rule.severity) for rule in RULES), (silence.RULE, silence.SEVERITY))


def rules_of(severity: Found) -> tuple[str, ...]:
    """The rules of the analysis whose findings are of a severity."""
    return tuple(sorted(name for name, its in _FOUND if its is severity))


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """Nothing of what people do may go unlogged, and what is logged is looked at."""
    return (
        Alert(
            "HubOperationsStopped", "max by (instance) (hub_operations_stopped) == 1", "0s",
            Severity.PAGE, Team.OPERATOR,
            "{{ $labels.instance }} shows, exports and decides nothing: it could not be logged.",
            "{{ $labels.instance }} は操作記録が書けないため、表示・出力・審査を停止しています。",
            (WATCH, READINESS, INTEGRITY),
        ),
        Alert(
            "HubOperationsWaiting", f"max by (instance) (hub_operations_waiting) > {limits.operations_waiting}", "5m",
            Severity.TICKET, Team.OPERATOR,
            "{{ $value }} lines of the operations log of {{ $labels.instance }} are not on Kafka.",
            "{{ $labels.instance }} の操作記録 {{ $value }} 件が未送信です。",
            (WATCH, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"), Explained("HubOperationsStopped", ("instance",))),
        ),
        *(
            Alert(
                f"HubFinding{severity.value.capitalize()}",
                risen(
                    "hub_analysis_findings_total", f'rule=~"{"|".join(rules_of(severity))}"', "1h", by="rule"
                ),
                "0s", Severity(severity.value), Team.AUDIT,
                "The analysis of the operations log found: {{ $labels.rule }}.",
                "操作記録の分析で検出: {{ $labels.rule }}。",
                (WATCH, IDENTITY, READINESS),
            )
            for severity in Found
        ),
        Alert(
            "HubAnalysisSilent",
            f"time() - max(hub_analysis_watermark_seconds) > {limits.analysis_seconds}"
            # it runs, and not one watermark came: a partition that never counts as drained would hide silence for good
            f' or {limits.analysis_seconds} + 0 * max(hub_ready{{condition="windows"}})'
            " unless max(hub_analysis_watermark_seconds)", "5m",
            Severity.TICKET, Team.MONITOR,
            "The operations log has not been analysed for {{ $value | humanizeDuration }}.",
            "操作記録の分析が {{ $value | humanizeDuration }} 遅れています。",
            (WATCH, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubAnalysisRefuses", risen("hub_analysis_refused_total", by="reason"), "0s",
            Severity.PAGE, Team.AUDIT,
            "The analysis was given lines of the operations log that nobody who may has signed: {{ $labels.reason }}.",
            "操作記録に正当な署名のない行があります（{{ $labels.reason }}）。",
            (WATCH, DEFENCE, INTEGRITY),
        ),
    )  # fmt: skip
