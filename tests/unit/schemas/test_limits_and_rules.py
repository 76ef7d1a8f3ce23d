"""Bounds of the input, what is kept through a section, findings that refuse nothing, JSON Schema of every procedure."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Callable
from datetime import date
from typing import Any

import jsonschema
import pytest

from schemas import codec
from schemas.catalogue import GENERIC, Procedure, procedures
from schemas.checks import MAX_ATTACHMENTS, MAX_ROWS, MAX_YEN
from schemas.generator import generate
from schemas.jsonschema import json_schema
from schemas.problems import MAX_PROBLEMS, RULES, Refused
from schemas.rules import findings
from schemas.sections import read_review_section, review_section
from schemas.strict_json import MAX_DOCUMENT_BYTES, MAX_VALUES
from schemas.submission import as_sent, canonical
from tests.unit.schemas.support import TENANTS, documents, good, read, refusal, smallest

PDF = {"file_name": "見本.pdf", "media_type": "application/pdf", "content_base64": "QQ=="}


def attached(*sizes: int) -> list[dict[str, str]]:
    return [{**PDF, "content_base64": base64.b64encode(bytes(size)).decode()} for size in sizes]


MIB = 2**20
OFFER = "payment-entrustment-offer"
HEIRS = "heir-representative-designation"
REFUSED: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "tenant without check digit": (smallest(tenant="131042"), [("/tenant", "tenant.invalid")]),
    "tenant of five digits": (smallest(tenant="13104"), [("/tenant", "tenant.invalid")]),
    "tenant in full width": (smallest(tenant="１３１０４１"), [("/tenant", "tenant.invalid")]),
    "tenant of another hub": (smallest(tenant="131016"), [("/tenant", "tenant.unknown")]),
    "tenant as a number": (smallest(tenant=131041), [("/tenant", "type.text")]),
    "24 o'clock": (smallest(accepted_at="2025-12-01T24:00:00+09:00"), [("/accepted_at", "time.invalid")]),
    "leap second": (smallest(accepted_at="2016-12-31T23:59:60Z"), [("/accepted_at", "time.invalid")]),
    "before 1970": (smallest(accepted_at="1969-12-31T23:59:59Z"), [("/accepted_at", "time.invalid")]),
    "year 10000 in UTC": (smallest(accepted_at="9999-12-31T23:59:59-00:01"), [("/accepted_at", "time.invalid")]),
    "time without offset": (smallest(accepted_at="2025-12-01T09:30:00"), [("/accepted_at", "time.invalid")]),
    "lower case": (smallest(accepted_at="2025-12-01t09:30:00z"), [("/accepted_at", "time.invalid")]),
    "long receipt number": (smallest(receipt_number="R" * 65), [("/receipt_number", "receipt.invalid")]),
    "receipt number in kanji": (smallest(receipt_number="受付1"), [("/receipt_number", "receipt.invalid")]),
    "rows": (
        smallest(procedure=HEIRS, items={"heirs": [{}] * (MAX_ROWS + 1)}),
        [("/items/heirs", "limit.rows")],
    ),
    "row that is no object": (smallest(procedure=HEIRS, items={"heirs": ["x"]}), [("/items/heirs/0", "type.object")]),
    "yen of 16 digits": (smallest(procedure=OFFER, items={"total": 10**15}), [("/items/total", "json.number")]),
    "yen as text": (smallest(procedure=OFFER, items={"total": "5"}), [("/items/total", "type.integer")]),
    "yen as boolean": (smallest(procedure=OFFER, items={"total": True}), [("/items/total", "type.integer")]),
    "kana of 513 characters": (
        smallest(procedure=HEIRS, items={"decedent_name_kana": "ア" * 513}),
        [("/items/decedent_name_kana", "limit.characters")],
    ),
    "derived item": (
        smallest(items={"submitted_on_parsed": "2025-12-01"}),
        [("/items/submitted_on_parsed", "key.unknown")],
    ),
    "attachments": (
        smallest(attachments=[PDF] * (MAX_ATTACHMENTS + 1)),
        [("/attachments", "limit.attachments")],
    ),
    "attachment bytes": (smallest(attachments=attached(28 * MIB, 28 * MIB + 1)), [("/attachments", "limit.bytes")]),
    "attachment of nothing": (
        smallest(attachments=[{}]),
        [(f"/attachments/0/{key}", "key.missing") for key in ("file_name", "media_type", "content_base64")],
    ),
    "attachment with more": (smallest(attachments=[{**PDF, "size": 1}]), [("/attachments/0/size", "key.unknown")]),
    "attachment content as number": (
        smallest(attachments=[{**PDF, "content_base64": 5}]),
        [("/attachments/0/content_base64", "type.text")],
    ),
    "nothing in it": (smallest(items={}, attachments=[]), [("", "submission.empty")]),
    "nine levels": (
        smallest(extra=[[[[[[[[[1]]]]]]]]]),
        [("/extra/0/0/0/0/0/0/0/0", "json.nesting"), ("/extra", "key.unknown")],
    ),
    "unknown keys in their order": (
        smallest(zeta=1, alpha=2, mid=3),
        [("/zeta", "key.unknown"), ("/alpha", "key.unknown"), ("/mid", "key.unknown")],
    ),
    "key that may be a name": (smallest(見本太郎=1), [("/?", "key.unknown")]),
    "all problems at once": (
        smallest(tenant=1, rehearsal="yes", checks={}, items={"applicant_name": 1, "nothing": 2}),
        [
            ("/tenant", "type.text"),
            ("/checks/calculation", "key.missing"),
            ("/checks/signature", "key.missing"),
            ("/rehearsal", "type.boolean"),
            ("/items/applicant_name", "type.text"),
            ("/items/nothing", "key.unknown"),
        ],
    ),
}


@pytest.mark.parametrize(("document", "problems"), REFUSED.values(), ids=REFUSED.keys())
def test_each_problem_is_named_by_place_and_rule_and_nothing_else_is(
    document: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert refusal(document) == problems


ACCEPTED: dict[str, dict[str, Any]] = {
    "largest yen": smallest(procedure=OFFER, items={"total": MAX_YEN, "collection_cost": -MAX_YEN}),
    "most rows": smallest(procedure=HEIRS, items={"heirs": [{}] * MAX_ROWS}),
    "longest text": smallest(items={"loss_reason": "長" * 4_096}),
    "attachments only": {key: each for key, each in smallest(attachments=[PDF]).items() if key != "items"},
    "no items, attachments": smallest(items={}, attachments=[PDF]),
    "most attachments": smallest(attachments=[PDF] * MAX_ATTACHMENTS),
    "attachment bytes": smallest(attachments=attached(7 * MIB)),
    "last moment": smallest(accepted_at="9999-12-31T23:59:59.999999999Z"),
    "first moment": smallest(accepted_at="1970-01-01T09:00:00+09:00"),
    "unknown local offset": smallest(accepted_at="2025-12-01T09:30:00-00:00"),
    "correction": smallest(replaces="R7-13104-000000016"),
    "withdrawal": smallest(withdraws="R7-13104-000000016"),
    "empty text": smallest(items={"applicant_name": ""}),
    "item named like a header field": smallest(
        procedure="advance-payment-offer", items={"receipt_number": "見本 1", "tax_item": "1"}
    ),
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_at_the_limit_passes_and_comes_back_as_it_was_sent(document: dict[str, Any]) -> None:
    submission = good(document)
    again = read_review_section(review_section(submission))
    assert again == submission
    sent = {key: each for key, each in document.items() if not (key == "attachments" and not each)}
    assert as_sent(again) == sent


@pytest.mark.parametrize(
    "items", [{"decedent_name": "x"}, {"decedent_name": "x", "heirs": []}], ids=["absent", "empty"]
)
def test_an_absent_group_and_an_empty_one_stay_apart(items: dict[str, Any]) -> None:
    submission = good(smallest(procedure=HEIRS, items=items))
    assert as_sent(read_review_section(review_section(submission)))["items"] == items


def test_the_parsed_date_stands_beside_the_text() -> None:
    framed = review_section(good(smallest(items={"submitted_on": "令和７年１２月１日"})))
    value = codec.decode(framed, {"RefundInterestLossOfEconomicResultSubmission"}).value["items"]
    assert (value["submitted_on"], value["submitted_on_parsed"]) == ("令和７年１２月１日", date(2025, 12, 1))


def test_the_texts_of_all_items_together_are_bounded() -> None:
    row = {"heir_name": "長" * 4_096, "heir_address": "長" * 4_096, "relationship_to_decedent": "長" * 1_024}
    document = smallest(procedure=HEIRS, items={"heirs": [row] * 190})
    most = smallest(procedure=HEIRS, items={"heirs": [{**row, "heir_address": "長"}] * 190}, attachments=attached(MIB))
    found = refusal(document)
    assert found in ([("", "limit.submission")], []) and len(found) == (6 * MIB < 190 * 3 * 9_216)
    assert refusal(most) == []


def full() -> bytes:
    """The submission with most values."""
    row = {item.name: "x" for item in procedures()[HEIRS].items if item.group == "heirs"}
    return json.dumps(smallest(procedure=HEIRS, items={"heirs": [row] * MAX_ROWS}, attachments=[PDF] * 50)).encode()


def test_the_fullest_submission_stays_below_the_bound_of_values() -> None:
    assert refusal(full()) == []
    assert sum(full().count(mark) for mark in (b",", b"[", b"{")) < MAX_VALUES / 2


COMMAS = json.dumps(smallest(items={"loss_reason": "," * 4_000}, attachments=attached(90_000))).encode()
GROWING: dict[str, tuple[bytes, str | None]] = {
    "arrays": (b'{"items":[' + b"[]," * 2_000_000 + b"[]]}", "json.too-many-values"),
    "fractions": (b'{"items":[' + b"1.5," * 1_000_000 + b"1]}", "json.too-many-values"),
    "keys": (b"{" + b",".join(b'"%d":1' % n for n in range(400_000)) + b"}", "json.too-many-values"),
    "escapes": (b'{"items":"' + b"\\n" * 4_000_000 + b'"}', None),
    "quotes without end": (b'{"items":' + b'"' * 3_000_000, None),
    "commas in texts": (COMMAS, ""),
    "over the size": (b" " * (MAX_DOCUMENT_BYTES + 1), "json.too-large"),
    "long number": (b'{"items":' + b"9" * 5_000_000 + b"}", None),
}


@pytest.mark.parametrize(("data", "rule"), GROWING.values(), ids=GROWING.keys())
def test_what_would_grow_in_memory_is_refused_before_it_does(data: bytes, rule: str | None) -> None:
    tracemalloc.start()
    try:
        answer = read(data)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(data) + 4 * MIB
    finally:
        tracemalloc.stop()
    if rule == "":
        assert not isinstance(answer, Refused)
    else:
        assert isinstance(answer, Refused)
        assert rule is None or [each.rule for each in answer.problems] == [rule]


def test_at_most_fifty_problems_are_listed() -> None:
    answer = read(smallest(**{f"key_{n}": 1.5 for n in range(200)}))
    assert isinstance(answer, Refused)
    assert len(answer.problems) == MAX_PROBLEMS


def test_a_refusal_names_the_receipt_only_if_it_is_one() -> None:
    named, unnamed = read(smallest(surprise=1)), read(smallest(receipt_number="見本太郎"))
    assert isinstance(named, Refused) and isinstance(unnamed, Refused)
    assert (named.receipt_number, unnamed.receipt_number) == ("R7-13104-000000017", None)


@pytest.mark.parametrize(("rule", "said"), RULES.items(), ids=RULES.keys())
def test_every_rule_speaks_two_languages(rule: str, said: tuple[str, str, str]) -> None:
    english, japanese, _ = said
    assert english.isascii() and english.endswith(".")
    assert any("\u3040" <= each <= "\u30ff" for each in japanese) and japanese.endswith("。")


def test_the_same_submission_is_the_same_bytes_and_any_change_is_not() -> None:
    one = smallest()
    spaced = json.dumps(dict(reversed(one.items())), indent=3).encode()
    assert canonical(good(one)) == canonical(good(spaced))
    without = {key: each for key, each in one.items() if key != "tax_item"}
    assert canonical(good(one)) == canonical(good(without))
    for change in ({"receipt_number": "R2"}, {"items": {"applicant_name": "見本太朗"}}, {"attachments": [PDF]}):
        assert canonical(good(one | change)) != canonical(good(one))


EXEMPTION = "vehicle-tax-secondary-liability-exemption"
MY, CORPORATE = "secondary_taxpayer_my_number", "secondary_taxpayer_corporate_number"
FOUND: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "one individual number": ({MY: "123456789018"}, []),
    "one corporate number": ({CORPORATE: "7000020131041"}, []),
    "neither": ({"remarks": "見本の備考"}, [("/items", "number.exactly-one")]),
    "both": ({MY: "123456789018", CORPORATE: "7000020131041"}, [("/items", "number.exactly-one")]),
    "empty is none": ({MY: "", CORPORATE: "7000020131041"}, []),
    "twelve zeros": ({MY: "0" * 12}, [(f"/items/{MY}", "number.individual-zeros")]),
    "wrong check digit": ({CORPORATE: "7000020131042"}, [(f"/items/{CORPORATE}", "number.corporate")]),
}


@pytest.mark.parametrize(("items", "found"), FOUND.values(), ids=FOUND.keys())
def test_wrong_numbers_are_findings_and_never_a_refusal(items: dict[str, Any], found: list[tuple[str, str]]) -> None:
    given = findings(good(smallest(procedure=EXEMPTION, items=items)))
    assert [(each.path, each.rule) for each in given if each.rule.startswith("number.")] == found
    for each in given:
        assert not any(value and value in each.message + each.message_ja + each.path for value in items.values())


def test_attachments_alone_have_no_findings_of_items() -> None:
    assert findings(good(smallest())) == ()
    assert {each.rule for each in findings(good(smallest(items={"loss_reason": "見本"})))} == {
        "expected.refund-interest"
    }
    attachments_only = {key: each for key, each in smallest(attachments=[PDF]).items() if key != "items"}
    assert findings(good(attachments_only)) == ()


@pytest.mark.parametrize("procedure", procedures().values(), ids=procedures().keys())
def test_json_schema_of_every_procedure_agrees_with_the_parser(procedure: Procedure) -> None:
    schema = json_schema(procedure.slug)
    jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(schema).is_valid
    mine = [each for each in documents(400) if each["procedure"] == procedure.slug]
    assert len(mine) >= 3
    changes: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
        lambda each: {**each, "surprise": 1},
        lambda each: {**each, "tenant": "1310411"},
        lambda each: {**each, "receipt_number": "R 1"},
        lambda each: {**each, "rehearsal": "true"},
        lambda each: {**each, "checks": {"calculation": "good", "signature": "passed"}},
        lambda each: {**each, "items": {"no_such_item": "x"}},
        lambda each: {key: value for key, value in each.items() if key not in ("items", "attachments")},
        lambda each: {**each, "replaces": "R1", "withdraws": "R2"},
    ]
    for document in mine:
        assert valid(document)
        assert refusal(document) == []
        for change in changes:
            assert not valid(change(document))
            assert refusal(change(document))


def test_generated_submissions_cover_everything_and_are_the_same_for_the_same_seed() -> None:
    made = list(generate(7, 400, TENANTS))
    assert made == list(generate(7, 400, TENANTS))
    assert made != list(generate(8, 400, TENANTS))
    assert len({each["receipt_number"] for each in made}) == 400
    assert {each["procedure"] for each in made} == set(procedures())
    assert {each["tenant"] for each in made} == set(TENANTS)
    new = {slug for slug, each in procedures().items() if each.record_name != GENERIC}
    assert any("items" not in each and each["procedure"] in new for each in made)
    text = json.dumps(made, ensure_ascii=False)
    for edge in ("髙", "﨑", "㈱", "～", "令和", "R7.", "２０"):
        assert edge in text


def test_a_correction_names_an_earlier_submission_of_the_same_tenant() -> None:
    made = list(generate(7, 2_000, TENANTS))
    tenants = {each["receipt_number"]: (n, each["tenant"]) for n, each in enumerate(made)}
    corrections = [(n, each) for n, each in enumerate(made) if "replaces" in each]
    assert corrections
    for number, each in corrections:
        earlier, tenant = tenants[each["replaces"]]
        assert earlier < number and tenant == each["tenant"]
