"""Processes and the machine that they run on."""

from __future__ import annotations

from monitoring.declared.base import DEFENCE, FLOW, READINESS, SPARE, WATCH
from monitoring.prometheus.base import HUB, Alert, Explained, Severity, Team, risen
from monitoring.prometheus.limits import Limits


def alerts(limits: Limits) -> tuple[Alert, ...]:
    """Down, not ready, standing still, and what runs short."""
    return (
        Alert(
            "HubProcessDown", f"up{{{HUB}}} == 0", "1m", Severity.PAGE, Team.OPERATOR,
            "{{ $labels.process }} does not answer.", "プロセス {{ $labels.process }} が応答しません。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubNothingScraped", f"absent(up{{{HUB}}})", "1m", Severity.PAGE, Team.OPERATOR,
            "Prometheus knows of no process of the hub.", "監視対象のプロセスが1つもありません。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubProcessRestarting",
            f"sum by (process) (changes(process_start_time_seconds{{{HUB}}}[30m]))"
            f" + count by (process) (last_over_time(process_start_time_seconds{{{HUB}}}[30m])) - 1"
            f" >= {limits.restarts}",
            "0s", Severity.TICKET, Team.OPERATOR,
            "{{ $labels.process }} started {{ $value }} times anew within half an hour.",
            "{{ $labels.process }} が30分間に{{ $value }}回再起動しました。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubNotReady", "min by (process, condition) (hub_ready) == 0", "2m", Severity.PAGE, Team.OPERATOR,
            "{{ $labels.process }} lacks the condition {{ $labels.condition }}.",
            "{{ $labels.process }} は準備条件 {{ $labels.condition }} を満たしていません。",
            (WATCH, READINESS),
            silenced_by=(Explained("HubProcessDown", ("process",)), Explained("HubBrokersUnreachable")),
        ),
        Alert(
            "HubPaused", "max by (process, stage, code) (hub_paused) == 1", "1m", Severity.PAGE, Team.OPERATOR,
            "{{ $labels.stage }} of {{ $labels.process }} stands still: {{ $labels.code }}.",
            "{{ $labels.process }} の {{ $labels.stage }} が停止中（{{ $labels.code }}）。",
            (WATCH, FLOW, READINESS),
            silenced_by=(Explained("HubProcessDown", ("process",)), Explained("HubBrokersUnreachable")),
        ),
        Alert(
            "HubBrokersUnreachable", 'count(max by (process) (hub_paused{code="kafka.unavailable"}) == 1) > 1', "30s",
            Severity.PAGE, Team.OPERATOR,
            "{{ $value }} processes wait for the brokers.", "{{ $value }} 個のプロセスがブローカーを待っています。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubEventLoopLate",
            "histogram_quantile(0.99, sum by (process, le) (rate(hub_event_loop_lag_seconds_bucket[5m])))"
            f" > {limits.loop_seconds:g}",
            "5m", Severity.TICKET, Team.OPERATOR,
            "The event loop of {{ $labels.process }} wakes {{ $value | humanizeDuration }} late.",
            "{{ $labels.process }} のイベントループが {{ $value | humanizeDuration }} 遅れています。",
            (WATCH,),
        ),
        Alert(
            "HubMemoryHigh", f"process_resident_memory_bytes{{{HUB}}} > {limits.memory_bytes}", "5m",
            Severity.TICKET, Team.OPERATOR,
            "{{ $labels.process }} holds {{ $value | humanize1024 }}B of memory.",
            "{{ $labels.process }} のメモリ使用量が {{ $value | humanize1024 }}B です。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubHostMemoryLow", f"min(hub_host_memory_available_bytes) < {limits.host_memory_bytes}", "2m",
            Severity.PAGE, Team.OPERATOR,
            "A machine can give only {{ $value | humanize1024 }}B more memory.",
            "サーバの空きメモリが {{ $value | humanize1024 }}B です。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubFilesExhausted",
            f"process_open_fds{{{HUB}}} / process_max_fds{{{HUB}}} > {limits.open_files:g}",
            "5m", Severity.TICKET, Team.OPERATOR,
            "{{ $labels.process }} has {{ $value | humanizePercentage }} of its file descriptors open.",
            "{{ $labels.process }} のファイル記述子が上限の {{ $value | humanizePercentage }} に達しています。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubDiskNearlyFull", f"min by (process, place) (hub_host_disk_free_bytes) < {limits.disk_free_bytes}",
            "5m", Severity.TICKET, Team.OPERATOR,
            "{{ $value | humanize1024 }}B are free for {{ $labels.place }} of {{ $labels.process }}.",
            "{{ $labels.process }} の {{ $labels.place }} の空き容量が {{ $value | humanize1024 }}B です。",
            (WATCH, SPARE),
            silenced_by=(Explained("HubDiskEmpty", ("process", "place")),),
        ),
        Alert(
            "HubDiskEmpty", f"min by (process, place) (hub_host_disk_free_bytes) < {limits.disk_empty_bytes}",
            "1m", Severity.PAGE, Team.OPERATOR,
            "Only {{ $value | humanize1024 }}B are free for {{ $labels.place }} of {{ $labels.process }}.",
            "{{ $labels.process }} の {{ $labels.place }} の空き容量が残り {{ $value | humanize1024 }}B です。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubDiskFillsSoon",
            "min by (process, place) (predict_linear(hub_host_disk_free_bytes[6h], 86400)) < 0",
            "30m", Severity.TICKET, Team.OPERATOR,
            "{{ $labels.place }} of {{ $labels.process }} is full within a day if it goes on like this.",
            "このままでは {{ $labels.process }} の {{ $labels.place }} が1日以内に満杯になります。",
            (WATCH, SPARE),
            silenced_by=(Explained("HubDiskEmpty", ("process", "place")),),
        ),
        Alert(
            "HubLabelOverflow", risen("hub_metric_overflows_total", window="1h", by="process, metric"), "0s",
            Severity.TICKET, Team.MONITOR,
            "{{ $labels.process }} counts values of {{ $labels.metric }} as `other`: its label sets are used up.",
            "{{ $labels.metric }} のラベルが上限に達しました（{{ $labels.process }}）。",
            (WATCH, DEFENCE),
        ),
        Alert(
            "HubLogLinesLost", risen("hub_log_lines_lost_total", by="process"), "0s", Severity.PAGE, Team.MONITOR,
            "{{ $labels.process }} could not write lines of its log.",
            "{{ $labels.process }} のログに書き込めなかった行があります。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubFactsLost", risen("hub_observer_failures_total", by="process"), "0s", Severity.TICKET, Team.MONITOR,
            "{{ $labels.process }} could not turn facts into numbers or lines.",
            "{{ $labels.process }} で記録に変換できなかった事象があります。",
            (WATCH,),
        ),
        Alert(
            "HubLogValuesWithheld", risen("hub_log_values_withheld_total", window="1h", by="process"), "0s",
            Severity.NOTICE, Team.MONITOR,
            "{{ $labels.process }} kept values out of its log that could have been content.",
            "{{ $labels.process }} が内容の恐れのある値をログから除外しました。",
            (WATCH, "storage-access-control"),
        ),
    )  # fmt: skip
