"""Values that nobody could take for real: families 見本, 架空, 試験 in テスト区, with good check digits.

Everything is drawn from a `random.Random`, so the same seed gives the same values.
"""

from __future__ import annotations

import random
from datetime import date
from typing import Final

from schemas.dates import ERAS
from schemas.fiscal_years import first_day
from schemas.numbers import corporate_number_check_digit, my_number_check_digit

FAMILIES: Final = (
    ("見本", "ミホン"),
    ("架空", "カクウ"),
    ("試験", "シケン"),
    ("例示", "レイジ"),
    ("髙見本", "タカミホン"),
    ("架﨑", "カサキ"),
)
GIVEN: Final = (
    ("太郎", "タロウ"),
    ("花子", "ハナコ"),
    ("次郎", "ジロウ"),
    ("桜", "サクラ"),
    ("三郎", "サブロウ"),
    ("一子", "イチコ"),
)
COMPANIES: Final = (
    ("株式会社見本商事", "ミホンショウジ"),
    ("㈱架空自動車", "カクウジドウシャ"),
    ("見本信用金庫", "ミホンシンヨウキンコ"),
    ("合同会社テスト", "テスト"),
)
TOWNS: Final = ("テスト区見本町", "テスト区架空", "東京都テスト区試験台", "見本県架空市例示")
_DIGITS: Final = (
    ("〇", "レイ"),
    ("一", "イチ"),
    ("二", "ニ"),
    ("三", "サン"),
    ("四", "ヨン"),
    ("五", "ゴ"),
    ("六", "ロク"),
    ("七", "ナナ"),
    ("八", "ハチ"),
    ("九", "キュウ"),
)
_WIDE: Final = str.maketrans("0123456789", "０１２３４５６７８９")


class People:
    """Deals each artificial person once: nobody stands on both sides of one filing."""

    def __init__(self, rng: random.Random) -> None:
        """A pack of all pairs of family and given name, shuffled."""
        self._rng = rng
        self._pack: list[tuple[tuple[str, str], tuple[str, str]]] = []
        self._packs = 0

    def _shuffled(self) -> None:
        """A new pack; from the second on the given names are numbered (太郎一, タロウイチ)."""
        digits = [int(each) for each in str(self._packs)] if self._packs else []
        number, reading = ("".join(_DIGITS[each][side] for each in digits) for side in (0, 1))
        self._pack = [(family, (name + number, kana + reading)) for family in FAMILIES for name, kana in GIVEN]
        self._rng.shuffle(self._pack)
        self._packs += 1

    def person(self) -> tuple[str, str]:
        """Return a name and its kana."""
        if not self._pack:
            self._shuffled()
        family, given = self._pack.pop()
        between = self._rng.choice(("", "　", " "))
        return family[0] + between + given[0], family[1] + (between or "　") + given[1]

    def company(self) -> tuple[str, str]:
        """Return the name of a corporation with its representative, and its kana."""
        name, kana = self._rng.choice(COMPANIES)
        head, head_kana = self.person()
        return f"{name}　{head}", f"{kana}　{head_kana}"

    def anyone(self) -> str:
        """Return the name of a person, or sometimes of a corporation with its representative."""
        return (self.company if self._rng.random() < 0.3 else self.person)()[0]


def written(rng: random.Random, day: date) -> str:
    """Return a day in one of the ways in which people write it."""
    era, letter, year = era_year(day)
    counted = "元" if year == 1 else str(year)
    long = f"{era}{counted}年{day.month}月{day.day}日"
    return rng.choice(
        (
            day.isoformat(),
            day.isoformat(),
            f"{day.year}/{day.month}/{day.day}",
            f"{day.year}年{day.month}月{day.day}日",
            long,
            long.translate(_WIDE),
            f"{letter}{year}.{day.month}.{day.day}",
        )
    )


def era_year(day: date) -> tuple[str, str, int]:
    """Return era, its letter and the year in it; the newer era where two meet on a day."""
    for era, (letter, first, last) in reversed(ERAS.items()):
        if first <= day <= last:
            return era, letter, day.year - first.year + 1
    raise ValueError("before the first era")


def written_year(rng: random.Random, year: int) -> str:
    """Return a fiscal year as people write it."""
    era, letter, count = era_year(first_day(year))
    counted = "元" if count == 1 else str(count)
    long = f"{era}{counted}年度"
    return rng.choice((long, f"{year}年度", f"{letter}{count}", long.translate(_WIDE)))


def my_number(rng: random.Random) -> str:
    """Return 12 digits with the check digit of a 個人番号."""
    first = f"{rng.randrange(1, 10**11):011d}"
    return f"{first}{my_number_check_digit(first)}"


def corporate_number(rng: random.Random) -> str:
    """Return 13 digits with the check digit of a 法人番号."""
    last = f"{rng.randrange(10**12):012d}"
    return f"{corporate_number_check_digit(last)}{last}"


def address(rng: random.Random) -> str:
    """Return an address in a ward that does not exist."""
    return f"{rng.choice(TOWNS)}{rng.randrange(1, 9)}-{rng.randrange(1, 30)}-{rng.randrange(1, 30)}"


def phone(rng: random.Random) -> str:
    """Return a telephone number without area: there is no such code."""
    number = f"00-0000-{rng.randrange(10_000):04d}"
    return number.translate(_WIDE) if rng.random() < 0.1 else number


def postal_code(rng: random.Random) -> str:
    """Return a postal code of seven digits."""
    return rng.choice(("999-{:04d}", "999{:04d}", "〒999-{:04d}")).format(rng.randrange(10_000))
