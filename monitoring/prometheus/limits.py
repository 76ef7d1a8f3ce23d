"""The thresholds of the alerts: what a site may set, with the values that a ward begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from topics.declaration import Declaration, load

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an alert begins. Bytes, seconds, records and counts."""

    lag_records: int = 10_000
    receipts_waiting: int = 1_000
    journal_events: int = 50_000
    """events that the desks have not confirmed; the journal is bounded, and refuses when it is full"""
    aborts: int = 3
    """aborted router transactions, or partitions lost to a newer owner, within half an hour"""
    letters_in_a_burst: int = 50
    letter_seconds: int = 3600
    """age of an open dead letter that somebody should have looked at"""
    letter_retention_seconds: int = 720 * 3600
    """after which the broker deletes it: from the declaration"""
    expiring_seconds: int = 7 * 86400
    disk_free_bytes: int = 10 * 1024 * _MIB
    disk_empty_bytes: int = 1024 * _MIB
    disk_filling_share: float = 0.4
    """of a disk that is free: with more, nobody is told how long it will last"""
    memory_bytes: int = 1536 * _MIB
    """of one process; all buffers are bounded, so that more is a leak"""
    host_memory_bytes: int = 256 * _MIB
    loop_seconds: float = 0.5
    open_files: float = 0.8
    """share of the limit"""
    watch_seconds: int = 60
    """how often the network watch makes a round (HUB_WATCH_SECONDS)"""
    refused_connections: int = 30
    """at one listener for one reason within a quarter of an hour; the network watch itself is refused once a round"""
    packets: int = 100
    """wrong or dropped at one interface within a quarter of an hour"""
    denials: int = 10
    """of one principal within a quarter of an hour"""
    handshakes: int = 100
    """refused for one reason within a quarter of an hour; the network watch itself makes some in each round"""
    clock_seconds: float = 1.0
    backlog_seconds: int = 30
    """the objective of storage"""
    unstable_records: int = 1_000
    operations_waiting: int = 1_000
    analysis_seconds: int = 7200
    restarts: int = 3
    """of one process within half an hour"""

    @classmethod
    def of(cls, declaration: Declaration) -> Self:
        """The limits of a declaration: what it says of retention, and the defaults."""
        hours = declaration.topics["dead-letters"].retention_hours
        return cls() if hours is None else cls(letter_retention_seconds=hours * 3600)

    @classmethod
    def packaged(cls) -> Self:
        """The limits of the declaration that comes with the hub."""
        return cls.of(load())
