"""Masks, dates in two calendars, check digits: tables."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.catalogue import Mask
from schemas.dates import parse_date
from schemas.masks import mask
from schemas.numbers import is_corporate_number, is_my_number


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        (Mask.NAME, "見本太郎", "見＊＊＊"),
        (Mask.NAME, "辻\U000e0100見本", "辻\U000e0100＊＊＊"),
        (Mask.NAME, "ｶﾞﾝﾊﾞ", "ｶﾞ＊＊＊"),
        (Mask.NAME, "", ""),
        (Mask.WARD, "東京都テスト区見本町1-2-3", "東京都テスト区＊＊＊"),
        (Mask.WARD, "テスト区架空9", "テスト区＊＊＊"),
        (Mask.WARD, "見本県架空市例示1", "見本県架空市＊＊＊"),
        (Mask.WARD, "番地だけ1-2-3", "＊＊＊"),
        (Mask.LAST_FOUR, "00-0000-4321", "＊＊＊4321"),
        (Mask.LAST_FOUR, "4321", "＊＊＊"),
        (Mask.HIDDEN, "架空の備考", "＊＊＊"),
        (Mask.PLAIN, "2025-12-01", "2025-12-01"),
        (Mask.ABSENT, "900000000004", None),
    ],
)
def test_a_mask_shows_what_it_says_and_no_more(kind: Mask, text: str, shown: str | None) -> None:
    assert mask(kind, text) == shown


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-12-01", date(2025, 12, 1)),
        ("2025/12/1", date(2025, 12, 1)),
        ("令和7年12月1日", date(2025, 12, 1)),
        ("令和元年5月1日", date(2019, 5, 1)),
        ("平成31年4月30日", date(2019, 4, 30)),
        ("平成元年1月8日", date(1989, 1, 8)),
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("R7.12.1", date(2025, 12, 1)),
        ("令和元年4月30日", None),
        ("昭和64年1月8日", None),
        ("平成31年5月1日", None),
        ("2025-02-29", None),
        ("2024-02-29", date(2024, 2, 29)),
        ("令和0年1月1日", None),
        ("きのう", None),
    ],
)
def test_dates_are_read_in_both_calendars_and_era_borders_hold(text: str, day: date | None) -> None:
    assert parse_date(text) == day


def test_check_digits() -> None:
    assert is_corporate_number("4011001098993")
    assert not is_corporate_number("5011001098993")
    assert is_corporate_number("7000020131041")
    assert not is_my_number("000000000000")
    assert not is_my_number("12345678901")
    assert sum(is_my_number(f"9000000000{n:02d}") for n in range(100)) == 10
