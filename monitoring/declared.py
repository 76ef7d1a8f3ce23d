"""The one declared list of metrics: registration, docs/metrics.md and the dashboard checks derive from it.

Names are `hub_…` in base units, counters end in `_total`; the `process_…` names are the ones that every
Prometheus client library uses. A name or label once released is not given another meaning.
`measures` are slugs of the municipality's security checklist that the metric helps to fulfil.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a number means over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as declared; `unit` is a base unit or the noun that is counted."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    en: str
    ja: str
    measures: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    max_label_sets: int = 1_000


MEASURES: Final = frozenset(
    {
        "antivirus",
        "business-flow",
        "contract-special-terms-and-compliance",
        "data-encryption-and-separate-password",
        "data-erasure-and-report",
        "delivery-register",
        "domestic-jurisdiction",
        "entry-exit-control",
        "hand-delivery-locked-case",
        "handler-designation",
        "id-password-authentication",
        "incident-consultation",
        "incident-readiness",
        "law-and-policy-compliance",
        "locked-storage",
        "management-verification",
        "monitoring-and-access-log",
        "network-device-control",
        "network-peer-restriction",
        "on-site-inspection-and-status-report",
        "perimeter-defence",
        "re-entrustment-inspection",
        "redundancy-and-backup",
        "return-erasure-and-report",
        "storage-access-control",
        "transport-encryption",
    }
)
"""slugs of the checklist; data copied from it"""

WATCH: Final = "monitoring-and-access-log"
FLOW: Final = "management-verification"
INTEGRITY: Final = "transport-encryption"
IDENTITY: Final = "id-password-authentication"
SPARE: Final = "redundancy-and-backup"
READINESS: Final = "incident-readiness"
DEFENCE: Final = "perimeter-defence"
REGISTER: Final = "delivery-register"

DELAY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""seconds; 30 and 60 are the limits of the service objectives and therefore edges"""
WORK_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""seconds for one batch, transaction or database commit"""
LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_BY_PROCEDURE: Final = 20_000
"""1,000 tenants of 18 procedures and `other`; hub and dashboards were not sized for more"""


def _counter(name: str, unit: str, labels: str, en: str, ja: str, *measures: str, sets: int = 1_000) -> Metric:
    return Metric(name, Kind.COUNTER, unit, tuple(labels.split()), en, ja, measures, (), sets)


def _gauge(name: str, unit: str, labels: str, en: str, ja: str, *measures: str, sets: int = 1_000) -> Metric:
    return Metric(name, Kind.GAUGE, unit, tuple(labels.split()), en, ja, measures, (), sets)


def _seconds(name: str, labels: str, buckets: tuple[float, ...], en: str, ja: str, *measures: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, "seconds", tuple(labels.split()), en, ja, measures, buckets)


METRICS: Final[tuple[Metric, ...]] = (
    # portal end and every other producer of events
    _counter(
        "hub_portal_submissions_total", "submissions", "outcome tenant procedure",
        "Submissions answered by the portal end.", "ポータル側で受け付けた申告等の件数（結果別）。",
        WATCH, FLOW, sets=3 * _BY_PROCEDURE,
    ),
    _counter(
        "hub_portal_refusals_total", "refusals", "rule",
        "Reasons why submissions were refused; one submission may have several.",
        "拒否理由の件数（1件の申告等に複数あり得る）。", WATCH, DEFENCE,
    ),
    _counter(
        "hub_producer_events_acknowledged_total", "events", "tenant dataset",
        "Events that all in-sync replicas hold.",
        "全ての同期済み複製に保存された件数。", WATCH, FLOW, SPARE,
    ),
    _seconds(
        "hub_producer_acknowledge_seconds", "dataset", WORK_BUCKETS,
        "Time from journal to acknowledgement, one value per batch.",
        "ジャーナル記録から確認応答までの時間（送信単位）。", WATCH,
    ),
    _gauge(
        "hub_journal_events", "events", "state",
        "Events in the producer's journal that are not acknowledged, or not yet confirmed by the desk.",
        "ジャーナルに残る件数（未送達・窓口未確認）。", WATCH, FLOW, SPARE,
    ),
    _counter(
        "hub_sessions_started_total", "sessions", "tenant dataset",
        "Producer sessions announced.", "開始したセッション数。", WATCH, INTEGRITY,
    ),
    _counter(
        "hub_sessions_ended_total", "sessions", "tenant dataset resumed",
        "Producer sessions closed; `resumed` after a crash.",
        "終了したセッション数（障害後の再開を区別）。",
        WATCH, INTEGRITY, READINESS,
    ),
    _counter(
        "hub_checkpoints_written_total", "checkpoints", "tenant dataset",
        "Signed checkpoints acknowledged.", "送達済みの署名付きチェックポイント数。", WATCH, INTEGRITY,
    ),
    _counter(
        "hub_checkpoint_entries_total", "events", "tenant dataset",
        "Events that stand in acknowledged checkpoints.",
        "チェックポイントに記載された件数。", WATCH, INTEGRITY, FLOW,
    ),
    # router
    _counter(
        "hub_router_events_total", "events", "tenant procedure",
        "Events routed in committed transactions.",
        "振り分けが確定した件数。", WATCH, FLOW, sets=_BY_PROCEDURE,
    ),
    _counter(
        "hub_router_checkpoints_total", "checkpoints", "",
        "Checkpoints copied to the outputs.", "振り分け先へ写したチェックポイント数。", WATCH, INTEGRITY,
    ),
    _counter(
        "hub_router_transactions_total", "transactions", "outcome",
        "Router transactions, committed or aborted.",
        "振り分けトランザクション数（確定・中止）。", WATCH, SPARE,
    ),
    _counter(
        "hub_router_aborts_total", "transactions", "reason",
        "Aborted router transactions by cause; their records are read again.",
        "中止した振り分けトランザクション数（原因別、再処理される）。", WATCH, READINESS,
    ),
    _seconds(
        "hub_router_transaction_seconds", "", WORK_BUCKETS,
        "Duration of a router transaction.", "振り分けトランザクションの所要時間。", WATCH,
    ),
    _seconds(
        "hub_router_delay_seconds", "", DELAY_BUCKETS,
        "Time from production to committed routing, one value per event.",
        "作成から振り分け確定までの時間（1件ごと）。",
        WATCH, FLOW,
    ),
    _gauge(
        "hub_router_partition_owned", "boolean", "partition",
        "1 while this process owns the partition's transactional id.",
        "このプロセスが担当中のパーティション（1）。",
        WATCH, SPARE,
    ),
    _counter(
        "hub_router_partitions_lost_total", "partitions", "fenced",
        "Partitions given up; `fenced` when a newer owner took them.",
        "手放したパーティション数（奪取を区別）。",
        WATCH, SPARE,
    ),
    # desks
    _counter(
        "hub_consumer_events_stored_total", "events", "consumer tenant procedure",
        "Events stored, in the same database transaction as their offset.", "保存した件数（窓口別）。",
        WATCH, FLOW, sets=3 * _BY_PROCEDURE,
    ),
    _counter(
        "hub_consumer_replays_total", "events", "consumer",
        "Events that were stored already and came again.",
        "再送され、保存済みだった件数。", WATCH, INTEGRITY,
    ),
    _counter(
        "hub_consumer_conflicts_total", "events", "consumer",
        "Events whose id was stored already with another leaf; both are kept.",
        "同じ番号で内容の異なる件数（双方を保存）。", WATCH, INTEGRITY, READINESS,
    ),
    _seconds(
        "hub_consumer_store_seconds", "consumer", WORK_BUCKETS,
        "Duration of a database transaction with rows and offset.", "データベース登録の所要時間。", WATCH,
    ),
    _seconds(
        "hub_consumer_delay_seconds", "consumer", DELAY_BUCKETS,
        "Time from production to storage at the desk, one value per event.",
        "作成から窓口保存までの時間（1件ごと）。",
        WATCH, FLOW,
    ),
    _counter(
        "hub_consumer_events_confirmed_total", "events", "consumer",
        "Stored events found in the producer's signed checkpoints.", "チェックポイントで確認できた件数。",
        WATCH, INTEGRITY, FLOW,
    ),
    _gauge(
        "hub_consumer_events_unconfirmed", "events", "consumer",
        "Stored events that have waited too long for their checkpoint.", "確認が期限を過ぎている件数。",
        WATCH, INTEGRITY, READINESS,
    ),
    _counter(
        "hub_consumer_receipts_sent_total", "receipts", "consumer",
        "Signed receipts acknowledged.", "送達済みの保存受領書の件数。", WATCH, FLOW,
    ),
    _gauge(
        "hub_consumer_receipts_waiting", "receipts", "consumer",
        "Receipts in the outbox.", "送信待ちの受領書の件数。", WATCH, FLOW,
    ),
    _counter(
        "hub_review_decisions_told_total", "decisions", "consumer outcome",
        "Decisions that reached the status topic.", "状況トピックへ送達した審査結果の件数。", WATCH, FLOW,
    ),
    _counter(
        "hub_tax_handed_over_total", "submissions", "consumer outcome",
        "Accepted submissions and revocations that a tax team took over.", "税目担当が引き継いだ受理・取消の件数。",
        WATCH, FLOW,
    ),
    _counter(
        "hub_review_exported_rows_total", "rows", "consumer outcome",
        "Rows that left a review desk in files: handed over, withdrawn or repeated.",
        "審査部門からファイルで出力した行数（引渡し・取消し・再出力）。", WATCH, FLOW, REGISTER,
    ),
    _gauge(
        "hub_audit_log_leaves", "leaves", "tenant",
        "Size of the append-only audit log.", "監査ログの登録件数。", WATCH, INTEGRITY,
    ),
    _gauge(
        "hub_audit_published_leaves", "leaves", "tenant",
        "Size of the audit log as it is published.", "公開済み監査ログの登録件数。", WATCH, INTEGRITY,
    ),
    _gauge(
        "hub_audit_cosignatures", "cosignatures", "tenant",
        "Witnesses that cosigned the published checkpoint.", "公開中のチェックポイントに連署した証人の数。",
        WATCH, INTEGRITY,
    ),
    _counter(
        "hub_audit_witness_answers_total", "answers", "tenant code",
        "Requests for a cosignature by what came of them.", "証人への連署依頼の件数（結果別）。", WATCH, INTEGRITY,
    ),
    # whole way
    _counter(
        "hub_dead_letters_total", "records", "stage reason",
        "Records that became dead letters; the router's once their transaction is committed.",
        "隔離した件数（段階・理由別）。",
        WATCH, DEFENCE, INTEGRITY,
    ),
    _gauge(
        "hub_dead_letters_open", "records", "tenant reason",
        "Dead letters that nobody has replayed or discarded yet.",
        "未処理の隔離件数（団体・理由別）。", WATCH, FLOW, READINESS, sets=20_000,
    ),
    _gauge(
        "hub_dead_letters_oldest_seconds", "seconds", "tenant reason",
        "Age of the oldest open dead letter.", "最も古い未処理の隔離記録の経過時間。",
        WATCH, READINESS, sets=20_000,
    ),
    _counter(
        "hub_dead_letters_ended_total", "records", "tenant reason outcome",
        "Dead letters that the operator replayed or discarded.",
        "再送・破棄した隔離件数。", WATCH, FLOW, sets=20_000,
    ),
    _counter(
        "hub_alarms_total", "alarms", "code",
        "Alarms that a person must look at.", "職員の確認が必要な警報の件数。", WATCH, READINESS,
    ),
    _gauge(
        "hub_lag_records", "records", "tenant dataset partition",
        "Records between a reader and the end of its partition.",
        "読み手の遅れ（件数）。", WATCH, FLOW, sets=20_000,
    ),
    _gauge(
        "hub_paused", "boolean", "stage code",
        "1 while work on a stage stands still.", "停止中の段階（1）。", WATCH, READINESS,
    ),
    _gauge(
        "hub_ready", "boolean", "condition",
        "1 while a condition of readiness is fulfilled.", "準備条件の充足（1）。", WATCH, READINESS,
    ),
    _gauge(
        "hub_standing_serial", "serial", "place",
        "Serial of the trust list and of the declaration that this role holds to.",
        "適用中の信頼一覧・宣言の通し番号。", WATCH, READINESS,
    ),
    _counter(
        "hub_lifecycle_events_total", "events", "event",
        "Starts, stops and failures of this process.",
        "プロセスの開始・終了・異常の件数。", WATCH, READINESS,
    ),
    _gauge(
        "hub_build_info", "boolean", "version python",
        "Always 1; the labels say what runs.", "常に1。ラベルが版を示す。", WATCH,
    ),
    # the watch itself
    _seconds(
        "hub_event_loop_lag_seconds", "", LAG_BUCKETS,
        "How late the event loop woke a sleeping task.", "イベントループの遅れ。", WATCH,
    ),
    _counter(
        "hub_metric_overflows_total", "updates", "metric",
        "Updates that exceeded the cap on label sets: counted as `other`, or dropped for a gauge.",
        "ラベル上限を超えた更新の件数。", WATCH, DEFENCE,
    ),
    _counter(
        "hub_observer_failures_total", "facts", "",
        "Facts that could not be turned into a metric or a log line.",
        "メトリクス・ログに変換できなかった件数。", WATCH,
    ),
    _counter(
        "hub_log_lines_total", "lines", "level",
        "Lines written to the log.", "ログの行数。", WATCH,
    ),
    _counter(
        "hub_log_lines_lost_total", "lines", "",
        "Lines that could not be written.", "書き込めなかったログの行数。", WATCH, READINESS,
    ),
    _counter(
        "hub_log_values_withheld_total", "values", "",
        "Values kept out of the log because they could have been content.",
        "内容の恐れがあるためログに出さなかった値の数。",
        WATCH, "storage-access-control",
    ),
    # process and host
    _counter(
        "process_cpu_seconds_total", "seconds", "",
        "Processor time used by this process.", "プロセスのCPU時間。", WATCH,
    ),
    _gauge(
        "process_resident_memory_bytes", "bytes", "",
        "Memory of this process.", "プロセスの実メモリ。", WATCH,
    ),
    _gauge(
        "process_start_time_seconds", "seconds", "",
        "Start of this process, since 1970-01-01 UTC.", "プロセスの開始時刻。", WATCH,
    ),
    _gauge(
        "process_open_fds", "descriptors", "",
        "Open file descriptors.", "開いているファイル記述子の数。", WATCH,
    ),
    _gauge(
        "process_max_fds", "descriptors", "",
        "Limit of open file descriptors.", "ファイル記述子の上限。", WATCH,
    ),
    _gauge(
        "hub_process_threads", "threads", "",
        "Threads of this process.", "プロセスのスレッド数。", WATCH,
    ),
    _gauge(
        "hub_host_memory_available_bytes", "bytes", "",
        "Memory that the machine can still give.", "サーバの空きメモリ。", WATCH,
    ),
    _gauge(
        "hub_host_disk_free_bytes", "bytes", "place",
        "Free space under a declared directory.", "対象ディレクトリの空き容量。", WATCH, SPARE,
    ),
)  # fmt: skip

BY_NAME: Final = {metric.name: metric for metric in METRICS}
