"""Check digits of 個人番号 and 法人番号, as laid down; no number is ever shown or kept here."""

from __future__ import annotations

import re
from typing import Final

_TWELVE: Final = re.compile(r"[0-9]{12}", re.ASCII)
_THIRTEEN: Final = re.compile(r"[0-9]{13}", re.ASCII)
_SIX: Final = re.compile(r"[0-9]{6}", re.ASCII)


def my_number_check_digit(first_eleven: str) -> int:
    """The 12th digit of a 個人番号 (平成26年総務省令第85号第5条)."""
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(first_eleven), start=1))
    remainder = total % 11
    return 0 if remainder <= 1 else 11 - remainder


def is_my_number(text: str) -> bool:
    """Whether a text is 12 digits with the right check digit; twelve zeros are none."""
    return (
        _TWELVE.fullmatch(text) is not None and text != "0" * 12 and my_number_check_digit(text[:11]) == int(text[11])
    )


def corporate_number_check_digit(last_twelve: str) -> int:
    """The 1st digit, 1 to 9, of a 法人番号 (平成26年財務省令第70号第2条)."""
    total = sum(int(digit) * (1 if n % 2 else 2) for n, digit in enumerate(reversed(last_twelve), start=1))
    return 9 - total % 9


def is_corporate_number(text: str) -> bool:
    """Whether a text is 13 digits with the right check digit."""
    return _THIRTEEN.fullmatch(text) is not None and corporate_number_check_digit(text[1:]) == int(text[0])


def is_municipality_code(text: str) -> bool:
    """Whether a text is a 全国地方公共団体コード: five digits and the check digit after them."""
    if _SIX.fullmatch(text) is None:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, (6, 5, 4, 3, 2), strict=False))
    return (11 - total % 11) % 10 == int(text[5])
