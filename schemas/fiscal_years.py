"""年度: the fiscal year from April to March, as a number of the year in which it begins, and as people write it."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from schemas.dates import ERAS

FIRST_MONTH: Final = 4
_HALF_WIDTH: Final = str.maketrans("０１２３４５６７８９ＭＴＳＨＲ　", "0123456789MTSHR ")
_YEAR: Final = re.compile(
    r"(?:(明治|大正|昭和|平成|令和|[MTSHR]) ?(元|[0-9]{1,2})|([0-9]{4}))(?: ?年度?分?|(?=[ .・/-]|$))", re.ASCII
)
_LETTERS: Final = {letter: era for era, (letter, _, _) in ERAS.items()}


def fiscal_year(day: date) -> int:
    """Return the fiscal year that a day lies in (地方自治法第208条: April to March)."""
    return day.year if day.month >= FIRST_MONTH else day.year - 1


def first_day(year: int) -> date:
    """Return April 1 of a fiscal year; years that no calendar has are moved into it."""
    return date(min(max(year, 1), 9_998), FIRST_MONTH, 1)


def last_day(year: int) -> date:
    """Return March 31 at the end of a fiscal year."""
    return date(first_day(year).year + 1, FIRST_MONTH - 1, 31)


def split_year(text: str) -> tuple[int | None, str]:
    """Return the fiscal year at the beginning of a text (令和7年度第1期, R7 1期, 2025年度全期), and what follows it.

    平成31年度 and 令和元年度 are the same year: a fiscal year may be named after any era that it touches. None
    if the text begins with no year, or with one that its era did not have.
    """
    plain = text.strip().translate(_HALF_WIDTH)
    found = _YEAR.match(plain)
    if found is None:
        return None, plain
    rest = plain[found.end() :].strip(" .・/-")
    if found[3]:
        return int(found[3]), rest
    _, first, last = ERAS[_LETTERS.get(found[1], found[1])]
    count = 1 if found[2] == "元" else int(found[2])
    year = first.year + count - 1
    touches = count > 0 and first <= last_day(year) and first_day(year) <= last
    return (year if touches else None), rest
