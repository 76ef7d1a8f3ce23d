"""State of network and systems, row by row along the measures of the municipality's security checklist."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import (
    AMBER,
    GREEN,
    ONE_IS_GOOD,
    RED,
    ZERO_IS_GOOD,
    Board,
    Column,
    Look,
    Panel,
    Query,
    Row,
)
from monitoring.grafana.boards.variables import INSTANCE
from monitoring.grafana.expressions import INSTANCE as OF
from monitoring.grafana.expressions import grown, largest, or_none, quantile, rate

_WATCHED: Final = Row(
    "監視：システムの状態", "Monitoring: systems",
    (
        Panel(
            Look.TIME, "応答するプロセス", "Processes that answer",
            "収集に応答している数と、対象の数。線が重なっていれば正常。",
            "Targets that answer, and all; the lines should meet.",
            (Query("sum(up)", "応答 up"), Query("count(up)", "対象 all")),
            width=6,
        ),
        Panel(
            Look.TIME, "CPU", "Processor time",
            "プロセスが毎秒使うCPU秒。", "Processor seconds per second.",
            (Query(largest(rate(f"process_cpu_seconds_total{{{OF}}}", "instance")),
            "{{instance}}"),), width=6, unit="s",
        ),
        Panel(
            Look.TIME, "実メモリ", "Resident memory",
            "プロセスの実メモリ。", "Memory of each process.",
            (Query(largest(f"max by (instance)(process_resident_memory_bytes{{{OF}}})"), "{{instance}}"),),
            width=6, unit="bytes",
        ),
        Panel(
            Look.TIME, "ファイル記述子・スレッド", "Descriptors and threads",
            "上限に対する割合と、スレッド数。", "Descriptors as a share of their limit, and threads.",
            (
                Query(
                    f"max(process_open_fds{{{OF}}} / process_max_fds{{{OF}}})", "記述子 fds ÷ 上限"
                ),
                Query(f"max(hub_process_threads{{{OF}}})", "スレッド threads"),
            ),
            width=6,
        ),
        Panel(
            Look.TIME, "サーバのCPU", "Machine: processors",
            "用途別の毎秒CPU秒（全CPU合計）と、CPU当たりの平均負荷。",
            "Processor seconds per second by use, and load per processor.",
            (
                Query("max by (mode)(rate(hub_host_cpu_seconds_total[$__rate_interval]))", "{{mode}}"),
                Query("max(hub_host_load_ratio)", "負荷 load"),
            ),
            width=6,
        ),
        Panel(
            Look.TIME, "サーバのメモリ", "Machine: memory",
            "総メモリと、まだ割り当てられるメモリ。", "Memory in all, and what can still be given.",
            (
                Query("max(hub_host_memory_bytes)", "総量 all"),
                Query(f"min(hub_host_memory_available_bytes{{{OF}}})", "空き available"),
            ),
            width=6, unit="bytes",
        ),
        Panel(
            Look.TIME, "ディスクの読み書き", "Machine: disks", "毎秒のバイト数。", "Bytes per second.",
            (
                Query("max(rate(hub_host_disk_read_bytes_total[$__rate_interval]))", "読込み read"),
                Query("max(rate(hub_host_disk_written_bytes_total[$__rate_interval]))", "書込み written"),
            ),
            width=6, unit="bytes",
        ),
        Panel(
            Look.TIME, "時計", "Clocks",
            "時計の最大誤差と補正待ちの差。負の所要時間は時計の不一致を示す。",
            "How wrong the clock may be at most, and what is still to be corrected. Negative durations tell of clocks "
            "that disagree.",
            (
                Query("max(hub_clock_max_error_seconds)", "最大誤差 max error"),
                Query("max(abs(hub_clock_offset_seconds))", "差 offset"),
                Query(or_none(rate("hub_negative_durations_total")), "負の時間 negative"),
            ),
            width=6, unit="s",
        ),
        Panel(
            Look.STAT, "時計の同期", "Clocks kept right",
            "時計が同期されていれば1。", "1 while something keeps the machine's clock right.",
            (Query("min(hub_clock_synchronised)"),),
            width=4, steps=ONE_IS_GOOD, words={"1": ("同期", GREEN), "0": ("非同期", RED)},
        ),
        Panel(
            Look.TIME, "イベントループの遅れ（p99）", "Event loop lag, p99",
            "遅れが続けば、プロセスが手一杯か止まっている。", "A process that is late is busy or stuck.",
            (Query(largest(quantile(0.99, "hub_event_loop_lag_seconds", OF, "instance")), "{{instance}}"),),
            width=7, unit="s",
        ),
        Panel(
            Look.TIME, "ログの行数", "Log lines",
            "毎秒の行数（重要度別）。", "Lines per second by level.",
            (Query(rate(f"hub_log_lines_total{{{OF}}}", "level"), "{{level}}"),), width=7, unit="ops",
        ),
        Panel(
            Look.STAT, "失われた記録", "Lost to the watch",
            "書けなかったログ、変換できなかった事実、ラベル上限の超過（表示期間）。すべて0が正常。",
            "Log lines not written, facts not told, updates over the cap of labels, in this range; all 0 is good.",
            (
                Query(grown("hub_log_lines_lost_total"), "ログ lines"),
                Query(grown("hub_observer_failures_total"), "事実 facts"),
                Query(or_none(grown("hub_metric_overflows_total")), "上限 overflows"),
            ),
            width=6, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.TABLE, "稼働中の版", "What runs",
            "ソフトウェアの版と、適用中の信頼一覧・宣言の通し番号。",
            "Versions, and the serials of trust list and declaration held to.",
            (
                Query("max by (instance, version, python)(hub_build_info)"),
                Query('max by (instance)(hub_standing_serial{place="trust"})'),
                Query('max by (instance)(hub_standing_serial{place="declaration"})'),
            ),
            width=24, height=9,
            columns=(
                Column("instance", "プロセス"), Column("version", "版"), Column("python", "Python"),
                Column("B", "信頼"), Column("C", "宣言"),
            ),
        ),
    ),
    measures=("monitoring-and-access-log",),
)  # fmt: skip

_LOGS: Final = Row(
    "監視：操作記録とその分析", "Monitoring: operations log and its analysis",
    (
        Panel(
            Look.TIME, "操作記録", "Operations log",
            "プロセスが記録した毎秒の行数（区分別）。", "Lines per second, by class.",
            (Query(rate("hub_operations_lines_total", "class"), "{{class}}"),), width=6, unit="ops",
        ),
        Panel(
            Look.STAT, "未送信・停止", "Waiting and stopped",
            "Kafkaへの送信待ちの行数と、記録できず閲覧・出力を止めたプロセスの数。",
            "Lines not yet on Kafka, and processes whose views and exports stopped.",
            (
                Query("sum(hub_operations_waiting)", "待ち waiting"),
                Query(or_none("sum(hub_operations_stopped)"), "停止 stopped"),
            ),
            width=6, zero_is_good=True,
        ),
        Panel(
            Look.TIME, "分析した記録", "Analysed",
            "分析が読み終えた毎秒の件数（区分別）。", "Operation events that the analysis has taken in, per second.",
            (Query(rate("hub_analysis_events_total", "class"), "{{class}}"),), width=6, unit="ops",
        ),
        Panel(
            Look.STAT, "分析の遅れ・所見", "Analysis: behind, findings",
            "分析が到達した時刻からの経過時間、遅着、所見（表示期間）。",
            "How far the analysis is behind; late events and findings in "
            "this range.",
            (
                Query("time() - max(hub_analysis_watermark_seconds)", "遅れ（秒） behind"),
                Query(grown("hub_analysis_late_total"), "遅着 late"),
                Query(or_none(grown("hub_analysis_refused_total")), "除外 refused"),
                Query(or_none(grown("hub_analysis_findings_total")), "所見 findings"),
            ),
            width=6,
        ),
    ),
    measures=("monitoring-and-access-log",),
)  # fmt: skip

_PEERS: Final = Row(
    "特定相手以外との通信不可・機器の制御", "None but named peers; devices",
    (
        Panel(
            Look.STAT, "拒否を続ける統制", "Controls that still refuse",
            "実際に接続を試み、拒否された統制は1、拒否しなくなった統制は0。",
            "1 while a control refuses a real attempt, 0 when it "
            "stopped.",
            (Query("min by (control)(hub_watch_control_refuses)", "{{control}}"),),
            width=10, steps=ONE_IS_GOOD, words={"1": ("拒否", GREEN), "0": ("通過！", RED)},
        ),
        Panel(
            Look.STAT, "想定外の相手", "Unexpected peers",
            "宣言にない相手からの接続（表示期間）。",
            "Connections of peers that nobody declared, in this range; 0 is good.",
            (Query(grown("hub_peers_unexpected_total")),),
            width=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.TABLE, "宣言された経路", "Declared paths",
            "宣言された経路ごとの到達可否（1＝到達）。", "1 while a declared path principal → listener is open.",
            (Query("min by (principal, listener)(hub_watch_path_up)"),),
            width=10,
            columns=(Column("principal", "主体"), Column("listener", "接続口"), Column("A", "到達")),
        ),
        Panel(
            Look.TIME, "ネットワークの流量", "Network traffic",
            "インターフェースごとの毎秒の受信・送信バイト数。", "Bytes received and sent per second by interface.",
            (
                Query("max by (interface)(rate(hub_host_network_received_bytes_total[$__rate_interval]))",
                "受信 {{interface}}"),
                Query("max by (interface)(rate(hub_host_network_sent_bytes_total[$__rate_interval]))",
                "送信 {{interface}}"),
            ),
            width=12, unit="bytes",
        ),
        Panel(
            Look.TIME, "ネットワークのエラー", "Network errors",
            "毎秒のエラー・破棄パケット数。", "Packets received or sent wrongly, or dropped, per second; 0 is good.",
            (
                Query(
                    "max by (interface, direction)(rate(hub_host_network_errors_total[$__rate_interval]))",
                    "{{interface}} {{direction}}",
                ),
            ),
            width=12, unit="ops", zero_is_good=True,
        ),
    ),
    measures=("network-peer-restriction", "network-device-control"),
)  # fmt: skip

_ENCRYPTED: Final = Row(
    "通信の暗号化", "Encrypted transport",
    (
        Panel(
            Look.TABLE, "TLSの版と暗号", "TLS in use",
            "接続口ごとに実際に合意した版と暗号。", "What each listener really agrees to.",
            (Query("max by (listener, protocol, cipher)(hub_watch_tls_info)"),),
            width=8, columns=(Column("listener", "接続口"), Column("protocol", "版"), Column("cipher", "暗号")),
        ),
        Panel(
            Look.TIME, "TLSハンドシェイク（p99）", "TLS handshake, p99",
            "監視による実測。", "As measured by the probes.",
            (Query(quantile(0.99, "hub_watch_handshake_seconds", by="listener"), "{{listener}}"),), width=8, unit="s",
        ),
        Panel(
            Look.TIME, "証明書の残り期間", "Certificates: time left",
            "最も早く切れる証明書の期限まで。", "Time until the first certificate expires.",
            (
                Query("min by (listener)(hub_watch_peer_not_after_seconds) - time()", "接続口 {{listener}}"),
                Query("min(hub_certificate_not_after_seconds) - time()", "自分 own"),
            ),
            width=8, unit="s",
        ),
    ),
    measures=("transport-encryption",),
)  # fmt: skip

_IDENTITY: Final = Row(
    "認証", "Authentication",
    (
        Panel(
            Look.TIME, "認証の失敗", "Authentication failures",
            "拒否した接続の毎秒件数（接続口・理由別）。", "Connections refused per second.",
            (Query(or_none(rate("hub_authentication_failures_total", "listener, reason")), "{{listener}} {{reason}}"),),
            width=12, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "鍵・エポックの残り期間", "Keys and epochs: time left",
            "署名鍵・受信鍵・エポックの期限まで。", "Time until keys and epochs end.",
            (
                Query("min by (purpose)(hub_key_not_after_seconds) - time()", "鍵 {{purpose}}"),
                Query("min(hub_epoch_not_after_seconds) - time()", "エポック epoch"),
            ),
            width=12, unit="s",
        ),
    ),
    measures=("id-password-authentication",),
)  # fmt: skip

_STORES: Final = Row(
    "保存先のアクセス制御", "Access to what is stored",
    (
        Panel(
            Look.TIME, "閲覧・照会・出力", "Access",
            "職員による利用の毎秒件数（種別）。", "Use by people, per second, by kind; 0 while nobody works.",
            (Query(or_none(rate("hub_access_total", "kind")), "{{kind}}"),), width=8, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "保存量", "Stores",
            "窓口のデータベースとジャーナルの大きさ。", "Size of the desks' databases and the journal.",
            (
                Query("sum by (consumer)(hub_store_bytes)", "{{consumer}}"),
                Query("sum(hub_journal_bytes)", "ジャーナル journal"),
            ),
            width=8, unit="bytes",
        ),
        Panel(
            Look.STAT, "出力を控えた値", "Values withheld",
            "内容の恐れがあるためログに出さなかった値の数（表示期間）。",
            "Values kept out of the log because they could have been "
            "content, in this range.",
            (Query(grown("hub_log_values_withheld_total")),),
            width=8, steps=((0, GREEN), (1, AMBER)), zero_is_good=True,
        ),
    ),
    measures=("storage-access-control",),
)  # fmt: skip

_DEFENCE: Final = Row(
    "不正侵入・攻撃への防御", "Defence",
    (
        Panel(
            Look.TIME, "拒否したハンドシェイク", "Handshakes refused",
            "Kafkaブローカーが拒否した毎秒件数（理由別）。", "Refused by the brokers, per second.",
            (Query(or_none(rate("hub_broker_handshakes_refused_total", "reason")), "{{reason}}"),),
            width=8, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "権限による拒否", "Denials",
            "ブローカーが権限外として拒否した毎秒件数（主体別）。",
            "Operations outside a principal's rights, per second.",
            (Query(or_none(largest(rate("hub_broker_denials_total", "principal"))), "{{principal}}"),),
            width=8, unit="ops", zero_is_good=True,
        ),
        Panel(
            Look.TIME, "隔離・入力拒否", "Set aside, refused",
            "隔離した記録と、入力検査が拒否した申告等の毎秒件数。", "Dead letters and refused submissions, per second.",
            (
                Query(or_none(rate("hub_dead_letters_total")), "隔離 dead letters"),
                Query(or_none(rate("hub_portal_refusals_total")), "拒否 refusals"),
            ),
            width=8, unit="ops", zero_is_good=True,
        ),
    ),
    measures=("perimeter-defence",),
)  # fmt: skip

_SPARE: Final = Row(
    "冗長化・バックアップ", "Redundancy and backup",
    (
        Panel(
            Look.TIME, "ディスクの空き", "Disk free",
            "対象ディレクトリの空き容量。", "Free space under the declared directories.",
            (Query(f"min by (place)(hub_host_disk_free_bytes{{{OF}}})", "{{place}}"),),
            width=8, unit="bytes",
        ),
        Panel(
            Look.TIME, "ディスクの空き率", "Disk free, share",
            "ディスク総容量に対する空きの割合。", "Free space as a share of the disk.",
            (Query("min by (place)(hub_host_disk_free_bytes / hub_host_disk_bytes)", "{{place}}"),),
            width=8, unit="percentunit",
        ),
        Panel(
            Look.TIME, "担当のいるパーティション", "Partitions with a router",
            "振分プロセスが担当中の数。", "Partitions that a router owns; must not fall.",
            (Query("sum(hub_router_partition_owned)", "担当 owned"),), width=8,
        ),
    ),
    measures=("redundancy-and-backup",),
)  # fmt: skip

_READY: Final = Row(
    "事故・障害への備え", "Readiness for incidents",
    (
        Panel(
            Look.TABLE, "準備条件", "Conditions of readiness",
            "満たされていれば1。", "1 while fulfilled.",
            (Query(f"min by (instance, condition)(hub_ready{{{OF}}})"),),
            width=8, columns=(Column("instance", "プロセス"), Column("condition", "条件"), Column("A", "充足")),
        ),
        Panel(
            Look.TIME, "起動・停止・異常", "Starts, stops, failures",
            "表示の窓でのプロセスの起動・停止・異常の数。", "Starts, stops and failures of processes so far.",
            (Query(f"sum by (event)(hub_lifecycle_events_total{{{OF}}})", "{{event}}"),), width=8,
        ),
        Panel(
            Look.TABLE, "停止中の段階", "Standing still",
            "停止中の段階と原因。空が正常。", "Stages that stand still, and why; empty is good.",
            (Query("max by (instance, stage, code)(hub_paused) > 0"),),
            width=8, zero_is_good=True,
            columns=(Column("instance", "プロセス"), Column("stage", "段階"), Column("code", "原因")),
        ),
        Panel(
            Look.TIME, "職員の確認が必要な警報", "Alarms for a person",
            "毎秒の件数（コード別）。", "Per second, by code; 0 is good.",
            (Query(or_none(largest(rate("hub_alarms_total", "code"))), "{{code}}"),),
            width=24, unit="ops", zero_is_good=True,
        ),
    ),
    measures=("incident-readiness",),
)  # fmt: skip

BOARD: Final = Board(
    "state", "システム・ネットワークの状態（対策項目別）", "System and network state, measure by measure",
    "個人情報保護対策チェックリストの対策項目ごとに、システムとネットワークの状態を見る。",
    "State of systems and network, along the measures of the municipality's security checklist.",
    (_WATCHED, _LOGS, _PEERS, _ENCRYPTED, _IDENTITY, _STORES, _DEFENCE, _SPARE, _READY),
    (INSTANCE,),
)  # fmt: skip
