"""Numbers of persons, corporations, municipalities and users: check digits, and which of them belongs here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from schemas.catalogue import Item, ItemType, Procedure
from schemas.numbers import is_corporate_number, is_municipality_code, is_my_number
from schemas.rules.facts import Facts, given, has, per_row, per_text, text
from schemas.rules.model import Check, Rule, Severity

_HALF_WIDTH: Final = str.maketrans("０１２３４５６７８９", "0123456789")
_TWELVE: Final = re.compile(
    r"(?<![0-9０-９+＋])[0-9０-９]{4}(?:[-‐‑–−－ー \u3000]?[0-9０-９]{4}){2}(?![-‐‑–−－]?[0-9０-９])"
)
_PERHAPS: Final = re.compile(r"[0-9０-９]{4}[-‐‑–−－ー \u3000]?[0-9０-９]{4}[-‐‑–−－ー \u3000]?[0-9０-９]{4}")
_NOT_DIGITS: Final = re.compile(r"[^0-9]")
_USER_ID: Final = re.compile(r"[A-Za-z]{3}[0-9]{8}")
ZEROS: Final = "0" * 12
CORPORATIONS: Final = (
    "株式会社",
    "有限会社",
    "合同会社",
    "合名会社",
    "合資会社",
    "㈱",
    "㈲",
    "(株)",
    "（株）",
    "(有)",
    "（有）",
    "法人",
    "信用金庫",
    "信用組合",
    "銀行",
)
"""words that only a corporation has in its name"""
_OPAQUE: Final = (
    "tax_notice_number",
    "security_kind_and_number",
    "receipt_number",
    "taxpayer_id",
    "agent_taxpayer_id",
    "form_id",
    "procedure_id",
    "destination_tax_office_code",
    "chassis_number",
)
"""Items that are numbers of other things, any of which may by chance have the check digit of a 個人番号."""


def _is(kind: ItemType) -> Callable[[Item], bool]:
    return lambda item: item.type is kind


def _individual(procedure: Procedure) -> Check | None:
    return per_text(
        procedure, _is(ItemType.MY_NUMBER), lambda value: value.strip() != ZEROS and not is_my_number(value)
    )


def _zeros(procedure: Procedure, *, zeros: str) -> Check | None:
    return per_text(procedure, _is(ItemType.MY_NUMBER), lambda value: value.strip() == zeros)


def _corporate(procedure: Procedure) -> Check | None:
    return per_text(procedure, _is(ItemType.CORPORATE_NUMBER), lambda value: not is_corporate_number(value))


def _pair(procedure: Procedure) -> tuple[str, str] | None:
    """The names of the two items, where a form has both."""
    names = {item.type: item.name for item in procedure.items}
    if ItemType.MY_NUMBER in names and ItemType.CORPORATE_NUMBER in names:
        return names[ItemType.MY_NUMBER], names[ItemType.CORPORATE_NUMBER]
    return None


def _exactly_one(procedure: Procedure) -> Check | None:
    pair = _pair(procedure)
    if pair is None:
        return None
    person, corporation = pair

    def check(facts: Facts) -> tuple[str, ...]:
        items = facts.items
        if not items or facts.submission.withdraws is not None or given(items, person) != given(items, corporation):
            return ()
        return ("/items",)

    return check


def _kind(procedure: Procedure, *, individual: tuple[str, ...], corporate: tuple[str, ...]) -> Check | None:
    pair = _pair(procedure)
    if pair is None or not has(procedure, "number_kind"):
        return None
    person, corporation = pair

    def check(facts: Facts) -> tuple[str, ...]:
        said = text(facts.items, "number_kind")
        if said in individual:
            wrong = given(facts.items, corporation) and not given(facts.items, person)
        elif said in corporate:
            wrong = given(facts.items, person) and not given(facts.items, corporation)
        else:
            return ()  # the codes are not public: what is not known is not judged
        return ("/items/number_kind",) if wrong else ()

    return check


def _for_corporation(procedure: Procedure, *, names: tuple[str, ...], words: tuple[str, ...]) -> Check | None:
    pair = _pair(procedure)
    named = [name for name in names if has(procedure, name)]
    if pair is None or not named:
        return None
    person, name = pair[0], named[0]

    def faulty(row: object, facts: Facts) -> str | None:
        if not given(facts.items, person):
            return None
        return person if any(word in text(facts.items, name) for word in words) else None

    return per_row(procedure, None, faulty)


def _misplaced(procedure: Procedure, *, opaque: tuple[str, ...]) -> Check | None:
    def wanted(item: Item) -> bool:
        return (
            not item.type.is_number
            and item.type not in (ItemType.MY_NUMBER, ItemType.CORPORATE_NUMBER)
            and item.name not in opaque
        )

    locate = per_text(procedure, wanted, _holds_individual_number)
    if locate is None:
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        return tuple(locate(facts)) if _PERHAPS.search(facts.text) else ()

    return check


def _holds_individual_number(value: str) -> bool:
    return any(
        is_my_number(_NOT_DIGITS.sub("", found.group().translate(_HALF_WIDTH))) for found in _TWELVE.finditer(value)
    )


def _municipality(procedure: Procedure) -> Check | None:
    return per_text(
        procedure,
        lambda item: item.name == "destination_lg_code",
        lambda value: not is_municipality_code(value.strip()),
    )


def _other_tenant(procedure: Procedure) -> Check | None:
    if not has(procedure, "destination_lg_code"):
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        code = text(facts.items, "destination_lg_code")
        other = is_municipality_code(code) and code != facts.submission.tenant
        return ("/items/destination_lg_code",) if other else ()

    return check


def _user_id(procedure: Procedure, *, items: tuple[str, ...]) -> Check | None:
    return per_text(procedure, lambda item: item.name in items, lambda value: _USER_ID.fullmatch(value.strip()) is None)


def _agent(procedure: Procedure) -> Check | None:
    if not has(procedure, "user_id", "agent_user_id"):
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        agent = text(facts.items, "agent_user_id")
        return ("/items/agent_user_id",) if agent and agent == text(facts.items, "user_id") else ()

    return check


RULES: Final = (
    Rule(
        "number.individual",
        "平成26年総務省令第85号第5条（検査用数字）",
        Severity.CORRECT,
        "The individual number is not 12 half-width digits with its check digit.",
        "個人番号が検査用数字を含む半角12桁として正しくありません。",
        _individual,
    ),
    Rule(
        "number.individual-zeros",
        "平成26年総務省令第85号第5条（算式には合うが、付番されない）",
        Severity.CORRECT,
        "Twelve zeros pass the check digit and are nobody's individual number.",
        "個人番号が0のみです。検査用数字は合いますが、実在しない番号です。",
        _zeros,
        {"zeros": ZEROS},
    ),
    Rule(
        "number.corporate",
        "法人番号の指定等に関する省令 平成26年財務省令第70号第2条",
        Severity.CORRECT,
        "The corporate number is not 13 half-width digits with its check digit.",
        "法人番号が検査用数字を含む半角13桁として正しくありません。",
        _corporate,
    ),
    Rule(
        "number.exactly-one",
        "地方税法施行規則の様式（個人番号又は法人番号）",
        Severity.CORRECT,
        "Exactly one of individual number and corporate number belongs here.",
        "個人番号と法人番号はいずれか一方だけを記載します。",
        _exactly_one,
    ),
    Rule(
        "number.kind",
        "目録: 地方税の予納の申出書 項目22 個人番号・法人番号区分",
        Severity.CORRECT,
        "The stated kind of number is not the kind that is filled in.",
        "個人番号・法人番号区分と、記載された番号の種類が一致しません。",
        _kind,
        {"individual": ("individual", "個人番号", "個人"), "corporate": ("corporate", "法人番号", "法人")},
    ),
    Rule(
        "number.individual-for-corporation",
        "行政手続における特定の個人を識別するための番号の利用等に関する法律第2条（個人番号、法人番号の定義）",
        Severity.ASK,
        "An individual number stands beside the name of a corporation.",
        "法人の名称に対して個人番号が記載されています。",
        _for_corporation,
        {"names": ("secondary_taxpayer_name", "taxpayer_name_and_representative"), "words": CORPORATIONS},
    ),
    Rule(
        "number.misplaced",
        "行政手続における特定の個人を識別するための番号の利用等に関する法律第20条（収集等の制限）",
        Severity.CORRECT,
        "A text with the form and check digit of an individual number stands in an item for something else.",
        "個人番号の形式と検査用数字に合う数字が、個人番号欄以外に記載されています。",
        _misplaced,
        {"opaque": _OPAQUE},
    ),
    Rule(
        "number.municipality",
        "全国地方公共団体コード（総務省）",
        Severity.CORRECT,
        "The municipality code is not six digits with its check digit.",
        "地方公共団体コードが検査数字を含む6桁として正しくありません。",
        _municipality,
    ),
    Rule(
        "number.other-tenant",
        "目録: 地方税の予納の申出書 項目10 宛先【地方公共団体コード】",
        Severity.CORRECT,
        "The form is addressed to another municipality than the one that the portal delivered it to.",
        "様式の宛先の団体コードが、送付先の団体と一致しません。",
        _other_tenant,
    ),
    Rule(
        "number.user-id",
        "eLTAX 利用者ID（英字3文字と数字8桁）",
        Severity.NOTE,
        "The user id is not three letters and eight digits.",
        "利用者IDが英字3文字と数字8桁ではありません。",
        _user_id,
        {"items": ("user_id", "agent_user_id")},
    ),
    Rule(
        "number.agent-is-filer",
        "目録: 地方税の予納の申出書 項目4・6",
        Severity.ASK,
        "The agent's user id is the filer's own.",
        "代理人利用者IDが利用者ID本人と同じです。",
        _agent,
    ),
)
