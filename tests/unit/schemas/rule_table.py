"""The cases of numbers, dates, years and amounts."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.rules.filing import RULES as FILING
from schemas.rules.numbers import CORPORATIONS, ZEROS
from tests.unit.schemas.rule_cases import (
    ABSENT,
    ADVANCE,
    CORPORATE,
    CORPORATION,
    ENTRUST,
    HEIR,
    HEIRS,
    LEVY,
    MISSING,
    NUMBER,
    OFFER,
    OWED,
    PAID,
    PAYER,
    PLEDGE,
    PROVED,
    REFUND,
    RELEASE,
    REPORT,
    SALE,
    SECURITY,
    SEIZED,
    SOLD,
    SUBROGATE,
    TOBACCO,
    UNKNOWN,
    VEHICLE,
    Case,
    I,
    at,
    found,
    near,
    row,
)

MY = "secondary_taxpayer_my_number"
HIS = "secondary_taxpayer_corporate_number"
WIDE = NUMBER.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
PARTED = f"{NUMBER[:4]}-{NUMBER[4:8]}-{NUMBER[8:]}"


def header() -> Iterator[Case]:
    """Tenant, time, tax item, links, receipt number."""
    yield from found("header.tenant", REFUND, at({}, "/tenant", "131042", "13104", "１３１０４１"), "/tenant")
    yield from found("header.tenant", TOBACCO, at({}, "/tenant", "131042"), "/tenant")
    yield from near("header.tenant", REFUND, at({}, "/tenant", "999997", "011002"))
    yield from found("header.time", TOBACCO, at({}, "/accepted_at", "2025-12-01T25:00:00+09:00", ""), "/accepted_at")
    yield from near("header.time", TOBACCO, at({}, "/accepted_at", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"))
    yield from tax_items()
    yield from found("header.itself", TOBACCO, at({"/receipt_number": "R1"}, "/replaces", "R1"), "/replaces")
    yield from found("header.itself", REFUND, at({"/receipt_number": "R1"}, "/withdraws", "R1"), "/withdraws")
    yield from near("header.itself", TOBACCO, at({"/receipt_number": "R1"}, "/replaces", "R2", "r1", None))
    receipts = {"/receipt_number": "R1"}
    yield from found("header.receipt-number", ADVANCE, at(receipts, "receipt_number", "R2"), "receipt_number")
    yield from near("header.receipt-number", ADVANCE, at(receipts, "receipt_number", "R1", " R1 ", "", ABSENT))
    yield from found("header.head-title", ADVANCE, at({}, "destination_head_title", "テスト区役所", "長官"), *TITLE)
    yield from near(
        "header.head-title", ADVANCE, at({}, "destination_head_title", "テスト区長", "見本市長　殿", "町長様", "")
    )


TITLE = ("destination_head_title",)


def tax_items() -> Iterator[Case]:
    """The procedure's own tax, and the taxes that the levies name."""
    allowed, words = (rule.parameters for rule in FILING if rule.id in ("header.tax-item", "header.tax-item-differs"))
    for each in allowed["allowed"]:
        slug, own = each.split()
        other = "bathing-tax" if own != "bathing-tax" else "tobacco-tax"
        yield from found("header.tax-item", slug, {"/tax_item": other}, "/tax_item")
        yield from near("header.tax-item", slug, at({}, "/tax_item", own, None))
    yield from near("header.tax-item", HEIR, at({}, "/tax_item", "resident-tax", "bathing-tax"))
    for each in words["words"]:
        word, own = each.split()
        other = "bathing-tax" if own != "bathing-tax" else "tobacco-tax"
        name = f"見本{word}（架空）" if word.endswith("税") else f"{word}税"
        levy = at({}, "tax_item", name)[0]
        yield from found("header.tax-item-differs", ADVANCE, {**levy, "/tax_item": other}, "/tax_item")
        yield from near("header.tax-item-differs", ADVANCE, {**levy, "/tax_item": own})
        yield from near("levy.tax-not-levied", ADVANCE, levy)
    two = [LEVY, LEVY | {"tax_item": "入湯税", "term": "2期"}]
    yield from near("header.tax-item-differs", PLEDGE, {**PROVED, I + "levies": two, "/tax_item": "bathing-tax"})
    rows = {**PROVED, I + "levies": two, "/tax_item": "tobacco-tax"}
    yield from found("header.tax-item-differs", PLEDGE, rows, "/tax_item")
    unknown = [LEVY, LEVY | {"tax_item": "1", "term": "2期"}]
    yield from near("header.tax-item-differs", PLEDGE, {**PROVED, I + "levies": unknown, "/tax_item": "tobacco-tax"})
    yield from found("levy.tax-not-levied", ADVANCE, at({}, "tax_item", "固定資産税", "自動車税（種別割）"), "tax_item")
    path = "levies/0/tax_item"
    yield from found("levy.tax-not-levied", SUBROGATE, row(PAYER, "levies", tax_item="事業税"), path)
    yield from near("levy.tax-not-levied", ADVANCE, at({}, "tax_item", "1", "軽自動車税（種別割）", "特別区たばこ税"))


def numbers() -> Iterator[Case]:
    """個人番号, 法人番号, 団体コード, user ids."""
    wrong = (NUMBER[:-1] + "7", NUMBER[:-1], NUMBER + "0", WIDE, PARTED, "x")
    yield from found("number.individual", VEHICLE, at(SALE, MY, *wrong), MY)
    yield from found("number.individual", ADVANCE, at(OFFER, "my_number", "123456789012"), "my_number")
    yield from near("number.individual", VEHICLE, at(SALE, MY, NUMBER, "000000000019", "000000000027"))
    yield from found("number.individual-zeros", VEHICLE, at(SALE, MY, ZEROS), MY)
    yield from near("number.individual-zeros", VEHICLE, at(SALE, MY, "000000000019"))
    yield from found(
        "number.corporate", VEHICLE, at({**SALE, I + MY: ABSENT}, HIS, "7000020131042", CORPORATE[1:]), HIS
    )
    yield from near("number.corporate", VEHICLE, at({**SALE, I + MY: ABSENT}, HIS, CORPORATE, "4011001098993"))
    neither, both = {**SALE, I + MY: ABSENT}, {**SALE, I + HIS: CORPORATE}
    yield from found("number.exactly-one", VEHICLE, [neither, both, {**neither, I + MY: " "}], "/items")
    yield from near("number.exactly-one", VEHICLE, {**both, I + MY: ""}, {**neither, "/withdraws": "R0"})
    for kind in ("individual", "個人番号", "個人"):
        yield from found("number.kind", ADVANCE, {**OFFER, **CORPORATION, I + "number_kind": kind}, "number_kind")
        yield from near("number.kind", ADVANCE, {**OFFER, I + "number_kind": kind})
    for kind in ("corporate", "法人番号", "法人"):
        yield from found("number.kind", ADVANCE, {**OFFER, I + "number_kind": kind}, "number_kind")
        yield from near("number.kind", ADVANCE, {**OFFER, **CORPORATION, I + "number_kind": kind})
    yield from near("number.kind", ADVANCE, at(OFFER, "number_kind", "1", "", ABSENT))
    rule = "number.individual-for-corporation"
    for word in CORPORATIONS:
        yield from found(
            rule, ADVANCE, at(OFFER, "taxpayer_name_and_representative", f"{word}見本　架空太郎"), "my_number"
        )
    yield from found(rule, VEHICLE, at(SALE, "secondary_taxpayer_name", "株式会社見本商事"), MY)
    yield from near(rule, VEHICLE, at(SALE, "secondary_taxpayer_name", "見本商事", "見本太郎"))
    yield from near(
        rule, VEHICLE, {**SALE, I + MY: ABSENT, I + HIS: CORPORATE, I + "secondary_taxpayer_name": "㈱見本"}
    )
    yield from misplaced()
    code = "destination_lg_code"
    yield from found("number.municipality", ADVANCE, at({}, code, "131042", "13104", "131041 1"), code)
    yield from near("number.municipality", ADVANCE, at({"/tenant": "131041"}, code, "131041", " 131041"))
    yield from found("number.other-tenant", ADVANCE, at({"/tenant": "131041"}, code, "999997"), code)
    yield from near("number.other-tenant", ADVANCE, at({"/tenant": "999997"}, code, "999997"))
    for name in ("user_id", "agent_user_id"):
        yield from found("number.user-id", ADVANCE, at({}, name, "ab12345678", "abc1234567", "abcd2345678"), name)
        yield from near("number.user-id", ADVANCE, at({}, name, "abc12345678", "ABC12345678", "", ABSENT))
    agent = {I + "user_id": "abc12345678"}
    yield from found("number.agent-is-filer", ADVANCE, at(agent, "agent_user_id", "abc12345678"), "agent_user_id")
    yield from near("number.agent-is-filer", ADVANCE, at(agent, "agent_user_id", "abc12345679", "", ABSENT))


def misplaced() -> Iterator[Case]:
    """A 個人番号 where none belongs, and what only looks like one."""
    for way in (NUMBER, WIDE, PARTED, f"番号は{NUMBER}です", f"見本\n{PARTED}", f"12345678 {NUMBER}"):
        yield from found("number.misplaced", REFUND, at({}, "loss_reason", way), "loss_reason")
    yield from found("number.misplaced", HEIR, row(HEIRS, "heirs", relationship_to_decedent=NUMBER), *RELATION)
    other = (NUMBER[:-1] + "7", NUMBER[:-1], NUMBER + "0", "+" + NUMBER, "1234-5678-9018-1", "1234 5678 901")
    yield from near("number.misplaced", REFUND, at({}, "loss_reason", *other))
    for name in ("taxpayer_id", "agent_taxpayer_id", "form_id", "procedure_id", "destination_tax_office_code"):
        yield from near("number.misplaced", ADVANCE, at({}, name, NUMBER))
    yield from near("number.misplaced", ADVANCE, {"/receipt_number": NUMBER, I + "receipt_number": NUMBER})
    yield from near("number.misplaced", ENTRUST, row(PAID, "levies", tax_notice_number=NUMBER))
    yield from near("number.misplaced", ENTRUST, row(PAID, "securities", security_kind_and_number=f"小切手 {NUMBER}"))
    yield from near("number.misplaced", REPORT, row(SOLD, "vehicles", chassis_number=NUMBER))


RELATION = ("heirs/0/relationship_to_decedent",)


def contact() -> Iterator[Case]:
    """Telephone and postal code."""
    wrong = (
        "00-0000-123",
        "090-1234-56789",
        "110",
        "1234567890",
        "03-0000-1234 内線5",
        "なし",
        "00-0000-1234/00-0000-5678",
    )
    yield from found("contact.phone", REFUND, at({}, "applicant_phone", *wrong), "applicant_phone")
    right = (
        "00-0000-1234",
        "090-0000-1234",
        "０３（００００）１２３４",
        "+81 90-0000-1234",
        "+81-0900000-1234",
        "",
        ABSENT,
    )
    yield from near("contact.phone", REFUND, at({}, "applicant_phone", *right))
    code = "offeror_postal_code"
    yield from found("contact.postal-code", ADVANCE, at({}, code, "999-123", "9991-234", "99912345", "見本"), code)
    yield from near(
        "contact.postal-code", ADVANCE, at({}, code, "999-1234", "９９９－１２３４", "〒9991234", "", ABSENT)
    )


def days() -> Iterator[Case]:
    """Days in two calendars, and their order."""
    wrong = ("2025-02-29", "令和元年4月30日", "平成31年5月1日", "昭和64年1月8日", "令和0年5月1日", "きのう")
    yield from found("date.unreadable", RELEASE, at(SEIZED, "grace_granted_on", *wrong), "grace_granted_on")
    unreadable = row(SEIZED, "seized_properties", seized_on="R6.2.30")
    yield from found("date.unreadable", RELEASE, unreadable, "seized_properties/0/seized_on")
    right = ("2024-02-29", "令和元年5月1日", "平成31年4月30日", "Ｒ７．５．１")
    first = row(SEIZED, "seized_properties", seized_on="昭和64年1月7日")
    yield from near("date.unreadable", RELEASE, at(first, "grace_granted_on", *right))
    yield from found("date.range", HEIR, at(HEIRS, "decedent_died_on", "1899-12-31", "0007-12-01"), "decedent_died_on")
    yield from near("date.range", HEIR, at(HEIRS, "decedent_died_on", "1900-01-01", "明治33年1月1日"))
    late = row(PAID, "securities", security_due_date="2046-01-01")
    late = row(late, "levies", paid_by_security_due_date=ABSENT)
    yield from found("date.range", ENTRUST, late, "securities/0/security_due_date")
    yield from near("date.range", ENTRUST, row(late, "securities", security_due_date="2045-12-31"))
    filed = {"/accepted_at": "2025-12-01T14:59:59Z"}  # still December 1 in Japan
    rule = "order.filed-after-acceptance"
    yield from found(rule, REFUND, at(filed, "submitted_on", "2025-12-02", "R7.12.2"), "submitted_on")
    yield from near(rule, REFUND, at(filed, "submitted_on", "2025-12-01"))
    yield from near(rule, REFUND, at({"/accepted_at": "2025-12-01T15:00:00Z"}, "submitted_on", "2025-12-02"))
    offered = {**OFFER, I + "offered_on": "2025-12-02"}
    yield from found(rule, ADVANCE, offered, "offered_on")
    yield from orders()
    received = "order.received-on-another-day"
    yield from found(received, ADVANCE, at(OFFER, "received_on", "2025-11-30", "2025-12-02"), "received_on")
    yield from near(received, ADVANCE, at(OFFER, "received_on", "2025-12-01", "R7.12.1", "", ABSENT))


def orders() -> Iterator[Case]:
    """What is before and after."""
    pairs = (
        ("death-after-filing", HEIR, HEIRS, "decedent_died_on", "2025-12-02", "2025-12-01"),
        ("grace-after-filing", RELEASE, SEIZED, "grace_granted_on", "2025-12-02", "2025-12-01"),
        ("registration-after-filing", VEHICLE, SALE, "vehicle_registered_on", "2025-12-02", "2025-12-01"),
        ("registration-before-contract", VEHICLE, SALE, "vehicle_registered_on", "2023-05-31", "2023-06-01"),
        ("last-payment-before-contract", VEHICLE, SALE, "last_payment_date", "2023-05-31", "2023-06-01"),
    )
    for name, slug, base, item, wrong, right in pairs:
        yield from found(f"order.{name}", slug, at(base, item, wrong), item)
        yield from near(f"order.{name}", slug, at(base, item, right))
    later = dict.fromkeys((I + "vehicle_registered_on", I + "last_payment_date", MISSING, UNKNOWN), ABSENT)
    signed = {**SALE, **later, I + "exemption_fiscal_year": 2025, "/withdraws": "R0"}
    yield from found("order.contract-after-filing", VEHICLE, at(signed, "contract_date", "2025-12-02"), "contract_date")
    yield from near("order.contract-after-filing", VEHICLE, at(signed, "contract_date", "2025-12-01"))
    sold = "vehicles/0/vehicle_registered_on"
    rule = "order.registration-after-filing"
    yield from found(rule, REPORT, row(SOLD, "vehicles", vehicle_registered_on="2025-12-02"), sold)
    yield from near(rule, REPORT, row(SOLD, "vehicles", vehicle_registered_on="令和７年１２月１日"))
    seized = "seized_properties/0/seized_on"
    rule = "order.seizure-after-grace"
    yield from found(rule, RELEASE, row(SEIZED, "seized_properties", seized_on="2025-06-02"), seized)
    yield from near(rule, RELEASE, row(SEIZED, "seized_properties", seized_on="2025-06-01"))
    rule, ungraced = "order.seizure-after-filing", {**SEIZED, I + "grace_granted_on": ABSENT, "/withdraws": "R0"}
    yield from found(rule, RELEASE, row(ungraced, "seized_properties", seized_on="2025-12-02"), seized)
    yield from near(rule, RELEASE, row(ungraced, "seized_properties", seized_on="2025-12-01"))
    rule, due = "order.security-due-before-filing", row(PAID, "levies", paid_by_security_due_date=ABSENT)
    path = "securities/0/security_due_date"
    yield from found(rule, ENTRUST, row(due, "securities", security_due_date="2025-11-30"), path)
    yield from near(rule, ENTRUST, row(due, "securities", security_due_date="2025-12-01"))


def years() -> Iterator[Case]:
    """年度 and 期別."""
    past = {**PROVED, I + "levies": [LEVY | {"due_date": "1950-06-30"}]}
    past = row(past, "levies", due_date=ABSENT) | {"/withdraws": "R0"}
    yield from found("year.not-western", PLEDGE, [row(past, "levies", fiscal_year=each) for each in (7, 1949)], YEAR)
    yield from near("year.not-western", PLEDGE, row(past, "levies", fiscal_year=1950))
    yield from found("year.future", PLEDGE, row(past, "levies", fiscal_year=2026), YEAR)
    yield from near("year.future", PLEDGE, row(past, "levies", fiscal_year=2025))
    march = {**past, "/accepted_at": "2026-03-31T14:59:59Z"}
    yield from found("year.future", PLEDGE, row(march, "levies", fiscal_year=2026), YEAR)
    april = {**past, "/accepted_at": "2026-03-31T15:00:00Z"}
    yield from near("year.future", PLEDGE, row(april, "levies", fiscal_year=2026))
    yield from found("year.future", ADVANCE, at(OFFER, "fiscal_year", 2027), "fiscal_year")
    yield from near("year.future", ADVANCE, at(OFFER, "fiscal_year", 2026))
    text, owed = "levies/0/fiscal_year_and_term", row(PAID, "levies", due_date=ABSENT)
    future = row(owed, "levies", fiscal_year_and_term="令和８年度　第１期")
    yield from found("year.future", ENTRUST, future, text)
    for wrong in ("平成32年度1期", "昭和64年度 全期", "令和0年度 1期", "第1期", "見本", "7年度1期"):
        yield from found("year.unreadable", ENTRUST, row(owed, "levies", fiscal_year_and_term=wrong), text)
    for right in ("平成31年度1期", "令和元年度 全期", "Ｒ７　１期", "2025年度第4期", "昭和63年度分随時", "R7/12月"):
        yield from near("year.unreadable", ENTRUST, row(owed, "levies", fiscal_year_and_term=right))
    for wrong in ("令和6年度 第13期", "令和6年度 13月", "令和6年度", "令和6年度 見本"):
        yield from found("year.term-unknown", ENTRUST, row(owed, "levies", fiscal_year_and_term=wrong), text)
    for right in ("令和6年度 第12期", "令和6年度 12月", "令和6年度 過年度随時"):
        yield from near("year.term-unknown", ENTRUST, row(owed, "levies", fiscal_year_and_term=right))
    for wrong in ("第13期", "13月", "見本", "0期"):
        yield from found("term.unknown", PLEDGE, row(PROVED, "levies", term=wrong), "levies/0/term")
    for right in ("1", "第４期", "四期", "12期", "12月分", "全期", "随時", "過年度随時", "随時2期", ""):
        yield from near("term.unknown", PLEDGE, row(PROVED, "levies", term=right))
    rule, due = "year.due-before-year", "levies/0/due_date"
    yield from found(rule, PLEDGE, row(PROVED, "levies", due_date="令和6年3月31日"), due)
    yield from near(rule, PLEDGE, row(PROVED, "levies", due_date="2024-04-01"))
    yield from found(rule, ENTRUST, row(PAID, "levies", due_date="2024-03-31"), due)
    rule = "year.due-long-after-year"
    yield from found(rule, SUBROGATE, row(PAYER, "levies", due_date="2032-04-01"), due)
    yield from near(rule, SUBROGATE, row(PAYER, "levies", due_date="2032-03-31"))
    rule, year = "year.exemption-before-contract", "exemption_fiscal_year"
    yield from found(rule, VEHICLE, at(SALE, year, 2022), year)
    yield from near(rule, VEHICLE, at(SALE, year, 2023))
    march = {**SALE, I + "contract_date": "2023-03-31"}
    yield from near(rule, VEHICLE, at(march, year, 2022))
    rule = "year.advance-over"
    yield from found(rule, ADVANCE, at(OFFER, "payment_date", "2026-04-01"), "payment_date")
    yield from near(rule, ADVANCE, at(OFFER, "payment_date", "2026-03-31"))


YEAR = "levies/0/fiscal_year"


def amounts() -> Iterator[Case]:
    """Yen."""
    demand, empty = "levies/0/demand_fee", {**PROVED}
    yield from found("amount.negative", PLEDGE, row(empty, "levies", demand_fee=-1), demand)
    yield from near("amount.negative", PLEDGE, row(empty, "levies", demand_fee=0))
    yield from found("amount.instalments", VEHICLE, at(SALE, "installment_count", 0, -1), "installment_count")
    yield from near("amount.instalments", VEHICLE, at(SALE, "installment_count", 1))
    yield from found("amount.advance-zero", ADVANCE, at(OFFER, "advance_payment_amount", 0), "advance_payment_amount")
    yield from near("amount.advance-zero", ADVANCE, at(OFFER, "advance_payment_amount", 1))
    yield from found("amount.total", ENTRUST, at(PAID, "total", 1_001, 999), "total")
    sums = ({"delinquency_charge": 7}, {"disposition_cost": 7}, {"tax_amount": 1_007})
    for each in sums:
        yield from near("amount.total", ENTRUST, {**row(PAID, "levies", **each), I + "total": 1_007})
        yield from found("amount.total", ENTRUST, row(PAID, "levies", **each), "total")
    two = {**PAID, I + "levies": [OWED, OWED | {"tax_item": "入湯税"}], I + "total": 2_000}
    yield from near("amount.total", ENTRUST, two)
    rule = "amount.face-over-levies"
    yield from found(rule, ENTRUST, row(PAID, "securities", face_amount=1_001), "securities")
    more = [SECURITY, SECURITY | {"security_kind_and_number": "小切手1", "face_amount": 1}]
    yield from found(rule, ENTRUST, {**PAID, I + "securities": more}, "securities")
    for each in sums:
        paid = {**row(PAID, "levies", **each), I + "total": 1_007}
        yield from near(rule, ENTRUST, row(paid, "securities", face_amount=1_007))
    limits = (
        ("amount.uncollectible-over-price", "uncollectible_price", 2_000_000),
        ("amount.exemption-over-uncollectible", "exemption_tax_amount", 1_000_000),
    )
    for rule, item, most in limits:
        yield from found(rule, VEHICLE, at(SALE, item, most + 1), item)
        yield from near(rule, VEHICLE, at(SALE, item, most))
    yield from found("amount.nothing-due", PLEDGE, row(PROVED, "levies", tax_amount=0), "levies/0")
    for name in ("additional_charge", "delinquency_charge", "demand_fee", "disposition_cost"):
        yield from near("amount.nothing-due", PLEDGE, row(PROVED, "levies", tax_amount=0, **{name: 1}))
    yield from near("amount.nothing-due", PLEDGE, row(PROVED, "levies", tax_amount=1))


def cases() -> Iterator[Case]:
    """Yield them all."""
    for each in (header, numbers, contact, days, years, amounts):
        yield from each()
