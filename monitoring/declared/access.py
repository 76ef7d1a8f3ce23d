"""Who came, and who was refused."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, IDENTITY, INTEGRITY, READINESS, WATCH, Metric, counter, gauge

METRICS: Final[tuple[Metric, ...]] = (
    counter(
        "hub_access_total", "events", "kind tenant",
        "What people did with submissions, and uses of keys, once it is in the operations log.",
        "職員による申告等の閲覧・検索・出力・審査と鍵の使用の件数。", WATCH, IDENTITY, "storage-access-control",
    ),
    counter(
        "hub_authentication_failures_total", "connections", "listener reason",
        "Connections that were refused for who made them, or for how.",
        "認証に失敗し拒否した接続の件数。", WATCH, DEFENCE, READINESS,
    ),
    gauge(
        "hub_certificate_not_after_seconds", "seconds", "",
        "End of the first of this process's certificates to expire, since 1970-01-01 UTC.",
        "このプロセスの証明書のうち最も早い有効期限。", WATCH, INTEGRITY, READINESS,
    ),
    gauge(
        "hub_key_not_after_seconds", "seconds", "purpose",
        "End of this role's signing key, as the trust list says, and of the certificate of its authority.",
        "署名鍵・認証局証明書の有効期限。", WATCH, INTEGRITY, READINESS,
    ),
    gauge(
        "hub_epoch_not_after_seconds", "seconds", "",
        "End of the last month for which this role holds the keys of its sections.",
        "復号鍵が用意されている最終月の終わり。", WATCH, INTEGRITY, READINESS,
    ),
)  # fmt: skip
