"""Samples of this process and its machine, taken at each scrape through psutil. No counting, no thread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil  # type: ignore[import-untyped]

from monitoring.clock import clock_state

if TYPE_CHECKING:
    from monitoring.metrics import Metrics

_RLIM_INFINITY: Final = -1
_INTERFACES: Final = 32
"""a machine that runs containers can have hundreds; which ones come and go is no measure of ours"""


class ProcessSource:
    """Sets the `process_…` and `hub_host_…` metrics; what this platform cannot tell stays absent."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        """Remember the directories (by short name) whose free space is told."""
        self._places = dict(places)
        self._process = psutil.Process(os.getpid())

    def __call__(self, metrics: Metrics) -> None:
        """Take one sample. A few file reads under /proc, well under a millisecond."""
        process = self._process
        with process.oneshot():
            times = process.cpu_times()
            metrics.sample("process_cpu_seconds_total", times.user + times.system)
            metrics.set("process_resident_memory_bytes", process.memory_info().rss)
            metrics.set("process_start_time_seconds", process.create_time())
            metrics.set("hub_process_threads", process.num_threads())
        if hasattr(process, "num_fds"):
            metrics.set("process_open_fds", process.num_fds())
        if hasattr(process, "rlimit"):
            soft, _ = process.rlimit(psutil.RLIMIT_NOFILE)
            if soft != _RLIM_INFINITY:
                metrics.set("process_max_fds", soft)
        memory = psutil.virtual_memory()
        metrics.set("hub_host_memory_bytes", memory.total)
        metrics.set("hub_host_memory_available_bytes", memory.available)
        _machine(metrics)
        _network(metrics)
        clock = clock_state()
        if clock is not None:
            metrics.set("hub_clock_offset_seconds", clock.offset_seconds)
            metrics.set("hub_clock_max_error_seconds", clock.max_error_seconds)
            metrics.set("hub_clock_synchronised", clock.synchronised)
        for place, directory in self._places.items():
            try:
                disk = psutil.disk_usage(str(directory))
            except OSError:  # gone or not there yet: an absent series says so
                continue
            metrics.set("hub_host_disk_bytes", disk.total, place=place)
            metrics.set("hub_host_disk_free_bytes", disk.free, place=place)


def _machine(metrics: Metrics) -> None:
    times = psutil.cpu_times()
    for mode in ("user", "system", "idle", "iowait"):
        if hasattr(times, mode):
            metrics.sample("hub_host_cpu_seconds_total", getattr(times, mode), mode=mode)
    metrics.set("hub_host_load_ratio", psutil.getloadavg()[0] / (psutil.cpu_count() or 1))
    disks = psutil.disk_io_counters()
    if disks is not None:  # in a container there may be none to see
        metrics.sample("hub_host_disk_read_bytes_total", disks.read_bytes)
        metrics.sample("hub_host_disk_written_bytes_total", disks.write_bytes)


def _network(metrics: Metrics) -> None:
    for interface, seen in sorted(psutil.net_io_counters(pernic=True).items())[:_INTERFACES]:
        metrics.sample("hub_host_network_received_bytes_total", seen.bytes_recv, interface=interface)
        metrics.sample("hub_host_network_sent_bytes_total", seen.bytes_sent, interface=interface)
        wrong = {"received": seen.errin + seen.dropin, "sent": seen.errout + seen.dropout}
        for direction, count in wrong.items():
            metrics.sample("hub_host_network_errors_total", count, interface=interface, direction=direction)
