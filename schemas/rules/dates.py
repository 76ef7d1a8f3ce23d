"""Days and their order: what cannot have happened after the filing, or before what it follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

from schemas.catalogue import ItemType, Procedure
from schemas.dates import parse_date
from schemas.rules.facts import FILED, Facts, day, group_of, has, per_row, per_text, per_value
from schemas.rules.model import Check, Parameter, Rule, Severity

ACCEPTED: Final = "@accepted"
"""stands for the day on which the portal accepted the filing"""
FILING: Final = "@filing"
"""stands for the day of filing that the form names, else the day of acceptance"""
_DAY: Final = timedelta(days=1)


def _unreadable(procedure: Procedure) -> Check | None:
    return per_text(procedure, lambda item: item.type is ItemType.DATE, lambda value: parse_date(value.strip()) is None)


def _range(procedure: Procedure, *, first_year: int, years_ahead: int) -> Check | None:
    def broken(value: object, facts: Facts) -> bool:
        named = parse_date(value.strip()) if isinstance(value, str) else None
        if named is None:
            return False
        accepted = facts.accepted
        return named.year < first_year or (accepted is not None and named.year > accepted.year + years_ahead)

    return per_value(procedure, lambda item: item.type is ItemType.DATE, broken)


def _filed(procedure: Procedure, *, days: int) -> Check | None:
    """The day of filing lies at most `days` after the day of acceptance."""
    names = [name for name in FILED if has(procedure, name)]
    return _ordered(procedure, earlier=names[0], later=ACCEPTED, days=days) if names else None


def _ordered(procedure: Procedure, *, earlier: str, later: str, days: int, at: str = "") -> Check | None:
    """`earlier` is not later than `days` after `later`; the finding stands at the first that is an item, or `at`."""
    names = [name for name in (earlier, later) if not name.startswith("@")]
    if not names or not has(procedure, *names):
        return None
    groups = {name: group_of(procedure, name) for name in names}
    group = next((each for each in groups.values() if each is not None), None)
    first, second = (_reader(name, groups.get(name), group) for name in (earlier, later))
    place = at or names[0]
    slack = days * _DAY

    def faulty(row: Mapping[str, object], facts: Facts) -> str | None:
        before, after = first(row, facts), second(row, facts)
        if before is None or after is None or before - after <= slack:
            return None
        return place

    return per_row(procedure, groups[place], faulty) if groups[place] == group else None


def _reader(name: str, own: str | None, group: str | None) -> Callable[[Mapping[str, object], Facts], date | None]:
    if name == ACCEPTED:
        return lambda row, facts: facts.accepted
    if name == FILING:
        return lambda row, facts: facts.filed
    if own is None and group is not None:
        return lambda row, facts: day(facts.items, name)
    return lambda row, facts: day(row, name)


def _received(procedure: Procedure, *, item: str) -> Check | None:
    if not has(procedure, item):
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        said, accepted = day(facts.items, item), facts.accepted
        return () if said is None or accepted is None or said == accepted else (f"/items/{item}",)

    return check


def _order(
    name: str,
    source: str,
    severity: Severity,
    messages: tuple[str, str],
    earlier: str,
    later: str,
    *,
    at: str = "",
) -> Rule:
    parameters: dict[str, Parameter] = {"earlier": earlier, "later": later, "days": 0}
    if at:
        parameters["at"] = at
    return Rule(f"order.{name}", source, severity, *messages, _ordered, parameters)


RULES: Final = (
    Rule(
        "date.unreadable",
        "元号法、元号を改める政令、ISO 8601",
        Severity.CORRECT,
        "This names no day: there is no such day, or it lies outside its era.",
        "存在しない日付、又は元号の期間外の日付です。",
        _unreadable,
    ),
    Rule(
        "date.range",
        "本ハブの目安（書き誤りの発見）",
        Severity.ASK,
        "The day lies so far in the past or in the future that a slip of the pen is likely.",
        "日付が過去又は将来に離れすぎており、書き誤りのおそれがあります。",
        _range,
        {"first_year": 1900, "years_ahead": 20},
    ),
    Rule(
        "order.filed-after-acceptance",
        "地方税法第747条の2（要確認。電子情報処理組織による申告等の到達）",
        Severity.ASK,
        "The day of filing is later than the day on which the portal accepted it.",
        "提出（申出）年月日が、ポータルの受付日より後です。",
        _filed,
        {"days": 0},
    ),
    _order(
        "death-after-filing",
        "地方税法第9条の2第1項",
        Severity.CORRECT,
        ("The death is later than the filing.", "被相続人の死亡年月日が提出日より後です。"),
        "decedent_died_on",
        FILING,
    ),
    _order(
        "contract-after-filing",
        "地方税法第11条の9（目録: 項目13 契約年月日）",
        Severity.CORRECT,
        ("The contract of sale is later than the filing.", "売買の契約年月日が提出日より後です。"),
        "contract_date",
        FILING,
    ),
    _order(
        "registration-after-filing",
        "道路運送車両法第7条（目録: 登録年月日）",
        Severity.CORRECT,
        ("The vehicle's registration is later than the filing.", "自動車の登録年月日が提出日より後です。"),
        "vehicle_registered_on",
        FILING,
    ),
    _order(
        "registration-before-contract",
        "地方税法第11条の9（所有権留保付売買による登録）",
        Severity.NOTE,
        (
            "The vehicle was registered before the contract of sale.",
            "自動車の登録年月日が売買の契約年月日より前です。",
        ),
        "contract_date",
        "vehicle_registered_on",
        at="vehicle_registered_on",
    ),
    _order(
        "last-payment-before-contract",
        "地方税法第11条の9（目録: 項目17 代金の最終支払年月日）",
        Severity.CORRECT,
        (
            "The last payment of the price is earlier than the contract of sale.",
            "代金の最終支払年月日が売買の契約年月日より前です。",
        ),
        "contract_date",
        "last_payment_date",
        at="last_payment_date",
    ),
    _order(
        "grace-after-filing",
        "地方税法第15条の2の3（要確認）",
        Severity.CORRECT,
        ("The grace was granted later than the filing.", "徴収の猶予許可年月日が提出日より後です。"),
        "grace_granted_on",
        FILING,
    ),
    _order(
        "seizure-after-grace",
        "地方税法第15条の2の3（要確認。猶予期間中は新たな差押えをしない）",
        Severity.ASK,
        (
            "The property was seized after the grace was granted.",
            "差押年月日が徴収の猶予許可年月日より後です。",
        ),
        "seized_on",
        "grace_granted_on",
    ),
    _order(
        "seizure-after-filing",
        "地方税法第15条の2の3（要確認）",
        Severity.CORRECT,
        ("The property was seized later than the filing.", "差押年月日が提出日より後です。"),
        "seized_on",
        FILING,
    ),
    _order(
        "security-due-before-filing",
        "地方税法第16条の2第1項（最近において確実に取り立てることができる証券）",
        Severity.CORRECT,
        ("The security fell due before the filing.", "証券の支払期日が提出日より前です。"),
        FILING,
        "security_due_date",
    ),
    Rule(
        "order.received-on-another-day",
        "目録: 地方税の予納の申出書 項目9 受付年月日",
        Severity.NOTE,
        "The day of receipt in the form is not the day (in Japan) on which the portal accepted it.",
        "様式の受付年月日が、ポータルの受付日（日本時間）と一致しません。",
        _received,
        {"item": "received_on"},
    ),
)
