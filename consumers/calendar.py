"""When a ward office is open: weekends, national holidays, and 29 December to 3 January (地方自治法第4条の2)."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Final

import holidays

_SATURDAY: Final = 5


@cache
def _of_year(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("JP", years=year))


def is_open(day: date) -> bool:
    """Say whether a ward office is open: no weekend, no national holiday, not 29 December to 3 January.

    Raises NotImplementedError for years of which no holidays can be known.
    """
    if day.weekday() >= _SATURDAY or (day.month, day.day) >= (12, 29) or (day.month, day.day) <= (1, 3):
        return False
    return day not in _of_year(day.year)
