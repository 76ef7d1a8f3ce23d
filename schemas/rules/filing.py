"""The filing as a whole: its header, the tax that it concerns, its attachments. Judged with and without items."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from schemas.catalogue import ItemType, Procedure
from schemas.numbers import is_municipality_code
from schemas.rules.facts import Facts, alike, group_of, has, per_text, rows, text
from schemas.rules.model import Check, Rule, Severity

_TAX_ITEMS: Final = (
    "vehicle-tax-secondary-liability-exemption light-vehicle-tax",
    "retained-title-light-vehicle-report light-vehicle-tax",
    "resident-and-forest-environment-tax resident-tax",
    "special-collection-payment-term-exception-application resident-tax",
    "special-collection-payment-term-exception-lapse-notification resident-tax",
    "tobacco-tax tobacco-tax",
    "bathing-tax bathing-tax",
    "tax-treaty-notification resident-tax",
)
"""slug of a procedure, and the only tax items that it can concern"""
_WORDS: Final = (
    "軽自動車 light-vehicle-tax",
    "たばこ tobacco-tax",
    "入湯 bathing-tax",
    "区民税 resident-tax",
    "市民税 resident-tax",
    "町民税 resident-tax",
    "村民税 resident-tax",
    "都民税 resident-tax",
    "道民税 resident-tax",
    "府民税 resident-tax",
    "県民税 resident-tax",
    "住民税 resident-tax",
    "森林環境税 resident-tax",
)
"""word in the name of a tax, and the tax item that it belongs to"""


def _tenant(procedure: Procedure) -> Check:
    return lambda facts: () if _known(facts.submission.tenant) else ("/tenant",)


_known: Final = lru_cache(maxsize=2_048)(is_municipality_code)


def _time(procedure: Procedure) -> Check:
    return lambda facts: ("/accepted_at",) if facts.accepted is None else ()


def _tax_item(procedure: Procedure, *, allowed: tuple[str, ...]) -> Check | None:
    own = next((each.split()[1:] for each in allowed if each.split()[0] == procedure.slug), None)
    if own is None:
        return None
    fitting = frozenset({None, *own})
    return lambda facts: () if facts.submission.tax_item in fitting else ("/tax_item",)


def _itself(procedure: Procedure) -> Check:
    def check(facts: Facts) -> tuple[str, ...]:
        said = facts.submission
        if said.replaces is None and said.withdraws is None:
            return ()
        return tuple(
            path
            for path, linked in (("/replaces", said.replaces), ("/withdraws", said.withdraws))
            if linked == said.receipt_number
        )

    return check


def _other_receipt(procedure: Procedure) -> Check | None:
    if not has(procedure, "receipt_number"):
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        said = text(facts.items, "receipt_number")
        return ("/items/receipt_number",) if said and said != facts.submission.receipt_number else ()

    return check


def _recogniser(words: tuple[str, ...]) -> Callable[[str], str | None]:
    """Return what says which tax item a text names."""
    known = dict(word.split() for word in words)
    pattern = re.compile("|".join(known))

    def recognised(said: str) -> str | None:
        found = pattern.search(alike(said))
        return None if found is None else known[found.group()]

    return recognised


def _other_tax(procedure: Procedure, *, words: tuple[str, ...]) -> Check | None:
    """The header's tax item is among those that the form's levies name, where all of them are known."""
    if not has(procedure, "tax_item"):
        return None
    group = group_of(procedure, "tax_item")
    recognised = _recogniser(words)

    def check(facts: Facts) -> tuple[str, ...]:
        assigned = facts.submission.tax_item
        if assigned is None:
            return ()
        levies = (facts.items,) if group is None else rows(facts.items, group)
        named = {recognised(said) for row in levies if (said := text(row, "tax_item"))}
        return ("/tax_item",) if named and None not in named and assigned not in named else ()

    return check


def _not_levied(procedure: Procedure, *, words: tuple[str, ...], ending: str) -> Check | None:
    recognised = _recogniser(words)

    def other(value: str) -> bool:
        return recognised(value) is None and alike(value).partition("(")[0].endswith(ending)

    return per_text(procedure, lambda item: item.name == "tax_item" and item.type is ItemType.ENUM, other)


def _proof(procedure: Procedure, *, procedures: tuple[str, ...]) -> Check | None:
    """Proof that travels as an attachment, where the form's items came without any."""
    if procedure.slug not in procedures:
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        said = facts.submission
        return () if said.attachments or said.withdraws is not None else ("/attachments",)

    return check


RULES: Final = (
    Rule(
        "header.tenant",
        "全国地方公共団体コード（総務省）",
        Severity.CORRECT,
        "The tenant is no municipality code with its check digit.",
        "団体コードが検査数字を含む6桁として正しくありません。",
        _tenant,
    ),
    Rule(
        "header.time",
        "RFC 3339",
        Severity.CORRECT,
        "The time of acceptance is no time.",
        "受付日時が日時として読み取れません。",
        _time,
    ),
    Rule(
        "header.tax-item",
        "地方税法第442条以下（軽自動車税）、第464条以下（たばこ税）、第701条以下（入湯税）、第321条の5の2（納期の特例）",
        Severity.CORRECT,
        "The procedure does not concern the tax that the header assigns it to.",
        "手続が、割り当てられた税目の手続ではありません。",
        _tax_item,
        {"allowed": _TAX_ITEMS},
    ),
    Rule(
        "header.tax-item-differs",
        "目録: 税目、登録業務（資料16-2）",
        Severity.ASK,
        "The header assigns the filing to a tax that none of its levies names.",
        "割り当てられた税目が、記載された徴収金のいずれの税目とも一致しません。",
        _other_tax,
        {"words": _WORDS},
    ),
    Rule(
        "header.itself",
        "本ハブの入力形式（訂正元、取下げ）",
        Severity.CORRECT,
        "The filing replaces or withdraws itself.",
        "訂正元又は取下げの受付番号が、この申請自身の受付番号です。",
        _itself,
    ),
    Rule(
        "header.receipt-number",
        "目録: 地方税の予納の申出書 項目8 申告受付番号",
        Severity.NOTE,
        "The receipt number in the form is not the one that the portal gave.",
        "様式の申告受付番号が、ポータルの受付番号と一致しません。",
        _other_receipt,
    ),
    Rule(
        "levy.tax-not-levied",
        "資料16-2（特別区民税・都民税・森林環境税、軽自動車税、特別区たばこ税、入湯税）",
        Severity.ASK,
        "The levy names a tax that the municipality's registered business does not include.",
        "登録業務にない税目が記載されています。",
        _not_levied,
        {"words": _WORDS, "ending": "税"},
    ),
    Rule(
        "attachment.proof-expected",
        "地方税法第14条の9第3項・第14条の11第2項（質権の優先の証明）",
        Severity.ASK,
        "The pledge has to be proved by a document, and nothing is attached.",
        "質権を証する書類（公正証書等）が添付されていません。",
        _proof,
        {"procedures": ("unregistrable-pledge-priority-proof",)},
    ),
)
