"""The network watch: paths, peers, and controls that must refuse (docs/network-watch.md)."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, IDENTITY, INTEGRITY, READINESS, WATCH, Metric, counter, gauge, seconds

PEERS: Final = "network-peer-restriction"
DEVICES: Final = "network-device-control"
HANDSHAKE_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""seconds; a handshake with a broker on the same machine takes 9 to 15 ms, and 5 s are a probe's deadline"""

METRICS: Final[tuple[Metric, ...]] = (
    gauge(
        "hub_watch_path_up", "boolean", "principal listener",
        "1 while a principal reaches a listener with its own certificate, knows it, and is answered.",
        "主体から待受けへの経路が正常（1）。", WATCH, PEERS, READINESS,
    ),
    seconds(
        "hub_watch_connect_seconds", "listener", HANDSHAKE_BUCKETS,
        "From the first packet to a TCP connection.", "TCP接続にかかった時間。", WATCH,
    ),
    seconds(
        "hub_watch_handshake_seconds", "listener", HANDSHAKE_BUCKETS,
        "A verified TLS handshake with a listener.", "TLSハンドシェイクの時間。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_watch_peer_not_after_seconds", "seconds", "listener",
        "Until when a listener's certificate is valid, since 1970-01-01 UTC.",
        "待受けの証明書の有効期限。", WATCH, INTEGRITY, READINESS,
    ),
    gauge(
        "hub_watch_tls_info", "boolean", "listener protocol cipher",
        "1 for the version of TLS and the cipher suite that a listener speaks now.",
        "待受けのTLS版と暗号スイート（1）。", INTEGRITY, "data-encryption-and-separate-password",
    ),
    gauge(
        "hub_watch_control_refuses", "boolean", "control",
        "1 while what a control must refuse is refused, 0 when somebody was let in, NaN when it could not be tried.",
        "拒否すべき接続を拒否している（1）、受け入れた（0）、不明（NaN）。",
        PEERS, DEFENCE, INTEGRITY, IDENTITY, DEVICES,
    ),
    gauge(
        "hub_watch_control_unknown", "boolean", "control",
        "1 while a control could not be tried, or was refused for another reason than its own.",
        "統制を試験できない状態（1）。", WATCH, DEFENCE, PEERS,
    ),
    gauge(
        "hub_watch_path_reported", "boolean", "principal",
        "1 while a principal that must always run has told of its path within three intervals.",
        "常時稼働すべき主体からの報告あり（1）。", WATCH, PEERS, READINESS, sets=20_000,
    ),
    counter(
        "hub_watch_attempts_total", "attempts", "",
        "Attempts and visits of the network watch.", "ネットワーク監視の試行回数。", WATCH,
    ),
    counter(
        "hub_watch_undeclared_listeners_total", "listeners", "",
        "Listeners found where nobody is declared, each counted when it appears.",
        "宣言されていない待受けの検出件数。", PEERS, DEFENCE, DEVICES,
    ),
    gauge(
        "hub_watch_last_round_seconds", "seconds", "",
        "End of the last round of the network watch, since 1970-01-01 UTC.",
        "ネットワーク監視の最終実施時刻。", WATCH,
    ),
)  # fmt: skip
