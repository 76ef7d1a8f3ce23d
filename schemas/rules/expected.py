"""What the law or the purpose of a procedure needs and the filing does not have. The catalogue says of no item
that it is required, so absence is a finding.

Nothing is expected of a withdrawal, nor of a filing that came as attachments only: there the form is attached.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.catalogue import Procedure
from schemas.rules.facts import Facts, given, has, rows, text
from schemas.rules.model import Check, Rule, Severity

_HEIRS: Final = (
    "submitted_on",
    "decedent_name",
    "decedent_address_at_death",
    "decedent_died_on",
    "representative_name",
    "representative_address",
    "heirs",
    "heir_name",
    "heir_address",
    "relationship_to_decedent",
    "inheritance_share",
)
_EXEMPTION: Final = (
    "submitted_on",
    "secondary_taxpayer_address",
    "secondary_taxpayer_name",
    "vehicle_registration_number",
    "buyer_name",
    "contract_date",
    "sale_price",
    "uncollectible_price",
    "exemption_fiscal_year",
    "exemption_tax_amount",
    "vehicle_missing_since_and_circumstances",
    "buyer_address_unknown_since_and_circumstances",
)
_PLEDGE: Final = (
    "submitted_on",
    "submitter_address",
    "submitter_name",
    "levies",
    "fiscal_year",
    "tax_item",
    "due_date",
    "tax_amount",
)
_RELEASE: Final = (
    "submitted_on",
    "applicant_address",
    "applicant_name",
    "grace_granted_on",
    "seized_properties",
    "seized_property_name",
    "seized_property_quantity",
    "seized_property_location",
    "seized_on",
)
_ENTRUSTMENT: Final = (
    "submitted_on",
    "entruster_address",
    "entruster_name",
    "securities",
    "security_kind_and_number",
    "face_amount",
    "payer",
    "security_due_date",
    "collection_cost",
    "levies",
    "fiscal_year_and_term",
    "tax_item",
    "tax_amount",
    "total",
)
_ADVANCE: Final = (
    "offered_on",
    "offeror_address",
    "offeror_name_and_representative",
    "taxpayer_address",
    "taxpayer_name_and_representative",
    "destination_lg_code",
    "fiscal_year",
    "tax_item",
    "advance_payment_amount",
)
_REFUND: Final = ("submitted_on", "applicant_address", "applicant_name", "loss_reason")
_SUBROGATION: Final = (
    "submitted_on",
    "third_party_address",
    "third_party_name",
    "taxpayer_address",
    "taxpayer_name",
    "levies",
    "fiscal_year",
    "tax_item",
    "tax_amount",
)
_REPORT: Final = (
    "submitted_on",
    "seller_address",
    "seller_name_and_representative",
    "vehicles",
    "vehicle_registration_number",
    "buyer_name",
    "buyer_address",
)


EXPECTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "heir-representative-designation": _HEIRS,
        "vehicle-tax-secondary-liability-exemption": _EXEMPTION,
        "unregistrable-pledge-priority-proof": _PLEDGE,
        "seizure-release-under-grace": _RELEASE,
        "payment-entrustment-offer": _ENTRUSTMENT,
        "advance-payment-offer": _ADVANCE,
        "refund-interest-loss-of-economic-result": _REFUND,
        "third-party-payment-subrogation": _SUBROGATION,
        "retained-title-light-vehicle-report": _REPORT,
    }
)
"""slug of a procedure, and the items (and repeated groups) that have to be there"""


def _expected(procedure: Procedure, *, procedure_slug: str, items: tuple[str, ...]) -> Check | None:
    if procedure.slug != procedure_slug:
        return None
    place = {item.name: item.group for item in procedure.items}
    groups = tuple(name for name in items if name in procedure.groups)
    single = tuple(name for name in items if name not in procedure.groups and place[name] is None)
    in_rows = tuple((group, tuple(name for name in items if place.get(name) == group)) for group in procedure.groups)

    def check(facts: Facts) -> list[str]:
        said = facts.items
        if not said or facts.submission.withdraws is not None:
            return []
        found = [f"/items/{name}" for name in single if not given(said, name)]
        found += [f"/items/{group}" for group in groups if not rows(said, group)]
        for group, names in in_rows:
            for position, row in enumerate(rows(said, group)):
                if row:  # an empty row is another rule's
                    found += [f"/items/{group}/{position}/{name}" for name in names if not given(row, name)]
        return found

    return check


def _interest(procedure: Procedure, *, item: str) -> Check | None:
    if not has(procedure, item):
        return None

    def check(facts: Facts) -> tuple[str, ...]:
        said = facts.submission
        if not facts.items or said.withdraws is not None or said.attachments or text(facts.items, item):
            return ()
        return (f"/items/{item}",)

    return check


def _rule(name: str, slug: str, source: str, message: str, message_ja: str) -> Rule:
    return Rule(
        f"expected.{name}",
        source,
        Severity.CORRECT,
        message,
        message_ja,
        _expected,
        {"procedure_slug": slug, "items": EXPECTED[slug]},
    )


RULES: Final = (
    _rule(
        "heir-representative",
        "heir-representative-designation",
        "地方税法施行令第2条第2項第1号・第2号",
        "What the decree asks of the decedent, the representative and each heir is not filled in.",
        "施行令が定める被相続人、代表者又は各相続人の事項が記載されていません。",
    ),
    _rule(
        "vehicle-tax-exemption",
        "vehicle-tax-secondary-liability-exemption",
        "地方税法第11条の9第2項・第3項",
        "What the exemption of a seller depends on is not filled in.",
        "売主の納付義務の免除に必要な事項が記載されていません。",
    ),
    _rule(
        "pledge-priority",
        "unregistrable-pledge-priority-proof",
        "地方税法第14条の9第3項、第14条の11第2項",
        "Who proves the pledge, or against which levy, is not filled in.",
        "質権を証明する者又は対象の徴収金の事項が記載されていません。",
    ),
    _rule(
        "seizure-release",
        "seizure-release-under-grace",
        "地方税法第15条の2の3（要確認）",
        "The grace, or the property that shall be released, is not fully described.",
        "猶予又は解除を求める差押財産の事項が記載されていません。",
    ),
    _rule(
        "payment-entrustment",
        "payment-entrustment-offer",
        "地方税法第16条の2第1項（後段: 取立費用を併せて提供）",
        "The securities, the cost of collecting them, or the levies are not fully described.",
        "証券、取立費用又は徴収金の事項が記載されていません。",
    ),
    _rule(
        "advance-payment",
        "advance-payment-offer",
        "地方税法第17条の3（要確認）",
        "Who pays which tax of which year in advance is not filled in.",
        "予納する者、宛先、税目、年度又は予納額が記載されていません。",
    ),
    _rule(
        "refund-interest",
        "refund-interest-loss-of-economic-result",
        "地方税法第17条の4（条項は要確認）",
        "Who applies, or why the economic result was lost, is not filled in.",
        "申請者又は経済的成果の消失の理由が記載されていません。",
    ),
    _rule(
        "subrogation",
        "third-party-payment-subrogation",
        "地方税法第20条の6（要確認）",
        "Who paid for whom, or which levy, is not filled in.",
        "第三者、納税者又は納付した徴収金の事項が記載されていません。",
    ),
    _rule(
        "light-vehicle-report",
        "retained-title-light-vehicle-report",
        "地方税法第444条、第463条の19（要確認）",
        "The seller, a vehicle or its buyer is not filled in.",
        "売主、車両又は買主の事項が記載されていません。",
    ),
    Rule(
        "expected.legitimate-interest",
        "地方税法第20条の6（要確認）、国税通則法基本通達第41条関係2（正当な利益）に準ずる",
        Severity.ASK,
        "The legitimate interest in paying is neither described nor proved by an attachment.",
        "納付につき正当な利益を有することの証明が、記載も添付もされていません。",
        _interest,
        {"item": "legitimate_interest_proof"},
    ),
)
