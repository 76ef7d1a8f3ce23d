"""The watch itself, the process and its machine."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import (
    DEFENCE,
    INTEGRITY,
    LAG_BUCKETS,
    READINESS,
    SPARE,
    WATCH,
    Metric,
    counter,
    gauge,
    seconds,
)

METRICS: Final[tuple[Metric, ...]] = (
    # the watch itself
    seconds(
        "hub_event_loop_lag_seconds", "", LAG_BUCKETS,
        "How late the event loop woke a sleeping task.", "イベントループの遅れ。", WATCH,
    ),
    counter(
        "hub_negative_durations_total", "durations", "metric",
        "Durations below 0, counted as 0: two machines' clocks disagree, or one jumped.",
        "負となった所要時間の件数（時計の不一致）。", WATCH, INTEGRITY,
    ),
    counter(
        "hub_metric_overflows_total", "updates", "metric",
        "Updates that exceeded the cap on label sets: counted as `other`, or dropped for a gauge.",
        "ラベル上限を超えた更新の件数。", WATCH, DEFENCE,
    ),
    counter(
        "hub_observer_failures_total", "facts", "",
        "Facts that could not be turned into a metric or a log line.",
        "メトリクス・ログに変換できなかった件数。", WATCH,
    ),
    counter(
        "hub_log_lines_total", "lines", "level",
        "Lines written to the log.", "ログの行数。", WATCH,
    ),
    counter(
        "hub_log_lines_lost_total", "lines", "",
        "Lines that could not be written.", "書き込めなかったログの行数。", WATCH, READINESS,
    ),
    counter(
        "hub_log_values_withheld_total", "values", "",
        "Values kept out of the log because they could have been content.",
        "内容の恐れがあるためログに出さなかった値の数。",
        WATCH, "storage-access-control",
    ),
    # process and host
    counter(
        "process_cpu_seconds_total", "seconds", "",
        "Processor time used by this process.", "プロセスのCPU時間。", WATCH,
    ),
    gauge(
        "process_resident_memory_bytes", "bytes", "",
        "Memory of this process.", "プロセスの実メモリ。", WATCH,
    ),
    gauge(
        "process_start_time_seconds", "seconds", "",
        "Start of this process, since 1970-01-01 UTC.", "プロセスの開始時刻。", WATCH,
    ),
    gauge(
        "process_open_fds", "descriptors", "",
        "Open file descriptors.", "開いているファイル記述子の数。", WATCH,
    ),
    gauge(
        "process_max_fds", "descriptors", "",
        "Limit of open file descriptors.", "ファイル記述子の上限。", WATCH,
    ),
    gauge(
        "hub_process_threads", "threads", "",
        "Threads of this process.", "プロセスのスレッド数。", WATCH,
    ),
    gauge(
        "hub_host_memory_available_bytes", "bytes", "",
        "Memory that the machine can still give.", "サーバの空きメモリ。", WATCH,
    ),
    gauge(
        "hub_host_memory_bytes", "bytes", "",
        "Memory of the machine.", "サーバの総メモリ。", WATCH,
    ),
    counter(
        "hub_host_cpu_seconds_total", "seconds", "mode",
        "Processor time of the machine by what it was used for, all processors together.",
        "サーバのCPU時間（用途別）。", WATCH,
    ),
    gauge(
        "hub_host_load_ratio", "ratio", "",
        "Runnable processes of the last minute for each processor.", "1分間の平均負荷（CPU当たり）。", WATCH,
    ),
    counter(
        "hub_host_disk_read_bytes_total", "bytes", "",
        "Bytes read from the machine's disks.", "ディスク読込みバイト数。", WATCH,
    ),
    counter(
        "hub_host_disk_written_bytes_total", "bytes", "",
        "Bytes written to the machine's disks.", "ディスク書込みバイト数。", WATCH,
    ),
    counter(
        "hub_host_network_received_bytes_total", "bytes", "interface",
        "Bytes received by a network interface.", "ネットワーク受信バイト数。", WATCH, "network-device-control",
        sets=64,
    ),
    counter(
        "hub_host_network_sent_bytes_total", "bytes", "interface",
        "Bytes sent by a network interface.", "ネットワーク送信バイト数。", WATCH, "network-device-control",
        sets=64,
    ),
    counter(
        "hub_host_network_errors_total", "packets", "interface direction",
        "Packets that a network interface received or sent wrongly, or dropped.",
        "ネットワークのエラー・破棄パケット数。", WATCH, "network-device-control", sets=128,
    ),
    gauge(
        "hub_clock_offset_seconds", "seconds", "",
        "By how much this machine's clock is still to be corrected, as its kernel knows; true only while synchronised.",
        "時計の補正待ちの差（同期中のみ有効）。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_clock_max_error_seconds", "seconds", "",
        "By how much this machine's clock may be wrong at most, as its kernel knows.",
        "時計の最大誤差の見積り。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_clock_synchronised", "boolean", "",
        "1 while something keeps this machine's clock right.", "時計が同期されている（1）。", WATCH, INTEGRITY,
    ),
    gauge(
        "hub_host_disk_bytes", "bytes", "place",
        "Size of the disk under a declared directory.", "対象ディレクトリのディスク総容量。", WATCH, SPARE,
    ),
    gauge(
        "hub_host_disk_free_bytes", "bytes", "place",
        "Free space under a declared directory.", "対象ディレクトリの空き容量。", WATCH, SPARE,
    ),
)  # fmt: skip
