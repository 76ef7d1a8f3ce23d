"""The cases of characters, composite items, repeated groups, heirs, and what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.catalogue import procedures
from schemas.rules.expected import EXPECTED
from schemas.rules.numbers import CORPORATIONS
from schemas.rules.text import BLOCKS
from tests.unit.schemas.rule_cases import (
    ABSENT,
    ADVANCE,
    CAR,
    CORPORATION,
    ENTRUST,
    HEIR,
    HEIRS,
    LEVY,
    MISSING,
    OFFER,
    ONE,
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
    THING,
    TODAY,
    TWO,
    UNKNOWN,
    VEHICLE,
    Case,
    I,
    at,
    found,
    near,
    row,
)

NAME = "applicant_name"
KANA = "representative_name_kana"
LOOSE = {**HEIRS, I + KANA: ABSENT}
OF_BLOCKS = "A¥°Ωд‐№Ⅳ→≒①─●〒ぁァ㈱㌔一﨑（"


def texts() -> Iterator[Case]:
    """Characters."""
    assert len(OF_BLOCKS) > len(BLOCKS)
    outside = {
        "text.supplementary": ("𠮷見本", "見本\U0002000b", "🙂"),
        "text.variation-selector": ("辻\U000e0100見本", "見本\ufe00", "見本\U000e01ef"),
        "text.private-use": ("見\ue000本", "見本\uf8ff"),
        "text.unusable-symbol": tuple("♂♀℃☆★⌒Å\u212b♯♭♪"),
        "text.half-width-kana": ("ｦ", "ﾟ", "見本ﾐﾎﾝ"),
        "text.outside-list": ("ก", "한", "♥", "☎", "Ą", "\u2400", "✓"),
    }
    for rule, wrong in outside.items():
        yield from found(rule, REFUND, at({}, NAME, *wrong), NAME)
        yield from near(rule, REFUND, at({}, NAME, OF_BLOCKS, "髙見本", "見本\u3094"))
    yield from near("text.half-width-kana", REFUND, at({}, NAME, "｡｢｣､･", "ヲ゜"))
    yield from near("text.private-use", REFUND, at({}, NAME, "\uf900"))
    levy = row(PROVED, "levies", term="１期")
    yield from found("text.supplementary", PLEDGE, row(levy, "levies", tax_item="𠮷"), "levies/0/tax_item")
    yield from found("text.line-break", REFUND, at({}, NAME, "見本\n太郎", "見本\t太郎"), NAME)
    yield from found(
        "text.line-break",
        HEIR,
        row(HEIRS, "heirs", heir_name="見本\r太郎"),
        "heirs/0/heir_name",
    )
    yield from near("text.line-break", REFUND, at({}, NAME, "見本太郎\n"), at({}, "loss_reason", "見本\n架空\t例示"))
    yield from found("kana.not-kana", HEIR, at(HEIRS, "decedent_name_kana", "みほん", "見本", "ミホン?", "カα"), *KANJI)
    right = (
        "ミホン　タロウ",
        "ヴァーサー・ゲー",
        "ＡＢＣカブシキガイシャ",
        "ミホン（カ）",
        "ミホン　2セイ",
        "",
        ABSENT,
    )
    yield from near("kana.not-kana", HEIR, at(HEIRS, "decedent_name_kana", *right))


KANJI = ("decedent_name_kana",)


def composites() -> Iterator[Case]:
    """Two facts in one text."""
    for item in (MISSING, UNKNOWN):
        yield from found(
            "circumstances.undated", VEHICLE, at(SALE, item, "架空の経過です", "令和元年4月30日から不明です"), item
        )
        yield from near("circumstances.undated", VEHICLE, at(SALE, item, "平成30年、買主に連絡。R7.1.5から所在が不明"))
        yield from found(
            "circumstances.untold", VEHICLE, at(SALE, item, "令和7年6月1日ごろから", "2025-06-01 不明だ"), item
        )
        yield from near("circumstances.untold", VEHICLE, at(SALE, item, "令和7年6月1日から所在不明"))
        early, late = "2023年5月31日から所在が不明", "令和7年12月2日から所在が不明"
        yield from found("circumstances.order", VEHICLE, at(SALE, item, early, late), item)
        on_the_day = ("2023年6月1日から所在が不明", "令和７年１２月１日から所在が不明")
        yield from near("circumstances.order", VEHICLE, at(SALE, item, *on_the_day))
    item = "vehicle_make_and_model"
    yield from found("vehicle.make-and-model", VEHICLE, at(SALE, item, "架空自動車"), item)
    yield from near("vehicle.make-and-model", VEHICLE, at(SALE, item, "架空自動車　TST-100", "見本／M1", "", ABSENT))
    item = "vehicle_registration_number"
    yield from found(
        "vehicle.registration-number", VEHICLE, at(SALE, item, "1234", "見本", "テスト 500 ア 12-34"), item
    )
    plates = ("テスト 580 あ 12-34", "テスト区 い 1234", "テスト５００Ａ・・・１", "テスト 58A あ ・・12")
    yield from near("vehicle.registration-number", VEHICLE, at(SALE, item, *plates))
    path = "seized_properties/0/seized_property_quantity"
    for wrong in ("1", "多数", "筆"):
        yield from found(
            "seizure.quantity", RELEASE, row(SEIZED, "seized_properties", seized_property_quantity=wrong), path
        )
    for right in ("１筆", "三台", "約 200 平方メートル", "一式", "金1,000円"):
        yield from near("seizure.quantity", RELEASE, row(SEIZED, "seized_properties", seized_property_quantity=right))
    path, name = "securities/0/security_kind_and_number", "security_kind_and_number"
    for wrong in ("TS0001", "約束手形", "見本券1"):
        yield from found("entrustment.security-kind", ENTRUST, row(PAID, "securities", **{name: wrong}), path)
    for right in ("小切手 A1", "為替手形１", "預金証書 一", "地方債券5", "国債 第1回"):
        yield from near("entrustment.security-kind", ENTRUST, row(PAID, "securities", **{name: right}))
    item, rule = "taxpayer_name_and_representative", "name.representative-missing"
    for word in CORPORATIONS:
        yield from found(rule, ADVANCE, at({**OFFER, **CORPORATION}, item, f"見本{word}"), item)
        yield from near(rule, ADVANCE, at({**OFFER, **CORPORATION}, item, f"見本{word}　架空太郎"))
    yield from found(
        rule, REPORT, at(SOLD, "seller_name_and_representative", "株式会社見本"), "seller_name_and_representative"
    )
    yield from near(rule, ADVANCE, at(OFFER, item, "見本太郎"))


def groups() -> Iterator[Case]:
    """Rows."""
    yield from found("group.empty-row", REPORT, {**SOLD, I + "vehicles": [CAR, {}]}, "vehicles/1")
    yield from found("group.empty-row", HEIR, {**HEIRS, I + "heirs": [{}, ONE, TWO], "/withdraws": "R"}, "heirs/0")
    yield from near("group.empty-row", REPORT, {**SOLD, I + "vehicles": [CAR]})
    kept = {"/withdraws": "R0"}
    yield from near("group.empty-row", PLEDGE, {**PROVED, **kept, I + "levies": [{"demand_fee": 0}]})
    rule = "group.duplicate-row"
    secured = SECURITY | {"face_amount": 1}
    noticed = OWED | {"tax_notice_number": "TEST-1"}
    two_levies = {**PAID, I + "total": 2_000}
    plate, chassis = "vehicle_registration_number", "chassis_number"
    twice: list[tuple[str, dict[str, Any], str, dict[str, Any], dict[str, Any]]] = [
        (PLEDGE, PROVED, "levies", LEVY, {"term": "2期"}),
        (PLEDGE, PROVED, "levies", LEVY, {"tax_item": "入湯税"}),
        (PLEDGE, PROVED, "levies", LEVY, {"fiscal_year": 2023}),
        (PLEDGE, PROVED, "levies", LEVY, {"term": ""}),
        (ENTRUST, two_levies, "levies", noticed, {"tax_notice_number": "TEST-2"}),
        (ENTRUST, two_levies, "levies", noticed, {"fiscal_year_and_term": "令和6年度第2期"}),
        (RELEASE, SEIZED, "seized_properties", THING, {"seized_property_location": "テスト区架空2"}),
        (ENTRUST, PAID, "securities", secured, {"security_kind_and_number": "小切手2"}),
        (REPORT, SOLD, "vehicles", CAR, {chassis: "TST100-2", plate: "テスト区 い 0001"}),
        (REPORT, SOLD, "vehicles", {k: v for k, v in CAR.items() if k != chassis}, {plate: "テスト区 い 0001"}),
    ]
    for slug, base, group, one, other in twice:
        again = {
            name: f" {each}" if isinstance(each, str) and "date" not in name else each for name, each in one.items()
        }
        yield from found(rule, slug, {**base, I + group: [one, again]}, f"{group}/1")
        yield from near(rule, slug, {**base, I + group: [one, one | other]})
    same_chassis = [CAR, CAR | {plate: "テスト区 い 0001"}]
    yield from found(rule, REPORT, {**SOLD, I + "vehicles": same_chassis}, "vehicles/1")
    rows = {**HEIRS, I + "heirs": [TWO, TWO | {"heir_name": "架空　花子"}], I + "representative_name": "架空花子"}
    yield from found(rule, HEIR, rows, "heirs/1")
    yield from near(rule, HEIR, {**HEIRS, I + "heirs": [ONE, TWO | {"heir_name": "架空桜"}]})
    rule, paid = "entrustment.no-such-security", "levies/0/paid_by_security_due_date"
    yield from found(rule, ENTRUST, row(PAID, "levies", paid_by_security_due_date="2026-01-30"), paid)
    more = [
        SECURITY | {"face_amount": 1},
        SECURITY | {"security_kind_and_number": "小切手2", "face_amount": 1, "security_due_date": "2026-01-30"},
    ]
    second = {**row(PAID, "levies", paid_by_security_due_date="R8.1.30"), I + "securities": more}
    yield from near(rule, ENTRUST, second, row(PAID, "levies", paid_by_security_due_date=ABSENT))
    rule = "person.both-sides"
    yield from found(rule, VEHICLE, at(SALE, "buyer_name", "見本　太郎"), "buyer_name")
    yield from near(rule, VEHICLE, at(SALE, "buyer_name", "見本太朗"))
    yield from found(rule, SUBROGATE, at(PAYER, "taxpayer_name", "見本太郎"), "taxpayer_name")
    yield from near(rule, SUBROGATE, at(PAYER, "taxpayer_name", "見本次郎"))
    seller = "㈱架空自動車　見本太郎"
    yield from found(rule, REPORT, row(SOLD, "vehicles", buyer_name="(株)架空自動車 見本太郎"), "vehicles/0/buyer_name")
    yield from near(rule, REPORT, row(SOLD, "vehicles", buyer_name=seller + "子"))
    yield from found("attachment.proof-expected", PLEDGE, {**PROVED, "/attachments": ABSENT}, "/attachments")
    yield from near("attachment.proof-expected", PLEDGE, PROVED, {**PROVED, "/attachments": ABSENT, "/withdraws": "R0"})
    yield from near("attachment.proof-expected", REFUND, {"/attachments": ABSENT})


TOO_MUCH = ("3/2", "101%", "1.5")


def heirs() -> Iterator[Case]:
    """相続人."""
    alone = {**HEIRS, I + "heirs": [ONE | {"inheritance_share": "全部"}]}
    yield from found("heirs.count", HEIR, alone, "heirs")
    yield from near("heirs.count", HEIR, HEIRS)
    rule, name = "heirs.representative-not-listed", "representative_name"
    yield from found(rule, HEIR, at(HEIRS, name, "試験太郎"), name)
    yield from near(rule, HEIR, at(HEIRS, name, "見本　太郎"))
    rule, listed = "heirs.representative-differs", row(HEIRS, "heirs", heir_name_kana="ミホン　タロウ")
    for item, wrong, right in (
        ("name_kana", "ミホン　タロオ", "ミホンタロウ"),
        ("address", "テスト区見本町1-2-4", "テスト区見本町１-２-３"),
        ("phone", "00-0000-1235", "00 0000 1234"),
    ):
        yield from found(rule, HEIR, at(listed, f"representative_{item}", wrong), f"representative_{item}")
        yield from near(rule, HEIR, at(listed, f"representative_{item}", right))
    rule = "heirs.decedent-listed"
    died = at(HEIRS, "decedent_name", "架空　花子")
    yield from found(rule, HEIR, died, "heirs/1/heir_name")
    yield from found(rule, HEIR, at(HEIRS, "decedent_name", "見本太郎"), "heirs/0/heir_name", "representative_name")
    yield from near(rule, HEIR, at(HEIRS, "decedent_name", "見本太郎丸"))
    rule, share = "heirs.share-unreadable", "heirs/0/inheritance_share"
    for wrong in ("半分", "1/0", "-1/2", "見本", *TOO_MUCH):
        sums = (("/items/heirs", "heirs.shares-sum"),) if wrong in TOO_MUCH else ()
        yield Case(rule, HEIR, row(HEIRS, "heirs", inheritance_share=wrong), (I + share,), sums)
    over = [ONE | {"inheritance_share": "3/2"}, TWO | {"inheritance_share": "見本"}]
    yield from found(rule, HEIR, {**HEIRS, I + "heirs": over}, share, "heirs/1/inheritance_share")
    rule = "heirs.shares-sum"
    for one, two in (("1/2", "1/3"), ("1", "1/9"), ("0.5", "0.49"), ("50%", "51%"), ("0", "0")):
        unequal = [ONE | {"inheritance_share": one}, TWO | {"inheritance_share": two}]
        yield from found(rule, HEIR, {**HEIRS, I + "heirs": unequal}, "heirs")
    for one, two in (
        ("1/2", "１／２"),
        ("3分の1", "三分の二"),
        ("0.25", "75%"),
        ("十二分の五", "7/12"),
        ("全部", "0"),
        ("1", "0%"),
    ):
        equal = [ONE | {"inheritance_share": one}, TWO | {"inheritance_share": two}]
        yield from near(rule, HEIR, {**HEIRS, I + "heirs": equal})
        yield from near("heirs.share-unreadable", HEIR, {**HEIRS, I + "heirs": equal})
    rule = "heirs.joint-signature"
    yield from found(rule, HEIR, {**HEIRS, "/attachments": ABSENT}, "heirs")
    yield from near(rule, HEIR, HEIRS)
    one_named = {**HEIRS, "/withdraws": "R0", "/attachments": ABSENT, I + "heirs": [ONE, {"inheritance_share": "1/2"}]}
    yield from near(rule, HEIR, one_named)


BASES: dict[str, dict[str, Any]] = {
    HEIR: HEIRS,
    VEHICLE: SALE,
    PLEDGE: PROVED,
    RELEASE: SEIZED,
    ENTRUST: PAID,
    ADVANCE: OFFER,
    REFUND: TODAY,
    SUBROGATE: PAYER,
    REPORT: SOLD,
}
EXPECTED_RULES = {
    HEIR: "heir-representative",
    VEHICLE: "vehicle-tax-exemption",
    PLEDGE: "pledge-priority",
    RELEASE: "seizure-release",
    ENTRUST: "payment-entrustment",
    ADVANCE: "advance-payment",
    REFUND: "refund-interest",
    SUBROGATE: "subrogation",
    REPORT: "light-vehicle-report",
}


def expected() -> Iterator[Case]:
    """Each item that has to be there is taken away, or left blank."""
    for slug, names in EXPECTED.items():
        rule, base = f"expected.{EXPECTED_RULES[slug]}", BASES[slug]
        place = {item.name: item.group for item in procedures()[slug].items}
        for name in names:
            group = place.get(name)
            if group is None:
                yield from found(rule, slug, at(base, name, ABSENT), name)
                yield from near(rule, slug, {**base, I + name: ABSENT, "/withdraws": "R0"})
            else:
                last = len(base[I + group]) - 1
                rows = [dict(each) for each in base[I + group]]
                del rows[last][name]
                changes = {**base, I + group: rows}
                if (slug, name) == (ENTRUST, "tax_amount"):
                    changes[I + "levies"] = [OWED | {"tax_item": "入湯税"}, rows[last]]
                    last = 1
                yield from found(rule, slug, changes, f"{group}/{last}/{name}")
        yield from near(rule, slug, base)
    yield from found("expected.refund-interest", REFUND, at({}, "loss_reason", "", " 　\n"), "loss_reason")
    free = {**SALE, I + "uncollectible_price": 0, I + "exemption_tax_amount": 0}
    yield from near("expected.vehicle-tax-exemption", VEHICLE, free)
    item, rule = "legitimate_interest_proof", "expected.legitimate-interest"
    unproved = {**PAYER, I + item: ABSENT, "/attachments": ABSENT}
    yield from found(rule, SUBROGATE, unproved, item)
    file = {"file_name": "見本.pdf", "media_type": "application/pdf", "content_base64": "JVBERi0="}
    yield from near(rule, SUBROGATE, {**unproved, "/attachments": [file]}, {**unproved, "/withdraws": "R0"})


def mixed() -> Iterator[Case]:
    """Kana of both widths in one item: the half width is a finding of its own."""
    (name,), half = KANJI, (("/items/decedent_name_kana", "text.half-width-kana"),)
    for wrong in ("ミホン　ﾀﾛｳ", "ｱァ"):
        yield Case("kana.mixed-width", HEIR, {**HEIRS, I + name: wrong}, (I + name,), half)
    for right in ("ﾐﾎﾝ　ﾀﾛｳ", "ﾐﾎﾝ・ｰ（ＡＢ）"):
        yield Case("kana.mixed-width", HEIR, {**HEIRS, I + name: right}, (), half)
    yield from near("kana.mixed-width", HEIR, at(HEIRS, name, "ミホン　タロウ"))


def cases() -> Iterator[Case]:
    """Yield them all."""
    for each in (texts, composites, groups, heirs, expected, mixed):
        yield from each()
