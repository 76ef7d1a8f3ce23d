"""What the monitor collected: the lines of all roles, what is missing, what was refused, what brokers' logs say."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, IDENTITY, INTEGRITY, READINESS, WATCH, Metric, counter, gauge

PEERS: Final = "network-peer-restriction"

METRICS: Final[tuple[Metric, ...]] = (
    counter(
        "hub_operations_collected_total", "lines", "class",
        "Lines of the operations log that the monitor keeps.",
        "監視処理が保存した操作記録の件数（分類別）。", WATCH, READINESS,
    ),
    gauge(
        "hub_operations_missing", "lines", "",
        "Lines that are missing now: a later line of the same log has come, they have not.",
        "欠落している操作記録の件数。", WATCH, INTEGRITY, READINESS,
    ),
    counter(
        "hub_operations_refused_total", "records", "reason",
        "Records of the operations topic that do not count: kept whole within a bound, then counted.",
        "無効な操作記録の件数（理由別）。", WATCH, DEFENCE, INTEGRITY,
    ),
    gauge(
        "hub_operations_collected_leaves", "leaves", "",
        "Leaves of the tamper-evident tree over all lines.",
        "操作記録の改ざん検知木の葉の数。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_operations_published_leaves", "leaves", "",
        "Leaves of the tree as it was published last, under a signed checkpoint.",
        "公開済みの改ざん検知木の葉の数。", WATCH, INTEGRITY,
    ),
    counter(
        "hub_operations_deleted_total", "lines", "class",
        "Lines whose body was deleted because its time had come; their hashes stay.",
        "保存期間の満了により削除した操作記録の件数。", WATCH, "data-erasure-and-report",
    ),
    counter(
        "hub_broker_denials_total", "requests", "principal",
        "Requests that the brokers' authorizer refused.",
        "ブローカーが権限により拒否した要求の件数。", WATCH, PEERS, IDENTITY,
    ),
    counter(
        "hub_broker_handshakes_refused_total", "connections", "reason",
        "Connections that the brokers refused before they could ask anything.",
        "ブローカーがTLSで拒否した接続の件数（理由別）。", WATCH, PEERS, DEFENCE,
    ),
    counter(
        "hub_peers_unexpected_total", "connections", "",
        "Connections with a good certificate of nobody who is declared, or from an address of nobody's.",
        "宣言にない接続元からの接続件数。", WATCH, PEERS, DEFENCE,
    ),
    counter(
        "hub_broker_log_lines_unread_total", "lines", "",
        "Lines of the brokers' logs that have none of the known forms.",
        "解釈できないブローカーログの行数。", WATCH,
    ),
)  # fmt: skip
