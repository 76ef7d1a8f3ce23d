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
            "{{ $labels.instance }} does not answer.", "プロセス {{ $labels.instance }} が応答しません。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubNothingScraped", f"absent(up{{{HUB}}})", "1m", Severity.PAGE, Team.OPERATOR,
            "Prometheus knows of no process of the hub.", "監視対象のプロセスが1つもありません。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubProcessRestarting",
            f"sum by (instance) (changes(process_start_time_seconds{{{HUB}}}[30m]))"
            f" + count by (instance) (last_over_time(process_start_time_seconds{{{HUB}}}[30m])) - 1"
            f" >= {limits.restarts}",
            "0s", Severity.TICKET, Team.OPERATOR,
            "{{ $labels.instance }} started {{ $value }} times anew within half an hour.",
            "{{ $labels.instance }} が30分間に{{ $value }}回再起動しました。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubNotReady", "min by (instance, condition) (hub_ready) == 0", "2m", Severity.PAGE, Team.OPERATOR,
            "{{ $labels.instance }} lacks the condition {{ $labels.condition }}.",
            "{{ $labels.instance }} は準備条件 {{ $labels.condition }} を満たしていません。",
            (WATCH, READINESS),
            silenced_by=(Explained("HubProcessDown", ("instance",)), Explained("HubBrokersUnreachable")),
        ),
        Alert(
            "HubPaused", "max by (instance, stage, code) (hub_paused) == 1", "1m", Severity.PAGE, Team.OPERATOR,
            "{{ $labels.stage }} of {{ $labels.instance }} stands still: {{ $labels.code }}.",
            "{{ $labels.instance }} の {{ $labels.stage }} が停止中（{{ $labels.code }}）。",
            (WATCH, FLOW, READINESS),
            silenced_by=(Explained("HubProcessDown", ("instance",)), Explained("HubBrokersUnreachable")),
        ),
        Alert(
            "HubBrokersUnreachable", 'count(max by (instance) (hub_paused{code="kafka.unavailable"}) == 1) > 1', "30s",
            Severity.PAGE, Team.OPERATOR,
            "{{ $value }} processes wait for the brokers.", "{{ $value }} 個のプロセスがブローカーを待っています。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubEventLoopLate",
            "histogram_quantile(0.99, sum by (instance, le) (rate(hub_event_loop_lag_seconds_bucket[5m])))"
            f" > {limits.loop_seconds:g}",
            "5m", Severity.TICKET, Team.OPERATOR,
            "The event loop of {{ $labels.instance }} wakes {{ $value | humanizeDuration }} late.",
            "{{ $labels.instance }} のイベントループが {{ $value | humanizeDuration }} 遅れています。",
            (WATCH,),
        ),
        Alert(
            "HubMemoryHigh", f"process_resident_memory_bytes{{{HUB}}} > {limits.memory_bytes}", "5m",
            Severity.TICKET, Team.OPERATOR,
            "{{ $labels.instance }} holds {{ $value | humanize1024 }}B of memory.",
            "{{ $labels.instance }} のメモリ使用量が {{ $value | humanize1024 }}B です。",
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
            "{{ $labels.instance }} has {{ $value | humanizePercentage }} of its file descriptors open.",
            "{{ $labels.instance }} のファイル記述子が上限の {{ $value | humanizePercentage }} に達しています。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubDiskNearlyFull", f"min by (instance, place) (hub_host_disk_free_bytes) < {limits.disk_free_bytes}",
            "5m", Severity.TICKET, Team.OPERATOR,
            "{{ $value | humanize1024 }}B are free for {{ $labels.place }} of {{ $labels.instance }}.",
            "{{ $labels.instance }} の {{ $labels.place }} の空き容量が {{ $value | humanize1024 }}B です。",
            (WATCH, SPARE),
            silenced_by=(Explained("HubDiskEmpty", ("instance", "place")),),
        ),
        Alert(
            "HubDiskEmpty", f"min by (instance, place) (hub_host_disk_free_bytes) < {limits.disk_empty_bytes}",
            "1m", Severity.PAGE, Team.OPERATOR,
            "Only {{ $value | humanize1024 }}B are free for {{ $labels.place }} of {{ $labels.instance }}.",
            "{{ $labels.instance }} の {{ $labels.place }} の空き容量が残り {{ $value | humanize1024 }}B です。",
            (WATCH, SPARE, READINESS),
        ),
        Alert(
            "HubDiskFillsSoon",
            "min by (instance, place) (predict_linear(hub_host_disk_free_bytes[6h], 86400)) < 0"
            " and min by (instance, place) (hub_host_disk_free_bytes / hub_host_disk_bytes)"
            f" < {limits.disk_filling_share:g}",
            "30m", Severity.TICKET, Team.OPERATOR,
            "{{ $labels.place }} of {{ $labels.instance }} is full within a day if it goes on like this.",
            "このままでは {{ $labels.instance }} の {{ $labels.place }} が1日以内に満杯になります。",
            (WATCH, SPARE),
            silenced_by=(Explained("HubDiskEmpty", ("instance", "place")),),
        ),
        Alert(
            "HubLabelOverflow", risen("hub_metric_overflows_total", window="1h", by="instance, metric"), "0s",
            Severity.TICKET, Team.MONITOR,
            "{{ $labels.instance }} counts values of {{ $labels.metric }} as `other`: its label sets are used up.",
            "{{ $labels.metric }} のラベルが上限に達しました（{{ $labels.instance }}）。",
            (WATCH, DEFENCE),
        ),
        Alert(
            "HubLogLinesLost", risen("hub_log_lines_lost_total", by="instance"), "0s", Severity.PAGE, Team.MONITOR,
            "{{ $labels.instance }} could not write lines of its log.",
            "{{ $labels.instance }} のログに書き込めなかった行があります。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubFactsLost", risen("hub_observer_failures_total", by="instance"), "0s", Severity.TICKET, Team.MONITOR,
            "{{ $labels.instance }} could not turn facts into numbers or lines.",
            "{{ $labels.instance }} で記録に変換できなかった事象があります。",
            (WATCH,),
        ),
        Alert(
            "HubLogValuesWithheld", risen("hub_log_values_withheld_total", window="1h", by="instance"), "0s",
            Severity.NOTICE, Team.MONITOR,
            "{{ $labels.instance }} kept values out of its log that could have been content.",
            "{{ $labels.instance }} が内容の恐れのある値をログから除外しました。",
            (WATCH, "storage-access-control"),
        ),
    )  # fmt: skip
