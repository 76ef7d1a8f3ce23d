"""What desks, tax teams and the audit log say of themselves."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import (
    BY_PROCEDURE,
    DELAY_BUCKETS,
    FLOW,
    INTEGRITY,
    READINESS,
    REGISTER,
    WATCH,
    WORK_BUCKETS,
    Metric,
    counter,
    gauge,
    seconds,
)

METRICS: Final[tuple[Metric, ...]] = (
    counter(
        "hub_consumer_events_stored_total", "events", "consumer tenant procedure",
        "Events stored, in the same database transaction as their offset.", "保存した件数（窓口別）。",
        WATCH, FLOW, sets=3 * BY_PROCEDURE,
    ),
    counter(
        "hub_consumer_replays_total", "events", "consumer",
        "Events that were stored already and came again.",
        "再送され、保存済みだった件数。", WATCH, INTEGRITY,
    ),
    counter(
        "hub_consumer_conflicts_total", "events", "consumer",
        "Events whose id was stored already with another leaf; both are kept.",
        "同じ番号で内容の異なる件数（双方を保存）。", WATCH, INTEGRITY, READINESS,
    ),
    seconds(
        "hub_consumer_store_seconds", "consumer", WORK_BUCKETS,
        "Duration of a database transaction with rows and offset.", "データベース登録の所要時間。", WATCH,
    ),
    seconds(
        "hub_consumer_delay_seconds", "consumer", DELAY_BUCKETS,
        "Time from production to storage at the desk, one value per event.",
        "作成から窓口保存までの時間（1件ごと）。",
        WATCH, FLOW,
    ),
    counter(
        "hub_consumer_events_confirmed_total", "events", "consumer tenant procedure",
        "Stored events found in the producer's signed checkpoints.", "チェックポイントで確認できた件数。",
        WATCH, INTEGRITY, FLOW, sets=3 * BY_PROCEDURE,
    ),
    gauge(
        "hub_consumer_events_unconfirmed", "events", "consumer",
        "Stored events that have waited too long for their checkpoint.", "確認が期限を過ぎている件数。",
        WATCH, INTEGRITY, READINESS,
    ),
    gauge(
        "hub_consumer_unconfirmed_oldest_seconds", "seconds", "consumer",
        "How long the first of all events without their checkpoint has waited for it.",
        "未確認のうち最も古い件の待ち時間。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_consumer_events_missing", "events", "consumer",
        "Events that a signed checkpoint names and the desk has not got within the limit.",
        "チェックポイントにあり、窓口に届いていない件数。", WATCH, INTEGRITY, FLOW, READINESS,
    ),
    counter(
        "hub_consumer_receipts_sent_total", "receipts", "consumer",
        "Signed receipts acknowledged.", "送達済みの保存受領書の件数。", WATCH, FLOW,
    ),
    gauge(
        "hub_consumer_receipts_waiting", "receipts", "consumer",
        "Receipts in the outbox.", "送信待ちの受領書の件数。", WATCH, FLOW,
    ),
    counter(
        "hub_review_decisions_told_total", "decisions", "consumer tenant procedure outcome",
        "Decisions that reached the status topic.", "状況トピックへ送達した審査結果の件数。",
        WATCH, FLOW, sets=3 * BY_PROCEDURE,
    ),
    counter(
        "hub_tax_handed_over_total", "submissions", "consumer tenant procedure outcome",
        "Accepted submissions and revocations that a tax team took over.", "税目担当が引き継いだ受理・取消の件数。",
        WATCH, FLOW, sets=3 * BY_PROCEDURE,
    ),
    counter(
        "hub_review_exported_rows_total", "rows", "consumer outcome",
        "Rows that left a review desk in files: handed over, withdrawn or repeated.",
        "審査部門からファイルで出力した行数（引渡し・取消し・再出力）。", WATCH, FLOW, REGISTER,
    ),
    gauge(
        "hub_audit_log_leaves", "leaves", "tenant",
        "Size of the append-only audit log.", "監査ログの登録件数。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_audit_published_leaves", "leaves", "tenant",
        "Size of the audit log as it is published.", "公開済み監査ログの登録件数。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_audit_cosignatures", "cosignatures", "tenant",
        "Witnesses that cosigned the published checkpoint.", "公開中のチェックポイントに連署した証人の数。",
        WATCH, INTEGRITY,
    ),
    counter(
        "hub_audit_witness_answers_total", "answers", "tenant code",
        "Requests for a cosignature by what came of them.", "証人への連署依頼の件数（結果別）。", WATCH, INTEGRITY,
    ),
)  # fmt: skip
