"""What ends by itself: certificates, keys, epochs; and the clock by which all of them are judged."""

from __future__ import annotations

from monitoring.declared.base import FLOW, INTEGRITY, READINESS, WATCH
from monitoring.prometheus.base import Alert, Explained, Severity, Team, risen
from monitoring.prometheus.limits import Limits

STEPS = ((1, Severity.PAGE), (7, Severity.TICKET), (30, Severity.NOTICE))
"""days before; the nearer one silences the farther"""


def ending(name: str, metric: str, by: tuple[str, ...], what: str, what_ja: str) -> tuple[Alert, ...]:
    """A month, a week and a day before the end that a metric tells as Unix time; 0 says that it is not known."""
    made: list[Alert] = []
    for days, severity in STEPS:
        made.append(
            Alert(
                f"{name}In{days}Day{'s' if days > 1 else ''}",
                f"min by ({', '.join(by)}) ({metric} > 0) - time() < {days * 86400}",
                "0s", severity, Team.OPERATOR,
                f"{what} ends in {{{{ $value | humanizeDuration }}}}.",
                f"{what_ja}の期限まで {{{{ $value | humanizeDuration }}}} です。",
                (WATCH, INTEGRITY, READINESS),
                silenced_by=tuple(Explained(each.name, by) for each in made),
            )
        )  # fmt: skip
    return tuple(made)


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """Each end three times, and the clock."""
    return (
        *ending(
            "HubListenerCertificateEnds", "hub_watch_peer_not_after_seconds", ("listener",),
            "The certificate of {{ $labels.listener }}", "{{ $labels.listener }} の証明書",
        ),
        *ending(
            "HubCertificateEnds", "hub_certificate_not_after_seconds", ("instance",),
            "A certificate of {{ $labels.instance }}", "{{ $labels.instance }} の証明書",
        ),
        *ending(
            "HubKeyEnds", "hub_key_not_after_seconds", ("instance", "purpose"),
            "The key {{ $labels.purpose }} of {{ $labels.instance }}",
            "{{ $labels.instance }} の鍵（{{ $labels.purpose }}）",
        ),
        *ending(
            "HubEpochEnds", "hub_epoch_not_after_seconds", ("instance",),
            "The last epoch for which {{ $labels.instance }} has keys", "{{ $labels.instance }} の鍵世代",
        ),
        Alert(
            "HubClockOff", f"max(abs(hub_clock_offset_seconds)) > {limits.clock_seconds:g}", "5m",
            Severity.PAGE, Team.OPERATOR,
            "A machine's clock is off by {{ $value | humanizeDuration }}.",
            "サーバの時計が {{ $value | humanizeDuration }} ずれています。",
            (WATCH, INTEGRITY),
        ),
        Alert(
            "HubClockUnsynchronised", "min(hub_clock_synchronised) == 0", "30m", Severity.TICKET, Team.OPERATOR,
            "Nothing keeps a machine's clock right.",
            "時刻同期が機能していないサーバがあります。",
            (WATCH, INTEGRITY),
        ),
        Alert(
            "HubClocksDisagree", risen("hub_negative_durations_total", by="instance"), "0s",
            Severity.TICKET, Team.OPERATOR,
            "{{ $labels.instance }} saw things happen before they began: two clocks disagree, or one jumped.",
            "{{ $labels.instance }} で負の所要時間を検出しました（時計のずれ・急変）。",
            (WATCH, INTEGRITY),
        ),
        Alert(
            "HubBacklogOld",
            f"max by (instance, tenant, dataset) (hub_backlog_oldest_seconds) > {limits.backlog_seconds}", "1m",
            Severity.PAGE, Team.OPERATOR,
            "{{ $labels.instance }} has not read {{ $labels.dataset }} for {{ $value | humanizeDuration }}.",
            "{{ $labels.instance }} の {{ $labels.dataset }} が {{ $value | humanizeDuration }} 滞留。",
            (WATCH, FLOW, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"), Explained("HubPaused", ("instance",))),
        ),
    )  # fmt: skip
