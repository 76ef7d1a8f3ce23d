"""Check digits as the ordinances lay them down; dates as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dates import ERAS, parse_date
from schemas.numbers import (
    corporate_number_check_digit,
    is_corporate_number,
    is_municipality_code,
    is_my_number,
    my_number_check_digit,
)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("123456789018", True),
        ("123456789012", False),
        ("000000000000", False),  # passes the arithmetic, is nobody's
        ("12345678901", False),
        ("1234567890188", False),
        ("１２３４５６７８９０１８", False),
        ("123456789018\n", False),
        ("", False),
    ],
)
def test_individual_number_has_twelve_digits_and_its_check_digit(text: str, good: bool) -> None:
    assert is_my_number(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("4011001098993", True),
        ("7000020131041", True),  # 新宿区, from its code
        ("4011001098994", False),
        ("0011001098993", False),
        ("401100109899", False),
        ("４０１１００１０９８９９３", False),
    ],
)
def test_corporate_number_has_thirteen_digits_and_its_check_digit_first(text: str, good: bool) -> None:
    assert is_corporate_number(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("131041", True),
        ("999997", True),
        ("011002", True),
        ("010006", True),
        ("131042", False),
        ("13104", False),
        ("１３１０４１", False),
    ],
)
def test_municipality_code_has_its_check_digit(text: str, good: bool) -> None:
    assert is_municipality_code(text) is good


@given(st.from_regex(r"[0-9]{11}", fullmatch=True))
def test_one_check_digit_fits_an_individual_number(first: str) -> None:
    fitting = [digit for digit in "0123456789" if is_my_number(first + digit)]
    assert fitting == ([] if first == "0" * 11 else [str(my_number_check_digit(first))])


@given(st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_one_check_digit_fits_a_corporate_number_and_it_is_never_zero(last: str) -> None:
    assert [d for d in "0123456789" if is_corporate_number(d + last)] == [str(corporate_number_check_digit(last))]
    assert corporate_number_check_digit(last) != 0


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2025-12-01", date(2025, 12, 1)),
        ("20251201", date(2025, 12, 1)),
        ("2025/12/1", date(2025, 12, 1)),
        ("2025年12月1日", date(2025, 12, 1)),
        ("令和7年12月1日", date(2025, 12, 1)),
        ("令和７年１２月１日", date(2025, 12, 1)),
        ("令和 7年12月 1日", date(2025, 12, 1)),
        ("令和　元年　５月　１日", date(2019, 5, 1)),
        ("R7.12.1", date(2025, 12, 1)),
        ("R07/12/01", date(2025, 12, 1)),
        ("Ｒ７．１２．１", date(2025, 12, 1)),
        ("2024-02-29", date(2024, 2, 29)),
        ("令和元年5月1日", date(2019, 5, 1)),
        ("令和1年5月1日", date(2019, 5, 1)),
        ("平成31年4月30日", date(2019, 4, 30)),
        ("平成元年1月8日", date(1989, 1, 8)),
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("昭和元年12月25日", date(1926, 12, 25)),
        ("大正15年12月25日", date(1926, 12, 25)),
        ("大正元年7月30日", date(1912, 7, 30)),
        ("明治45年7月30日", date(1912, 7, 30)),
        ("明治元年1月25日", date(1868, 1, 25)),
        ("M45.7.30", date(1912, 7, 30)),
    ],
)
def test_dates_are_read_as_they_are_written(text: str, meant: date) -> None:
    assert parse_date(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "2025-02-29",
        "2025-13-01",
        "2025-00-10",
        "2025-12-00",
        "2025-12/01",
        "25-12-01",
        "2025-12-01T00:00:00",
        "2025-12-01 ",
        "2025-12-01\n",
        "٢٠٢٥-١٢-٠١",
        "令和元年4月30日",  # the day before
        "平成31年5月1日",  # the day after
        "平成元年1月7日",
        "昭和64年1月8日",
        "昭和元年12月24日",
        "大正15年12月26日",
        "明治45年7月31日",
        "明治元年1月24日",
        "令和0年5月1日",
        "令和7年2月30日",
        "令和2025年12月1日",
        "元年5月1日",
        "7年5月1日",
        "慶応4年1月1日",
        "X7.12.1",
        "R7.12-1",
        "令和7年12月",
        "昨日",
        "99999-01-01",
    ],
)
def test_what_names_no_day_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@given(st.dates(date(1868, 1, 25), date(2117, 12, 31)))
def test_every_day_can_be_written_in_its_era(day: date) -> None:
    for era, (letter, first, last) in ERAS.items():
        if first <= day <= last:
            year = day.year - first.year + 1
            assert parse_date(f"{era}{year}年{day.month}月{day.day}日") == day
            if year < 100:
                assert parse_date(f"{letter}{year:02d}.{day.month:02d}.{day.day:02d}") == day
    assert parse_date(day.isoformat()) == day


@given(st.text(max_size=40))
def test_no_text_makes_it_raise(text: str) -> None:
    parse_date(text)
    for check in (is_my_number, is_corporate_number, is_municipality_code):
        assert check(text) in (True, False)
