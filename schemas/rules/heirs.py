"""相続人: how many, which of them represents the others, what share each has, and that all have signed."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from schemas.catalogue import Procedure
from schemas.rules.facts import Facts, alike, given, rows, text
from schemas.rules.model import Check, Rule, Severity

_GROUP: Final = "heirs"
_HALF_WIDTH: Final = str.maketrans("０１２３４５６７８９／．％　", "0123456789/.% ")
_SLASH: Final = re.compile(r"([0-9]{1,9}) ?/ ?([0-9]{1,9})", re.ASCII)
_NUMBER: Final = "([0-9]{1,9}|[一二三四五六七八九十百千]{1,7})"
_BUN: Final = re.compile(f"{_NUMBER} ?分の ?{_NUMBER}")
_DECIMAL: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?(%?)", re.ASCII)
_WHOLE: Final = ("全部", "全て", "すべて")
_DIGITS: Final = "〇一二三四五六七八九"
_UNITS: Final = {"十": 10, "百": 100, "千": 1000}
_DECREE: Final = "地方税法施行令第2条第2項第2号"


def parse_share(value: str) -> Fraction | None:
    """Return a share as it may be written (1/2, １／２, 2分の1, 二分の一, 0.5, 50%, 全部), or None."""
    plain = value.strip().translate(_HALF_WIDTH)
    if plain in _WHOLE:
        return Fraction(1)
    found = _SLASH.fullmatch(plain)
    if found is not None:
        return _fraction(int(found[1]), int(found[2]))
    found = _BUN.fullmatch(plain)
    if found is not None:
        return _fraction(_kanji(found[2]), _kanji(found[1]))
    found = _DECIMAL.fullmatch(plain)
    if found is not None:
        return Fraction(found[1]) / (100 if found[2] else 1)
    return None


def _fraction(numerator: int, denominator: int) -> Fraction | None:
    return Fraction(numerator, denominator) if denominator else None


def _kanji(text_: str) -> int:
    """A number in Arabic digits, or in kanji up to 9,999."""
    if text_.isdecimal():
        return int(text_)
    total = digit = 0
    for each in text_:
        if each in _UNITS:
            total += (digit or 1) * _UNITS[each]
            digit = 0
        else:
            digit = _DIGITS.index(each)
    return total + digit


def _unreadable(procedure: Procedure, *, most: int) -> Check | None:
    if _GROUP not in procedure.groups:
        return None

    def check(facts: Facts) -> list[str]:
        found = []
        for position, row in enumerate(rows(facts.items, _GROUP)):
            share = text(row, "inheritance_share")
            parsed = parse_share(share) if share else Fraction(0)
            if parsed is None or parsed > most:
                found.append(f"/items/{_GROUP}/{position}/inheritance_share")
        return found

    return check


def _sum(procedure: Procedure, *, whole: int) -> Check | None:
    """Judged only where each heir has a share that can be read."""
    if _GROUP not in procedure.groups:
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        shares = [parse_share(text(row, "inheritance_share")) for row in rows(facts.items, _GROUP)]
        if not shares or None in shares or sum(each for each in shares if each is not None) == whole:
            return ()
        return (f"/items/{_GROUP}",)

    return check


def _count(procedure: Procedure, *, least: int) -> Check | None:
    if _GROUP not in procedure.groups:
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        return (f"/items/{_GROUP}",) if 0 < len(rows(facts.items, _GROUP)) < least else ()

    return check


def _representative(procedure: Procedure) -> Check | None:
    if _GROUP not in procedure.groups:
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        name = alike(text(facts.items, "representative_name"))
        names = {alike(text(row, "heir_name")) for row in rows(facts.items, _GROUP)} - {""}
        return ("/items/representative_name",) if name and names and name not in names else ()

    return check


def _differs(procedure: Procedure, *, items: tuple[str, ...]) -> Check | None:
    """What is said of the representative is what is said of the heir of that name."""
    if _GROUP not in procedure.groups:
        return None

    def check(facts: Facts) -> list[str]:
        name = alike(text(facts.items, "representative_name"))
        same = [row for row in rows(facts.items, _GROUP) if name and alike(text(row, "heir_name")) == name]
        if len(same) != 1:
            return []
        return [
            f"/items/representative_{item}"
            for item in items
            if (said := alike(text(facts.items, f"representative_{item}")))
            and (other := alike(text(same[0], f"heir_{item}")))
            and _plain(said, item) != _plain(other, item)
        ]

    return check


def _plain(said: str, item: str) -> str:
    """A telephone number is the same with and without its separators."""
    return re.sub(r"[^0-9+]", "", said) if item == "phone" else said


def _decedent(procedure: Procedure) -> Check | None:
    if _GROUP not in procedure.groups:
        return None

    def check(facts: Facts) -> list[str]:
        name = alike(text(facts.items, "decedent_name"))
        if not name:
            return []
        found = [
            f"/items/{_GROUP}/{position}/heir_name"
            for position, row in enumerate(rows(facts.items, _GROUP))
            if alike(text(row, "heir_name")) == name
        ]
        if alike(text(facts.items, "representative_name")) == name:
            found.append("/items/representative_name")
        return found

    return check


def _signed(procedure: Procedure, *, least: int) -> Check | None:
    if _GROUP not in procedure.groups:
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        submission = facts.submission
        several = sum(given(row, "heir_name") for row in rows(facts.items, _GROUP)) >= least
        return (f"/items/{_GROUP}",) if several and not submission.attachments else ()

    return check


RULES: Final = (
    Rule(
        "heirs.count",
        "地方税法第9条の2第1項（相続人が二人以上あるとき）",
        Severity.ASK,
        "A representative is designated among two heirs or more; fewer are listed.",
        "代表者の指定は相続人が二人以上のときの届出ですが、記載が二人未満です。",
        _count,
        {"least": 2},
    ),
    Rule(
        "heirs.representative-not-listed",
        "地方税法第9条の2第1項（相続人のうちから代表者を指定）、同施行令第2条第2項",
        Severity.CORRECT,
        "The representative is none of the heirs that are listed.",
        "相続人代表者が、相続人の行にありません。",
        _representative,
    ),
    Rule(
        "heirs.representative-differs",
        "地方税法施行令第2条第2項",
        Severity.NOTE,
        "The representative's kana, address or telephone is not that of the heir of the same name.",
        "相続人代表者のカナ、住所又は電話番号が、同じ氏名の相続人の行と一致しません。",
        _differs,
        {"items": ("name_kana", "address", "phone")},
    ),
    Rule(
        "heirs.decedent-listed",
        "地方税法第9条（相続による納税義務の承継）",
        Severity.CORRECT,
        "The person who died is listed as an heir or as their representative.",
        "被相続人と同じ氏名が、相続人又は代表者として記載されています。",
        _decedent,
    ),
    Rule(
        "heirs.share-unreadable",
        f"{_DECREE}（相続分）",
        Severity.ASK,
        "The share is no fraction between 0 and 1.",
        "相続分が0から1までの分数として読み取れません。",
        _unreadable,
        {"most": 1},
    ),
    Rule(
        "heirs.shares-sum",
        f"{_DECREE}、民法第900条から第902条まで",
        Severity.CORRECT,
        "The shares of the heirs do not sum to 1.",
        "相続分の合計が1になりません。",
        _sum,
        {"whole": 1},
    ),
    Rule(
        "heirs.joint-signature",
        "地方税法施行令第2条第2項（連署）",
        Severity.NOTE,
        "Two heirs or more, and no attachment that could carry their joint signature.",
        "相続人が二人以上ですが、連署を示す添付ファイルがありません。",
        _signed,
        {"least": 2},
    ),
)
