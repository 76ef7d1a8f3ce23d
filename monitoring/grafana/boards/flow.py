"""The way of the submissions: per stage, tenant and procedure; delays, lag, what is set aside."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import AMBER, GREEN, RED, ZERO_IS_GOOD, Board, Column, Look, Panel, Query, Row
from monitoring.grafana.boards.overview import ACCEPTED, ROUTED, STORED
from monitoring.grafana.boards.variables import INSTANCE, PROCEDURE, TENANT
from monitoring.grafana.expressions import INSTANCE as OF
from monitoring.grafana.expressions import TENANT as OF_TENANT
from monitoring.grafana.expressions import WHAT, grown, largest, or_none, quantile, rate

_PORTAL: Final = Row(
    "受付（ポータル側）", "Portal end",
    (
        Panel(
            Look.TIME, "受付結果", "Answers",
            "受理・重複・拒否の毎秒件数。", "Submissions per second by answer.",
            (Query(rate(f"hub_portal_submissions_total{{{WHAT}}}", "outcome"), "{{outcome}}"),),
            width=8, unit="reqps", stacked=True,
        ),
        Panel(
            Look.TIME, "拒否の理由", "Reasons for refusals",
            "入力検査の規則別の拒否件数（表示期間の窓）。拒否がなければ0。",
            "Refusals by rule of the input check; 0 while nothing is refused.",
            (Query(or_none(largest(rate("hub_portal_refusals_total", "rule"))), "{{rule}}"),),
            width=8, unit="reqps", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "ジャーナル", "Journal",
            "ポータルのジャーナルで送達・窓口確認を待つ件数。",
            "Events in the journal that wait to be acknowledged or confirmed.",
            (Query(f"sum by (state)(hub_journal_events{{{OF}}})", "{{state}}"),),
            width=8,
        ),
        Panel(
            Look.TIME, "送達件数", "Acknowledged",
            "全ての同期済み複製に保存された毎秒件数。", "Events per second that all in-sync replicas hold.",
            (Query(rate(f"hub_producer_events_acknowledged_total{{{OF_TENANT}}}", "dataset"), "{{dataset}}"),),
            width=8, unit="reqps",
        ),
        Panel(
            Look.TIME, "確認応答までの時間", "Time to acknowledgement",
            "ジャーナル記録から全複製への保存まで。", "From journal to all in-sync replicas, per batch.",
            (
                Query(quantile(0.5, "hub_producer_acknowledge_seconds"), "p50"),
                Query(quantile(0.99, "hub_producer_acknowledge_seconds"), "p99"),
            ),
            width=8, unit="s",
        ),
        Panel(
            Look.STAT, "セッション", "Sessions",
            "表示期間に開始したセッション数と、終了したセッション数。",
            "Producer sessions announced and ended in this range.",
            (
                Query(grown("hub_sessions_started_total"), "開始 started"),
                Query(or_none(grown("hub_sessions_ended_total")), "終了 ended"),
            ),
            width=8,
        ),
    ),
    measures=("management-verification",),
)  # fmt: skip

_ROUTER: Final = Row(
    "振分", "Router",
    (
        Panel(
            Look.TIME, "団体別の振分", "Routed by municipality",
            "振り分けが確定した毎秒件数。", "Events routed per second.",
            (Query(largest(rate(ROUTED, "tenant")), "{{tenant}}"),), width=8, unit="reqps", stacked=True,
        ),
        Panel(
            Look.TIME, "手続別の振分", "Routed by procedure",
            "振り分けが確定した毎秒件数（上位のみ）。", "Events routed per second, the largest.",
            (Query(largest(rate(ROUTED, "procedure")), "{{procedure}}"),), width=8, unit="reqps", stacked=True,
        ),
        Panel(
            Look.TIME, "振分までの時間", "Time to routing",
            "作成から振り分け確定まで。", "From production to committed routing.",
            (
                Query(quantile(0.5, "hub_router_delay_seconds"), "p50"),
                Query(quantile(0.99, "hub_router_delay_seconds"), "p99"),
            ),
            width=8, unit="s",
        ),
        Panel(
            Look.TIME, "トランザクション", "Transactions",
            "確定・中止の毎秒件数と、中止の理由。", "Committed and aborted per second, and why they aborted.",
            (
                Query(rate("hub_router_transactions_total", "outcome"), "{{outcome}}"),
                Query(or_none(rate("hub_router_aborts_total", "reason")), "中止 {{reason}}"),
            ),
            width=8, unit="ops",
        ),
        Panel(
            Look.TIME, "トランザクションの所要時間", "Duration of a transaction",
            "1回の振り分けトランザクション。", "One router transaction.",
            (
                Query(quantile(0.5, "hub_router_transaction_seconds"), "p50"),
                Query(quantile(0.99, "hub_router_transaction_seconds"), "p99"),
            ),
            width=8, unit="s",
        ),
        Panel(
            Look.STAT, "担当パーティション", "Partitions owned",
            "振分プロセスが担当中のパーティション数と、手放した件数。",
            "Partitions that routers own, and how many were given up in "
            "this range.",
            (
                Query("sum(hub_router_partition_owned)", "担当 owned"),
                Query(or_none(grown("hub_router_partitions_lost_total")), "喪失 lost"),
                Query(grown("hub_router_checkpoints_total"), "チェックポイント checkpoints"),
            ),
            width=8,
        ),
    ),
    measures=("redundancy-and-backup",),
)  # fmt: skip

_DESKS: Final = Row(
    "窓口", "Desks",
    (
        Panel(
            Look.TIME, "窓口別の保存", "Stored by desk",
            "毎秒の保存件数。", "Events stored per second.",
            (Query(rate(f"hub_consumer_events_stored_total{{{WHAT}}}", "consumer"),
            "{{consumer}}"),), width=8, unit="reqps",
        ),
        Panel(
            Look.TIME, "保存までの時間（p99）", "Time to storage, p99",
            "作成から窓口での保存まで。", "From production to storage at the desk.",
            (Query(quantile(0.99, "hub_consumer_delay_seconds", by="consumer"), "{{consumer}}"),),
            width=8, unit="s", limit=30,
        ),
        Panel(
            Look.TIME, "データベース登録の所要時間（p99）", "Database transaction, p99",
            "行とオフセットを一つのトランザクションで登録する時間。", "Rows and offset in one transaction.",
            (Query(quantile(0.99, "hub_consumer_store_seconds", by="consumer"), "{{consumer}}"),), width=8, unit="s",
        ),
        Panel(
            Look.TIME, "再送・不一致", "Replays and conflicts",
            "保存済みの再送と、同じ番号で内容の異なるもの。不一致は0が正常。",
            "Events that came again, and events whose id was stored with another leaf. No conflict is good.",
            (
                Query(rate("hub_consumer_replays_total", "consumer"), "再送 {{consumer}}"),
                Query(rate("hub_consumer_conflicts_total", "consumer"), "不一致 {{consumer}}"),
            ),
            width=8, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "保存受領書", "Receipts",
            "送達済みの毎秒件数と、送信待ち。", "Signed receipts sent per second, and those that wait.",
            (
                Query(rate("hub_consumer_receipts_sent_total", "consumer"), "送達 {{consumer}}"),
                Query("sum by (consumer)(hub_consumer_receipts_waiting)", "待ち {{consumer}}"),
            ),
            width=8,
        ),
        Panel(
            Look.TIME, "審査結果・引継ぎ・出力", "Decisions, hand-overs, exports",
            "審査結果の送達、税目担当への引継ぎ、ファイル出力の毎秒件数。",
            "Decisions told, submissions taken over by tax teams, rows exported, per second; 0 while nobody works.",
            (
                Query(or_none(rate("hub_review_decisions_told_total", "outcome")), "審査 {{outcome}}"),
                Query(or_none(rate("hub_tax_handed_over_total", "outcome")), "引継ぎ {{outcome}}"),
                Query(or_none(rate("hub_review_exported_rows_total", "outcome")), "出力 {{outcome}}"),
            ),
            width=8, unit="ops", zero_is_good=True,
        ),
    ),
    measures=("management-verification", "delivery-register"),
)  # fmt: skip

_BEHIND: Final = Row(
    "遅れと隔離", "Lag and dead letters",
    (
        Panel(
            Look.TIME, "読み手の遅れ", "Lag",
            "パーティション末尾までの件数。", "Records between a reader and the end of its partition.",
            (Query(largest(f"sum by (instance, dataset)(hub_lag_records{{{OF}}})"), "{{instance}} {{dataset}}"),),
            width=8,
        ),
        Panel(
            Look.TIME, "最も古い未処理", "Oldest waiting",
            "読み手を待つ最も古い記録の経過時間。", "Age of the oldest record that waits for its reader.",
            (Query(largest(f"max by (tenant, dataset)(hub_backlog_oldest_seconds{{{OF_TENANT}}})"),
            "{{tenant}} {{dataset}}"),),
            width=8, unit="s",
        ),
        Panel(
            Look.STAT, "未処理の隔離", "Open dead letters",
            "再送も破棄もされていない隔離件数。0が正常。", "Dead letters nobody has replayed or discarded; 0 is good.",
            (Query(or_none("sum(hub_dead_letters_open)")),),
            width=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "最も古い隔離", "Oldest dead letter",
            "最も古い未処理の隔離記録の経過時間。", "Age of the oldest open dead letter; 0 is good.",
            (Query(or_none("max(hub_dead_letters_oldest_seconds)")),),
            width=4, unit="s", steps=((0, GREEN), (3_600, AMBER), (86_400, RED)), zero_is_good=True,
        ),
        Panel(
            Look.TIME, "隔離の理由", "Dead letters by reason",
            "隔離された毎秒件数（段階・理由別）。", "Records per second that became dead letters.",
            (Query(or_none(largest(rate("hub_dead_letters_total", "stage, reason"))), "{{stage}} {{reason}}"),),
            width=12, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "隔離の処置", "What became of dead letters",
            "職員が再送・破棄した毎秒件数。", "Replayed or discarded per second.",
            (Query(or_none(rate("hub_dead_letters_ended_total", "outcome")), "{{outcome}}"),),
            width=12, unit="ops", zero_is_good=True,
        ),
    ),
    measures=("incident-readiness",),
)  # fmt: skip

_TABLE: Final = Row(
    "団体ごと", "By municipality",
    (
        Panel(
            Look.TABLE, "受付から保存まで（表示期間）", "Accepted to stored in this range",
            "三つの列が一致すれば滞りなし。", "Nothing is held up while the three columns agree.",
            (Query(grown(ACCEPTED, "tenant")), Query(grown(ROUTED, "tenant")), Query(grown(STORED, "tenant"))),
            width=12, height=8,
            columns=(Column("tenant", "団体"), Column("A", "受付"), Column("B", "振分"), Column("C", "保存")),
        ),
        Panel(
            Look.TABLE, "手続ごと（表示期間）", "By procedure in this range",
            "三つの列が一致すれば滞りなし。", "Nothing is held up while the three columns agree.",
            (Query(grown(ACCEPTED, "procedure")), Query(grown(ROUTED, "procedure")), Query(grown(STORED, "procedure"))),
            width=12, height=8,
            columns=(Column("procedure", "手続"), Column("A", "受付"), Column("B", "振分"), Column("C", "保存")),
        ),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "flow", "流れ", "Flow",
    "受付から保存、審査結果、引継ぎまでを、段階・団体・手続ごとに見る。",
    "From acceptance to storage, decisions and hand-over, per stage, municipality and procedure.",
    (_TABLE, _PORTAL, _ROUTER, _DESKS, _BEHIND),
    (TENANT, PROCEDURE, INSTANCE),
)  # fmt: skip
