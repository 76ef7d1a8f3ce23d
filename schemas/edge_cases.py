"""Submissions at the edge of what may be said: each is let through, and each names what the rules find in it.

Longest fields, most rows, 髙 﨑 𠮷, variation selectors, private use, half-width kana, 元年 and the borders of eras,
empty and absent items, midnight in Japan, the largest yen. Their people are as artificial as the generator's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from schemas.artificial import FAMILIES
from schemas.catalogue import procedures
from schemas.checks import MAX_ROWS, MAX_YEN
from schemas.generator import START, document
from schemas.rules.expected import EXPECTED

Document: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[Document], None]
HEIR: Final = "heir-representative-designation"
VEHICLE: Final = "vehicle-tax-secondary-liability-exemption"
ENTRUST: Final = "payment-entrustment-offer"
ADVANCE: Final = "advance-payment-offer"
REFUND: Final = "refund-interest-loss-of-economic-result"
SUBROGATE: Final = "third-party-payment-subrogation"
REPORT: Final = "retained-title-light-vehicle-report"


@dataclass(frozen=True, slots=True)
class EdgeCase:
    """`change` works on a sound document; `rules` are the ids of what is found afterwards, each once or more."""

    name: str
    procedure: str
    change: Change
    rules: tuple[str, ...] = ()


def edge_cases(
    seed: int, tenants: Sequence[str], *, rehearsal: bool = True, start: datetime | None = None
) -> Iterator[tuple[EdgeCase, Document]]:
    """Yield every edge case for every tenant, the same for the same seed. `start` is the first acceptance time."""
    rng = random.Random(seed)  # noqa: S311 - artificial data, and it must be repeatable
    accepted = start or START
    for tenant in tenants:
        for number, case in enumerate(EDGE_CASES):
            accepted += timedelta(seconds=rng.randrange(1, 90))
            receipt_number = f"R7E-{tenant[:5]}-{seed % 100_000:05d}{number:04d}"
            made = document(rng, procedures()[case.procedure], tenant, receipt_number, accepted, rehearsal)
            case.change(made)
            yield case, made


def _set(**items: Any) -> Change:
    def change(made: Document) -> None:
        made["items"].update(items)

    return change


def _both(*changes: Change) -> Change:
    def change(made: Document) -> None:
        for each in changes:
            each(made)

    return change


def _longest(made: Document) -> None:
    """Every free text, name, address and kana as long as the contract allows."""
    items = {item.name: item for item in procedures()[made["procedure"]].items}
    kept = ("relationship_to_decedent", "inheritance_share", "term")
    for row in (made["items"], *(row for each in made["items"].values() if isinstance(each, list) for row in each)):
        for name in list(row):
            item = items.get(name)
            if item is None or name in kept or item.type.value not in ("string", "address", "kana"):
                continue
            text = str(row[name]) or "見本"
            row[name] = (text + _FILLING[item.type.value] * item.max_length)[: item.max_length]


_FILLING: Final = {"string": "見本", "address": "例示", "kana": "ミホン"}


def _rows(group: str, change: Callable[[Document, int], None]) -> Change:
    """As many rows as the input allows, each like the first and changed."""

    def grown(made: Document) -> None:
        first = made["items"][group][0]
        made["items"][group] = [dict(first) for _ in range(MAX_ROWS)]
        for number, row in enumerate(made["items"][group]):
            change(row, number)

    return grown


def _heir(row: Document, number: int) -> None:
    row["heir_name"] = f"{FAMILIES[number % len(FAMILIES)][0]}　第{number + 1}子"
    row["heir_name_kana"] = f"{FAMILIES[number % len(FAMILIES)][1]}　ダイ{number + 1}シ"
    row["inheritance_share"] = f"1/{MAX_ROWS}"


def _represented(made: Document) -> None:
    """The first heir represents the others."""
    first = made["items"]["heirs"][0]
    for item in ("name", "name_kana", "address", "phone"):
        if f"heir_{item}" in first:
            made["items"][f"representative_{item}"] = first[f"heir_{item}"]
        else:
            made["items"].pop(f"representative_{item}", None)


def _vehicle(row: Document, number: int) -> None:
    row["vehicle_registration_number"] = f"テスト 580 あ {number // 100 + 10}-{number % 100:02d}"
    row["chassis_number"] = f"TST100-{number:07d}"


def _named(name: str) -> Change:
    return _set(applicant_name=name)


def _empty(made: Document) -> None:
    """What nobody needs is there and empty; numbers cannot be, and are left out."""
    procedure = procedures()[made["procedure"]]
    needed = {*EXPECTED[procedure.slug], "secondary_taxpayer_my_number", "secondary_taxpayer_corporate_number"}
    for item in procedure.items:
        rows = [made["items"]] if item.group is None else made["items"][item.group]
        for row in rows:
            if item.name in needed:
                continue
            if item.type.is_number or item.type.value == "date":
                row.pop(item.name, None)
            else:
                row[item.name] = ""


def _fewest(made: Document) -> None:
    """Nothing but what has to be there."""
    needed = {*EXPECTED[made["procedure"]], "my_number", "corporate_number"}
    for row in (made["items"], *(row for each in made["items"].values() if isinstance(each, list) for row in each)):
        for name in [name for name in row if name not in needed]:
            del row[name]


def _levies(**items: Any) -> Change:
    def change(made: Document) -> None:
        first = made["items"]["levies"][0]
        owed = {"tax_amount": 100_000, "delinquency_charge": 0, "disposition_cost": 0, "tax_notice_number": "TEST-1"}
        made["items"]["levies"] = [first | owed | items]
        made["items"]["securities"] = [made["items"]["securities"][0] | {"face_amount": 100_000}]
        made["items"]["levies"][0].pop("paid_by_security_due_date", None)
        made["items"]["total"] = 100_000

    return change


def _sold(contract: str, registered: str, year: int) -> Change:
    dates = {"contract_date": contract, "vehicle_registered_on": registered, "last_payment_date": "2024-01-31"}
    return _set(**dates, exemption_fiscal_year=year)


def _amount(made: Document, amount: int) -> None:
    made["items"] |= {"sale_price": amount, "uncollectible_price": amount, "exemption_tax_amount": amount}


def _linked(key: str) -> Change:
    def change(made: Document) -> None:
        made.pop("replaces", None)
        made[key] = "R7E-99999-000000000"

    return change


def _withdrawn(made: Document) -> None:
    """A withdrawal says what it takes back, and no more."""
    made["items"] = {"loss_reason": "取り下げます（架空）"}


EDGE_CASES: Final = (
    EdgeCase("longest fields, heirs", HEIR, _both(_longest, _represented)),
    EdgeCase("longest fields, refund", REFUND, _longest),
    EdgeCase("longest fields, subrogation", SUBROGATE, _longest),
    EdgeCase("most heirs", HEIR, _both(_rows("heirs", _heir), _represented)),
    EdgeCase("most vehicles", REPORT, _rows("vehicles", _vehicle)),
    EdgeCase("髙", REFUND, _named("髙見本　太郎")),
    EdgeCase("﨑, a compatibility ideograph by its place only", REFUND, _named("架﨑　花子")),
    EdgeCase("compatibility ideographs", REFUND, _named("見本　\ufa19\ufa1e郎")),
    EdgeCase("𠮷, beyond the Basic Multilingual Plane", REFUND, _named("𠮷見本　太郎"), ("text.supplementary",)),
    EdgeCase("variation selector", REFUND, _named("辻\U000e0100見本　桜"), ("text.variation-selector",)),
    EdgeCase("private use, MJ+", REFUND, _named("見\ue000本　一子"), ("text.private-use",)),
    EdgeCase("private use, plane 15", REFUND, _named("見\U000f0000本　次郎"), ("text.private-use",)),
    EdgeCase("a heart", REFUND, _named("見本\u2665太郎"), ("text.outside-list",)),
    EdgeCase("unusable symbol", REFUND, _set(loss_reason="見本☆の契約が無効となったため"), ("text.unusable-symbol",)),
    EdgeCase("half-width kana", HEIR, _set(decedent_name_kana="ﾐﾎﾝ ｶﾞﾝﾊﾞ"), ("text.half-width-kana",)),
    EdgeCase(
        "kana of both widths",
        HEIR,
        _set(decedent_name_kana="ミホン　ﾀﾛｳ"),
        ("text.half-width-kana", "kana.mixed-width"),
    ),
    EdgeCase("kana with combining sound mark", HEIR, _set(decedent_name_kana="カ\u3099ンハ\u3099　ミホン")),
    EdgeCase("enclosed and squared", REFUND, _named("㈱見本①㌔　太郎")),
    EdgeCase("two tildes, two minus signs", REFUND, _set(loss_reason="見本～架空〜例示－試験−一")),
    EdgeCase("lines and tabs", REFUND, _set(loss_reason="見本\r\n架空\t例示\n\n")),
    EdgeCase("first day of 令和", HEIR, _set(decedent_died_on="令和元年5月1日")),
    EdgeCase("last day of 平成", HEIR, _set(decedent_died_on="平成31年4月30日")),
    EdgeCase("first day of 平成", HEIR, _set(decedent_died_on="平成元年１月８日")),
    EdgeCase("last day of 昭和", HEIR, _set(decedent_died_on="昭和64年1月7日")),
    EdgeCase("昭和 began within a day", HEIR, _set(decedent_died_on="昭和元年12月25日")),
    EdgeCase("大正 ended within that day", HEIR, _set(decedent_died_on="T15.12.25")),
    EdgeCase("leap day", HEIR, _set(decedent_died_on="令和6年2月29日")),
    EdgeCase("fiscal year 平成31", ENTRUST, _levies(fiscal_year_and_term="平成31年度第1期", due_date="平成31年4月1日")),
    EdgeCase("fiscal year 令和元", ENTRUST, _levies(fiscal_year_and_term="令和元年度　第４期", due_date="R2.3.31")),
    EdgeCase(
        "fiscal year 平成32",
        ENTRUST,
        _levies(fiscal_year_and_term="平成32年度第1期", due_date="2020-06-30"),
        ("year.unreadable",),
    ),
    EdgeCase("sold on the last day of a fiscal year", VEHICLE, _sold("2020-03-31", "令和2年4月1日", 2019)),
    EdgeCase("empty items", VEHICLE, _empty),
    EdgeCase("empty items in rows", REPORT, _empty),
    EdgeCase("nothing but what is needed", ADVANCE, _fewest),
    EdgeCase("no yen", VEHICLE, lambda made: _amount(made, 0)),
    EdgeCase("most yen", VEHICLE, lambda made: _amount(made, MAX_YEN)),
    EdgeCase("correction", REFUND, _linked("replaces")),
    EdgeCase("withdrawal", REFUND, _both(_withdrawn, _linked("withdraws"))),
    EdgeCase(
        "filed after midnight in Japan, yesterday in UTC",
        REFUND,
        _both(_set(submitted_on="2026-04-01"), lambda made: made.update(accepted_at="2026-03-31T15:00:00Z")),
    ),
    EdgeCase(
        "filed before midnight in Japan for tomorrow",
        REFUND,
        _both(_set(submitted_on="2026-04-01"), lambda made: made.update(accepted_at="2026-03-31T23:59:59.999+09:00")),
        ("order.filed-after-acceptance",),
    ),
)
