"""Makes submissions of artificial people, the same for the same seed; nobody in them can be mistaken for real.

Families are called 見本, 架空, 試験; they live in テスト区. Numbers have good check digits, so that they are
treated like real ones; edge characters (髙 﨑 𠮷, variation selectors, private use, half-width kana) are mixed in.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from schemas.catalogue import GENERIC, Item, ItemType, Procedure, procedures
from schemas.numbers import corporate_number_check_digit, my_number_check_digit

_JST: Final = timezone(timedelta(hours=9))
_START: Final = datetime(2025, 12, 1, 9, 30, tzinfo=_JST)
_FAMILIES: Final = ("見本", "架空", "試験", "例示", "髙見本", "架﨑", "𠮷見本", "辻\U000e0100見本", "見\ue000本")
_GIVEN: Final = ("太郎", "花子", "次郎", "桜", "三郎", "一子")
_FAMILIES_KANA: Final = ("ミホン", "カクウ", "シケン", "レイジ", "ﾐﾎﾝ", "ｶｸｳ")
_GIVEN_KANA: Final = ("タロウ", "ハナコ", "ジロウ", "サクラ", "サブロウ", "ｲﾁｺ")
_COMPANIES: Final = ("株式会社見本商事", "㈱架空自動車", "見本信用金庫", "合同会社テスト")
_TOWNS: Final = ("テスト区見本町", "テスト区架空", "東京都テスト区試験台", "見本県架空市例示")
_REMARKS: Final = ("特になし", "添付のとおり", "電話連絡を希望します\n（午前中）", "①㈱ほか～－", "")
_CHOICES: Final = {
    "tax_item": ("特別区民税", "軽自動車税", "たばこ税", "入湯税"),
    "number_kind": ("individual", "corporate"),
    "tax_category": ("1", "2"),
}
_SHARES: Final = ("1", "1/2", "1/4", "1/8")


def generate(
    seed: int,
    count: int,
    tenants: Sequence[str],
    *,
    rehearsal: bool = True,
    start: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield `count` documents over all procedures and tenants in turn, in the JSON form of the input.

    Receipt numbers are unique within a seed. `start` is the first acceptance time (aware).
    """
    rng = random.Random(seed)  # noqa: S311 - artificial data, and it must be repeatable
    catalogue = list(procedures().values())
    new = [each for each in catalogue if each.kind == "new"]
    existing = [each for each in catalogue if each.kind != "new"]
    accepted = start or _START
    for number in range(count):
        tenant = tenants[number % len(tenants)]
        as_attachments = number % 23 == 22
        procedure = (
            existing[number // 11 % len(existing)] if number % 11 == 10 else new[number // len(tenants) % len(new)]
        )
        accepted += timedelta(seconds=rng.randrange(1, 90))
        document: dict[str, Any] = {
            "procedure": procedure.slug,
            "receipt_number": _receipt(tenant, seed, number),
            "tenant": tenant,
            "tax_item": None,
            "accepted_at": accepted.isoformat(),
            "checks": {
                "calculation": rng.choice(("passed", "passed", "passed", "failed", "not_performed")),
                "signature": rng.choice(("passed", "passed", "not_performed")),
            },
            "rehearsal": rehearsal,
        }
        if procedure.record_name != GENERIC and not as_attachments:
            document["items"] = _items(rng, procedure)
        if "items" not in document or rng.random() < 0.15:
            document["attachments"] = [_attachment(rng) for _ in range(rng.randrange(1, 3))]
        if number and rng.random() < 0.02:
            before = range(number % len(tenants), number, len(tenants))  # those of the same tenant
            if before:
                document["replaces"] = _receipt(tenant, seed, rng.choice(before))
        yield document


def _receipt(tenant: str, seed: int, number: int) -> str:
    return f"R7-{tenant[:5]}-{seed % 100_000:05d}{number:07d}"


def _items(rng: random.Random, procedure: Procedure) -> dict[str, Any]:
    individual = rng.random() < 0.7
    items: dict[str, Any] = {}
    rows = {group: rng.randrange(1, 4) for group in procedure.groups}
    for item in procedure.items:
        if item.type is ItemType.MY_NUMBER and not individual:
            continue
        if item.type is ItemType.CORPORATE_NUMBER and individual:
            continue
        if item.group is None:
            if rng.random() < 0.93:
                items[item.name] = "individual" if item.name == "number_kind" and individual else _value(rng, item)
            elif item.type is ItemType.MY_NUMBER or item.type is ItemType.CORPORATE_NUMBER:
                items[item.name] = _value(rng, item)
        else:
            table = items.setdefault(item.group, [{} for _ in range(rows[item.group])])
            for row in table:
                if rng.random() < 0.95:
                    row[item.name] = _value(rng, item)
    return items


def _value(rng: random.Random, item: Item) -> str | int:
    return _MAKERS[item.type](rng, item)


def _string(rng: random.Random, item: Item) -> str:
    if item.name in ("inheritance_share",):
        return rng.choice(_SHARES)
    if item.name.endswith(("_name", "name_and_representative")):
        return rng.choice((_person(rng), _person(rng), rng.choice(_COMPANIES) + "　" + _person(rng)))
    if item.name in ("remarks", "summary", "loss_reason", "advance_payment_reason"):
        return rng.choice(_REMARKS)
    if item.name == "receipt_number":
        return f"TEST-{rng.randrange(10**8):08d}"
    if item.name.endswith("_id"):
        return f"tst{rng.randrange(10**8):08d}"
    if item.name == "destination_lg_code":
        return "999997"
    if item.name.endswith(("circumstances", "description", "proof")):
        return (
            f"令和{rng.randrange(5, 8)}年{rng.randrange(1, 13)}月ごろから。架空の経過です。"
            + "例示" * rng.randrange(40)
        )
    return f"見本{rng.randrange(1_000)}"


def _person(rng: random.Random) -> str:
    return rng.choice(_FAMILIES) + rng.choice(("", "　", " ")) + rng.choice(_GIVEN)


def _kana(rng: random.Random, item: Item) -> str:
    return rng.choice(_FAMILIES_KANA) + rng.choice(("　", " ")) + rng.choice(_GIVEN_KANA)


def _date(rng: random.Random, item: Item) -> str:
    year, month, day = rng.randrange(2020, 2026), rng.randrange(1, 13), rng.randrange(1, 29)
    return rng.choice(
        (
            f"{year:04d}-{month:02d}-{day:02d}",
            f"{year:04d}-{month:02d}-{day:02d}",
            f"令和{year - 2018}年{month}月{day}日",
            f"R{year - 2018}.{month}.{day}",
            "令和元年5月1日",
            "平成31年4月30日",
        )
    )


def _my_number(rng: random.Random, item: Item) -> str:
    first = f"{rng.randrange(10**11):011d}"
    return f"{first}{my_number_check_digit(first)}"


def _corporate_number(rng: random.Random, item: Item) -> str:
    last = f"{rng.randrange(10**12):012d}"
    return f"{corporate_number_check_digit(last)}{last}"


def _address(rng: random.Random, item: Item) -> str:
    return f"{rng.choice(_TOWNS)}{rng.randrange(1, 9)}-{rng.randrange(1, 30)}-{rng.randrange(1, 30)}"


def _phone(rng: random.Random, item: Item) -> str:
    return f"00-0000-{rng.randrange(10_000):04d}"  # no such area code


def _amount(rng: random.Random, item: Item) -> int:
    return rng.randrange(0, 5_000_000)


def _integer(rng: random.Random, item: Item) -> int:
    return rng.randrange(2020, 2027) if "year" in item.name else rng.randrange(1, 61)


def _postal(rng: random.Random, item: Item) -> str:
    return f"999-{rng.randrange(10_000):04d}"


def _enum(rng: random.Random, item: Item) -> str:
    return rng.choice(_CHOICES.get(item.name, ("1", "2", "3")))


_MAKERS: Final[dict[ItemType, Callable[[random.Random, Item], str | int]]] = {
    ItemType.STRING: _string,
    ItemType.KANA: _kana,
    ItemType.DATE: _date,
    ItemType.MY_NUMBER: _my_number,
    ItemType.CORPORATE_NUMBER: _corporate_number,
    ItemType.ADDRESS: _address,
    ItemType.PHONE: _phone,
    ItemType.YEN: _amount,
    ItemType.INTEGER: _integer,
    ItemType.POSTAL_CODE: _postal,
    ItemType.ENUM: _enum,
}


def _attachment(rng: random.Random) -> dict[str, str]:
    content = b"%PDF-1.7 artificial\n" + rng.randbytes(rng.randrange(100, 3_000))
    return {
        "file_name": f"見本{rng.randrange(100)}.pdf",
        "media_type": "application/pdf",
        "content_base64": base64.b64encode(content).decode(),
    }
