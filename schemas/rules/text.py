"""Characters: what the eLTAX list lacks and what a kana item should not hold. The text itself is never changed.

eLTAX uses the list of e-Tax: blocks of the Basic Multilingual Plane, without half-width kana, and without ten
symbols that it names. A ward's own system knows more (MJ+ in the private use area), so these are findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from schemas.catalogue import Item, ItemType, Procedure
from schemas.rules.facts import Facts, per_text
from schemas.rules.model import Check, Rule, Severity

_LIST: Final = "eLTAX 文字の扱いについて、e-Tax 利用可能文字一覧"
BLOCKS: Final = (
    "0000-007F",  # 基本ラテン
    "0080-00FF",  # ラテン-1補助
    "0370-03FF",  # 基本ギリシャ
    "0400-04FF",  # キリール
    "2000-206F",  # 一般句読点
    "2100-214F",  # 文字様記号 (№, ℡ are in CP932)
    "2150-218F",  # 数字の形
    "2190-21FF",  # 矢印
    "2200-22FF",  # 数学記号
    "2460-24FF",  # 囲み英数字
    "2500-257F",  # 罫線素片
    "25A0-25FF",  # 幾何学模様
    "3000-303F",  # CJK用の記号及び分音記号
    "3040-309F",  # 平仮名
    "30A0-30FF",  # 片仮名
    "3200-32FF",  # 囲みCJK文字/月
    "3300-33FF",  # CJK互換文字
    "4E00-9FFF",  # CJK統合漢字
    "F900-FAFF",  # CJK互換漢字
    "FF00-FFEF",  # 半角形・全角形
)
UNUSABLE: Final = "♂♀℃☆★⌒Å\u212b♯♭♪"
"""The ten symbols that eLTAX names; Å has two code points."""
_ELSEWHERE: Final = "\U00010000-\U0010ffff\ue000-\uf8ff\ufe00-\ufe0f"
"""judged by rules of their own"""
_ONE_LINE: Final = frozenset(
    {
        ItemType.KANA,
        ItemType.DATE,
        ItemType.MY_NUMBER,
        ItemType.CORPORATE_NUMBER,
        ItemType.PHONE,
        ItemType.POSTAL_CODE,
        ItemType.ENUM,
    }
)
_FULL_KANA: Final = re.compile("[\u30a1-\u30fa]")
_HALF_KANA: Final = re.compile("[\uff66-\uff9d]")
_NOT_KANA: Final = re.compile(
    "[^\u30a0-\u30ff\uff65-\uff9f\u3099-\u309c 　0-9０-９A-Za-zＡ-Ｚａ-ｚ().,&'’・，．＆（）\\-‐－ー/／]"
)


def _is_text(item: Item) -> bool:
    return not item.type.is_number


def _has_one_line(item: Item) -> bool:
    return item.type in _ONE_LINE or item.name.endswith(("_name", "_id", "_code", "and_representative"))


def _holds(
    procedure: Procedure, characters: re.Pattern[str], wanted: Callable[[Item], bool] = _is_text
) -> Check | None:
    """A check that looks at each character of the submission once, and at the items only if one is found."""
    locate = per_text(procedure, wanted, lambda value: characters.search(value.strip()) is not None)
    if locate is None:
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        return tuple(locate(facts)) if characters.search(facts.characters) else ()

    return check


def _class(procedure: Procedure, *, characters: str) -> Check | None:
    return _holds(procedure, re.compile(f"[{characters}]"))


def _outside(procedure: Procedure, *, blocks: tuple[str, ...], unusable: str) -> Check | None:
    bounds = [block.partition("-") for block in blocks]
    ranges = "".join(f"\\u{first}-\\u{last}" for first, _, last in bounds)
    return _holds(procedure, re.compile(f"[^{ranges}{unusable}{_ELSEWHERE}]"))


def _line_break(procedure: Procedure) -> Check | None:
    return _holds(procedure, re.compile("[\r\n\t]"), _has_one_line)


def _kana(procedure: Procedure) -> Check | None:
    return per_text(
        procedure, lambda item: item.type is ItemType.KANA, lambda value: _NOT_KANA.search(value.strip()) is not None
    )


def _mixed(procedure: Procedure) -> Check | None:
    def mixed(value: str) -> bool:
        return _FULL_KANA.search(value) is not None and _HALF_KANA.search(value) is not None

    return per_text(procedure, lambda item: item.type is ItemType.KANA, mixed)


RULES: Final = (
    Rule(
        "text.supplementary",
        f"{_LIST}（基本多言語面の外）",
        Severity.ASK,
        "A character beyond the Basic Multilingual Plane is outside the eLTAX list.",
        "基本多言語面の外の文字（第3・第4水準漢字など）があり、eLTAXの利用可能文字ではありません。",
        _class,
        {"characters": "\U00010000-\U000e00ff\U000e01f0-\U000effff"},
    ),
    Rule(
        "text.variation-selector",
        f"{_LIST}（異体字セレクタは一覧にない）",
        Severity.ASK,
        "A variation selector (IVS) chooses a glyph that the eLTAX list cannot name.",
        "異体字セレクタ（IVS）があり、eLTAXの利用可能文字ではありません。",
        _class,
        {"characters": "\ufe00-\ufe0f\U000e0100-\U000e01ef"},
    ),
    Rule(
        "text.private-use",
        f"{_LIST}（外字）。行政事務標準文字（MJ+）は私用領域に置かれることがある",
        Severity.ASK,
        "A private use character means something only on the system that wrote it (MJ+).",
        "私用領域の文字（外字、行政事務標準文字の一部）があり、他のシステムでは意味が定まりません。",
        _class,
        {"characters": "\ue000-\uf8ff\U000f0000-\U0010ffff"},
    ),
    Rule(
        "text.unusable-symbol",
        "eLTAX 文字の扱いについて（利用できない10文字）",
        Severity.NOTE,
        "One of the ten symbols that eLTAX names as unusable.",
        "eLTAXで利用できないとされる10文字のいずれかがあります。",
        _class,
        {"characters": UNUSABLE},
    ),
    Rule(
        "text.half-width-kana",
        "e-Tax 利用可能文字一覧（半角カナ FF66～FF9F を除く）",
        Severity.NOTE,
        "Half-width kana are outside the list; they are kept as sent.",
        "半角カナがあります（利用可能文字一覧の対象外。原文のまま保存します）。",
        _class,
        {"characters": "\uff66-\uff9f"},
    ),
    Rule(
        "text.outside-list",
        _LIST,
        Severity.ASK,
        "A character is in none of the blocks of the eLTAX list.",
        "eLTAXの利用可能文字の範囲外の文字があります。",
        _outside,
        {"blocks": BLOCKS, "unusable": UNUSABLE},
    ),
    Rule(
        "text.line-break",
        "目録: 1行の項目（氏名、カナ、番号、日付、電話番号、郵便番号、コード）",
        Severity.NOTE,
        "A line break or tab stands inside an item of one line.",
        "1行で記載する項目の中に改行又はタブがあります。",
        _line_break,
    ),
    Rule(
        "kana.not-kana",
        "目録: kana（カナ氏名、フリガナ）",
        Severity.CORRECT,
        "A kana item holds something else than katakana, letters, digits and separators.",
        "カナの項目に、カタカナ（全角・半角）、英数字、区切り以外の文字があります。",
        _kana,
    ),
    Rule(
        "kana.mixed-width",
        "目録: kana（全角・半角とも原文のまま保存）",
        Severity.NOTE,
        "Half-width and full-width katakana are mixed in one item.",
        "一つの項目に全角カナと半角カナが混在しています。",
        _mixed,
    ),
)
