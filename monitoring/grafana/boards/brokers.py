"""The brokers, from the Prometheus JMX exporter inside them: copies, requests, topics, connections, Java."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import GREEN, RED, ZERO_IS_GOOD, Board, Column, Look, Panel, Query, Row
from monitoring.grafana.expressions import largest, or_none, rate


def _zero(ja: str, en: str, about_ja: str, about_en: str, expr: str, width: int = 4) -> Panel:
    return Panel(
        Look.STAT, ja, en, about_ja, about_en, (Query(expr),),
        width=width, height=4, steps=ZERO_IS_GOOD, zero_is_good=True,
    )  # fmt: skip


_COPIES: Final = Row(
    "複製と可用性", "Copies and availability",
    (
        _zero("複製の不足", "Under-replicated", "複製が不足しているパーティション数。",
              "Partitions with fewer copies in step than they should have; 0 is good.",
              "sum(kafka_under_replicated_partitions)"),
        _zero("書込み不能", "Under minimum", "同期済み複製が下限未満のパーティション数。",
              "Partitions that take no writes; 0 is good.", "sum(kafka_under_min_isr_partitions)"),
        _zero("リーダー不在", "Offline", "読み書きできないパーティション数。",
              "Partitions without a leader; 0 is good.", "sum(kafka_offline_partitions)"),
        _zero("使用不能ディレクトリ", "Directories lost", "使用不能となったデータディレクトリ数。",
              "Data directories given up; 0 is good.", "sum(kafka_offline_log_directories)"),
        Panel(
            Look.STAT, "コントローラー", "Controllers", "全体で1が正常。", "Must be 1 over all brokers.",
            (Query("sum(kafka_active_controllers)"),), width=4, height=4, steps=((0, RED), (1, GREEN), (2, RED)),
        ),
        Panel(
            Look.STAT, "ブローカー", "Brokers", "稼働中と切離し中。", "Alive, and fenced off.",
            (Query("max(kafka_active_brokers)", "稼働 alive"), Query("max(kafka_fenced_brokers)", "切離し fenced")),
            width=4, height=4,
        ),
        Panel(
            Look.TIME, "同期済み複製の増減", "Copies falling out and back",
            "同期から外れた・復帰した毎秒の回数。", "Times per second that a copy fell out of step, or came back.",
            (Query(rate("kafka_isr_shrinks_total"), "外れた shrinks"), Query(rate("kafka_isr_expands_total"),
            "復帰 expands")),
            width=12, height=7, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.STAT, "規模", "Size", "トピック、パーティション、送信者、メタデータ適用エラーの数。",
            "Topics, partitions, producers with a state, errors while metadata was applied.",
            (
                Query("max(kafka_topics)", "トピック topics"), Query("sum(kafka_partitions)",
                "パーティション partitions"),
                Query("sum(kafka_producer_ids)", "送信者 producers"),
                Query("sum(kafka_metadata_errors_total)", "エラー errors"),
            ),
            width=12, height=7,
        ),
    ),
    measures=("redundancy-and-backup",),
)  # fmt: skip

_REQUESTS: Final = Row(
    "要求", "Requests",
    (
        Panel(
            Look.TIME, "要求", "Requests", "応答した毎秒の要求数（上位のみ）。",
            "Answered per second, the most frequent.",
            (Query(largest(rate("kafka_requests_total", "request")), "{{request}}"),), width=8, unit="reqps",
        ),
        Panel(
            Look.TIME, "所要時間（p99）", "Time to answer, p99",
            "要求の到着から応答まで。データを待つ取得はここで待つ。",
            "From arrival to answer; a fetch that waits for data waits here.",
            (Query(largest('max by (request)(kafka_request_seconds{quantile="0.99"})'),
            "{{request}}"),), width=8, unit="s",
        ),
        Panel(
            Look.TIME, "エラー応答", "Errors",
            "エラーコード別の毎秒件数。権限拒否を含む。",
            "Answers with an error per second, by code; denied rights are among them.",
            (Query(or_none(largest(rate('kafka_request_errors_total{error!="NONE"}', "error"))), "{{error}}"),),
            width=8, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "待ち", "Waiting",
            "処理待ちの要求数と、スレッドを待つ時間（p99）。",
            "Requests that wait for a thread, and for how long (p99).",
            (
                Query("sum(kafka_request_queue_length)", "件数 requests"),
                Query('max(kafka_request_queue_seconds{quantile="0.99"})', "秒 seconds"),
            ),
            width=8,
        ),
        Panel(
            Look.TIME, "スレッドの空き", "Idle threads",
            "要求処理・通信スレッドの空き率。0に近ければ手一杯。",
            "Idle share of request and network threads; near 0 means busy.",
            (
                Query("min(kafka_request_handlers_idle_ratio)", "要求 handlers"),
                Query("min(kafka_network_processors_idle_ratio)", "通信 network"),
            ),
            width=8, unit="percentunit",
        ),
        Panel(
            Look.TIME, "失敗", "Failures",
            "失敗した書込み・読出し、チェックサム不正、検証に失敗したトランザクション（毎秒）。",
            "Failed writes and reads, wrong checksums, unverified transactions per second.",
            (
                Query(rate("kafka_failed_produces_total"), "書込み produces"),
                Query(rate("kafka_failed_fetches_total"), "読出し fetches"),
                Query(rate("kafka_invalid_records_total"), "不正 invalid"),
                Query(rate("kafka_transaction_verification_failures_total"), "検証 unverified"),
            ),
            width=8, unit="ops", zero_is_good=True,
        ),
    ),
    measures=("monitoring-and-access-log",),
)  # fmt: skip

_TOPICS: Final = Row(
    "トピックとグループ", "Topics and groups",
    (
        Panel(
            Look.TIME, "書き込まれた件数", "Records", "トピックごとの毎秒件数（上位のみ）。",
            "Records per second by topic, the largest.",
            (Query(largest(rate("kafka_topic_records_total", "topic")), "{{topic}}"),), width=8, unit="ops",
        ),
        Panel(
            Look.TIME, "書込み・読出し量", "Bytes in and out", "毎秒のバイト数。", "Bytes per second.",
            (
                Query(rate("kafka_topic_received_bytes_total"), "書込み in"),
                Query(rate("kafka_topic_sent_bytes_total"), "読出し out"),
            ),
            width=8, unit="bytes",
        ),
        Panel(
            Look.TIME, "ディスク使用量", "Bytes on disk", "トピックごとの使用量（上位のみ）。",
            "By topic, the largest.",
            (Query(largest("sum by (topic)(kafka_log_bytes)"), "{{topic}}"),), width=8, unit="bytes",
        ),
        Panel(
            Look.TIME, "未確定で読めない件数", "Behind the last stable offset",
            "確定前のトランザクションの件数。下がらなければ止まったトランザクションがある。",
            "Records not yet committed; what does not fall is a transaction that hangs.",
            (Query(largest("sum by (topic)(kafka_last_stable_offset_lag_records)"), "{{topic}}"),), width=8,
        ),
        Panel(
            Look.TIME, "オフセットの確定", "Offset commits", "毎秒の確定数。", "Per second.",
            (Query(rate("kafka_group_offset_commits_total"), "確定 commits"),), width=8, unit="ops",
        ),
        Panel(
            Look.STAT, "グループ", "Groups",
            "グループ数（状態別）と、調整用パーティションの失敗。",
            "Groups by state, and coordinator partitions that failed.",
            (
                Query("sum by (state)(kafka_classic_groups)", "{{state}}"),
                Query('sum(kafka_group_coordinator_partitions{state="failed"})', "失敗 failed"),
            ),
            width=8,
        ),
    ),
    measures=("management-verification",),
)  # fmt: skip

_CONNECTIONS: Final = Row(
    "接続", "Connections",
    (
        Panel(
            Look.TABLE, "TLSの版と暗号", "TLS in use", "いま開いている接続の版と暗号方式。",
            "What the open connections speak.",
            (Query("sum by (protocol, cipher)(kafka_cipher_connections)"),),
            width=8, height=7, columns=(Column("protocol", "版"), Column("cipher", "暗号"), Column("A", "接続")),
        ),
        Panel(
            Look.TIME, "接続数", "Connections", "接続口ごとの現在の接続数。", "Open connections by listener.",
            (Query("sum by (listener)(kafka_connections)", "{{listener}}"),), width=8, height=7,
        ),
        Panel(
            Look.TIME, "認証", "Authentication",
            "認証に成功・失敗した接続と、期限切れで切断した接続（毎秒）。失敗には監視自身の試みを含む。",
            "Connections let in, refused and expired per second; the watch's own attempts are among the refused.",
            (
                Query(rate("kafka_authentications_total"), "成功 let in"),
                Query(rate("kafka_failed_authentications_total"), "失敗 refused"),
                Query(rate("kafka_expired_connections_total"), "期限切れ expired"),
            ),
            width=8, height=7, unit="ops",
        ),
    ),
    measures=("network-peer-restriction", "transport-encryption"),
)  # fmt: skip

_JAVA: Final = Row(
    "Java", "Java",
    (
        Panel(
            Look.TIME, "メモリ", "Memory", "使用中と上限。", "Used, and the limit of the heap.",
            (
                Query("sum by (area)(jvm_memory_used_bytes)", "使用 {{area}}"),
                Query('sum(jvm_memory_max_bytes{area="heap"})', "上限 heap max"),
            ),
            width=8, height=7, unit="bytes",
        ),
        Panel(
            Look.TIME, "ガベージコレクション", "Garbage collection", "毎秒の所要時間と回数。",
            "Time and number per second.",
            (
                Query(rate("jvm_gc_collection_seconds_sum"), "時間 seconds"),
                Query(rate("jvm_gc_collection_seconds_count"), "回数 collections"),
            ),
            width=8, height=7,
        ),
        Panel(
            Look.STAT, "スレッド・計測", "Threads, exporter",
            "スレッド数、デッドロック、JMX読出しの失敗と所要時間（秒）。",
            "Threads, deadlocks, whether the exporter failed, and for how long it read (seconds).",
            (
                Query("sum(jvm_threads_current)", "スレッド threads"),
                Query("sum(jvm_threads_deadlocked)", "デッドロック deadlocked"),
                Query("max(jmx_scrape_error)", "失敗 error"),
                Query("max(jmx_scrape_duration_seconds)", "秒 seconds"),
            ),
            width=8, height=7,
        ),
    ),
    measures=("monitoring-and-access-log",),
)  # fmt: skip

BOARD: Final = Board(
    "brokers", "ブローカー", "Brokers",
    "Kafkaブローカーの複製・要求・トピック・接続・Javaの状態。",
    "Copies, requests, topics, connections and Java of the Kafka brokers.",
    (_COPIES, _REQUESTS, _TOPICS, _CONNECTIONS, _JAVA),
)  # fmt: skip
