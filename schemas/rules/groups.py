"""Repeated groups: rows that are empty or twice there, rows that point at each other, both sides of a matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.catalogue import Procedure
from schemas.rules.facts import Facts, alike, day, given, group_of, has, rows, text
from schemas.rules.model import Check, Rule, Severity

_KEYS: Final = (
    "heirs heir_name heir_address",
    "levies fiscal_year tax_item term",
    "levies fiscal_year_and_term tax_item tax_notice_number",
    "seized_properties seized_property_name seized_property_quantity seized_property_location",
    "securities security_kind_and_number",
    "vehicles vehicle_registration_number",
    "vehicles chassis_number",
)
_SIDES: Final = (
    "secondary_taxpayer_name buyer_name",
    "third_party_name taxpayer_name",
    "seller_name_and_representative buyer_name",
)


def _empty_row(procedure: Procedure) -> Check | None:
    groups = procedure.groups
    if not groups:
        return None

    def check(facts: Facts) -> list[str]:
        return [
            f"/items/{group}/{position}"
            for group in groups
            for position, row in enumerate(rows(facts.items, group))
            if not any(given(row, name) for name in row)
        ]

    return check


def _twice(procedure: Procedure, *, keys: tuple[str, ...]) -> Check | None:
    """Each key: a group, and the items that together name one row of it, where all of them are filled in."""
    split = [(key.split()[0], tuple(key.split()[1:])) for key in keys]
    known = [(group, names) for group, names in split if group in procedure.groups and has(procedure, *names)]
    if not known:
        return None

    def check(facts: Facts) -> list[str]:
        found = []
        for group, names in known:
            if len(rows(facts.items, group)) < 2:
                continue
            seen: set[tuple[str, ...]] = set()
            for position, row in enumerate(rows(facts.items, group)):
                name = tuple(_said(row, each) for each in names)
                if name in seen:
                    found.append(f"/items/{group}/{position}")
                elif all(name):
                    seen.add(name)
        return list(dict.fromkeys(found))

    return check


def _said(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if isinstance(value, str):
        return alike(value)
    return "" if value is None else str(value)


def _no_such_security(procedure: Procedure) -> Check | None:
    if not has(procedure, "security_due_date", "paid_by_security_due_date"):
        return None

    def check(facts: Facts) -> list[str]:
        due = {day(row, "security_due_date") for row in rows(facts.items, "securities")}
        if due <= {None}:
            return []
        return [
            f"/items/levies/{position}/paid_by_security_due_date"
            for position, row in enumerate(rows(facts.items, "levies"))
            if (paid := day(row, "paid_by_security_due_date")) is not None and paid not in due
        ]

    return check


def _both_sides(procedure: Procedure, *, pairs: tuple[str, ...]) -> Check | None:
    known = [(one, other) for one, other in map(str.split, pairs) if has(procedure, one, other)]
    if not known:
        return None
    one, other = known[0]
    group = group_of(procedure, other)

    def check(facts: Facts) -> list[str]:
        name = alike(text(facts.items, one))
        if not name:
            return []
        if group is None:
            return [f"/items/{other}"] if alike(text(facts.items, other)) == name else []
        return [
            f"/items/{group}/{position}/{other}"
            for position, row in enumerate(rows(facts.items, group))
            if alike(text(row, other)) == name
        ]

    return check


RULES: Final = (
    Rule(
        "group.empty-row",
        "目録: 繰返し項目",
        Severity.NOTE,
        "A row of the table is empty.",
        "表に空の行があります。",
        _empty_row,
    ),
    Rule(
        "group.duplicate-row",
        "目録: 繰返し項目（1行は1件）",
        Severity.ASK,
        "The row names the same person or thing as one before it.",
        "前の行と同じ人又は物件の行があります。",
        _twice,
        {"keys": _KEYS},
    ),
    Rule(
        "entrustment.no-such-security",
        "目録: 納付又は納入の委託の申出 項目8・12（証券による支払期日は証券の支払期日と対応する）",
        Severity.ASK,
        "No security of this filing falls due on the day on which this levy shall be paid by one.",
        "証券による支払期日が、いずれの証券の支払期日とも一致しません。",
        _no_such_security,
    ),
    Rule(
        "person.both-sides",
        "地方税法第11条の9、第20条の6（要確認）、第444条・第463条の19（要確認）",
        Severity.ASK,
        "The same name stands on both sides: filer and buyer, or third party and taxpayer.",
        "届出者と相手方（買主、納税者等）の氏名が同じです。",
        _both_sides,
        {"pairs": _SIDES},
    ),
)
