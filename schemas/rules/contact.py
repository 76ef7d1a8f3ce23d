"""Telephone numbers and postal codes: as written, half or full width; judged by their digits."""

from __future__ import annotations

import re
from typing import Final

from schemas.catalogue import ItemType, Procedure
from schemas.rules.facts import per_text
from schemas.rules.model import Check, Rule, Severity

_HALF_WIDTH: Final = str.maketrans("０１２３４５６７８９＋（）\u3000", "0123456789+() ")
_DASHES: Final = str.maketrans("", "", "-‐‑–—−－ーｰ() .")
_POSTAL: Final = re.compile(r"〒? ?[0-9]{3}[-‐‑–−－ー]?[0-9]{4}")
_DIGITS: Final = re.compile(r"\+?[0-9]+")


def _phone(procedure: Procedure, *, least: int, most: int) -> Check | None:
    def broken(value: str) -> bool:
        digits = value.strip().translate(_HALF_WIDTH).translate(_DASHES)
        if _DIGITS.fullmatch(digits) is None:
            return True
        if digits.startswith("+81"):
            digits = "0" + digits[3:].removeprefix("0")
        return not (digits[0] == "0" and least <= len(digits) <= most)

    return per_text(procedure, lambda item: item.type is ItemType.PHONE, broken)


def _postal_code(procedure: Procedure) -> Check | None:
    return per_text(
        procedure,
        lambda item: item.type is ItemType.POSTAL_CODE,
        lambda value: _POSTAL.fullmatch(value.strip().translate(_HALF_WIDTH)) is None,
    )


RULES: Final = (
    Rule(
        "contact.phone",
        "電気通信番号計画（市外局番から10桁又は11桁、先頭は0）",
        Severity.NOTE,
        "This is not one Japanese telephone number of 10 or 11 digits beginning with 0.",
        "電話番号が0から始まる10桁又は11桁（1件）ではありません。",
        _phone,
        {"least": 10, "most": 11},
    ),
    Rule(
        "contact.postal-code",
        "郵便番号（7桁、内国郵便約款）",
        Severity.NOTE,
        "The postal code is not seven digits.",
        "郵便番号が7桁の数字ではありません。",
        _postal_code,
    ),
)
