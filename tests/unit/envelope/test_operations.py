"""Lines of an operations log: read as they were signed, chained, and without a text that could be content."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.crypto.hkdf import sha256
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.limits import MAX_SEQUENCE
from hub.envelope.operations import (
    CLASS_OF,
    FIRST,
    MAX_FIELD_CHARACTERS,
    WITHHELD,
    Class,
    Kind,
    Operation,
    OperationEvent,
    account,
    fingerprint,
    line_hash,
    plain,
)
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.signed import Signed, sign
from tests.unit.consumers.test_spoiled_letters import spoiled
from tests.unit.envelope.support import NOW, NS, REVIEW, YEAR, T, identity, trust, trust_builder
from tests.unit.envelope.test_trust import reloaded

LOG = bytes(range(16))
RECEIPT = "R8-13104-000000017"
VIEWED = Operation(
    Kind.VIEWED,
    NOW,
    "ok",
    "sato.h@ward",
    "desk-12.ward.example",
    T,
    fingerprint(RECEIPT),
    "review show",
    "",
    2,
)
LINE = OperationEvent(REVIEW, "review-1", NS, LOG, 0, FIRST, VIEWED)
NEXT = replace(LINE, sequence=1, previous=line_hash(LINE.sign(identity(REVIEW))))


def said(line: OperationEvent, **change: Any) -> bytes:
    """A line of the same role with other things in it than the code would write."""
    body = decode_body("OperationEvent", Signed.parse(line.sign(identity(REVIEW))).body)
    return sign("OperationEvent", encode_body("OperationEvent", body | change), identity(REVIEW))


def test_a_line_is_read_as_it_was_signed() -> None:
    for line in (LINE, NEXT):
        value = line.sign(identity(REVIEW))
        assert OperationEvent.read(value, trust()) == line
        assert OperationEvent.parse(value)[0] == line
        assert line_hash(value) == sha256(Signed.parse(value).body)
    assert (NEXT.key, NEXT.event_id) == (f"operation/{LOG.hex()}", f"{LOG.hex()}-1")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_class_and_is_read(kind: Kind) -> None:
    line = replace(LINE, operation=Operation(kind, NOW))
    assert OperationEvent.read(line.sign(identity(REVIEW)), trust()) == line
    assert CLASS_OF[kind] in Class


def test_bounds_are_where_they_are_said_to_be() -> None:
    for change in ({"count": 0}, {"count": MAX_SEQUENCE}, {"about": "x" * MAX_FIELD_CHARACTERS}, {"actor": "x" * 64}):
        line = replace(LINE, operation=replace(VIEWED, **change))
        assert OperationEvent.read(line.sign(identity(REVIEW)), trust()) == line
    last = replace(NEXT, sequence=MAX_SEQUENCE)
    assert OperationEvent.read(last.sign(identity(REVIEW)), trust()) == last


@pytest.mark.parametrize(
    "change",
    [
        {"log": bytes(15)},
        {"log": bytes(17)},
        {"previous": bytes(31)},
        {"previous": b"x" * 32},
        {"sequence": 1},
        {"sequence": -1},
        {"sequence": -1, "previous": b"x" * 32},
        {"occurred_at": -1},
        {"occurred_at": 253_402_300_800_000},
        {"kind": "read"},
        {"kind": ""},
        {"count": -1},
        {"tenant": "13104"},
        {"receipt": "0" * 31},
        {"receipt": "0" * 33},
        {"receipt": "A" * 32},
        {"receipt": RECEIPT},
        {"actor": "x" * 65},
        {"actor": "two words"},
        {"actor": "-x"},
        {"actor": "123456789018"},
        {"principal": ""},
        {"principal": "x" * 129},
        {"instance": ""},
        {"instance": "a\nb"},
        {"namespace": ""},
        *(
            {name: text}
            for name in ("outcome", "address", "about", "code")
            for text in ("x" * 201, "a\nb", "\x1b[2J", "\x7f", "見本", "of 123456789018", "1234-5678-9018", RECEIPT)
        ),
    ],
    ids=str,
)
def test_what_no_log_writes_is_malformed(change: dict[str, Any]) -> None:
    assert OperationEvent.read(said(LINE), trust()) == LINE
    assert OperationEvent.read(said(LINE, **change), trust()) is Reason.MALFORMED


@pytest.mark.parametrize(
    "line",
    [
        replace(LINE, log=bytes(15)),
        replace(LINE, sequence=1),
        replace(NEXT, sequence=0),
        replace(NEXT, sequence=MAX_SEQUENCE + 1),
        replace(LINE, instance=""),
        replace(LINE, instance="\ud800"),
        replace(LINE, operation=replace(VIEWED, receipt=RECEIPT)),
        replace(LINE, operation=replace(VIEWED, tenant="x")),
        replace(LINE, operation=replace(VIEWED, count=-1)),
    ],
    ids=str,
)
def test_what_is_no_line_is_not_signed(line: OperationEvent) -> None:
    with pytest.raises(EnvelopeError):
        line.sign(identity(REVIEW))


def test_a_text_that_could_be_content_is_withheld() -> None:
    for text in ("見本 太郎", "a\nb", "\x1b[31m", "x" * 201, "123456789018", f"replaces {RECEIPT}", "1234 5678 9018"):
        line = replace(LINE, operation=replace(VIEWED, about=text, code=text, address=text, outcome=text))
        found = OperationEvent.read(line.sign(identity(REVIEW)), trust())
        assert isinstance(found, OperationEvent)
        told = found.operation
        assert (told.about, told.code, told.address, told.outcome) == (WITHHELD,) * 4
        assert told.actor == VIEWED.actor
    kept = ("", "rehearsal.131041.review", "0123456789abcdef", "2026-04-01T03:00:00Z", "192.0.2.17", "2001:db8::1", "~")
    assert [plain(text) for text in kept] == list(kept)


def test_an_account_stays_the_same_person_whatever_it_is_called() -> None:
    assert account("sato.h@ward") == "sato.h@ward" and account("") == ""
    strange = ["佐藤", "WARD\\sato", "sato hanako", "x" * 65, "\ud800", "\x1b[2J"]
    names = [account(each) for each in strange]
    assert len({*names}) == len(strange) and all(each.startswith("account-") for each in names)
    assert [account(each) for each in strange] == names, "the next time too"
    assert [account(each) for each in names] == names, "and where it is written again"
    assert {account(each) for each in ("123456789018", "1234 5678 9018", RECEIPT)} == {WITHHELD}
    line = replace(LINE, operation=replace(VIEWED, actor="佐藤"))
    found = OperationEvent.read(line.sign(identity(REVIEW)), trust())
    assert isinstance(found, OperationEvent) and found.operation.actor == names[0]


def test_only_its_role_speaks_at_its_time_in_its_namespace() -> None:
    assert OperationEvent.read(LINE.sign(identity("portal")), trust()) is Reason.UNTRUSTED
    early = replace(LINE, operation=replace(VIEWED, occurred_at=NOW - 2 * YEAR))
    assert OperationEvent.read(early.sign(identity(REVIEW)), trust()) is Reason.UNTRUSTED
    for foreign in (replace(LINE, namespace="eltax"), replace(LINE, principal="nobody")):
        assert OperationEvent.read(foreign.sign(identity(REVIEW)), trust()) is Reason.NOT_PERMITTED


def test_a_revoked_role_and_an_instance_that_is_not_listed_do_not_count() -> None:
    builder = trust_builder()
    builder.revoke(identity(REVIEW).key_id, NOW + timedelta(days=1))
    assert OperationEvent.read(LINE.sign(identity(REVIEW)), reloaded(builder)) is Reason.REVOKED
    builder = trust_builder()
    builder.principal(REVIEW, instances=["review-1"])
    assert OperationEvent.read(LINE.sign(identity(REVIEW)), reloaded(builder)) == LINE
    other = replace(LINE, instance="review-2").sign(identity(REVIEW))
    assert OperationEvent.read(other, reloaded(builder)) is Reason.NOT_PERMITTED


def test_a_spoiled_line_is_none() -> None:
    value = NEXT.sign(identity(REVIEW))
    found = [OperationEvent.read(form, trust()) for form in spoiled(value)]
    assert all(isinstance(each, Reason) for each in found)
    assert found.count(Reason.BAD_SIGNATURE) >= 64


def test_another_record_is_no_line() -> None:
    assert OperationEvent.read(b"", trust()) is Reason.NOT_FRAMED
    foreign = sign("StandingReport", standing(), identity(REVIEW))
    assert OperationEvent.read(foreign, trust()) is Reason.FOREIGN_SCHEMA


def standing() -> bytes:
    fields = {"principal": REVIEW, "instance": "x", "namespace": NS, "taken_at": 0}
    return encode_body("StandingReport", fields | {"trust_serial": 1, "declaration_serial": 1})


def test_times_are_whole_milliseconds() -> None:
    exact = datetime(2026, 4, 1, 3, 0, 0, 123_999, tzinfo=UTC)
    found = OperationEvent.read(
        replace(LINE, operation=replace(VIEWED, occurred_at=exact)).sign(identity(REVIEW)), trust()
    )
    assert isinstance(found, OperationEvent)
    assert found.operation.occurred_at == exact.replace(microsecond=123_000)
