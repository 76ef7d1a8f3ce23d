"""年度 and 期別: fiscal years in western count or after an era, and what falls due in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from schemas.catalogue import Procedure
from schemas.fiscal_years import first_day, fiscal_year, last_day, split_year
from schemas.rules.facts import Facts, day, group_of, has, number, per_number, per_row, per_text, per_value, text
from schemas.rules.model import Check, Rule, Severity

_YEARS: Final = ("fiscal_year", "exemption_fiscal_year")
_TEXT: Final = "fiscal_year_and_term"
_HALF_WIDTH: Final = str.maketrans("０１２３４５６７８９\u3000", "0123456789 ")
_TERM: Final = re.compile(
    r"(?:(?:過年度|現年度?)?分? ?(?:第 ?)?(?:[1-9]|1[0-2]|[一二三四]|十[一二]?)期?(?:分)?"
    r"|(?:[1-9]|1[0-2])月(?:分)?|全期(?:前納)?(?:分)?|過年度(?:分)?"
    r"|(?:過年度)?随時(?:分)? ?(?:[1-9]|1[0-2])?期?(?:分)?)"
)


def _year(row: Mapping[str, object]) -> int | None:
    """The fiscal year of a levy, from its number or from the beginning of 年度期別."""
    found = number(row, "fiscal_year")
    return split_year(text(row, _TEXT))[0] if found is None else found


def _western(procedure: Procedure, *, first: int) -> Check | None:
    return per_number(procedure, lambda item: item.name in _YEARS, lambda value: value < first)


def _future(procedure: Procedure, *, ahead: int, ahead_advance: int) -> Check | None:
    most = ahead_advance if has(procedure, "advance_payment_amount") else ahead

    def broken(value: object, facts: Facts) -> bool:
        year = value if isinstance(value, int) else split_year(value)[0] if isinstance(value, str) else None
        accepted = facts.accepted
        return year is not None and accepted is not None and year > fiscal_year(accepted) + most

    return per_value(procedure, lambda item: item.name in (*_YEARS, _TEXT), broken)


def _readable(procedure: Procedure) -> Check | None:
    return per_text(procedure, lambda item: item.name == _TEXT, lambda value: split_year(value)[0] is None)


def _due(procedure: Procedure, *, years_after: int) -> Check | None:
    if not has(procedure, "due_date"):
        return None

    def faulty(row: Mapping[str, object], facts: Facts) -> str | None:
        year, due = _year(row), day(row, "due_date")
        return "due_date" if year is not None and due is not None and due > last_day(year + years_after) else None

    return per_row(procedure, group_of(procedure, "due_date"), faulty)


def _due_before(procedure: Procedure, *, years: int) -> Check | None:
    if not has(procedure, "due_date"):
        return None

    def faulty(row: Mapping[str, object], facts: Facts) -> str | None:
        year, due = _year(row), day(row, "due_date")
        return "due_date" if year is not None and due is not None and due < first_day(year - years) else None

    return per_row(procedure, group_of(procedure, "due_date"), faulty)


def _exemption(procedure: Procedure, *, years: int) -> Check | None:
    """The year of the tax is not earlier than `years` before the year of the sale."""
    if not has(procedure, "exemption_fiscal_year", "contract_date"):
        return None

    def faulty(row: Mapping[str, object], facts: Facts) -> str | None:
        year, contract = number(row, "exemption_fiscal_year"), day(row, "contract_date")
        early = year is not None and contract is not None and year < fiscal_year(contract) - years
        return "exemption_fiscal_year" if early else None

    return per_row(procedure, None, faulty)


def _over(procedure: Procedure, *, years_after: int) -> Check | None:
    if not has(procedure, "advance_payment_amount", "payment_date", "fiscal_year"):
        return None

    def faulty(row: Mapping[str, object], facts: Facts) -> str | None:
        year, paid = number(row, "fiscal_year"), day(row, "payment_date")
        over = year is not None and paid is not None and paid > last_day(year + years_after)
        return "payment_date" if over else None

    return per_row(procedure, None, faulty)


def _term(procedure: Procedure) -> Check | None:
    def unknown(value: str) -> bool:
        return _TERM.fullmatch(value.strip().translate(_HALF_WIDTH)) is None

    return per_text(procedure, lambda item: item.name == "term", unknown)


def _term_of_year(procedure: Procedure) -> Check | None:
    def unknown(value: str) -> bool:
        year, rest = split_year(value)
        return year is not None and _TERM.fullmatch(rest) is None

    return per_text(procedure, lambda item: item.name == _TEXT, unknown)


RULES: Final = (
    Rule(
        "year.not-western",
        "目録: 年度（integer、西暦）。地方税法の施行は昭和25年",
        Severity.CORRECT,
        "The fiscal year is not a western year since 1950; a year of an era was probably meant.",
        "年度が西暦（1950年以後）ではありません。元号の年を記載したおそれがあります。",
        _western,
        {"first": 1950},
    ),
    Rule(
        "year.future",
        "地方税法第13条（納付又は納入の告知）、予納は同法第17条の3（要確認）",
        Severity.ASK,
        "The fiscal year has not begun at the time of acceptance (advance payment: nor the one before it).",
        "年度が受付日の年度より後です（予納は翌年度まで）。",
        _future,
        {"ahead": 0, "ahead_advance": 1},
    ),
    Rule(
        "year.unreadable",
        "目録: 納付又は納入の委託の申出 項目13 年度期別、元号法",
        Severity.CORRECT,
        "The text does not begin with a fiscal year that its era had.",
        "年度が読み取れません。又は元号にない年度です。",
        _readable,
    ),
    Rule(
        "year.term-unknown",
        "目録: 納付又は納入の委託の申出 項目13 年度期別",
        Severity.NOTE,
        "What follows the fiscal year is no term that is known (first to twelfth, all, occasional, a month).",
        "年度に続く期別（1期から12期、全期、随時、月）が読み取れません。",
        _term_of_year,
    ),
    Rule(
        "term.unknown",
        "目録: 期別（1～4期、全期、随時、月。コード表は非公開）",
        Severity.NOTE,
        "The term is none that is known (first to twelfth, all, occasional, a month).",
        "期別が1期から12期、全期、随時、月のいずれでもありません。",
        _term,
    ),
    Rule(
        "year.due-before-year",
        "地方自治法第208条（会計年度）、地方税法第13条",
        Severity.CORRECT,
        "The tax fell due before its fiscal year began.",
        "納期限がその年度の開始（4月1日）より前です。",
        _due_before,
        {"years": 0},
    ),
    Rule(
        "year.due-long-after-year",
        "地方税法第17条の5（更正、決定等の期間制限は最長7年）",
        Severity.ASK,
        "The tax fell due more years after its fiscal year than it can be assessed in.",
        "納期限が、その年度について賦課決定等ができる期間より後です。",
        _due,
        {"years_after": 7},
    ),
    Rule(
        "year.exemption-before-contract",
        "地方税法第11条の9（目録: 項目13・19）",
        Severity.CORRECT,
        "The tax is of a fiscal year before that of the contract of sale.",
        "免除を受けようとする年度が、売買契約の年度より前です。",
        _exemption,
        {"years": 0},
    ),
    Rule(
        "year.advance-over",
        "地方税法第17条の3（要確認。予納は納期の到来前）",
        Severity.ASK,
        "The advance payment is made after the end of its fiscal year.",
        "予納の納付（納入）年月日が、その年度の終了（3月31日）より後です。",
        _over,
        {"years_after": 0},
    ),
)
