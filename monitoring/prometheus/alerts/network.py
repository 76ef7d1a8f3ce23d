"""The network watch: controls that must refuse, paths that must work, and what a listener shows of itself."""

from __future__ import annotations

from monitoring.declared.base import DEFENCE, IDENTITY, INTEGRITY, READINESS, WATCH
from monitoring.declared.network import DEVICES, PEERS
from monitoring.prometheus.base import Alert, Explained, Severity, Team, gained, risen
from monitoring.prometheus.limits import Limits


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """The first is the loudest of all."""
    rounds = 3 * limits.watch_seconds
    return (
        Alert(
            "HubControlStoppedRefusing", "min by (control) (hub_watch_control_refuses) == 0", "0s",
            Severity.PAGE, Team.MONITOR,
            "Somebody was let in who must be refused: {{ $labels.control }}.",
            "拒否すべき接続が受け入れられました（{{ $labels.control }}）。直ちに遮断してください。",
            (PEERS, DEFENCE, INTEGRITY, IDENTITY, DEVICES, READINESS),
        ),
        Alert(
            "HubControlUntried", "max by (control) (hub_watch_control_unknown) == 1", "10m",
            Severity.TICKET, Team.MONITOR,
            "Whether {{ $labels.control }} is still refused could not be tried for ten minutes.",
            "統制 {{ $labels.control }} を10分間試験できていません。",
            (WATCH, DEFENCE, PEERS),
            silenced_by=(Explained("HubBrokersUnreachable"), Explained("HubControlsUnwatched")),
        ),
        Alert(
            "HubControlsUnwatched",
            f'time() - max(hub_watch_last_round_seconds{{role="monitor"}}) > {rounds}'
            ' or absent(hub_watch_last_round_seconds{role="monitor"})',
            "1m", Severity.PAGE, Team.MONITOR,
            "The monitor has not tried the controls for three intervals.",
            "監視処理が統制の試験を実施していません。",
            (WATCH, DEFENCE, PEERS),
        ),
        Alert(
            "HubPathDown", "min by (principal, listener) (hub_watch_path_up) == 0", "1m",
            Severity.PAGE, Team.OPERATOR,
            "{{ $labels.principal }} cannot use {{ $labels.listener }}, or does not find there whom it must.",
            "{{ $labels.principal }} から {{ $labels.listener }} への経路に異常があります。",
            (WATCH, PEERS, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubPathUnreported",
            'min by (instance) (label_replace(hub_watch_path_reported, "instance", "$1", "principal", "(.+)")) == 0',
            "5m",
            Severity.TICKET, Team.MONITOR,
            "{{ $labels.instance }} must always run and has not told of its path.",
            "{{ $labels.instance }} から経路の報告がありません。",
            (WATCH, PEERS, READINESS),
            silenced_by=(Explained("HubProcessDown", ("instance",)), Explained("HubBrokersUnreachable")),
        ),
        Alert(
            "HubWeakTls", 'max by (listener, protocol) (hub_watch_tls_info{protocol!="TLSv1.3"}) == 1', "0s",
            Severity.PAGE, Team.MONITOR,
            "{{ $labels.listener }} speaks {{ $labels.protocol }}; only TLS 1.3 is declared.",
            "{{ $labels.listener }} が {{ $labels.protocol }} で通信しています（TLS 1.3のみ許可）。",
            (INTEGRITY, DEFENCE, "data-encryption-and-separate-password"),
        ),
        Alert(
            "HubRightsExcess",
            risen("hub_alarms_total", 'code="watch.rights-excess"', by="instance"), "0s",
            Severity.PAGE, Team.MONITOR,
            "The brokers show {{ $labels.instance }} topics that nobody declared for it.",
            "{{ $labels.instance }} に宣言外の権限が付与されています。",
            (PEERS, DEFENCE, IDENTITY, READINESS),
        ),
        Alert(
            "HubStandingBehind",
            "min by (instance, place) (hub_standing_serial)"
            " < on (place) group_left () max by (place) (hub_standing_serial)",
            "5m", Severity.PAGE, Team.MONITOR,
            "{{ $labels.instance }} holds to an older {{ $labels.place }} than others; what was revoked may count.",
            "{{ $labels.instance }} の {{ $labels.place }} が古いままです（失効した鍵が有効な恐れ）。",
            (DEFENCE, IDENTITY, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"), Explained("HubPaused", ("instance",))),
        ),
        Alert(
            "HubNetworkErrors", f"max by (interface) (increase(hub_host_network_errors_total[15m])) > {limits.packets}",
            "5m", Severity.TICKET, Team.OPERATOR,
            "The interface {{ $labels.interface }} loses packets.",
            "ネットワークインタフェース {{ $labels.interface }} でパケットの誤り・破棄が発生しています。",
            (WATCH, DEVICES),
        ),
        Alert(
            "HubAuthenticationFailures",
            "sum by (instance, listener, reason) "
            + gained("hub_authentication_failures_total")
            + f" >= {limits.refused_connections}",
            "0s", Severity.TICKET, Team.MONITOR,
            "{{ $labels.listener }} of {{ $labels.instance }} refused {{ $value | humanize }} connections:"
            " {{ $labels.reason }}.",
            "{{ $labels.instance }} の {{ $labels.listener }} で {{ $value | humanize }} 件の接続を拒否しました"
            "（{{ $labels.reason }}）。",
            (WATCH, DEFENCE, READINESS),
        ),
    )  # fmt: skip
