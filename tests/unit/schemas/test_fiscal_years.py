"""年度 and 相続分 as people write them, read back; what names none is none."""

from __future__ import annotations

import random
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.artificial import written, written_year
from schemas.dates import parse_date
from schemas.fiscal_years import first_day, fiscal_year, last_day, split_year
from schemas.rules.heirs import parse_share

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@given(DAYS)
def test_a_day_lies_in_its_fiscal_year_and_in_no_other(day: date) -> None:
    year = fiscal_year(day)
    assert first_day(year) <= day <= last_day(year)
    assert last_day(year - 1) + timedelta(days=1) == first_day(year)
    assert (last_day(year) - first_day(year)).days in (364, 365)


@pytest.mark.parametrize("year", [-5, 0, 1, 9_999, 10**15])
def test_a_year_of_no_calendar_has_days_all_the_same(year: int) -> None:
    assert first_day(year) < last_day(year)


@given(st.integers(1913, 2099), st.integers(0, 99))
def test_every_fiscal_year_is_read_as_it_is_written(year: int, seed: int) -> None:
    text = written_year(random.Random(seed), year)
    for rest in ("", " 第1期", "　全期"):
        assert split_year(text + rest) == (year, rest.strip())
    if text.endswith("度"):
        assert split_year(text + "第1期") == (year, "第1期")  # R71期 could be any year


@given(DAYS, st.integers(0, 99))
def test_every_day_is_read_as_the_generator_writes_it(day: date, seed: int) -> None:
    assert parse_date(written(random.Random(seed), day)) == day


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("平成31年度", 2019),
        ("令和元年度", 2019),
        ("令和1年度", 2019),
        ("昭和63年度", 1988),
        ("平成元年度", 1989),
        ("大正15年度", 1926),
        ("昭和元年度", 1926),
        ("平成32年度", None),
        ("昭和64年度", None),
        ("大正16年度", None),
        ("令和0年度", None),
        ("明治0年度", None),
        ("慶応4年度", None),
        ("第1期", None),
        ("7年度", None),
        ("20255", None),
        ("", None),
    ],
)
def test_a_fiscal_year_is_named_after_an_era_that_it_touches(text: str, year: int | None) -> None:
    assert split_year(text)[0] == year


@given(st.integers(0, 9_999), st.integers(1, 9_999))
def test_every_share_is_read_in_each_way_of_writing_it(one: int, other: int) -> None:
    part, whole = sorted((one, other)) if one else (0, other)
    share, wide = Fraction(part, whole), str.maketrans("0123456789/", "０１２３４５６７８９／")
    ways = [f"{part}/{whole}", f" {part} / {whole} ", f"{whole}分の{part}", f"{part}/{whole}".translate(wide)]
    if part:
        ways.append(f"{kanji(whole)}分の{kanji(part)}")
    for way in ways:
        assert parse_share(way) == share
    assert parse_share(f"{part}%") == Fraction(part, 100) if part < 1_000 else True


def kanji(number: int) -> str:
    """Write a number up to 9,999 in kanji."""
    digits, text = "〇一二三四五六七八九", ""
    for unit, name in ((1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        count, number = divmod(number, unit)
        if count:
            text += ("" if count == 1 and name else digits[count]) + name
    return text


@pytest.mark.parametrize("text", ["", "半分", "1/0", "0分の1", "1/2/3", "-1/2", "1//2", "½", "1,5", "1e3", "十/百"])
def test_what_is_no_share_is_none(text: str) -> None:
    assert parse_share(text) is None


@given(st.text(max_size=30))
def test_no_text_makes_them_raise(text: str) -> None:
    parse_share(text)
    split_year(text)
