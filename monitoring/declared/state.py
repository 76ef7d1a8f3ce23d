"""What concerns the whole way: dead letters, alarms, lag, readiness, what runs."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, FLOW, INTEGRITY, READINESS, SPARE, WATCH, Metric, counter, gauge

METRICS: Final[tuple[Metric, ...]] = (
    counter(
        "hub_dead_letters_total", "records", "stage reason",
        "Records that became dead letters; the router's once their transaction is committed.",
        "隔離した件数（段階・理由別）。",
        WATCH, DEFENCE, INTEGRITY,
    ),
    gauge(
        "hub_dead_letters_open", "records", "tenant reason",
        "Dead letters that nobody has replayed or discarded yet.",
        "未処理の隔離件数（団体・理由別）。", WATCH, FLOW, READINESS, sets=20_000,
    ),
    gauge(
        "hub_dead_letters_oldest_seconds", "seconds", "tenant reason",
        "Age of the oldest open dead letter.", "最も古い未処理の隔離記録の経過時間。",
        WATCH, READINESS, sets=20_000,
    ),
    counter(
        "hub_dead_letters_ended_total", "records", "tenant reason outcome",
        "Dead letters that the operator replayed or discarded.",
        "再送・破棄した隔離件数。", WATCH, FLOW, sets=20_000,
    ),
    counter(
        "hub_alarms_total", "alarms", "code",
        "Alarms that a person must look at.", "職員の確認が必要な警報の件数。", WATCH, READINESS,
    ),
    gauge(
        "hub_lag_records", "records", "tenant dataset partition",
        "Records between a reader and the end of its partition.",
        "読み手の遅れ（件数）。", WATCH, FLOW, sets=20_000,
    ),
    gauge(
        "hub_backlog_oldest_seconds", "seconds", "tenant dataset",
        "How long the oldest record that this reader has not read has been waiting, at least; 0 if all is read.",
        "未読の最も古い記録の待ち時間（下限）。", WATCH, FLOW, READINESS,
    ),
    gauge(
        "hub_store_bytes", "bytes", "consumer",
        "Size of this role's database, with what stands beside it.", "データベースのサイズ。", WATCH, SPARE,
    ),
    gauge(
        "hub_journal_bytes", "bytes", "",
        "Size of this role's journals of what is still to be sent.", "送信用ジャーナルのサイズ。", WATCH, SPARE,
    ),
    gauge(
        "hub_paused", "boolean", "stage code",
        "1 while work on a stage stands still.", "停止中の段階（1）。", WATCH, READINESS,
    ),
    gauge(
        "hub_ready", "boolean", "condition",
        "1 while a condition of readiness is fulfilled.", "準備条件の充足（1）。", WATCH, READINESS,
    ),
    gauge(
        "hub_standing_serial", "serial", "place",
        "Serial of the trust list and of the declaration that this role holds to.",
        "適用中の信頼一覧・宣言の通し番号。", WATCH, READINESS,
    ),
    counter(
        "hub_lifecycle_events_total", "events", "event",
        "Starts, stops and failures of this process.",
        "プロセスの開始・終了・異常の件数。", WATCH, READINESS,
    ),
    gauge(
        "hub_build_info", "boolean", "version python",
        "Always 1; the labels say what runs.", "常に1。ラベルが版を示す。", WATCH,
    ),
)  # fmt: skip
