"""Event time: up to when everything was seen, on the way from the lines to the windows. Pure.

partition of the operations log ─> its watermark ─┐ travels with the marks, in order behind them
                                                  └─> minimum over all partitions = the watermark of the windows
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Sources:
    """The watermarks of partitions of the operations log, where lines are read. Times in milliseconds."""

    def __init__(self, lateness: int) -> None:
        """A line that comes `lateness` after its time, or sooner, is not late."""
        self._lateness = lateness
        self._until: dict[int, int] = {}

    def take(self, partition: int, at: Iterable[int], now: int) -> int:
        """Take the times of lines; return how many were late. A time in the future counts as now: a clock that runs
        ahead, or a liar, must not make everybody else late."""
        until = self._until.get(partition, 0)
        late = 0
        newest = until
        for each in at:
            late += each < until
            newest = max(newest, min(each, now) - self._lateness)
        self._until[partition] = newest
        return late

    def idle(self, partition: int, now: int, *, final: bool = False) -> None:
        """Nothing waits on a partition: what is not here by now is late, at once if the clock has reached its end."""
        self._until[partition] = max(self._until.get(partition, 0), now if final else now - self._lateness)

    def value(self) -> dict[str, int]:
        """As JSON."""
        return {str(partition): until for partition, until in sorted(self._until.items())}


class Drained:
    """Which partitions of the operations log hold nothing that we have not worked on. Offsets are of the next record.

    That a partition was read to its end does not say so: what was read may wait in a queue that nobody sees into.
    """

    def __init__(self) -> None:
        """Nothing was worked on."""
        self._done: dict[int, int] = {}
        self._looked: dict[int, tuple[int, int]] = {}

    def worked(self, partition: int, offset: int) -> None:
        """Everything before an offset was worked on, and Kafka holds what came of it."""
        self._done[partition] = offset

    def look(self, partition: int, position: int, end: int, *, at_work: bool) -> bool:
        """Say whether a partition that was read up to `position` holds nothing new. `at_work`: records are being worked
        on, of whatever partition. Where a log ends in records that are never given to us, or that were worked on
        before our time, two looks must be alike."""
        done = self._done.get(partition, 0)
        before, self._looked[partition] = self._looked.get(partition), (position, done)
        if at_work:
            del self._looked[partition]
        return position >= end and (done >= position or (not at_work and before == (position, done)))


class Arrived:
    """The same watermarks where they arrive; each partition of the marks has its own, for each is read by itself."""

    def __init__(self, sources: int) -> None:
        """`sources` is the number of partitions of the operations log."""
        self._sources = sources
        self._until: dict[int, dict[str, int]] = {}

    def take(self, partition: int, value: Mapping[str, int]) -> None:
        """Take what came on a partition of the marks; what went back, went back because somebody began again."""
        known = self._until.setdefault(partition, {})
        for source, until in value.items():
            known[source] = max(until, known.get(source, 0))

    def watermark(self, partition: int) -> int | None:
        """Up to when all marks on this partition have come; None before every source has spoken."""
        known = self._until.get(partition, {})
        return min(known.values()) if len(known) == self._sources else None

    def least(self, partitions: Iterable[int]) -> int | None:
        """The least watermark of several; None while one is unknown."""
        found = [self.watermark(partition) for partition in partitions]
        known = [each for each in found if each is not None]
        return min(known) if known and len(known) == len(found) else None
