"""Yen: never negative, and sums and limits hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.catalogue import ItemType, Procedure
from schemas.rules.facts import Facts, has, number, per_number, per_row, rows
from schemas.rules.model import Check, Rule, Severity

_ADDENDS: Final = ("tax_amount", "additional_charge", "delinquency_charge", "demand_fee", "disposition_cost")


def _negative(procedure: Procedure, *, least: int) -> Check | None:
    return per_number(procedure, lambda item: item.type is ItemType.YEN, lambda value: value < least)


def _least(procedure: Procedure, *, item: str, least: int) -> Check | None:
    return per_number(procedure, lambda each: each.name == item, lambda value: value < least)


def _limit(procedure: Procedure, *, item: str, limit: str, slack: int) -> Check | None:
    """`item` is at most `limit` and `slack` yen more; both stand once in the form."""
    if not has(procedure, item, limit):
        return None

    def faulty(row: Mapping[str, object], facts: Facts) -> str | None:
        amount, most = number(row, item), number(row, limit)
        return item if amount is not None and most is not None and amount > most + slack else None

    return per_row(procedure, None, faulty)


def _levies(facts: Facts, addends: tuple[str, ...]) -> int:
    return sum(number(row, name) or 0 for row in rows(facts.items, "levies") for name in addends)


def _total(procedure: Procedure, *, addends: tuple[str, ...]) -> Check | None:
    if not has(procedure, "total"):
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        total = number(facts.items, "total")
        wrong = total is not None and rows(facts.items, "levies") and total != _levies(facts, addends)
        return ("/items/total",) if wrong else ()

    return check


def _face(procedure: Procedure, *, addends: tuple[str, ...], slack: int) -> Check | None:
    if not has(procedure, "face_amount", "tax_amount"):
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        faces = sum(number(row, "face_amount") or 0 for row in rows(facts.items, "securities"))
        if not rows(facts.items, "levies") or faces <= _levies(facts, addends) + slack:
            return ()
        return ("/items/securities",)

    return check


def _nothing_due(procedure: Procedure, *, addends: tuple[str, ...]) -> Check | None:
    if "levies" not in procedure.groups:
        return None

    def check(facts: Facts) -> list[str]:
        return [
            f"/items/levies/{position}"
            for position, row in enumerate(rows(facts.items, "levies"))
            if "tax_amount" in row and not any(number(row, name) for name in addends)
        ]

    return check


RULES: Final = (
    Rule(
        "amount.negative",
        "目録: yen（円、0以上）",
        Severity.CORRECT,
        "The amount is negative.",
        "金額が負の数です。",
        _negative,
        {"least": 0},
    ),
    Rule(
        "amount.instalments",
        "目録: 自動車税の免除申告 項目16 割賦回数",
        Severity.CORRECT,
        "The number of instalments is less than one.",
        "割賦回数が1回未満です。",
        _least,
        {"item": "installment_count", "least": 1},
    ),
    Rule(
        "amount.advance-zero",
        "地方税法第17条の3（要確認）",
        Severity.CORRECT,
        "The amount of the advance payment is less than one yen.",
        "予納額が1円未満です。",
        _least,
        {"item": "advance_payment_amount", "least": 1},
    ),
    Rule(
        "amount.total",
        "目録: 納付又は納入の委託の申出 項目16～19",
        Severity.CORRECT,
        "The total is not the sum of taxes, delinquency charges and costs of disposition.",
        "合計が、税額、延滞金額及び滞納処分費の合計と一致しません。",
        _total,
        {"addends": ("tax_amount", "delinquency_charge", "disposition_cost")},
    ),
    Rule(
        "amount.face-over-levies",
        "国税通則法基本通達第55条関係2（券面金額は委託の目的である税額を超えない）に準ずる",
        Severity.ASK,
        "The face amounts of the securities together exceed the levies that they shall pay.",
        "証券の券面金額の合計が、委託する徴収金の合計を超えています。",
        _face,
        {"addends": ("tax_amount", "delinquency_charge", "disposition_cost"), "slack": 0},
    ),
    Rule(
        "amount.uncollectible-over-price",
        "地方税法第11条の9（目録: 項目14・18）",
        Severity.CORRECT,
        "More of the price is said to be uncollectible than the price itself.",
        "受け取ることができなくなった代金が売買代金を超えています。",
        _limit,
        {"item": "uncollectible_price", "limit": "sale_price", "slack": 0},
    ),
    Rule(
        "amount.exemption-over-uncollectible",
        "地方税法第11条の9（免除は受け取ることができなくなった代金を限度とする）",
        Severity.ASK,
        "The tax to be exempted exceeds the price that cannot be collected.",
        "免除を受けようとする税額が、受け取ることができなくなった代金を超えています。",
        _limit,
        {"item": "exemption_tax_amount", "limit": "uncollectible_price", "slack": 0},
    ),
    Rule(
        "amount.nothing-due",
        "目録: 徴収金の行（税額から滞納処分費まで）",
        Severity.NOTE,
        "The row of the levy has no amount above zero.",
        "徴収金の行の金額がすべて0です。",
        _nothing_due,
        {"addends": _ADDENDS},
    ),
)
