"""Prometheus and Alertmanager watched by one another, and by whoever misses the watchdog."""

from __future__ import annotations

from monitoring.declared.base import READINESS, WATCH
from monitoring.prometheus.base import HUB, Alert, Severity, Team
from monitoring.prometheus.limits import Limits

NEGATED = HUB.replace("=", "!=", 1)


def alerts(_: Limits) -> tuple[Alert, ...]:
    """An alert that cannot be told is no alert."""
    return (
        Alert(
            "HubWatchdog", "vector(1)", "0s", Severity.NOTICE, Team.MONITOR,
            "Always firing: who receives it regularly knows that the way of the alerts works.",
            "常時発報（通知経路の生存確認用）。届かなくなったら監視が停止しています。",
            (WATCH,),
        ),
        Alert(
            "HubScrapeFailing", f"up{{{NEGATED}}} == 0", "2m", Severity.PAGE, Team.MONITOR,
            "Prometheus cannot read {{ $labels.job }} at {{ $labels.instance }}.",
            "監視サーバが {{ $labels.job }}（{{ $labels.instance }}）を読み取れません。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubAlertmanagerAway",
            "max(prometheus_notifications_alertmanagers_discovered) < 1"
            " or sum(rate(prometheus_notifications_errors_total[5m])) > 0",
            "2m", Severity.PAGE, Team.MONITOR,
            "Prometheus cannot hand its alerts to an Alertmanager: seen here and in the missing watchdog only.",
            "監視サーバが警報を通知サーバへ渡せません。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubNotificationsFailing",
            "sum by (integration) (rate(alertmanager_notifications_failed_total[5m])) > 0", "2m",
            Severity.PAGE, Team.MONITOR,
            "Alertmanager cannot notify through {{ $labels.integration }}.",
            "通知サーバが {{ $labels.integration }} で通知できません。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubRulesFailing", "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[5m])) > 0",
            "0s", Severity.PAGE, Team.MONITOR,
            "Prometheus cannot evaluate rules of {{ $labels.rule_group }}.",
            "監視規則 {{ $labels.rule_group }} を評価できません。",
            (WATCH,),
        ),
        Alert(
            "HubConfigurationRefused",
            "min(prometheus_config_last_reload_successful) == 0"
            " or min(alertmanager_config_last_reload_successful) == 0",
            "1m", Severity.TICKET, Team.MONITOR,
            "Prometheus or Alertmanager runs with an old configuration: the new one is invalid.",
            "監視・通知サーバの新しい設定が無効です（旧設定で稼働中）。",
            (WATCH,),
        ),
    )  # fmt: skip
