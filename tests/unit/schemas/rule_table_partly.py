"""Near misses of filings that are only partly there: a rule that lacks one of the facts it compares says nothing.

They are withdrawals, of which nothing is expected, or attachments alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    ONE,
    OWED,
    PAID,
    PAYER,
    PLEDGE,
    PROVED,
    REFUND,
    RELEASE,
    SALE,
    SECURITY,
    SEIZED,
    SUBROGATE,
    TWO,
    VEHICLE,
    Case,
    I,
    at,
    found,
    near,
    row,
)

BACK = {"/withdraws": "R0"}
TIMELESS = (("/accepted_at", "header.time"),)
FILE = {"file_name": "見本.pdf", "media_type": "application/pdf", "content_base64": "JVBERi0="}
ALONE = {"/items": ABSENT, "/attachments": [FILE]}


def without(base: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**base, **BACK, **{I + name: ABSENT for name in names}}


def timeless(rule: str, slug: str, changes: dict[str, Any], *paths: str) -> Iterator[Case]:
    """The same with a time of acceptance that is none, which is another rule's finding."""
    yield Case(rule, slug, {**changes, "/accepted_at": "x"}, tuple(I + path for path in paths), TIMELESS)


def numbers() -> Iterator[Case]:
    """Neither number, or both."""
    yield from near("number.exactly-one", VEHICLE, ALONE)
    yield from near("number.exactly-one", ADVANCE, ALONE, {**ALONE, "/items": {}})
    both = {**OFFER, I + "my_number": NUMBER, I + "corporate_number": CORPORATE}
    doubled = (("/items", "number.exactly-one"),)
    for kind in ("individual", "corporate"):
        yield Case("number.kind", ADVANCE, {**both, I + "number_kind": kind}, (), doubled)
        yield from near("number.kind", ADVANCE, without({**OFFER, I + "number_kind": kind}, "my_number"))
    yield from near("number.kind", ADVANCE, {**without(OFFER, "my_number"), I + "number_kind": "corporate"})
    blank = {I + "user_id": "", I + "agent_user_id": ""}
    yield from near("number.agent-is-filer", ADVANCE, blank, {**blank, I + "user_id": ABSENT})
    corporation = {**OFFER, **CORPORATION, I + "taxpayer_name_and_representative": "㈱見本　太郎"}
    yield from near("number.individual-for-corporation", ADVANCE, corporation)


def days() -> Iterator[Case]:
    """One of two days."""
    for rule, slug, base, *names in (
        ("order.death-after-filing", HEIR, HEIRS, "decedent_died_on"),
        ("order.registration-before-contract", VEHICLE, SALE, "contract_date"),
        ("order.last-payment-before-contract", VEHICLE, SALE, "last_payment_date"),
        ("order.seizure-after-grace", RELEASE, SEIZED, "grace_granted_on"),
        ("order.received-on-another-day", ADVANCE, OFFER, "received_on"),
    ):
        yield from near(rule, slug, without(base, *names))
    early = {**without(SALE, "contract_date"), I + "vehicle_registered_on": "2001-01-01"}
    yield from near("order.registration-before-contract", VEHICLE, early)
    yield from timeless("date.range", HEIR, {**HEIRS, I + "decedent_died_on": "1899-12-31"}, "decedent_died_on")
    yield from timeless("date.range", REFUND, at({}, "submitted_on", "2099-01-01")[0])
    yield from timeless("order.filed-after-acceptance", REFUND, at({}, "submitted_on", "2099-01-01")[0])
    yield from timeless("order.received-on-another-day", ADVANCE, {**OFFER, I + "received_on": "2020-01-01"})
    unfiled = {**without(SALE, "submitted_on"), MISSING: "令和7年12月2日から所在が不明"}
    yield from found("circumstances.order", VEHICLE, unfiled, MISSING)  # the day of acceptance counts instead
    yield from timeless("circumstances.order", VEHICLE, unfiled)
    early = {**without(SALE, "contract_date"), MISSING: "平成元年1月8日から所在が不明"}
    yield from near("circumstances.order", VEHICLE, early)
    yield from timeless("order.contract-after-filing", VEHICLE, without(SALE, "submitted_on"))


def years() -> Iterator[Case]:
    """A year without a day, a day without a year, no time of acceptance."""
    for rule in ("year.due-before-year", "year.due-long-after-year"):
        for name in ("fiscal_year", "due_date"):
            yield from near(rule, PLEDGE, {**row(PROVED, "levies", **{name: ABSENT}), **BACK})
        yearless = {**row(PAID, "levies", fiscal_year_and_term=ABSENT), **BACK}
        yield from near(rule, ENTRUST, yearless)
    yield from timeless("year.future", PLEDGE, {**row(PROVED, "levies", fiscal_year=2099, due_date=ABSENT), **BACK})
    for name in ("exemption_fiscal_year", "contract_date"):
        yield from near("year.exemption-before-contract", VEHICLE, without(SALE, name))
    for name in ("fiscal_year", "payment_date"):
        yield from near("year.advance-over", ADVANCE, without(OFFER, name))


def amounts() -> Iterator[Case]:
    """An amount without its limit, a total without rows."""
    for name in ("sale_price", "uncollectible_price"):
        yield from near("amount.uncollectible-over-price", VEHICLE, without(SALE, name))
    for name in ("uncollectible_price", "exemption_tax_amount"):
        yield from near("amount.exemption-over-uncollectible", VEHICLE, without(SALE, name))
    yield from near("amount.total", ENTRUST, without(PAID, "total"), {**without(PAID), I + "levies": []})
    yield from near("amount.face-over-levies", ENTRUST, without(PAID, "levies"), without(PAID, "total", "securities"))
    faceless = [SECURITY, SECURITY | {"security_kind_and_number": "小切手2"}]
    del faceless[1]["face_amount"]
    yield from near("amount.face-over-levies", ENTRUST, {**PAID, **BACK, I + "securities": faceless})
    bare = {name: each for name, each in LEVY.items() if name != "tax_amount"}
    yield from near("amount.nothing-due", PLEDGE, {**PROVED, **BACK, I + "levies": [bare]})
    taxless = {name: each for name, each in OWED.items() if name != "tax_amount"} | {"disposition_cost": 1_000}
    yield from near("amount.total", ENTRUST, {**PAID, **BACK, I + "levies": [taxless]})


def groups() -> Iterator[Case]:
    """No row, or rows without what is compared."""
    undated = row(PAID, "securities", security_due_date=ABSENT)
    yield from near("entrustment.no-such-security", ENTRUST, {**undated, **BACK}, without(PAID, "securities"))
    rule = "person.both-sides"
    yield from near(rule, SUBROGATE, without(PAYER, "third_party_name", "taxpayer_name"))
    yield from near(rule, SUBROGATE, {**without(PAYER), I + "third_party_name": "", I + "taxpayer_name": " "})
    yield from near("heirs.count", HEIR, {**without(HEIRS), I + "heirs": []}, without(HEIRS, "heirs"))
    nameless = [{"inheritance_share": "1/2"}, {"inheritance_share": "1/2"}]
    rule = "heirs.representative-not-listed"
    yield from near(rule, HEIR, {**without(HEIRS), I + "heirs": nameless}, without(HEIRS, "representative_name"))
    yield from near(
        "heirs.representative-differs", HEIR, {**without(HEIRS, "representative_name"), I + "heirs": nameless}
    )
    mixed = [{**ONE, "heir_name": ABSENT}, TWO]
    del mixed[0]["heir_name"]
    unnamed = {**without(HEIRS, "representative_name", "decedent_name"), I + "heirs": mixed}
    yield from near("heirs.representative-differs", HEIR, {**unnamed, I + "representative_address": "テスト区例示9-9"})
    yield from near("heirs.decedent-listed", HEIR, unnamed)
    yield from near("heirs.shares-sum", HEIR, {**without(HEIRS), I + "heirs": []}, without(HEIRS, "heirs"))
    for one, two in (
        ("百分の一", "99/100"),
        ("千分の二百五十", "四分の三"),
        ("二十分の十九", "20分の1"),
        ("一分の一", "0"),
    ):
        shares = [ONE | {"inheritance_share": one}, TWO | {"inheritance_share": two}]
        yield from near("heirs.shares-sum", HEIR, {**HEIRS, I + "heirs": shares})


def filings() -> Iterator[Case]:
    """Attachments alone, and a tax that is not named."""
    yield from near("header.tax-item-differs", ADVANCE, {**without(OFFER, "tax_item"), "/tax_item": "bathing-tax"})
    yield from near("header.tax-item-differs", PLEDGE, {**without(PROVED, "levies"), "/tax_item": "bathing-tax"})
    for rule, slug in (
        ("expected.heir-representative", HEIR),
        ("expected.vehicle-tax-exemption", VEHICLE),
        ("expected.pledge-priority", PLEDGE),
        ("expected.seizure-release", RELEASE),
        ("expected.payment-entrustment", ENTRUST),
        ("expected.advance-payment", ADVANCE),
        ("expected.refund-interest", REFUND),
        ("expected.subrogation", SUBROGATE),
    ):
        yield from near(rule, slug, ALONE, {**ALONE, "/items": {}})
    yield from near("expected.legitimate-interest", SUBROGATE, {**ALONE, "/attachments": ABSENT})


def texts() -> Iterator[Case]:
    """One line in a code, and a text too short to name a day."""
    yield from found("text.line-break", ADVANCE, at({}, "tax_item", "軽自動車\n税"), "tax_item")
    yield from found("circumstances.undated", VEHICLE, at(SALE, MISSING, "不明"), MISSING)


def cases() -> Iterator[Case]:
    """Yield them all."""
    for each in (numbers, days, years, amounts, groups, filings, texts):
        yield from each()
