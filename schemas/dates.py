"""Dates as filers write them: ISO 8601 and 和暦, read strictly; the text itself is never changed.

2025-12-01 · 20251201 · 2025/12/1 · 2025年12月1日 · 令和7年12月1日 · 令和 元年 5月 1日 · R7.12.1 · R07/12/01,
in half-width or full-width digits. An era's first day counts as the last day of the era before, too, where
the eras changed during the day (1912-07-30, 1926-12-25): both ways of writing it are in old registers.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final

_ISO: Final = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})", re.ASCII)
_BASIC: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)
_PAD: Final = "[ \u3000]?"
_LONG: Final = re.compile(
    f"(明治|大正|昭和|平成|令和)?{_PAD}(元|[0-9]{{1,4}}){_PAD}年{_PAD}([0-9]{{1,2}}){_PAD}月{_PAD}([0-9]{{1,2}}){_PAD}日"
)
_SHORT: Final = re.compile(r"([MTSHR])([0-9]{1,2})([./-])([0-9]{1,2})\3([0-9]{1,2})", re.ASCII)
_HALF_WIDTH: Final = str.maketrans("０１２３４５６７８９ＭＴＳＨＲ．／－", "0123456789MTSHR./-")
ERAS: Final = {
    "明治": ("M", date(1868, 1, 25), date(1912, 7, 30)),
    "大正": ("T", date(1912, 7, 30), date(1926, 12, 25)),
    "昭和": ("S", date(1926, 12, 25), date(1989, 1, 7)),
    "平成": ("H", date(1989, 1, 8), date(2019, 4, 30)),
    "令和": ("R", date(2019, 5, 1), date(9999, 12, 31)),
}
"""letter, first and last day of each era"""
_BY_LETTER: Final = {letter: (first, last) for letter, first, last in ERAS.values()}


@lru_cache(maxsize=4_096)
def parse_date(text: str) -> date | None:
    """Return the calendar date that a text names, or None if it names none (not in the era, no such day)."""
    text = text.translate(_HALF_WIDTH)
    found = _ISO.fullmatch(text)
    if found:
        return _date(int(found[1]), found[3], found[4])
    found = _BASIC.fullmatch(text)
    if found:
        return _date(int(found[1]), found[2], found[3])
    found = _LONG.fullmatch(text)
    if found:
        return _long(found[1], found[2], found[3], found[4])
    found = _SHORT.fullmatch(text)
    if found:
        first, last = _BY_LETTER[found[1]]
        return _in_era(first, last, int(found[2]), found[4], found[5])
    return None


def _long(era: str | None, year: str, month: str, day: str) -> date | None:
    if era is None:
        return _date(int(year), month, day) if len(year) == 4 else None
    if len(year) > 2:
        return None
    _, first, last = ERAS[era]
    return _in_era(first, last, 1 if year == "元" else int(year), month, day)


def _in_era(first: date, last: date, year: int, month: str, day: str) -> date | None:
    found = _date(first.year + year - 1, month, day) if year else None
    return found if found is not None and first <= found <= last else None


def _date(year: int, month: str, day: str) -> date | None:
    try:
        return date(year, int(month), int(day))
    except ValueError:
        return None
