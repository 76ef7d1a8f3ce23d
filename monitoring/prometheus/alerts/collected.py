"""What the monitor collected: holes in the operations log, and what the brokers' own logs say of strangers."""

from __future__ import annotations

from hub.control_certificates import CANARY
from monitoring.declared.base import DEFENCE, IDENTITY, INTEGRITY, READINESS, WATCH
from monitoring.declared.network import PEERS
from monitoring.prometheus.base import Alert, Explained, Severity, Team, gained, risen
from monitoring.prometheus.limits import Limits


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """The brokers' words are counted by the monitor, which tries what must be refused: what it is denied is no news."""
    return (
        Alert(
            "HubOperationsMissing", "max(hub_operations_missing) > 0", "2m", Severity.PAGE, Team.AUDIT,
            "{{ $value }} lines of the operations log are missing: later ones of the same log have come.",
            "操作記録 {{ $value }} 件が欠落しています。",
            (WATCH, INTEGRITY, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubOperationsRefused", risen("hub_operations_refused_total", by="reason"), "0s",
            Severity.PAGE, Team.AUDIT,
            "Records on the operations topic do not count: {{ $labels.reason }}.",
            "無効な操作記録を検出しました（{{ $labels.reason }}）。",
            (WATCH, DEFENCE, INTEGRITY),
        ),
        Alert(
            "HubOperationsLogStopped",
            f"sum{gained('hub_operations_lines_total')} > 0"
            f" unless sum{gained('hub_operations_collected_total')} > 0",
            "5m", Severity.PAGE, Team.MONITOR,
            "Roles write their operations and the monitor collects none.",
            "操作記録が収集されていません。",
            (WATCH, READINESS, INTEGRITY),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubOperationsLogShrank",
            "max(hub_operations_collected_leaves) < max(max_over_time(hub_operations_collected_leaves[1h]))", "0s",
            Severity.PAGE, Team.AUDIT,
            "The tree over the operations log is smaller than it was.",
            "操作記録の改ざん検知木が縮小しました。",
            (WATCH, INTEGRITY, READINESS),
        ),
        Alert(
            "HubOperationsPublicationBehind",
            "max(hub_operations_published_leaves) < max(min_over_time(hub_operations_collected_leaves[30m]))", "5m",
            Severity.TICKET, Team.AUDIT,
            "The published tree over the operations log has been behind for half an hour.",
            "操作記録の改ざん検知木の公開が遅れています。",
            (WATCH, INTEGRITY),
        ),
        Alert(
            "HubDenialsBurst",
            "sum by (principal) "
            + gained("hub_broker_denials_total", f'principal!~"monitor|{CANARY}"')
            + f" >= {limits.denials}",
            "0s", Severity.TICKET, Team.MONITOR,
            "The brokers denied {{ $labels.principal }} {{ $value | humanize }} requests within 15 minutes.",
            "ブローカーが15分間に {{ $labels.principal }} の要求を {{ $value | humanize }} 件拒否しました。",
            (WATCH, PEERS, IDENTITY),
        ),
        Alert(
            "HubHandshakesRefused",
            f"sum by (reason) {gained('hub_broker_handshakes_refused_total')} >= {limits.handshakes}",
            "0s", Severity.TICKET, Team.MONITOR,
            "The brokers refused {{ $value | humanize }} connections within 15 minutes: {{ $labels.reason }}.",
            "ブローカーが15分間に {{ $value | humanize }} 件の接続を拒否しました（{{ $labels.reason }}）。",
            (WATCH, PEERS, DEFENCE),
        ),
        Alert(
            "HubPeerUnexpected", risen("hub_peers_unexpected_total", by="instance"), "0s",
            Severity.PAGE, Team.MONITOR,
            "Somebody connected to the brokers who is not declared, or from an address of nobody's.",
            "宣言されていない接続元がブローカーに接続しました。",
            (WATCH, PEERS, DEFENCE, READINESS),
        ),
        Alert(
            "HubBrokerLogUnread", risen("hub_broker_log_lines_unread_total", window="1h", by="instance"), "0s",
            Severity.NOTICE, Team.MONITOR,
            "Lines of the brokers' logs have none of the known forms.",
            "解釈できないブローカーログの行があります。",
            (WATCH,),
        ),
    )  # fmt: skip
