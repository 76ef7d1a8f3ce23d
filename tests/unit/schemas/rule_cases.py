"""For each rule: what breaks it, and what comes as near as can be and does not.

A case changes a sound filing by JSON pointers (ABSENT takes away). It says all findings that there are then: the
paths of its own rule, none for a near miss; any other rule's finding is an error in the case or in a rule.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.catalogue import procedures
from schemas.generator import START, document
from schemas.numbers import my_number_check_digit
from schemas.submission import Submission
from schemas.submission_model import Attachment

ABSENT: Final = object()
HEIR, VEHICLE, PLEDGE = (
    "heir-representative-designation",
    "vehicle-tax-secondary-liability-exemption",
    "unregistrable-pledge-priority-proof",
)
RELEASE, ENTRUST, ADVANCE = "seizure-release-under-grace", "payment-entrustment-offer", "advance-payment-offer"
REFUND, SUBROGATE, REPORT, TOBACCO = (
    "refund-interest-loss-of-economic-result",
    "third-party-payment-subrogation",
    "retained-title-light-vehicle-report",
    "tobacco-tax",
)
NUMBER: Final = "12345678901" + str(my_number_check_digit("12345678901"))
CORPORATE: Final = "7000020131041"
I = "/items/"  # noqa: E741 - every path begins with it
MISSING, UNKNOWN = I + "vehicle_missing_since_and_circumstances", I + "buyer_address_unknown_since_and_circumstances"


@dataclass(frozen=True)
class Case:
    """`paths` are where the rule finds something; none for a near miss."""

    rule: str
    slug: str
    changes: Mapping[str, Any]
    paths: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()
    """(path, rule) of what another rule has to find at the same time"""


def sound(slug: str, seed: int = 1) -> dict[str, Any]:
    """Return a generated document of a procedure in which no rule finds anything."""
    rng = random.Random(seed)
    return document(rng, procedures()[slug], "131041", f"R7-13104-{seed:09d}", START)


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with values set (or taken away) at JSON pointers."""
    made = copy.deepcopy(dict(base))
    for pointer, value in changes.items():
        *parents, last = pointer[1:].split("/")
        at: Any = made
        for each in parents:
            at = at[int(each)] if isinstance(at, list) else at[each]
        if value is ABSENT:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
    return made


def submission(made: Mapping[str, Any]) -> Submission:
    """Return the submission as a portal that checks nothing would seal it."""
    items = made.get("items")
    return Submission(
        procedure=made["procedure"],
        receipt_number=made["receipt_number"],
        tenant=made["tenant"],
        tax_item=made["tax_item"],
        accepted_at=made["accepted_at"],
        calculation_check=made["checks"]["calculation"],
        signature_check=made["checks"]["signature"],
        rehearsal=made["rehearsal"],
        replaces=made.get("replaces"),
        withdraws=made.get("withdraws"),
        items=None
        if items is None
        else {name: tuple(each) if isinstance(each, list) else each for name, each in items.items()},
        attachments=tuple(
            Attachment(each["file_name"], each["media_type"], b"%PDF-") for each in made.get("attachments", ())
        ),
    )


def _heir(name: str, share: str, **more: Any) -> dict[str, Any]:
    return {
        "heir_name": name,
        "heir_address": "テスト区見本町1-2-3",
        "relationship_to_decedent": "子",
        "inheritance_share": share,
    } | more


def _heirs(*rows: dict[str, Any], name: str = "見本太郎") -> dict[str, Any]:
    return TODAY | {
        I + "decedent_name": "見本一郎",
        I + "decedent_died_on": "2025-06-01",
        I + "representative_name": name,
        I + "representative_name_kana": "ミホン　タロウ",
        I + "representative_address": "テスト区見本町1-2-3",
        I + "representative_phone": "00-0000-1234",
        I + "heirs": list(rows),
    }


TODAY: Final = {"/accepted_at": "2025-12-01T09:30:00+09:00", I + "submitted_on": "令和7年12月1日"}
ONE, TWO = _heir("見本太郎", "1/2", heir_phone="0000001234"), _heir("架空花子", "2分の1")
HEIRS: Final = _heirs(ONE, TWO)
SALE: Final = TODAY | {
    I + "secondary_taxpayer_name": "見本太郎",
    I + "secondary_taxpayer_my_number": NUMBER,
    I + "secondary_taxpayer_corporate_number": ABSENT,
    I + "buyer_name": "架空花子",
    I + "contract_date": "2023-06-01",
    I + "vehicle_registered_on": "R5.6.2",
    I + "last_payment_date": "2025/6/1",
    I + "exemption_fiscal_year": 2024,
    I + "sale_price": 2_000_000,
    I + "uncollectible_price": 1_000_000,
    I + "exemption_tax_amount": 30_000,
    MISSING: "令和7年6月1日ごろから車両の所在が不明。架空の経過です。",
    UNKNOWN: "Ｒ７．７．１　買主が転居先不明（架空）",
}
LEVY: Final = {
    "fiscal_year": 2024,
    "tax_item": "特別区民税",
    "term": "第1期",
    "due_date": "2024-06-30",
    "tax_amount": 1_000,
}
SECURITY: Final = {
    "security_kind_and_number": "約束手形　TS0001",
    "face_amount": 1_000,
    "payer": "見本銀行テスト支店",
    "security_due_date": "2026-01-31",
}
OWED: Final = {
    "fiscal_year_and_term": "令和6年度第1期",
    "tax_item": "特別区民税",
    "due_date": "2024-06-30",
    "tax_amount": 1_000,
    "paid_by_security_due_date": "令和8年1月31日",
}
PAID: Final = TODAY | {I + "securities": [SECURITY], I + "levies": [OWED], I + "total": 1_000}
OFFER: Final = {
    "/accepted_at": "2025-12-01T09:30:00+09:00",
    I + "offered_on": "2025-12-01",
    I + "received_on": "令和7年12月1日",
    I + "taxpayer_name_and_representative": "見本太郎",
    I + "number_kind": "individual",
    I + "my_number": NUMBER,
    I + "corporate_number": ABSENT,
    I + "fiscal_year": 2025,
    I + "payment_date": "2025-12-10",
}
CORPORATION: Final = {I + "my_number": ABSENT, I + "corporate_number": CORPORATE, I + "number_kind": "corporate"}
THING: Final = {
    "seized_property_name": "土地（見本）",
    "seized_property_quantity": "1筆",
    "seized_property_location": "テスト区見本町1",
    "seized_on": "2025-05-01",
}
SEIZED: Final = TODAY | {I + "grace_granted_on": "2025-06-01", I + "seized_properties": [THING]}
CAR: Final = {
    "vehicle_registration_number": "テスト 580 あ 12-34",
    "vehicle_registered_on": "2025-06-01",
    "chassis_number": "TST100-0000001",
    "buyer_name": "架空花子",
    "buyer_address": "テスト区架空1-2-3",
}
SOLD: Final = TODAY | {I + "seller_name_and_representative": "㈱架空自動車　見本太郎", I + "vehicles": [CAR]}
PAYER: Final = TODAY | {
    I + "third_party_name": "見本太郎",
    I + "taxpayer_name": "架空花子",
    I + "legitimate_interest_proof": "物上保証人（見本）",
    I + "levies": [LEVY],
}
PROVED: Final = TODAY | {I + "levies": [LEVY]}


def at(base: Mapping[str, Any], name: str, *values: Any) -> list[dict[str, Any]]:
    """Return changes with each value at one pointer (below /items unless it begins with a slash)."""
    path = name if name.startswith("/") else I + name
    return [{**base, path: value} for value in values]


def row(base: Mapping[str, Any], group: str, **values: Any) -> dict[str, Any]:
    """Return changes with values in the first row of a group."""
    first, *others = base[I + group]
    new = {name: each for name, each in (first | values).items() if each is not ABSENT}
    return {**base, I + group: [new, *others]}


def found(rule: str, slug: str, changes: list[dict[str, Any]] | dict[str, Any], *paths: str) -> Iterator[Case]:
    """Yield a case for each of the changes."""
    for each in changes if isinstance(changes, list) else [changes]:
        yield Case(rule, slug, each, tuple(path if path.startswith("/") else I + path for path in paths))


def near(rule: str, slug: str, *changes: list[dict[str, Any]] | dict[str, Any]) -> Iterator[Case]:
    """Yield near misses."""
    for each in changes:
        yield from found(rule, slug, each)
