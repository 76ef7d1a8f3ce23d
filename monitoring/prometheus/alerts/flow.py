"""The way of a filing: late, waiting, aborted, set aside."""

from __future__ import annotations

from monitoring.declared.base import DEFENCE, FLOW, INTEGRITY, READINESS, SPARE, WATCH
from monitoring.prometheus.base import Alert, Explained, Severity, Team, gained
from monitoring.prometheus.limits import Limits


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """What stands between a filing and its desk."""
    expiring = max(0, limits.letter_retention_seconds - limits.expiring_seconds)
    return (
        Alert(
            "HubEventsUnconfirmed", "max by (instance, consumer) (hub_consumer_events_unconfirmed) > 0", "0s",
            Severity.PAGE, Team.AUDIT,
            "{{ $value }} events stored by {{ $labels.instance }} have waited over 60 s for a signed checkpoint.",
            "{{ $labels.instance }} で {{ $value }} 件が60秒を超えて未確認です。",
            (WATCH, FLOW, INTEGRITY, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubEventsMissing", "max by (instance, consumer) (hub_consumer_events_missing) > 0", "0s",
            Severity.PAGE, Team.AUDIT,
            "{{ $value }} events were acknowledged to the portal and {{ $labels.instance }} has not got them.",
            "受付済みの {{ $value }} 件が {{ $labels.instance }} に届いていません。",
            (WATCH, FLOW, INTEGRITY, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubLag", f"sum by (instance, tenant, dataset) (hub_lag_records) > {limits.lag_records}", "5m",
            Severity.TICKET, Team.OPERATOR,
            "{{ $labels.instance }} is {{ $value }} records behind on {{ $labels.dataset }}.",
            "{{ $labels.instance }} の {{ $labels.dataset }} の遅れが {{ $value }} 件です。",
            (WATCH, FLOW),
            silenced_by=tuple(Explained(by, ("instance",)) for by in ("HubProcessDown", "HubPaused", "HubNotReady")),
        ),
        Alert(
            "HubReceiptsWaiting", f"max by (instance) (hub_consumer_receipts_waiting) > {limits.receipts_waiting}",
            "5m", Severity.TICKET, Team.OPERATOR,
            "{{ $labels.instance }} has {{ $value }} receipts to send.",
            "{{ $labels.instance }} の送信待ち受領書が {{ $value }} 件です。",
            (WATCH, FLOW),
            silenced_by=(Explained("HubProcessDown", ("instance",)), Explained("HubPaused", ("instance",))),
        ),
        Alert(
            "HubJournalWaiting",
            'min_over_time(hub_journal_events{state="unacknowledged"}[2m]) > 0'
            " unless on (instance) sum by (instance) (increase(hub_producer_events_acknowledged_total[2m])) > 0",
            "2m", Severity.PAGE, Team.OPERATOR,
            "{{ $value }} events of {{ $labels.instance }} wait for the brokers, which have taken none for minutes.",
            "{{ $labels.instance }} の {{ $value }} 件が送達待ちで、数分間 1 件も受け取られていません。",
            (WATCH, FLOW, SPARE),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubJournalDeep", f'hub_journal_events{{state="unconfirmed"}} > {limits.journal_events}', "10m",
            Severity.TICKET, Team.OPERATOR,
            "{{ $value }} events in the journal of {{ $labels.instance }} lack the desk's receipt.",
            "{{ $labels.instance }} のジャーナルで {{ $value }} 件が窓口未確認です。",
            (WATCH, FLOW, SPARE),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubTransactionsAborting",
            "sum by (instance) "
            + gained("hub_router_transactions_total", 'outcome="aborted"', "30m")
            + f" >= {limits.aborts}",
            "0s", Severity.TICKET, Team.OPERATOR,
            "The router aborted {{ $value | humanize }} transactions within half an hour.",
            "振り分けトランザクションが30分間に {{ $value | humanize }} 件中止されました。",
            (WATCH, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"), Explained("HubPaused", ("instance",))),
        ),
        Alert(
            "HubPartitionFenced",
            "sum" + gained("hub_router_partitions_lost_total", 'fenced="true"', "30m") + f" >= {limits.aborts}",
            "0s", Severity.TICKET, Team.OPERATOR,
            "Routers took partitions from one another {{ $value | humanize }} times within half an hour.",
            "パーティションの奪取が30分間に {{ $value | humanize }} 回発生しました。",
            (WATCH, SPARE),
        ),
        Alert(
            "HubPartitionUnowned", "max by (partition) (hub_router_partition_owned) == 0", "2m",
            Severity.PAGE, Team.OPERATOR,
            "No router owns partition {{ $labels.partition }}.",
            "パーティション {{ $labels.partition }} を担当するルーターがありません。",
            (WATCH, SPARE, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubDeadLettersBurst",
            f"sum by (stage) {gained('hub_dead_letters_total')} >= {limits.letters_in_a_burst}", "0s",
            Severity.PAGE, Team.OPERATOR,
            "{{ $value | humanize }} records became dead letters at {{ $labels.stage }} within 15 minutes.",
            "{{ $labels.stage }} で15分間に {{ $value | humanize }} 件が隔離されました。",
            (WATCH, DEFENCE, INTEGRITY),
        ),
        Alert(
            "HubDeadLetterWaits",
            "max by (tenant, reason) (hub_dead_letters_oldest_seconds)"
            f" > {limits.letter_seconds}", "0s",
            Severity.TICKET, Team.OPERATOR,
            "A dead letter ({{ $labels.reason }}) has been open for {{ $value | humanizeDuration }}.",
            "隔離記録（{{ $labels.reason }}）が {{ $value | humanizeDuration }} 未処理です。",
            (WATCH, FLOW, READINESS),
            silenced_by=(Explained("HubDeadLetterExpiring", ("tenant", "reason")),),
        ),
        Alert(
            "HubDeadLetterExpiring", f"max by (tenant, reason) (hub_dead_letters_oldest_seconds) > {expiring}", "0s",
            Severity.PAGE, Team.OPERATOR,
            "The broker deletes an open dead letter ({{ $labels.reason }}) within"
            f" {limits.expiring_seconds // 86400} days.",
            f"未処理の隔離記録（{{{{ $labels.reason }}}}）が{limits.expiring_seconds // 86400}日以内に自動削除。",
            (WATCH, FLOW, READINESS),
        ),
    )  # fmt: skip
