"""The input: everything that is malformed is refused by place and rule, everything else kept as it was typed."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.generator import generate
from schemas.jsonschema import json_schema
from schemas.lines import Document, split_documents
from schemas.problems import Refused
from schemas.rules import findings
from schemas.sections import helpdesk_section, read_helpdesk_section, read_review_section, review_section
from schemas.submission import Submission, as_sent, canonical, parse

TENANTS = ("131041", "999997")


def document(**change: Any) -> dict[str, Any]:
    """A good document, changed."""
    made = {
        "procedure": "heir-representative-designation",
        "receipt_number": "R7-13104-000000017",
        "tenant": "131041",
        "tax_item": None,
        "accepted_at": "2025-12-01T09:30:00+09:00",
        "checks": {"calculation": "passed", "signature": "not_performed"},
        "rehearsal": True,
        "items": {"submitted_on": "2025-12-01", "heirs": [{"heir_name": "見本太郎", "inheritance_share": "1/2"}]},
    }
    return {**made, **change}


def without(key: str) -> dict[str, Any]:
    """A document that lacks a key."""
    made = document()
    del made[key]
    return made


def judged(raw: bytes) -> Submission | Refused:
    """What the parser says."""
    return parse(raw, rehearsal=True, tenants=TENANTS)


def coded(value: Any) -> bytes:
    """JSON as a portal writes it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


BAD: list[tuple[bytes, str, str]] = [
    (b"", "", "json.empty"),
    (b"   \n", "", "json.empty"),
    (b"{", "", "json.syntax"),
    (b"not json", "", "json.syntax"),
    (b"[1]", "", "type.object"),
    (b'"text"', "", "type.object"),
    (coded(document())[:-1] + b',"tenant":"131041"}', "/tenant", "json.duplicate-key"),
    (
        coded(document()).replace(b'"inheritance_share"', b'"heir_name"'),
        "/items/heirs/0/heir_name",
        "json.duplicate-key",
    ),
    (b"[" * 5_000 + b"]" * 5_000, "", "json.nesting"),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "", "json.nesting"),
    (json.dumps(document(items={"remarks": "見本"}), ensure_ascii=False).encode("cp932"), "", "json.encoding"),
    (coded(document(items={"no_such_item": "x"})), "/items/no_such_item", "key.unknown"),
    (coded(document(surprise=1)), "/surprise", "key.unknown"),
    (coded(document(items={"heirs": [{"no_such": "x"}]})), "/items/heirs/0/no_such", "key.unknown"),
    (coded(document(items={"heirs": {}})), "/items/heirs", "type.array"),
    (coded(document(items=[])), "/items", "type.object"),
    (coded(document(items={"remarks": None})), "/items/remarks", "type.text"),
    (coded(document(items={"remarks": 12})), "/items/remarks", "type.text"),
    (coded(document(items={"submitted_on": "2025-02-30"})), "/items/submitted_on", "date.impossible"),
    (coded(document(items={"submitted_on": "令和元年4月30日"})), "/items/submitted_on", "date.impossible"),
    (coded(document(items={"remarks": "長" * 4_097})), "/items/remarks", "limit.characters"),
    (coded(document(items={"remarks": "a\x00b"})), "/items/remarks", "text.control"),
    (coded(document(items={"remarks": "a\x7fb"})), "/items/remarks", "text.control"),
    (coded(document(items={"remarks": "a\x85b"})), "/items/remarks", "text.control"),
    (coded(document(items={"remarks": "X"})).replace(b'"X"', b'"\\ud800"'), "/items/remarks", "text.surrogate"),
    (coded(document(items={"remarks": "\uffff"})), "/items/remarks", "text.noncharacter"),
    (coded(document(items={"remarks": "\ufdd0"})), "/items/remarks", "text.noncharacter"),
    (coded(document(items={"remarks": "\U0001fffe"})), "/items/remarks", "text.noncharacter"),
    (coded(document(rehearsal=False)), "/rehearsal", "rehearsal.mismatch"),
    (coded(document(rehearsal="true")), "/rehearsal", "type.boolean"),
    (coded(document(procedure="no-such-procedure")), "/procedure", "procedure.unknown"),
    (coded(document(tax_item="income-tax")), "/tax_item", "value.choice"),
    (coded(document(accepted_at="2025-12-01T09:30:00")), "/accepted_at", "time.invalid"),
    (coded(document(accepted_at="2025-13-01T09:30:00+09:00")), "/accepted_at", "time.invalid"),
    (coded(document(receipt_number="has space")), "/receipt_number", "receipt.invalid"),
    (coded(document(receipt_number="")), "/receipt_number", "receipt.invalid"),
    (coded(document(checks={"calculation": "passed"})), "/checks/signature", "key.missing"),
    (coded(document(checks={"calculation": "good", "signature": "passed"})), "/checks/calculation", "value.choice"),
    (coded(document(replaces="R1", withdraws="R2")), "", "submission.both"),
    (coded(without("items")), "", "submission.empty"),
    (coded(without("tenant")), "/tenant", "key.missing"),
    (coded(document(procedure="tobacco-tax")), "/items", "procedure.no-items"),
]


@pytest.mark.parametrize(
    ("raw", "path", "rule"), BAD, ids=[f"{number}-{rule}" for number, (_, _, rule) in enumerate(BAD)]
)
def test_malformed_input_is_refused_with_place_rule_and_two_languages(raw: bytes, path: str, rule: str) -> None:
    refused = judged(raw)
    assert isinstance(refused, Refused)
    assert (path, rule) in {(each.path, each.rule) for each in refused.problems}, refused.problems
    for each in refused.problems:
        assert each.message
        assert each.message_ja
        assert each.message != each.message_ja


@pytest.mark.parametrize("number", ["1.5", "1e3", "NaN", "Infinity", "9" * 5_000])
def test_numbers_that_are_not_short_whole_numbers_are_refused(number: str) -> None:
    made = document(procedure="retained-title-light-vehicle-report")
    raw = coded(document(procedure="payment-entrustment-offer", items={"total": 77})).replace(b"77", number.encode())
    assert isinstance(judged(raw), Refused)
    assert isinstance(judged(coded(made)), Refused)  # items of another procedure


@pytest.mark.parametrize("content", ["A", "QQ", "QQ==\n", "QR==", "Q Q=", "*"])
def test_base64_that_is_not_canonical_is_refused(content: str) -> None:
    attachment = {"file_name": "見本.pdf", "media_type": "application/pdf", "content_base64": content}
    refused = judged(coded(document(attachments=[attachment])))
    assert isinstance(refused, Refused)


def test_attachments_of_more_than_56_mib_are_refused() -> None:
    content = base64.b64encode(bytes(29 * 2**20)).decode()
    attachment = {"file_name": "見本.pdf", "media_type": "application/pdf", "content_base64": content}
    refused = judged(coded(document(attachments=[attachment, attachment])))
    assert isinstance(refused, Refused)
    assert "limit.bytes" in {each.rule for each in refused.problems}


def test_what_was_typed_stands_in_no_refusal() -> None:
    secret = "見本秘匿花子"
    refused = judged(coded(document(items={"remarks": secret + "\x00", secret: 1})))
    assert secret not in repr(refused)


def test_tab_and_line_breaks_and_all_edge_characters_are_kept() -> None:
    text = "a\tb\r\nc 髙﨑𠮷辻\U000e0100\ue000ｶﾅ①㈱～－\u3000神"
    kept = judged(coded(document(items={"remarks": text})))
    assert isinstance(kept, Submission)
    assert as_sent(kept)["items"]["remarks"] == text
    assert as_sent(read_review_section(review_section(kept)))["items"]["remarks"] == text


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_raise(raw: bytes) -> None:
    parse(raw, rehearsal=True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
        max_leaves=20,
    )
)
def test_no_json_makes_the_parser_raise(value: Any) -> None:
    parse(coded(value), rehearsal=True)
    parse(coded(document(items=value)), rehearsal=True)
    parse(coded(document(checks=value, attachments=value)), rehearsal=True)


def test_generated_submissions_come_back_as_they_were_and_leave_no_number_for_the_helpdesk() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    seen = set()
    for made in generate(20251201, 400, TENANTS):
        kept = judged(coded(made))
        assert isinstance(kept, Submission), kept
        assert as_sent(kept) == made
        assert read_review_section(review_section(kept)) == kept
        masked = helpdesk_section(kept)
        for name in ("my_number", "secondary_taxpayer_my_number"):
            number = (made.get("items") or {}).get(name)
            if number:
                assert number.encode() not in masked
                assert name not in {item.name for item in read_helpdesk_section(masked).items}
        assert findings(kept) == ()
        seen.add(made["procedure"])
        if len(seen) < 6:
            validator.validate(made)
    assert len(seen) == 18
    assert not validator.is_valid(document(surprise=1))


def test_the_same_seed_gives_the_same_submissions_and_canonical_form_ignores_the_order_of_keys() -> None:
    first, again = list(generate(5, 50, TENANTS)), list(generate(5, 50, TENANTS))
    assert first == again
    assert len({each["receipt_number"] for each in first}) == 50
    made = document()
    one, other = judged(coded(made)), judged(coded(dict(reversed(made.items()))))
    assert isinstance(one, Submission)
    assert isinstance(other, Submission)
    assert canonical(one) == canonical(other)


def lines(raw: bytes, name: str = "-", most: int = 10_000, piece: int = 7) -> list[Any]:
    """Documents of a stream that comes in small pieces."""
    pieces = (raw[at : at + piece] for at in range(0, len(raw), piece))
    return list(split_documents(pieces, name, most))


def test_lines_and_whole_documents_are_told_apart() -> None:
    one = coded(document())
    pretty = json.dumps(document(), ensure_ascii=False, indent=2).encode()
    assert lines(one + b"\n" + one + b"\r\n\n")[0].data == one
    assert len(lines(one + b"\n\n" + one + b"\n")) == 2
    assert len(lines(pretty)) == 1
    assert len(lines(pretty, "one.json")) == 1
    assert len(lines(b"[" + one + b", " + one + b"]", "two.json")) == 2
    assert len(lines(b"\xef\xbb\xbf" + one + b"\n" + one, "two.jsonl")) == 2
    for each in [*lines(pretty), *lines(b"[" + one + b"]", "x.json")]:
        assert isinstance(parse(each.data, rehearsal=True), Submission)


def test_a_line_over_the_limit_is_refused_and_the_rest_goes_on_in_bounded_memory() -> None:
    def stream() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 2**20
        yield b"\n" + coded(document()) + b"\n"

    tracemalloc.start()
    found = list(split_documents(stream(), "-", 4 * 2**20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [isinstance(each, Document) for each in found] == [False, True]
    assert peak < 40 * 2**20


def test_an_empty_stream_is_one_refusal() -> None:
    for name in ("-", "x.json", "x.jsonl"):
        (only,) = split_documents(iter([b""]), name, 1_000)
        data = only.data if isinstance(only, Document) else b""
        assert isinstance(parse(data, rehearsal=True), Refused)
