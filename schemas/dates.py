"""Dates as filers write them: ISO 8601 and 和暦, read strictly; the text itself is never changed.

2025-12-01 · 2025/12/1 · 令和7年12月1日 · 令和元年5月1日 · R7.12.1 · R07/12/01
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final

_ISO: Final = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})", re.ASCII)
_LONG: Final = re.compile(r"(明治|大正|昭和|平成|令和)(元|[0-9]{1,2})年([0-9]{1,2})月([0-9]{1,2})日", re.ASCII)
_SHORT: Final = re.compile(r"([MTSHR])([0-9]{1,2})([./-])([0-9]{1,2})\3([0-9]{1,2})", re.ASCII)
ERAS: Final = {
    "明治": ("M", date(1868, 1, 25), date(1912, 7, 29)),
    "大正": ("T", date(1912, 7, 30), date(1926, 12, 24)),
    "昭和": ("S", date(1926, 12, 25), date(1989, 1, 7)),
    "平成": ("H", date(1989, 1, 8), date(2019, 4, 30)),
    "令和": ("R", date(2019, 5, 1), date(9999, 12, 31)),
}
"""letter, first and last day of each era"""
_BY_LETTER: Final = {letter: (first, last) for letter, first, last in ERAS.values()}


@lru_cache(maxsize=4_096)
def parse_date(text: str) -> date | None:
    """Return the calendar date that a text names, or None if it names none (not in the era, no such day)."""
    found = _ISO.fullmatch(text)
    if found:
        return _date(int(found[1]), found[3], found[4])
    found = _LONG.fullmatch(text)
    if found:
        _, first, last = ERAS[found[1]]
        return _in_era(first, last, 1 if found[2] == "元" else int(found[2]), found[3], found[4])
    found = _SHORT.fullmatch(text)
    if found:
        first, last = _BY_LETTER[found[1]]
        return _in_era(first, last, int(found[2]), found[4], found[5])
    return None


def _in_era(first: date, last: date, year: int, month: str, day: str) -> date | None:
    found = _date(first.year + year - 1, month, day) if year else None
    return found if found is not None and first <= found <= last else None


def _date(year: int, month: str, day: str) -> date | None:
    try:
        return date(year, int(month), int(day))
    except ValueError:
        return None
