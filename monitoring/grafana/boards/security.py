"""Security: controls tried for real, denials, handshakes, peers, access of people, findings, expiry."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import (
    AMBER,
    GREEN,
    ONE_IS_GOOD,
    RED,
    ZERO_IS_GOOD,
    Board,
    Column,
    Look,
    Panel,
    Query,
    Row,
)
from monitoring.grafana.boards.variables import TENANT
from monitoring.grafana.expressions import TENANT as OF_TENANT
from monitoring.grafana.expressions import grown, or_none, quantile, rate

_EXPIRY: Final = ((0, RED), (7 * 86_400, AMBER), (30 * 86_400, GREEN))

_CONTROLS: Final = Row(
    "統制の実証", "Controls, proved",
    (
        Panel(
            Look.STAT, "拒否を続ける統制", "Controls that still refuse",
            "実際の試みを拒否した統制の割合。試せない統制があれば不明（NaN）となり、正常ではない。",
            "Share of the controls that refused the last real attempt. NaN while one could not be tried: unknown, not "
            "good.",
            (Query("avg(hub_watch_control_refuses)"),),
            width=5, height=6, unit="percentunit", decimals=0, steps=ONE_IS_GOOD,
        ),
        Panel(
            Look.STAT, "試せない統制", "Controls not tried",
            "試験できない、又は別の理由で拒否された統制の数。",
            "Controls that could not be tried, or were refused for another reason; 0 is "
            "good.",
            (Query("sum(hub_watch_control_unknown)"),),
            width=4, height=6, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "最後の巡回から", "Since the last round",
            "ネットワーク監視の最後の巡回からの経過時間。", "Time since the network watch last went round.",
            (Query("time() - max(hub_watch_last_round_seconds)"),),
            width=5, height=6, unit="s", steps=((0, GREEN), (180, AMBER), (600, RED)),
        ),
        Panel(
            Look.STAT, "異常な経路", "Paths not good",
            "宣言された経路のうち正常でないもの。", "Declared paths that are not good; 0 is good.",
            (Query("count(hub_watch_path_up) - sum(hub_watch_path_up)"),),
            width=5, height=6, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "報告のない主体", "Principals not heard of",
            "常時稼働すべき主体のうち、経路の報告がないもの。",
            "Principals that must always run and have not told of their path; 0 is good.",
            (Query("count(hub_watch_path_reported) - sum(hub_watch_path_reported)"),),
            width=5, height=6, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.TIME, "統制ごとの推移", "Each control over time",
            "1が正常。0は、拒否すべき接続が通ったことを示す。",
            "1 is good; 0 means that what must be refused got through.",
            (Query("min by (control)(hub_watch_control_refuses)", "{{control}}"),), width=14, height=7,
        ),
        Panel(
            Look.STAT, "試行の回数", "Attempts",
            "表示期間に監視が行った試行の数。", "Attempts and visits of the network watch in this range.",
            (Query(grown("hub_watch_attempts_total")),), width=5, height=7,
        ),
        Panel(
            Look.STAT, "宣言にない待受け", "Undeclared listeners",
            "宣言されていない待受けの検出件数（表示期間）。",
            "Listeners that nobody declared, found in this range; 0 is good.",
            (Query(grown("hub_watch_undeclared_listeners_total")),),
            width=5, height=7, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
    ),
    measures=("network-peer-restriction", "transport-encryption"),
)  # fmt: skip

_DENIED: Final = Row(
    "拒否と相手", "Denials and peers",
    (
        Panel(
            Look.TABLE, "権限による拒否（表示期間）", "Denials in this range",
            "ブローカーが権限外として拒否した件数。監視自身の試みを含む。",
            "Operations that the brokers denied; the watch's own attempts "
            "are among them.",
            (Query(grown("hub_broker_denials_total", "principal")),),
            width=8, columns=(Column("principal", "主体"), Column("A", "件数")),
        ),
        Panel(
            Look.TABLE, "拒否したハンドシェイク（表示期間）", "Handshakes refused in this range",
            "平文・証明書なし等の理由別。監視自身の試みを含む。", "By reason; the watch's own attempts are among them.",
            (Query(grown("hub_broker_handshakes_refused_total", "reason")),),
            width=8, columns=(Column("reason", "理由"), Column("A", "件数")),
        ),
        Panel(
            Look.STAT, "想定外の相手", "Unexpected peers",
            "宣言にない相手からの接続（表示期間）。", "Peers nobody declared, in this range; 0 is good.",
            (Query(grown("hub_peers_unexpected_total")),),
            width=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "認証の失敗", "Authentication failures",
            "監視用の接続口で拒否した接続（表示期間）。監視自身の試みを含む。",
            "Connections refused by the processes' own listeners, in this range; the watch's own attempts are among "
            "them.",
            (Query(or_none(grown("hub_authentication_failures_total"))),),
            width=4, zero_is_good=True,
        ),
    ),
    measures=("network-device-control", "perimeter-defence", "id-password-authentication"),
)  # fmt: skip

_ACCESS: Final = Row(
    "職員による利用", "Use by people",
    (
        Panel(
            Look.TIME, "閲覧・照会・出力・審査", "Views, look-ups, exports, decisions",
            "種別ごとの毎秒件数。", "Per second by kind; 0 while nobody works.",
            (Query(or_none(rate(f"hub_access_total{{{OF_TENANT}}}", "kind")), "{{kind}}"),),
            width=12, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TABLE, "分析の所見（表示期間）", "Findings in this range",
            "操作記録の分析で見つかったもの（規則別）。空が正常。",
            "Found by the analysis of the operations log; empty is good.",
            (Query(grown("hub_analysis_findings_total", "rule")),),
            width=12, zero_is_good=True, columns=(Column("rule", "規則"), Column("A", "件数")),
        ),
    ),
    measures=("monitoring-and-access-log", "storage-access-control"),
)  # fmt: skip

_ENDS: Final = Row(
    "期限", "Expiry",
    (
        Panel(
            Look.STAT, "自分の証明書", "Own certificates",
            "最も早く切れる証明書の期限まで。", "Time until the first certificate of a process expires.",
            (Query("min(hub_certificate_not_after_seconds) - time()"),),
            width=6, height=5, unit="s", steps=_EXPIRY,
        ),
        Panel(
            Look.STAT, "接続口の証明書", "Listeners' certificates",
            "監視が接続口で見た証明書の期限まで。", "Time until the first certificate that the probes saw expires.",
            (Query("min(hub_watch_peer_not_after_seconds) - time()"),),
            width=6, height=5, unit="s", steps=_EXPIRY,
        ),
        Panel(
            Look.STAT, "鍵", "Keys",
            "最も早く切れる鍵の期限まで。", "Time until the first key ends.",
            (Query("min(hub_key_not_after_seconds) - time()"),),
            width=6, height=5, unit="s", steps=_EXPIRY,
        ),
        Panel(
            Look.STAT, "エポック", "Epochs",
            "最も早く終わるエポックまで。", "Time until the first epoch ends.",
            (Query("min(hub_epoch_not_after_seconds) - time()"),),
            width=6, height=5, unit="s", steps=_EXPIRY,
        ),
    ),
    measures=("id-password-authentication",),
)  # fmt: skip

_WIRE: Final = Row(
    "通信路", "On the wire",
    (
        Panel(
            Look.TIME, "ハンドシェイク", "Handshakes",
            "監視が測ったTLSハンドシェイクの時間（p50・p99）。", "TLS handshakes as the probes measured them.",
            (
                Query(quantile(0.5, "hub_watch_handshake_seconds"), "TLS p50"),
                Query(quantile(0.99, "hub_watch_handshake_seconds"), "TLS p99"),
                Query(quantile(0.99, "hub_watch_connect_seconds"), "TCP p99"),
            ),
            width=12, unit="s",
        ),
        Panel(
            Look.TABLE, "TLSの版と暗号", "TLS in use",
            "接続口ごとに実際に合意した版と暗号。", "What each listener really agrees to.",
            (Query("max by (listener, protocol, cipher)(hub_watch_tls_info)"),),
            width=12, columns=(Column("listener", "接続口"), Column("protocol", "版"), Column("cipher", "暗号")),
        ),
    ),
    measures=("transport-encryption",),
)  # fmt: skip

BOARD: Final = Board(
    "security", "安全管理", "Security",
    "統制が効いているか、誰が何を拒まれ、誰が何を利用し、何が期限を迎えるか。",
    "Whether controls hold, who was denied what, who used what, and what expires.",
    (_CONTROLS, _DENIED, _ACCESS, _ENDS, _WIRE),
    (TENANT,),
)  # fmt: skip
