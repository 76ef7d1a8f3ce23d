"""The items of one artificial filing, such that they fit each other: no rule finds anything in them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from schemas import artificial
from schemas.artificial import People, written
from schemas.catalogue import Item, ItemType, Procedure
from schemas.fiscal_years import first_day, fiscal_year
from schemas.rules.expected import EXPECTED

_TERMS: Final = ("第1期", "2期", "第３期", "全期", "随時", "5月", "過年度随時")
_REMARKS: Final = ("特になし", "添付のとおり", "電話連絡を希望します\n（午前中）", "①㈱ほか～－", "")
_PRESENT: Final = 0.93
"""how often an item that nobody needs is filled in"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the items of a filing have to fit: `filed` and `accepted` are days in Japan."""

    rng: random.Random
    people: People
    tenant: str
    receipt_number: str
    accepted: date
    filed: date
    individual: bool

    def before(self, least: int, most: int, day: date | None = None) -> date:
        """Return a day `least` to `most` days before the filing, or before another day."""
        return (day or self.filed) - timedelta(days=self.rng.randint(least, most))


Row = dict[str, Any]


def items(
    rng: random.Random, procedure: Procedure, tenant: str, receipt_number: str, accepted: date, most_rows: int = 4
) -> Row:
    """Return the items of a form, the optional ones now and then left out."""
    setting = Setting(
        rng, People(rng), tenant, receipt_number, accepted, accepted - timedelta(days=rng.choice((0, 0, 1, 3, 20))),
        individual=rng.random() < 0.7,
    )  # fmt: skip
    form: Row = {}
    for item in procedure.items:
        if item.group is None:
            form[item.name] = _plain(setting, item)
        else:
            form.setdefault(item.group, None)
    for group in procedure.groups:
        inside = [item for item in procedure.items if item.group == group]
        count = rng.randrange(2 if group == "heirs" else 1, most_rows + 1)
        form[group] = [{item.name: _plain(setting, item) for item in inside} for _ in range(count)]
    _FITS[procedure.slug](setting, form)
    needed = frozenset({*EXPECTED[procedure.slug], "legitimate_interest_proof"})
    _thin(rng, form, needed)
    for group in procedure.groups:
        for row in form[group]:
            _thin(rng, row, needed)
    if "total" in form:
        form["total"] = _owed(form["levies"])
    return form


def _thin(rng: random.Random, row: Row, needed: frozenset[str]) -> None:
    for name in list(row):
        if row[name] is None:
            del row[name]
        elif name not in needed and "my_number" not in name and "corporate_number" not in name:
            if isinstance(row[name], list) or rng.random() < _PRESENT:
                continue
            del row[name]


def _plain(setting: Setting, item: Item) -> str | int | None:
    """A value that fits the type; what has to fit more is set afterwards."""
    rng = setting.rng
    named = _BY_NAME.get(item.name)
    if named is not None:
        return named(setting)
    match item.type:
        case ItemType.DATE:
            return written(rng, setting.before(0, 1_500))
        case ItemType.MY_NUMBER:
            return artificial.my_number(rng) if setting.individual else None
        case ItemType.CORPORATE_NUMBER:
            return None if setting.individual else artificial.corporate_number(rng)
        case ItemType.ADDRESS:
            return artificial.address(rng)
        case ItemType.PHONE:
            return artificial.phone(rng)
        case ItemType.POSTAL_CODE:
            return artificial.postal_code(rng)
        case ItemType.KANA:
            return setting.people.person()[1]
        case ItemType.YEN:
            return rng.randrange(0, 5_000_000)
        case ItemType.INTEGER:
            return rng.randrange(1, 61)
        case ItemType.ENUM:
            return rng.choice(("1", "2"))
        case ItemType.STRING:
            return setting.people.anyone() if item.name.endswith("_name") else f"見本{rng.randrange(1_000)}"


def _choice(*values: str) -> Callable[[Setting], str]:
    return lambda setting: setting.rng.choice(values)


def _numbered(form: str, digits: int) -> Callable[[Setting], str]:
    return lambda setting: form.format(f"{setting.rng.randrange(10**digits):0{digits}d}")


def _circumstances(setting: Setting) -> str:
    return "。架空の経過です。" + "例示" * setting.rng.randrange(40)


_BY_NAME: Final[Mapping[str, Callable[[Setting], str]]] = {
    "submitted_on": lambda setting: written(setting.rng, setting.filed),
    "offered_on": lambda setting: written(setting.rng, setting.filed),
    "received_on": lambda setting: written(setting.rng, setting.accepted),
    "remarks": _choice(*_REMARKS),
    "summary": _choice(*_REMARKS),
    "loss_reason": _choice("架空の契約が無効となったため", "例示の取引が取り消されたため"),
    "advance_payment_reason": _choice("海外へ転出する予定（架空）のため", "見本"),
    "receipt_number": lambda setting: setting.receipt_number,
    "destination_lg_code": lambda setting: setting.tenant,
    "destination_head_title": _choice("テスト区長", "テスト区長　殿"),
    "destination_tax_office_code": _numbered("{}", 3),
    "form_id": _numbered("TST{}", 4),
    "procedure_id": _numbered("TEST{}", 4),
    "user_id": _numbered("tst0{}", 7),
    "agent_user_id": _numbered("tst1{}", 7),
    "taxpayer_id": _numbered("TEST-{}", 8),
    "agent_taxpayer_id": _numbered("TEST-{}", 8),
    "tax_notice_number": _numbered("TEST-{}", 8),
    "vehicle_registration_number": _numbered("テスト区 い {}", 4),
    "vehicle_make_and_model": _choice("架空自動車　TST-100", "見本モーター／M1"),
    "chassis_number": _numbered("TST100-{}", 7),
    "payment_method": _choice("割賦", "口座振替", "現金"),
    "relationship_to_decedent": _choice("配偶者", "長男", "長女", "子", "孫"),
    "seized_property_name": _choice("土地（見本）", "普通預金", "軽自動車"),
    "seized_property_quantity": _choice("1筆", "２台", "1 口座", "一式"),
    "security_kind_and_number": _numbered("約束手形　TS{}", 6),
    "payment_place": _choice("見本銀行テスト支店", "架空信用組合本店"),
    "mortgage_description": _choice("テスト区見本町1番の土地、順位1番の抵当権（架空）"),
    "legitimate_interest_proof": _choice("後順位抵当権者（登記事項証明書のとおり）", "物上保証人（見本）"),
    "tax_item": _choice("特別区民税", "軽自動車税", "たばこ税", "入湯税"),
    "term": _choice(*_TERMS),
}


def _heirs(setting: Setting, form: Row) -> None:
    rows = form["heirs"]
    for row in rows:
        row["heir_name"], row["heir_name_kana"] = setting.people.person()
    if len(rows) > 1 and setting.rng.random() < 0.5:
        shares = ["1/2", *[f"1/{2 * (len(rows) - 1)}"] * (len(rows) - 1)]
    else:
        shares = [f"1/{len(rows)}"] * len(rows)
    for row, share in zip(rows, shares, strict=True):
        row["inheritance_share"] = setting.rng.choice((share, share, "{1}分の{0}".format(*share.split("/"))))
    chosen = setting.rng.choice(rows)
    for item in ("name", "name_kana", "address", "phone"):
        form[f"representative_{item}"] = chosen[f"heir_{item}"]
    form["decedent_name"], form["decedent_name_kana"] = setting.people.person()
    form["decedent_died_on"] = written(setting.rng, setting.before(5, 400))


def _exemption(setting: Setting, form: Row) -> None:
    rng = setting.rng
    contract = setting.before(800, 2_500)
    missing = setting.before(30, 300)
    form["contract_date"] = written(rng, contract)
    form["vehicle_registered_on"] = written(rng, contract + timedelta(days=rng.randrange(30)))
    form["last_payment_date"] = written(rng, contract + timedelta(days=rng.randrange(400, 2_000)))
    form["exemption_fiscal_year"] = rng.randint(fiscal_year(contract), fiscal_year(setting.filed))
    price = rng.randrange(400_000, 5_000_000)
    form["sale_price"] = price
    form["uncollectible_price"] = rng.randrange(100_000, price)
    form["exemption_tax_amount"] = rng.randrange(1, 1_000) * 100
    name = "vehicle_missing_since_and_circumstances"
    form[name] = f"{_long(missing)}ごろから車両の所在が不明" + _circumstances(setting)
    name = "buyer_address_unknown_since_and_circumstances"
    form[name] = f"{_long(setting.before(1, 29))}　買主が転居先不明" + _circumstances(setting)
    if not setting.individual:
        form["secondary_taxpayer_name"] = setting.people.company()[0]
    else:
        form["secondary_taxpayer_name"] = setting.people.person()[0]


def _long(day: date) -> str:
    era, _, year = artificial.era_year(day)
    return f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日"


def _levies(setting: Setting, form: Row) -> None:
    """Each row a term of its own, due in its fiscal year."""
    rng = setting.rng
    terms = rng.sample(_TERMS, len(form["levies"])) if len(form["levies"]) <= len(_TERMS) else None
    for number, row in enumerate(form["levies"]):
        year = fiscal_year(setting.filed) - (rng.randrange(5) if terms else number // 12)
        row["term"] = terms[number] if terms else f"{number % 12 + 1}月"
        row["fiscal_year"] = year
        row["due_date"] = written(rng, first_day(year) + timedelta(days=rng.randrange(30, 330)))
        row["tax_amount"] = rng.randrange(1, 5_000) * 100


def _seizure(setting: Setting, form: Row) -> None:
    grace = setting.before(1, 300)
    form["grace_granted_on"] = written(setting.rng, grace)
    for number, row in enumerate(form["seized_properties"]):
        row["seized_property_location"] += f"の{number + 1}"
        row["seized_on"] = written(setting.rng, setting.before(0, 400, grace))


def _entrustment(setting: Setting, form: Row) -> None:
    rng = setting.rng
    due = []
    for number, row in enumerate(form["securities"]):
        due.append(setting.before(-150, -1))
        row["security_kind_and_number"] += f"-{number + 1}"
        row["security_due_date"] = written(rng, due[-1])
    for number, row in enumerate(form["levies"]):
        year = fiscal_year(setting.filed) - rng.randrange(5)
        row["fiscal_year_and_term"] = artificial.written_year(rng, year) + f" {rng.choice(_TERMS)}"
        row["tax_notice_number"] += f"-{number + 1}"
        row["due_date"] = written(rng, first_day(year) + timedelta(days=rng.randrange(30, 330)))
        row["paid_by_security_due_date"] = written(rng, rng.choice(due))
        row["tax_amount"] = rng.randrange(50, 5_000) * 100
    least = sum(row["tax_amount"] for row in form["levies"])
    for row in form["securities"]:
        row["face_amount"] = least // len(form["securities"])


def _owed(levies: list[Row]) -> int:
    names = ("tax_amount", "delinquency_charge", "disposition_cost")
    return sum(int(row.get(name) or 0) for row in levies for name in names)


def _advance(setting: Setting, form: Row) -> None:
    rng, people = setting.rng, setting.people
    payment = setting.before(-30, 30)
    form["payment_date"] = written(rng, payment)
    form["fiscal_year"] = fiscal_year(payment)
    form["advance_payment_amount"] = rng.randrange(1, 1_000_000)
    form["number_kind"] = "individual" if setting.individual else "corporate"
    form["offeror_name_and_representative"] = people.anyone()
    name, kana = (people.person if setting.individual else people.company)()
    form["taxpayer_name_and_representative"], form["taxpayer_name_and_representative_kana"] = name, kana


def _as_it_is(setting: Setting, form: Row) -> None:
    """Nothing in this form depends on anything else."""


def _report(setting: Setting, form: Row) -> None:
    form["seller_name_and_representative"] = setting.people.company()[0]
    for number, row in enumerate(form["vehicles"]):
        row["chassis_number"] += f"-{number + 1}"
        row["vehicle_registration_number"] = f"テスト 580 あ {number // 100 + 10}-{number % 100:02d}"


_FITS: Final[Mapping[str, Callable[[Setting, Row], None]]] = {
    "heir-representative-designation": _heirs,
    "vehicle-tax-secondary-liability-exemption": _exemption,
    "unregistrable-pledge-priority-proof": _levies,
    "seizure-release-under-grace": _seizure,
    "payment-entrustment-offer": _entrustment,
    "advance-payment-offer": _advance,
    "refund-interest-loss-of-economic-result": _as_it_is,
    "third-party-payment-subrogation": _levies,
    "retained-title-light-vehicle-report": _report,
}
