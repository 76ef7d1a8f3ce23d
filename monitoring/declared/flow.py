"""What the way from the portal to the desks' topics says of itself."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import (
    BY_PROCEDURE,
    DEFENCE,
    DELAY_BUCKETS,
    FLOW,
    INTEGRITY,
    READINESS,
    SPARE,
    WATCH,
    WORK_BUCKETS,
    Metric,
    counter,
    gauge,
    seconds,
)

METRICS: Final[tuple[Metric, ...]] = (
    # portal end and every other producer of events
    counter(
        "hub_portal_submissions_total", "submissions", "outcome tenant procedure",
        "Submissions answered by the portal end.", "ポータル側で受け付けた申告等の件数（結果別）。",
        WATCH, FLOW, sets=3 * BY_PROCEDURE,
    ),
    counter(
        "hub_portal_refusals_total", "refusals", "rule",
        "Reasons why submissions were refused; one submission may have several.",
        "拒否理由の件数（1件の申告等に複数あり得る）。", WATCH, DEFENCE,
    ),
    counter(
        "hub_producer_events_acknowledged_total", "events", "tenant dataset",
        "Events that all in-sync replicas hold.",
        "全ての同期済み複製に保存された件数。", WATCH, FLOW, SPARE,
    ),
    seconds(
        "hub_producer_acknowledge_seconds", "dataset", WORK_BUCKETS,
        "Time from journal to acknowledgement, one value per batch.",
        "ジャーナル記録から確認応答までの時間（送信単位）。", WATCH,
    ),
    gauge(
        "hub_journal_events", "events", "state",
        "Events that the brokers have not acknowledged since they were taken in, or the desk has not confirmed.",
        "受け付けたうち、未送達・窓口未確認の件数。", WATCH, FLOW, SPARE,
    ),
    counter(
        "hub_sessions_started_total", "sessions", "tenant dataset",
        "Producer sessions announced.", "開始したセッション数。", WATCH, INTEGRITY,
    ),
    counter(
        "hub_sessions_ended_total", "sessions", "tenant dataset resumed",
        "Producer sessions closed; `resumed` after a crash.",
        "終了したセッション数（障害後の再開を区別）。",
        WATCH, INTEGRITY, READINESS,
    ),
    counter(
        "hub_checkpoints_written_total", "checkpoints", "tenant dataset",
        "Signed checkpoints acknowledged.", "送達済みの署名付きチェックポイント数。", WATCH, INTEGRITY,
    ),
    counter(
        "hub_checkpoint_entries_total", "events", "tenant dataset",
        "Events that stand in acknowledged checkpoints.",
        "チェックポイントに記載された件数。", WATCH, INTEGRITY, FLOW,
    ),
    # router
    counter(
        "hub_router_events_total", "events", "tenant procedure",
        "Events routed in committed transactions.",
        "振り分けが確定した件数。", WATCH, FLOW, sets=BY_PROCEDURE,
    ),
    counter(
        "hub_router_checkpoints_total", "checkpoints", "",
        "Checkpoints copied to the outputs.", "振り分け先へ写したチェックポイント数。", WATCH, INTEGRITY,
    ),
    counter(
        "hub_router_transactions_total", "transactions", "outcome",
        "Router transactions, committed or aborted.",
        "振り分けトランザクション数（確定・中止）。", WATCH, SPARE,
    ),
    counter(
        "hub_router_aborts_total", "transactions", "reason",
        "Aborted router transactions by cause; their records are read again.",
        "中止した振り分けトランザクション数（原因別、再処理される）。", WATCH, READINESS,
    ),
    seconds(
        "hub_router_transaction_seconds", "", WORK_BUCKETS,
        "Duration of a router transaction.", "振り分けトランザクションの所要時間。", WATCH,
    ),
    seconds(
        "hub_router_delay_seconds", "", DELAY_BUCKETS,
        "Time from production to committed routing, one value per event.",
        "作成から振り分け確定までの時間（1件ごと）。",
        WATCH, FLOW,
    ),
    gauge(
        "hub_router_partition_owned", "boolean", "partition",
        "1 while this process owns the partition's transactional id.",
        "このプロセスが担当中のパーティション（1）。",
        WATCH, SPARE,
    ),
    counter(
        "hub_router_partitions_lost_total", "partitions", "fenced",
        "Partitions given up; `fenced` when a newer owner took them.",
        "手放したパーティション数（奪取を区別）。",
        WATCH, SPARE,
    ),
)  # fmt: skip
