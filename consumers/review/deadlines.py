"""Until when a desk should have decided: calendar days in Japan, moved on to the next day that is open.

地方税法第20条の5 第2項 (a period that ends on a Sunday, holiday, Saturday or 12-29..01-03 ends on the day
after) is about filers' periods; we count the desk's own 標準処理期間 in the same way. How many days that is,
the ward decides: HUB_SERVICE_DAYS, 30 unless set. The source names no period for the nine procedures.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from consumers.calendar import is_open
from hub.envelope.times import JST

JAPAN: Final = JST
SERVICE_DAYS: Final = 30


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
