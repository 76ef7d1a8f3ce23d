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
        times = list(at)
        if not times:  # a partition has not spoken from which nothing was taken
            return 0
        until = self._until.get(partition, 0)
        self._until[partition] = max(until, min(max(times), now) - self._lateness)
        return sum(each < until for each in times)

    def idle(self, partition: int, now: int, *, final: bool = False) -> None:
        """Nothing waits on a partition: what is not here by now is late, at once if the clock has reached its end."""
        self._until[partition] = max(self._until.get(partition, 0), now if final else now - self._lateness)

    def value(self) -> dict[str, int]:
        """As JSON."""
        return {str(partition): until for partition, until in sorted(self._until.items())}


class Drained:
    """Which partitions of the operations log hold nothing that we have not worked on. Offsets are of the next record.

    That a partition was read to its end does not say so: what was read may wait in a queue that nobody sees into. What
    was read is worked on in that order, over all partitions. So whatever had been read at an earlier look is done when
    something was done that was read after it, or when nothing has moved and nobody was at work at two looks.
    """

    def __init__(self) -> None:
        """Nothing was worked on."""
        self._done: dict[int, int] = {}
        self._earlier: dict[int, int] = {}
        self._idle_at: dict[int, int] | None = None

    def worked(self, partition: int, offset: int) -> None:
        """Everything before an offset was worked on, and Kafka holds what came of it."""
        self._done[partition] = max(offset, self._done.get(partition, 0))

    def look(self, positions: Mapping[int, int], ends: Mapping[int, int], *, at_work: bool) -> set[int]:
        """Return the partitions that hold nothing new.

        `positions` say how far each was read, `ends` where each ends; `at_work`: records are being worked on.
        """
        later = any(self._done.get(partition, 0) > offset for partition, offset in self._earlier.items())
        still = not at_work and self._idle_at == positions
        for partition, offset in (positions if still else self._earlier if later else {}).items():
            self.worked(partition, offset)
        if later or still or not self._earlier:
            self._earlier = dict(positions)
        self._idle_at = None if at_work else dict(positions)
        return {
            partition
            for partition, offset in positions.items()
            if offset >= ends[partition] and self._done.get(partition, 0) >= offset
        }


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
