"""Until when a desk should have decided: calendar days in Japan, moved on to the next day that is open.

地方税法第20条の5 第2項 (a period that ends on a Sunday, holiday, Saturday or 12-29..01-03 ends on the day
after) is about filers' periods; we count the desk's own 標準処理期間 in the same way. How many days that is,
the ward decides: HUB_SERVICE_DAYS, 30 unless set. The source names no period for the nine procedures.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

import holidays

from hub.envelope.times import JST

JAPAN: Final = JST
SERVICE_DAYS: Final = 30
_SATURDAY: Final = 5


@cache
def _of_year(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("JP", years=year))


def is_open(day: date) -> bool:
    """Say whether a ward office is open: no weekend, no national holiday, not 29 December to 3 January."""
    if day.weekday() >= _SATURDAY or (day.month, day.day) >= (12, 29) or (day.month, day.day) <= (1, 3):
        return False
    return day not in _of_year(day.year)


def day_in_japan(moment: datetime) -> date:
    """Return the day of an aware time in Japan; the last day of the calendar if it lies beyond it there."""
    try:
        return moment.astimezone(JAPAN).date()
    except OverflowError:
        return date.max


def due_on(accepted_on: date, service_days: int = SERVICE_DAYS) -> date:
    """Return the last day for a decision on what was accepted on a day; both are days in Japan."""
    try:
        day = accepted_on + timedelta(days=service_days)
        while not is_open(day):
            day += timedelta(days=1)
    except (OverflowError, NotImplementedError):  # the end of the calendar, or of what is known of holidays
        return accepted_on
    return day
