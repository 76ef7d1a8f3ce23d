"""Times in records: whole milliseconds since 1970-01-01T00:00:00Z; epochs: calendar months of Japan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from hub.envelope.limits import MAX_TIME_MS

JST: Final = timezone(timedelta(hours=9), "JST")
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Return an aware time as milliseconds, rounded down. Raises ValueError if it is naive or before 1970."""
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset")
    value = (moment - _START) // _MILLISECOND
    if value < 0:
        raise ValueError("a time before 1970")
    return value


def from_ms(value: int) -> datetime:
    """Return milliseconds as an aware UTC time. Raises ValueError outside 1970 to 9999."""
    if not 0 <= value < MAX_TIME_MS:
        raise ValueError("a time outside 1970 to 9999")
    return _START + value * _MILLISECOND


def in_japan(moment: datetime) -> datetime:
    """Return an aware time in Japan Standard Time; in the last nine hours of the year 9999, which Japan's part of the
    calendar has not, as it is: a time that nobody meant must not keep a page or an export from being written."""
    try:
        return moment.astimezone(JST)
    except OverflowError:
        return moment


def epoch_of(moment: datetime) -> int:
    """Return the epoch of a time: YYYYMM in Japan Standard Time."""
    local = moment.astimezone(JST)
    return local.year * 100 + local.month


def epoch_bounds(epoch: int) -> tuple[datetime, datetime]:
    """Return when an epoch begins and ends (exclusive), in UTC. Raises ValueError if it is no YYYYMM."""
    year, month = divmod(epoch, 100)
    begin = datetime(year, month, 1, tzinfo=JST)
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=JST)
    return begin.astimezone(UTC), following.astimezone(UTC)


def next_epoch(epoch: int) -> int:
    """Return the epoch after this one."""
    return epoch_of(epoch_bounds(epoch)[1])


def epochs_ahead(now: datetime, months: int) -> tuple[int, ...]:
    """The epoch of a time (aware) and those after it, `months` in all."""
    epochs = [epoch_of(now)]
    while len(epochs) < months:
        epochs.append(next_epoch(epochs[-1]))
    return tuple(epochs)
