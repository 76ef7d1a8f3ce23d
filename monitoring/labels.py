"""Which values a metric label may take: the bound that keeps people and floods out of the metrics.

A label value that is not in its bound becomes `other`, so a forged header can neither put a name on
a dashboard nor make a million time series. The cap on label sets per metric (monitoring.metrics)
stands behind this as the second line.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from hub.control_certificates import CANARY
from hub.envelope.operations import CLASS_OF, Class, Kind
from topics.names import in_generation

OTHER: Final = "other"
SHARED: Final = "shared"
"""the tenant label of a topic that serves all tenants"""

DATASETS: Final = (
    "submissions",
    "sessions",
    "audiences",
    "control",
    "operations",
    "dead-letters",
    "resolutions",
    "review",
    "helpdesk",
    "analysis-marks",
    "analysis-state",
    "audit",
    "status",
    "accepted",
)
ROLES: Final = (
    *("portal", "router", "review", "helpdesk", "audit", "tax", "operator"),
    *("monitor", "analysis", "prometheus", "admin"),
)

_CODE: Final = re.compile(r"[a-z][a-z0-9._-]{0,39}")
_RULE: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,59}")
_PRINCIPAL: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_TENANT: Final = re.compile(r"[0-9]{6}")
_LISTENER: Final = re.compile(r"[A-Za-z0-9._-]{1,60}:[0-9]{1,5}|\[[0-9A-Fa-f:]{2,45}\]:[0-9]{1,5}")
_CIPHER: Final = re.compile(r"[A-Z0-9_-]{3,60}")
_INTERFACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.@_-]{0,14}")
_PARTITION: Final = re.compile(r"0|[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its name, what it says in two languages, and its bound in words."""

    name: str
    en: str
    ja: str
    bound: str


def _listed(values: Collection[str]) -> str:
    return ", ".join(f"`{value}`" for value in (*values, OTHER))


OUTCOMES: Final = (
    *("accepted", "duplicate", "refused", "committed", "aborted", "accept", "return", "hold", "revoke"),
    *("replayed", "discarded", "handed-over", "withdrawn", "repeated"),
)

ACCESS_KINDS: Final = tuple(kind.value for kind in Kind if CLASS_OF[kind] is Class.ACCESS)
PROTOCOLS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

_DECLARED: Final = (
    Label("tenant", "municipality", "団体", "declared tenant codes, `shared`, `other`"),
    Label("procedure", "procedure", "手続", "slugs of the catalogue, `other`"),
    Label(
        "dataset",
        "kind of topic",
        "トピックの種類",
        _listed(DATASETS),
    ),
    Label("partition", "partition number", "パーティション番号", "0 to 999, `other`"),
    Label("consumer", "role that stores", "保存する役割", _listed(ROLES)),
    Label("reason", "reason code", "理由コード", "a code, 40 characters at most"),
    Label("stage", "stage of the way", "処理段階", "a code, 40 characters at most"),
    Label("code", "code of the alarm or cause", "警報・原因コード", "a code, 40 characters at most"),
    Label("condition", "condition of readiness", "準備条件", "a code, 40 characters at most"),
    Label("event", "what happened to the process", "プロセスの事象", "a code, 40 characters at most"),
    Label("rule", "rule id of the input check", "入力検査の規則番号", "a rule id, 60 characters at most"),
    Label(
        "outcome",
        "answer",
        "結果",
        _listed(OUTCOMES),
    ),
    Label("class", "class of the operations log", "操作記録の分類", _listed([each.value for each in Class])),
    Label(
        "principal",
        "principal",
        "接続主体",
        "a role with its tenant, `canary` (of the network watch), 64 characters at most; `other`",
    ),
    Label("state", "state of a journal entry", "記録の状態", "`unconfirmed`, `unacknowledged`"),
    Label("resumed", "closed after a crash", "障害後の再開か", "`true`, `false`"),
    Label("fenced", "taken away by a newer owner", "新しい所有者に奪われたか", "`true`, `false`"),
    Label("level", "log level", "ログの重要度", "`info`, `warning`, `error`"),
    Label("place", "declared directory", "対象ディレクトリ", "a code, 40 characters at most"),
    Label(
        "listener",
        "a listener, by address or kind",
        "待受けアドレス・種類",
        "`host:port`, 66 characters at most, or a code",
    ),
    Label("control", "control of the network watch", "ネットワーク統制", "a code, 40 characters at most"),
    Label("protocol", "version of TLS", "TLSの版", _listed(PROTOCOLS)),
    Label("cipher", "cipher suite", "暗号スイート", "a suite's name, 60 characters at most"),
    Label("kind", "what was done", "操作の種類", _listed(ACCESS_KINDS)),
    Label("purpose", "what a key is for", "鍵の用途", "`identity`, `authority`"),
    Label("mode", "what a processor did", "CPUの用途", "`user`, `system`, `idle`, `iowait`"),
    Label("interface", "network interface", "ネットワークインターフェース", "a name of 15 characters at most"),
    Label("direction", "way of a packet", "方向", "`received`, `sent`"),
    Label("metric", "name of a metric", "メトリクス名", "names of this page"),
    Label("version", "version of the hub", "本ソフトの版", "one value"),
    Label("python", "version of Python", "Pythonの版", "one value"),
)
BROKER_LABELS: Final = (
    Label("topic", "topic", "トピック", "the declared topics and Kafka's own; nobody but the administrator makes any"),
    Label(
        "request", "kind of request", "要求の種類", "those that this hub makes, and those that change rights or topics"
    ),
    Label("error", "Kafka's error code", "エラーコード", "Kafka's list"),
    Label("processor", "network thread", "通信スレッド", "0 to 999"),
    Label("quantile", "quantile", "分位", "`0.5`, `0.99`"),
    Label("area", "area of memory", "メモリ領域", "`heap`, `nonheap`"),
    Label("gc", "garbage collector", "ガベージコレクタ", "Java's"),
)
"""labels that only brokers' own metrics have; the rules of the exporter bound them (monitoring.broker_rules)"""
LABELS: Final = {label.name: label for label in _DECLARED}

_CLOSED: Final[dict[str, frozenset[str]]] = {
    "dataset": frozenset(DATASETS),
    "outcome": frozenset(OUTCOMES),
    "class": frozenset(each.value for each in Class),
    "state": frozenset({"unconfirmed", "unacknowledged"}),
    "resumed": frozenset({"true", "false"}),
    "fenced": frozenset({"true", "false"}),
    "level": frozenset({"info", "warning", "error"}),
    "protocol": frozenset(PROTOCOLS),
    "kind": frozenset(ACCESS_KINDS),
    "purpose": frozenset({"identity", "authority"}),
    "mode": frozenset({"user", "system", "idle", "iowait"}),
    "direction": frozenset({"received", "sent"}),
}
_CODES: Final = frozenset({"reason", "stage", "code", "condition", "event", "place", "control"})


class Bounds:
    """Turns any label value into one that is allowed. Pure; made once per process."""

    __slots__ = ("_closed",)

    def __init__(self, *, tenants: Collection[str], procedures: Collection[str], metrics: Collection[str]) -> None:
        """Fix the sets that depend on this deployment."""
        self._closed = {
            **_CLOSED,
            "tenant": frozenset(tenants) | {SHARED},
            "procedure": frozenset(procedures),
            "metric": frozenset(metrics),
        }

    def serve(self, tenants: Collection[str]) -> None:
        """Let these tenants have labels too; those of before keep theirs, for their numbers stay."""
        self._closed = {**self._closed, "tenant": self._closed["tenant"] | frozenset(tenants)}

    def value(self, label: str, value: str) -> str:
        """Return `value` if the label may have it, else `other`; a member of an enum as plain text."""
        value = str.__str__(value)
        closed = self._closed.get(label)
        if closed is not None:
            allowed = value in closed
        elif label in _CODES:
            allowed = _CODE.fullmatch(value) is not None
        elif label == "rule":
            allowed = _RULE.fullmatch(value) is not None
        elif label == "listener":
            allowed = _LISTENER.fullmatch(value) is not None or _CODE.fullmatch(value) is not None
        elif label == "cipher":
            allowed = _CIPHER.fullmatch(value) is not None
        elif label == "interface":
            allowed = _INTERFACE.fullmatch(value) is not None
        elif label == "partition":
            allowed = _PARTITION.fullmatch(value) is not None
        elif label == "consumer":
            return role(value)
        elif label == "principal":
            allowed = value == CANARY or (_PRINCIPAL.fullmatch(value) is not None and role(value) != OTHER)
        else:  # version, python: set by this program only
            allowed = label in LABELS and value.isascii() and value.isprintable() and len(value) <= 40
        return value if allowed else OTHER


def role(principal: str) -> str:
    """Return the role of a principal's name: `review-131041` is a `review`; unknown names are `other`."""
    name = principal.partition("-")[0]
    return name if name in ROLES else OTHER


def of_topic(topic: str) -> tuple[str, str]:
    """Return (tenant, dataset) of a topic name; a topic without a tenant is `shared`.

    `<ns>.<dataset>`, `<ns>.<T>.<dataset>` and `<ns>.dead-letters.<principal>` are known, of every generation
    (docs/envelope.md).
    """
    parts = in_generation(topic, 1).split(".")
    if len(parts) == 3 and parts[1] == "dead-letters":
        tenant = parts[2].rpartition("-")[2]
        return (tenant if _TENANT.fullmatch(tenant) else SHARED), "dead-letters"
    if len(parts) == 3 and _TENANT.fullmatch(parts[1]):
        return parts[1], parts[2]
    if len(parts) == 2:
        return SHARED, parts[1]
    return OTHER, OTHER
