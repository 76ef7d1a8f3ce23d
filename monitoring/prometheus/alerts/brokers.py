"""What the brokers say of themselves through their exporter."""

from __future__ import annotations

from monitoring.declared.base import DEFENCE, FLOW, INTEGRITY, READINESS, SPARE, WATCH
from monitoring.declared.network import PEERS
from monitoring.prometheus.base import Alert, Explained, Severity, Team, gained, risen
from monitoring.prometheus.limits import Limits

_DOWN = (Explained("HubBrokerDown"),)


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """Copies, leaders, controllers, disks, strangers."""
    return (
        Alert(
            "HubBrokerDown", 'up{job="broker"} == 0', "1m", Severity.PAGE, Team.OPERATOR,
            "The broker at {{ $labels.instance }} does not answer.",
            "ブローカー（{{ $labels.instance }}）が応答しません。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubUnderReplicated", "max by (instance) (kafka_under_replicated_partitions) > 0", "5m",
            Severity.TICKET, Team.OPERATOR,
            "{{ $value }} partitions have fewer copies in step than declared.",
            "{{ $value }} 個のパーティションで複製が不足しています。",
            (WATCH, SPARE, READINESS),
            silenced_by=(*_DOWN, Explained("HubUnderMinIsr")),
        ),
        Alert(
            "HubUnderMinIsr", "max by (instance) (kafka_under_min_isr_partitions) > 0", "1m",
            Severity.PAGE, Team.OPERATOR,
            "{{ $value }} partitions take no writes: too few copies are in step.",
            "{{ $value }} 個のパーティションが書込み不能です（同期済み複製の不足）。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubPartitionsOffline", "max(kafka_offline_partitions) > 0", "30s", Severity.PAGE, Team.OPERATOR,
            "{{ $value }} partitions have no leader.",
            "{{ $value }} 個のパーティションにリーダーがいません。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubLogDirectoryOffline", "max by (instance) (kafka_offline_log_directories) > 0", "0s",
            Severity.PAGE, Team.OPERATOR,
            "A broker has given up a data directory.",
            "ブローカーのデータディレクトリが使用不能です。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubNoController", "sum(kafka_active_controllers) != 1", "1m", Severity.PAGE, Team.OPERATOR,
            "{{ $value }} brokers say that they are the controller; it must be one.",
            "コントローラーが {{ $value }} 台あります（正常は1台）。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubBrokerFenced", "max(kafka_fenced_brokers) > 0", "5m", Severity.TICKET, Team.OPERATOR,
            "{{ $value }} brokers are fenced off by the controller.",
            "{{ $value }} 台のブローカーが切り離されています。",
            (WATCH, SPARE),
            silenced_by=_DOWN,
        ),
        Alert(
            "HubTransactionHangs",
            f"max by (topic) (kafka_last_stable_offset_lag_records) > {limits.unstable_records}", "5m",
            Severity.TICKET, Team.OPERATOR,
            "{{ $value }} committed records of {{ $labels.topic }} cannot be read past an open transaction.",
            "{{ $labels.topic }} の {{ $value }} 件が未確定トランザクションにより読めません。",
            (WATCH, FLOW, READINESS),
        ),
        Alert(
            "HubInvalidRecords", risen("kafka_invalid_records_total", by="instance"), "0s",
            Severity.TICKET, Team.OPERATOR,
            "A broker received records with a wrong checksum.",
            "ブローカーがチェックサム不正の記録を受信しました。",
            (WATCH, INTEGRITY),
        ),
        Alert(
            "HubBrokerAuthenticationFailures",
            "sum by (listener) "
            + gained("kafka_failed_authentications_total")
            + f" >= {limits.handshakes}",
            "0s", Severity.TICKET, Team.MONITOR,
            "The listener {{ $labels.listener }} refused {{ $value | humanize }} handshakes within 15 minutes.",
            "待受け {{ $labels.listener }} で15分間に {{ $value | humanize }} 件の認証に失敗しました。",
            (WATCH, DEFENCE, PEERS),
            silenced_by=(Explained("HubHandshakesRefused"),),
        ),
        Alert(
            "HubBrokerUnread", "max by (instance) (jmx_scrape_error) > 0", "5m", Severity.TICKET, Team.MONITOR,
            "The exporter inside a broker cannot read its numbers.",
            "ブローカー内の計測値を読み取れません。",
            (WATCH,),
        ),
    )  # fmt: skip
