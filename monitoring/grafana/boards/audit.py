"""Proof: the audit log and its witnesses, checkpoints, receipts, the operations log."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import AMBER, GREEN, ZERO_IS_GOOD, Board, Column, Look, Panel, Query, Row
from monitoring.grafana.boards.variables import TENANT
from monitoring.grafana.expressions import TENANT as OF
from monitoring.grafana.expressions import grown, or_none, rate

_LOG: Final = Row(
    "監査ログ", "Audit log",
    (
        Panel(
            Look.TIME, "監査ログの登録件数", "Size of the log",
            "追記のみの監査ログの件数。減ることはない。", "Leaves of the append-only log; never falls.",
            (
                Query(f"sum by (tenant)(hub_audit_log_leaves{{{OF}}})", "{{tenant}}"),
                Query(f"sum by (tenant)(hub_audit_published_leaves{{{OF}}})", "公開 {{tenant}}"),
            ),
            width=10,
        ),
        Panel(
            Look.STAT, "未公開", "Not yet published",
            "登録済みでまだ公開されていない件数。", "Leaves not yet in the published checkpoint.",
            (Query(f"sum(hub_audit_log_leaves{{{OF}}}) - sum(hub_audit_published_leaves{{{OF}}})"),),
            width=4, steps=((0, GREEN), (1_000, AMBER)),
        ),
        Panel(
            Look.STAT, "連署した証人", "Witnesses",
            "公開中のチェックポイントに連署した証人の数（団体別）。",
            "Witnesses that cosigned the published checkpoint.",
            (Query(f"min by (tenant)(hub_audit_cosignatures{{{OF}}})", "{{tenant}}"),), width=4,
        ),
        Panel(
            Look.TIME, "証人の回答", "Witnesses' answers",
            "連署依頼の毎秒件数（結果別）。証人を設けない場合は0。",
            "Requests for a cosignature per second, by what came of them; 0 without "
            "witnesses.",
            (Query(or_none(rate(f"hub_audit_witness_answers_total{{{OF}}}", "code")), "{{code}}"),),
            width=6, unit="ops", zero_is_good=True,
        ),
    ),
    measures=("management-verification", "transport-encryption"),
)  # fmt: skip

_CHECKPOINTS: Final = Row(
    "チェックポイントと確認", "Checkpoints and confirmation",
    (
        Panel(
            Look.TIME, "署名付きチェックポイント", "Signed checkpoints",
            "毎秒のチェックポイント数と、記載された件数。", "Checkpoints per second, and events that stand in them.",
            (
                Query(rate(f"hub_checkpoints_written_total{{{OF}}}", "dataset"), "{{dataset}}"),
                Query(rate(f"hub_checkpoint_entries_total{{{OF}}}", "dataset"), "記載 {{dataset}}"),
            ),
            width=8, unit="ops",
        ),
        Panel(
            Look.TIME, "確認できた件数", "Confirmed",
            "保存済みでチェックポイントにより確認できた毎秒件数（窓口別）。",
            "Stored events found in signed checkpoints, per second.",
            (Query(rate("hub_consumer_events_confirmed_total", "consumer"), "{{consumer}}"),), width=8, unit="ops",
        ),
        Panel(
            Look.STAT, "期限を過ぎた未確認", "Unconfirmed after 60 s",
            "60秒を過ぎても確認できない件数。目標は0。",
            "Stored events without their checkpoint after 60 seconds; the objective is 0.",
            (Query("sum by (consumer)(hub_consumer_events_unconfirmed)", "{{consumer}}"),),
            width=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "届いていない件数", "Missing",
            "チェックポイントに記載があり、期限を過ぎても窓口に届いていない件数。目標は0。",
            "Events that a signed checkpoint names and a desk has not got within the limit; the objective is 0.",
            (Query("sum by (consumer)(hub_consumer_events_missing)", "{{consumer}}"),),
            width=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.TIME, "最も長い未確認", "Longest unconfirmed",
            "未確認のうち最も古い件の待ち時間。60秒が目標の限度。",
            "How long the oldest unconfirmed event has been waiting; 60 seconds is the limit of the objective.",
            (Query("max by (consumer)(hub_consumer_unconfirmed_oldest_seconds)", "{{consumer}}"),),
            width=24, height=6, unit="s", limit=60,
        ),
    ),
    measures=("management-verification",),
)  # fmt: skip

_RECEIPTS: Final = Row(
    "受領書・出力・処置", "Receipts, exports, what people did",
    (
        Panel(
            Look.STAT, "保存受領書（表示期間）", "Receipts in this range",
            "送達済みと送信待ち。", "Signed receipts sent, and those that wait.",
            (
                Query(grown("hub_consumer_receipts_sent_total"), "送達 sent"),
                Query("sum(hub_consumer_receipts_waiting)", "待ち waiting"),
            ),
            width=8,
        ),
        Panel(
            Look.TABLE, "ファイル出力（表示期間）", "Exports in this range",
            "受渡管理簿の代わりとなる出力行数（引渡し・取消し・再出力）。",
            "Rows that left in files: handed over, withdrawn, repeated. Empty "
            "while nothing is exported.",
            (Query(grown("hub_review_exported_rows_total", "outcome")),),
            width=8, zero_is_good=True, columns=(Column("outcome", "種別"), Column("A", "行数")),
        ),
        Panel(
            Look.TABLE, "隔離の処置（表示期間）", "Dead letters ended in this range",
            "職員が再送・破棄した件数。", "Replayed or discarded by the operator. Empty while there is none.",
            (Query(grown("hub_dead_letters_ended_total", "outcome")),),
            width=8, zero_is_good=True, columns=(Column("outcome", "処置"), Column("A", "件数")),
        ),
    ),
    measures=("delivery-register", "management-verification"),
)  # fmt: skip

_OPERATIONS: Final = Row(
    "操作記録", "Operations log",
    (
        Panel(
            Look.TIME, "記録と収集", "Written and collected",
            "プロセスが書いた行と、収集された行（毎秒、区分別）。",
            "Lines written by processes and lines collected, per second.",
            (
                Query(rate("hub_operations_lines_total", "class"), "記録 {{class}}"),
                Query(rate("hub_operations_collected_total", "class"), "収集 {{class}}"),
            ),
            width=9, unit="ops",
        ),
        Panel(
            Look.STAT, "送信待ち", "Waiting",
            "まだKafkaにない行数。", "Lines not yet on Kafka.",
            (Query("sum(hub_operations_waiting)"),),
            width=3, steps=((0, GREEN), (100, AMBER)),
        ),
        Panel(
            Look.STAT, "欠番", "Missing",
            "収集した記録の欠番の数。0が正常。", "Gaps in the collected logs; 0 is good.",
            (Query("sum(hub_operations_missing)"),),
            width=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "拒否した行", "Refused",
            "署名等が正しくなく数えなかった行（表示期間）。", "Lines that do not count, in this range; 0 is good.",
            (Query(or_none(grown("hub_operations_refused_total"))),),
            width=8, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "改ざん検知ログ", "Tamper-evident log",
            "収集した操作記録のMerkleログの件数と、公開済みの件数。",
            "Leaves of the Merkle log over the collected lines, and how many are published.",
            (
                Query("max(hub_operations_collected_leaves)", "収集 collected"),
                Query("max(hub_operations_published_leaves)", "公開 published"),
            ),
            width=8, height=6,
        ),
        Panel(
            Look.TIME, "保存期間の満了", "Deleted by retention",
            "保存期間の満了により削除した毎秒の行数（区分別）。",
            "Lines deleted when their class's time was over, per second.",
            (Query(or_none(rate("hub_operations_deleted_total", "class")), "{{class}}"),),
            width=8, height=6, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.STAT, "読めないブローカーログ", "Broker log lines unread",
            "解釈できないブローカーログの行数（表示期間）。0が正常。",
            "Lines of the brokers' logs that could not be read, in this range.",
            (Query(grown("hub_broker_log_lines_unread_total")),),
            width=8, height=6, steps=((0, GREEN), (1, AMBER)), zero_is_good=True,
        ),
    ),
    measures=("monitoring-and-access-log",),
)  # fmt: skip

BOARD: Final = Board(
    "audit", "監査", "Audit",
    "受け付けた全件の証明と、誰が何をしたかの記録が途切れていないか。",
    "Whether the proofs of everything accepted, and the record of who did what, are whole.",
    (_LOG, _CHECKPOINTS, _RECEIPTS, _OPERATIONS),
    (TENANT,),
)  # fmt: skip
