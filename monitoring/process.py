"""Samples of this process and its machine, taken at each scrape through psutil. No counting, no thread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from monitoring.metrics import Metrics

_RLIM_INFINITY: Final = -1


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
        metrics.set("hub_host_memory_available_bytes", psutil.virtual_memory().available)
        for place, directory in self._places.items():
            try:
                free = psutil.disk_usage(str(directory)).free
            except OSError:  # gone or not there yet: an absent series says so
                continue
            metrics.set("hub_host_disk_free_bytes", free, place=place)
