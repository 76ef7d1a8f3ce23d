"""Items that hold two facts in one text: a date and what happened, a number and its unit, 車名 and 型式."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from schemas.catalogue import Procedure
from schemas.dates import parse_date
from schemas.rules.facts import Facts, day, has, per_text, text
from schemas.rules.model import Check, Rule, Severity
from schemas.rules.numbers import CORPORATIONS

CIRCUMSTANCES: Final = ("vehicle_missing_since_and_circumstances", "buyer_address_unknown_since_and_circumstances")
_WIDE: Final = "０１２３４５６７８９，．／－‐−\u3000"
_HALF_WIDTH: Final = str.maketrans(_WIDE, "0123456789,./--- ") | {0xFF21 + n: 0x41 + n for n in range(26)}
_DATE: Final = re.compile(
    "(?:(?:明治|大正|昭和|平成|令和) ?)?(?:元|[0-9]{1,4}) ?年 ?[0-9]{1,2} ?月 ?[0-9]{1,2} ?日"
    "|[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
    "|[MTSHR][0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{1,2}"
)
_ABOUT: Final = re.compile("[ 　、。,.]|頃|ごろ|ころ|から|より|に")
_DAY: Final = timedelta(days=1)
_QUANTITY: Final = re.compile(
    "(?:約 ?)?(?:[0-9][0-9,.]*|[一二三四五六七八九十百千]+|金 ?[0-9,]+) ?[^0-9 ].*|一式|全部", re.DOTALL
)
_DIGIT: Final = re.compile("[0-9０-９一二三四五六七八九十〇]")
_BETWEEN: Final = re.compile("[ 　/／、,，・|｜]")
_PLATE: Final = re.compile(".{1,12}? ?[0-9A-Z]{0,3} ?[ぁ-んA-Z] ?[0-9・･.-]{1,7}", re.DOTALL)


def _since(value: str) -> tuple[date | None, str]:
    """The first day that a text names, and what else it says."""
    plain = value.translate(_HALF_WIDTH)
    for found in _DATE.finditer(plain):
        named = parse_date(found.group())
        if named is not None:
            return named, plain[: found.start()] + plain[found.end() :]
    return None, plain


def _undated(procedure: Procedure, *, items: tuple[str, ...]) -> Check | None:
    return per_text(procedure, lambda item: item.name in items, lambda value: _since(value)[0] is None)


def _untold(procedure: Procedure, *, items: tuple[str, ...], least: int) -> Check | None:
    def untold(value: str) -> bool:
        found, rest = _since(value)
        return found is not None and len(_ABOUT.sub("", rest)) < least

    return per_text(procedure, lambda item: item.name in items, untold)


def _between(procedure: Procedure, *, items: tuple[str, ...], days: int) -> Check | None:
    """The day lies between contract and filing, or at most `days` outside."""
    names = [name for name in items if has(procedure, name)]
    if not names:
        return None
    slack = days * _DAY

    def outside(facts: Facts, name: str) -> bool:
        since = _since(text(facts.items, name))[0]
        contract, filed = day(facts.items, "contract_date"), facts.filed
        if since is None:
            return False
        return (contract is not None and contract - since > slack) or (filed is not None and since - filed > slack)

    return lambda facts: [f"/items/{name}" for name in names if outside(facts, name)]


def _fits(form: re.Pattern[str], value: str) -> bool:
    return form.fullmatch(value.strip().translate(_HALF_WIDTH)) is not None


def _quantity(procedure: Procedure, *, item: str) -> Check | None:
    return per_text(
        procedure,
        lambda each: each.name == item,
        lambda value: not _fits(_QUANTITY, value),
    )


def _security(procedure: Procedure, *, item: str, kinds: tuple[str, ...]) -> Check | None:
    def broken(value: str) -> bool:
        return not any(kind in value for kind in kinds) or _DIGIT.search(value) is None

    return per_text(procedure, lambda each: each.name == item, broken)


def _two_parts(procedure: Procedure, *, item: str) -> Check | None:
    return per_text(procedure, lambda each: each.name == item, lambda value: _BETWEEN.search(value.strip()) is None)


def _representative(procedure: Procedure, *, words: tuple[str, ...]) -> Check | None:
    def alone(value: str) -> bool:
        return any(word in value for word in words) and re.search(r"[\s　、,，/／]", value.strip()) is None

    return per_text(procedure, lambda item: item.name.endswith("name_and_representative"), alone)


def _plate(procedure: Procedure, *, item: str) -> Check | None:
    return per_text(
        procedure,
        lambda each: each.name == item,
        lambda value: not _fits(_PLATE, value),
    )


def _title(procedure: Procedure, *, item: str, ending: str) -> Check | None:
    def other(value: str) -> bool:
        return not re.sub(r"[\s　]|[殿様宛]", "", value).endswith(ending)

    return per_text(procedure, lambda each: each.name == item, other)


RULES: Final = (
    Rule(
        "circumstances.undated",
        "地方税法第11条の9（目録: 項目21・22 不明となった日及びその経過等）",
        Severity.ASK,
        "The text names no day since when the vehicle or the buyer cannot be found.",
        "不明となった日が読み取れません。",
        _undated,
        {"items": CIRCUMSTANCES},
    ),
    Rule(
        "circumstances.untold",
        "地方税法第11条の9（目録: 項目21・22 不明となった日及びその経過等）",
        Severity.ASK,
        "The text names a day and not what happened.",
        "不明となった日だけで、経過が記載されていません。",
        _untold,
        {"items": CIRCUMSTANCES, "least": 4},
    ),
    Rule(
        "circumstances.order",
        "地方税法第11条の9（目録: 項目13・21・22）",
        Severity.ASK,
        "The day since when something cannot be found lies before the contract or after the filing.",
        "不明となった日が、契約年月日より前又は提出日より後です。",
        _between,
        {"items": CIRCUMSTANCES, "days": 0},
    ),
    Rule(
        "vehicle.make-and-model",
        "目録: 自動車税の免除申告 項目8 車名及び型式",
        Severity.NOTE,
        "Make and model are two facts; only one can be seen.",
        "車名と型式の両方が読み取れません。",
        _two_parts,
        {"item": "vehicle_make_and_model"},
    ),
    Rule(
        "vehicle.registration-number",
        "自動車登録規則第13条、道路運送車両法施行規則第36条の17（要確認。地名、分類番号、仮名、一連番号）",
        Severity.NOTE,
        "This does not look like the registration number on a plate (place, class, kana, serial number).",
        "登録番号（地名、分類番号、仮名、一連番号）の形ではありません。",
        _plate,
        {"item": "vehicle_registration_number"},
    ),
    Rule(
        "seizure.quantity",
        "目録: 猶予を受けた場合の差押の解除申請書 項目6（数量は数と単位）",
        Severity.NOTE,
        "The quantity is not a number with its unit.",
        "数量が、数と単位（筆、台、口座など）ではありません。",
        _quantity,
        {"item": "seized_property_quantity"},
    ),
    Rule(
        "entrustment.security-kind",
        "国税通則法基本通達第55条関係2（小切手、約束手形、為替手形）に準ずる。目録: 項目4 種類記号番号",
        Severity.NOTE,
        "The security's kind (cheque, bill, note) or its number cannot be seen.",
        "証券の種類（小切手、約束手形、為替手形など）又は番号が読み取れません。",
        _security,
        {"item": "security_kind_and_number", "kinds": ("小切手", "手形", "証書", "債券", "国債")},
    ),
    Rule(
        "name.representative-missing",
        "目録: 氏名又は名称及び代表者氏名",
        Severity.ASK,
        "The name of a corporation stands without that of its representative.",
        "法人の名称だけで、代表者氏名が記載されていません。",
        _representative,
        {"words": CORPORATIONS},
    ),
    Rule(
        "header.head-title",
        "目録: 地方税の予納の申出書 項目12 宛先【長名】",
        Severity.NOTE,
        "The addressee is not the title of a head of a municipality.",
        "宛先が長の職名ではありません。",
        _title,
        {"item": "destination_head_title", "ending": "長"},
    ),
)
