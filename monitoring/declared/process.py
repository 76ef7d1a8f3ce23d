"""The watch itself, the process and its machine."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, LAG_BUCKETS, READINESS, SPARE, WATCH, Metric, counter, gauge, seconds

METRICS: Final[tuple[Metric, ...]] = (
    # the watch itself
    seconds(
        "hub_event_loop_lag_seconds", "", LAG_BUCKETS,
        "How late the event loop woke a sleeping task.", "イベントループの遅れ。", WATCH,
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
        "hub_host_disk_free_bytes", "bytes", "place",
        "Free space under a declared directory.", "対象ディレクトリの空き容量。", WATCH, SPARE,
    ),
)  # fmt: skip
