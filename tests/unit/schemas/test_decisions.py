"""What may be decided, why, with which words; and the records that tell of it, read strictly."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pytest

import schemas
from schemas import codec
from schemas.catalogue import TAX_ITEMS
from schemas.codec import CodecError
from schemas.decisions import (
    ACCEPTED_RECORD,
    MAX_MESSAGE_CHARACTERS,
    REASONS,
    RECORD,
    STATUS_AFTER,
    AcceptedRecord,
    AnswerDateInvalid,
    Decision,
    DecisionNotAllowed,
    DecisionRecord,
    DecisionRefused,
    MessageMissing,
    MessageTooLong,
    Order,
    ReasonUnknown,
    TaxItemUnknown,
    check,
    encode_accepted,
    is_day,
    reasons_for,
)
from schemas.parts import LargeAttachment, PartName
from schemas.sections import review_section
from schemas.submission_model import Attachment
from tests.unit.schemas.support import good, smallest

TODAY = date(2030, 1, 15)
ITEM = TAX_ITEMS[0]
STATUSES = ("stored", "held", "accepted", "returned", "revoked", "erased", "decided-by-nobody", "")
TABLE = {
    ("stored", "accept"),
    ("stored", "return"),
    ("stored", "hold"),
    ("held", "accept"),
    ("held", "return"),
    ("accepted", "revoke"),
    ("returned", "revoke"),
    ("revoked", "accept"),
    ("revoked", "return"),
    ("revoked", "hold"),
}
"""the table of the module's docstring, written again by hand"""
REASON = {
    Decision.ACCEPT: "complete",
    Decision.RETURN: "item-missing",
    Decision.HOLD: "inquiry",
    Decision.REVOKE: "decided-in-error",
}
BEFORE = {Decision.ACCEPT: "stored", Decision.RETURN: "held", Decision.HOLD: "stored", Decision.REVOKE: "accepted"}


def order(decision: Decision, **changes: Any) -> Order:
    """Return an order that is possible."""
    made = Order(
        decision,
        REASON[decision],
        "不足しています" if decision is Decision.RETURN else None,
        (ITEM,) if decision is Decision.ACCEPT else (),
    )
    return replace(made, **changes)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("decision", Decision)
def test_a_decision_is_possible_exactly_where_the_table_says(status: str, decision: Decision) -> None:
    if (status, decision.value) in TABLE:
        check(order(decision), status, TODAY)
    else:
        with pytest.raises(DecisionNotAllowed):
            check(order(decision), status, TODAY)


def test_from_every_status_that_a_decision_leads_to_a_way_goes_on() -> None:
    assert set(STATUS_AFTER) == set(Decision)
    for status in STATUS_AFTER.values():
        assert {decision for before, decision in TABLE if before == status}
    # only a revocation leads away from what was decided
    assert {decision for before, decision in TABLE if before in ("accepted", "returned")} == {"revoke"}


@pytest.mark.parametrize("decision", Decision)
@pytest.mark.parametrize("reason", [*REASONS, "", "COMPLETE", "complete ", "no-such-reason"])
def test_each_reason_belongs_to_its_decisions_only(decision: Decision, reason: str) -> None:
    wanted = order(decision, reason=reason)
    if reason in REASONS and decision in REASONS[reason][0]:
        check(wanted, BEFORE[decision], TODAY)
        assert reason in reasons_for(decision)
    else:
        with pytest.raises(ReasonUnknown):
            check(wanted, BEFORE[decision], TODAY)
        assert reason not in reasons_for(decision)


def test_every_reason_says_what_it_means_in_two_languages() -> None:
    for code, (decisions, english, japanese) in REASONS.items():
        assert decisions <= set(Decision) and decisions and english, code
        assert any(ord(c) > 0x3000 for c in japanese), code
        assert len(code) <= 64  # the column of the store
    assert all(reasons_for(decision) for decision in Decision)


TEXTS = [
    ("不足しています。\r\n\t添付を付けて、再度提出してください。", True),
    ("髙﨑𠮷 辻\U000e0100 \ue000 ﾐﾎﾝ", True),
    ("あ" * MAX_MESSAGE_CHARACTERS, True),
    ("𠮷" * MAX_MESSAGE_CHARACTERS, True),
    ("あ" * (MAX_MESSAGE_CHARACTERS + 1), False),
    ("a\x00b", False),
    ("a\x1b[31mb", False),
    ("a\x7fb", False),
    ("a\x85b", False),
    ("a\x9b31mb", False),  # CSI in one character
    ("a\ud800b", False),
    ("a\udfffb", False),
    ("a\x0bb", False),
]


@pytest.mark.parametrize(("text", "possible"), TEXTS, ids=[ascii(text)[:24] for text, _ in TEXTS])
@pytest.mark.parametrize("decision", Decision)
def test_a_message_is_text_of_at_most_2000_characters(decision: Decision, text: str, possible: bool) -> None:
    assert MAX_MESSAGE_CHARACTERS == 2_000
    wanted = order(decision, message=text)
    if possible:
        check(wanted, BEFORE[decision], TODAY)
    else:
        with pytest.raises(MessageTooLong):
            check(wanted, BEFORE[decision], TODAY)


@pytest.mark.parametrize("blank", [None, "", " ", "\r\n\t", "\u3000", "\u200b", "\ufeff"])
def test_who_returns_says_why(blank: str | None) -> None:
    with pytest.raises(MessageMissing):
        check(order(Decision.RETURN, message=blank), "stored", TODAY)
    for decision in (Decision.ACCEPT, Decision.HOLD, Decision.REVOKE):
        check(order(decision, message=blank), BEFORE[decision], TODAY)


def test_an_acceptance_names_tax_items_of_the_list_each_once_and_nothing_else_names_any() -> None:
    check(order(Decision.ACCEPT, tax_items=tuple(TAX_ITEMS)), "stored", TODAY)
    for wrong in ((), ("no-such-item",), (ITEM, "no-such-item"), (ITEM, ITEM), (ITEM.upper(),), ("",)):
        with pytest.raises(TaxItemUnknown):
            check(order(Decision.ACCEPT, tax_items=wrong), "stored", TODAY)
    for decision in (Decision.RETURN, Decision.HOLD, Decision.REVOKE):
        with pytest.raises(TaxItemUnknown):
            check(order(decision, tax_items=(ITEM,)), BEFORE[decision], TODAY)
    with pytest.raises(TaxItemUnknown):  # a ward may have fewer
        check(order(Decision.ACCEPT, tax_items=(TAX_ITEMS[1],)), "stored", TODAY, tax_items=(ITEM,))


@pytest.mark.parametrize(("days", "possible"), [(1, True), (3_000, True), (0, False), (-1, False)])
@pytest.mark.parametrize("decision", Decision)
def test_an_answer_is_asked_for_later_than_today_and_only_of_who_is_waited_for(
    decision: Decision, days: int, possible: bool
) -> None:
    wanted = order(decision, answer_by=TODAY + timedelta(days=days))
    if possible and decision in (Decision.RETURN, Decision.HOLD):
        check(wanted, BEFORE[decision], TODAY)
    else:
        with pytest.raises(AnswerDateInvalid):
            check(wanted, BEFORE[decision], TODAY)


@pytest.mark.parametrize(
    "text", ["20300116", "2030-W03-3", "2030-1-16", "2030-02-30", "", "2030-01-16T00:00", "２０３０-01-16"]
)
def test_a_day_is_written_in_one_way(text: str) -> None:
    assert is_day("2030-01-16")
    assert not is_day(text)


def test_a_refusal_never_repeats_the_message() -> None:
    secret = "見本太郎の秘密"
    for wanted, status in [
        (order(Decision.ACCEPT, message=secret), "accepted"),
        (order(Decision.ACCEPT, message=secret, reason="x"), "stored"),
        (order(Decision.ACCEPT, message=secret + "\x00"), "stored"),
        (order(Decision.ACCEPT, message=secret, tax_items=()), "stored"),
        (order(Decision.RETURN, message=secret, answer_by=TODAY), "stored"),
    ]:
        with pytest.raises(DecisionRefused) as refused:
            check(wanted, status, TODAY)
        assert secret not in str(refused.value) + repr(refused.value) + repr(wanted)


# --- the records

SAID = DecisionRecord(
    "R12-99999-000000001",
    "999997",
    "heir-representative-designation",
    3,
    "return",
    "item-missing",
    "見本太郎様: 𠮷の項を\n記入してください",
    (),
    "2030-02-01",
    1_894_000_000_123,
)


def contract(name: str) -> Any:
    path = Path(schemas.__file__).parent / "contracts" / "desk" / f"{name}.1.avsc"
    return fastavro.parse_schema(json.loads(path.read_text()))


def independent(name: str, framed: bytes) -> dict[str, Any]:
    """Read a framed record without our codec."""
    source = io.BytesIO(framed[5:])
    value = fastavro.schemaless_reader(source, contract(name), None)
    assert source.read() == b""
    assert framed[0] == 0
    assert isinstance(value, dict)
    return value


def framed_like(name: str, framed: bytes, value: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, contract(name), value)
    return framed[:5] + out.getvalue()


def test_a_decision_comes_back_and_others_read_it_too() -> None:
    framed = SAID.encode(with_message=True)
    assert DecisionRecord.decode(framed) == SAID
    assert independent(RECORD, framed) == {
        "receipt_number": SAID.receipt_number,
        "tenant": "999997",
        "procedure": SAID.procedure,
        "revision": 3,
        "decision": "return",
        "reason": "item-missing",
        "message": SAID.message,
        "tax_items": [],
        "answer_by": "2030-02-01",
        "decided_at": 1_894_000_000_123,
    }


def test_the_helpdesks_copy_has_no_byte_of_the_message() -> None:
    framed = SAID.encode(with_message=False)
    assert DecisionRecord.decode(framed) == replace(SAID, message=None)
    assert independent(RECORD, framed)["message"] is None
    assert SAID.message is not None
    assert "見本太郎".encode() in SAID.encode(with_message=True)
    for start in range(len(SAID.message) - 1):
        assert SAID.message[start : start + 2].encode() not in framed
    assert "見本" not in repr(SAID)


def test_every_truncation_and_every_longer_form_is_refused() -> None:
    framed = SAID.encode(with_message=True)
    for length in range(len(framed)):
        with pytest.raises(CodecError):
            DecisionRecord.decode(framed[:length])
    with pytest.raises(CodecError):
        DecisionRecord.decode(framed + b"\x00")


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "stored"},
        {"decision": "ACCEPT"},
        {"decision": ""},
        {"revision": 0},
        {"revision": -1},
        {"message": "x" * 2_001},
        {"message": "\x9b2J"},
        {"answer_by": "tomorrow"},
        {"answer_by": "20300201"},
        {"answer_by": ""},
    ],
    ids=str,
)
def test_a_decision_that_no_desk_may_make_is_not_read(changes: dict[str, Any]) -> None:
    framed = SAID.encode(with_message=True)
    value = independent(RECORD, framed)
    assert DecisionRecord.decode(framed_like(RECORD, framed, value)) == SAID
    with pytest.raises(CodecError):
        DecisionRecord.decode(framed_like(RECORD, framed, value | changes))


def test_a_decision_is_not_read_from_another_record() -> None:
    accepted = encode_accepted(replace(SAID, decision="revoke"), ITEM, None)
    with pytest.raises(CodecError):
        DecisionRecord.decode(accepted)
    with pytest.raises(CodecError):
        AcceptedRecord.decode(SAID.encode(with_message=True))


def accepted_parts() -> tuple[DecisionRecord, bytes, LargeAttachment]:
    submission = good(smallest())
    attachments = (Attachment("a.pdf", "application/pdf", b"%PDF-1.7"), Attachment("b.pdf", "application/pdf", b""))
    submission = replace(submission, attachments=attachments)
    said = replace(
        SAID,
        decision="accept",
        reason="complete",
        receipt_number=submission.receipt_number,
        tenant=submission.tenant,
        procedure=submission.procedure,
        tax_items=(ITEM,),
        answer_by=None,
    )
    large = LargeAttachment(1, 5_000_000, bytes(range(32)), tuple(PartName(f"id {n}", bytes([n]) * 32) for n in (1, 2)))
    return said, review_section(submission), large


def test_an_accepted_submission_comes_back_whole_and_others_read_it_too() -> None:
    said, section, large = accepted_parts()
    framed = encode_accepted(said, ITEM, section, [large])
    read = AcceptedRecord.decode(framed)
    assert read.submission is not None
    assert review_section(read.submission) == section
    assert read.large == (large,)
    assert (read.receipt_number, read.tenant, read.tax_item) == (said.receipt_number, said.tenant, ITEM)
    assert (read.decision, read.reason, read.revision) == ("accept", "complete", 3)
    value = independent(ACCEPTED_RECORD, framed)
    assert value["submission"] == section
    assert value["large"] == [large.as_value()]
    assert "message" not in value  # what was said to the filer is not the tax team's
    assert said.message is not None and said.message.encode() not in framed


def test_a_revocation_carries_nothing_of_the_submission() -> None:
    said, _, large = accepted_parts()
    framed = encode_accepted(replace(said, decision="revoke", reason="decided-in-error"), ITEM, None)
    read = AcceptedRecord.decode(framed)
    assert (read.submission, read.large) == (None, ())
    value = independent(ACCEPTED_RECORD, framed)
    with pytest.raises(CodecError):
        AcceptedRecord.decode(framed_like(ACCEPTED_RECORD, framed, value | {"large": [large.as_value()]}))


def test_every_truncation_of_an_accepted_submission_is_refused() -> None:
    said, section, large = accepted_parts()
    framed = encode_accepted(said, ITEM, section, [large])
    for length in itertools.chain(range(200), range(200, len(framed), 97), range(len(framed) - 120, len(framed))):
        with pytest.raises(CodecError):
            AcceptedRecord.decode(framed[:length])


@pytest.mark.parametrize(
    "changes",
    [
        {"submission": None},
        {"decision": "revoke"},
        {"decision": "return"},
        {"decision": "hold"},
        {"revision": 0},
        {"receipt_number": "R12-99999-999999999"},
        {"tenant": "131130"},
        {"submission": b"\x00\x00\x00\x00\x01"},
        {"submission": SAID.encode(with_message=False)},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_an_acceptance_that_contradicts_itself_is_not_read(changes: dict[str, Any]) -> None:
    said, section, large = accepted_parts()
    framed = encode_accepted(said, ITEM, section, [large])
    value = independent(ACCEPTED_RECORD, framed)
    assert AcceptedRecord.decode(framed_like(ACCEPTED_RECORD, framed, value)).revision == 3
    with pytest.raises(CodecError):
        AcceptedRecord.decode(framed_like(ACCEPTED_RECORD, framed, value | changes))


def test_what_does_not_fit_the_contract_is_not_written() -> None:
    for changes in ({"revision": 2**31}, {"message": "\ud800"}, {"decided_at": 2**63}):
        with pytest.raises(CodecError):
            replace(SAID, **changes).encode(with_message=True)  # type: ignore[arg-type]
    assert codec.decode(SAID.encode(with_message=True), {RECORD}).version == 1
