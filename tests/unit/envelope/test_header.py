"""The header by hand against fastavro, and what a header may not say."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.envelope import header as headers
from hub.envelope.event_ids import is_event_id, new_event_id
from hub.envelope.header import Cause, Check, EventHeader
from hub.envelope.limits import MAX_TIME_MS
from hub.envelope.names import Kind
from hub.envelope.reasons import EnvelopeError, Reason
from schemas import registry
from tests.unit.envelope.support import header_for, world

PARSED = registry.contract("EventHeader").parsed

event_ids = st.builds(
    lambda now, tail: new_event_id(now, lambda _: tail),
    st.integers(0, (1 << 48) - 1),
    st.binary(min_size=10, max_size=10),
)
text = st.text(min_size=1, max_size=40).filter(lambda each: len(each.encode()) <= 128)
causes = st.builds(Cause, event_ids, st.binary(min_size=32, max_size=32))
times = st.integers(0, MAX_TIME_MS - 1)


@st.composite
def event_headers(draw: st.DrawFn) -> EventHeader:
    kind = draw(st.sampled_from(Kind))
    return EventHeader(
        draw(st.binary(min_size=32, max_size=32)),
        kind,
        draw(st.from_regex(r"\A[0-9]{6}\Z")),
        draw(text),
        draw(st.integers(0, (1 << 31) - 1)),
        draw(st.integers(0, (1 << 63) - 1)),
        draw(event_ids),
        draw(text),
        draw(text),
        draw(st.integers(1, (1 << 31) - 1)),
        draw(st.none() | text),
        draw(times),
        draw(times),
        draw(st.sampled_from(Check)),
        draw(st.sampled_from(Check)),
        None if kind is Kind.SUBMISSION else draw(causes),
    )


def oracle(header: bytes) -> tuple[dict[str, Any], bytes]:
    read: Any = fastavro.schemaless_reader(BytesIO(header[5:]), PARSED, None)
    out = BytesIO()
    fastavro.schemaless_writer(out, PARSED, read)
    return read, header[:5] + out.getvalue()


def as_dict(header: EventHeader) -> dict[str, Any]:
    value = header._asdict()
    value["accepted_at"] = value.pop("accepted_at_ms")
    value["produced_at"] = value.pop("produced_at_ms")
    value["cause"] = None if header.cause is None else header.cause._asdict()
    return value


def agrees(data: bytes) -> bool:
    try:
        header = headers.decode(data)
    except EnvelopeError:
        return False
    read, written = oracle(data)
    assert read == as_dict(header)
    assert written == data == headers.encode(header)
    return True


@given(event_headers())
def test_header_is_written_as_fastavro_writes_it_and_read_back(header: EventHeader) -> None:
    data = headers.encode(header)
    assert agrees(data) and headers.decode(data) == header
    assert data.startswith(headers.prefix(header[:5]))


@settings(max_examples=500)
@given(event_headers(), st.data())
def test_any_edit_of_a_header_is_refused_or_read_as_fastavro_reads_it(header: EventHeader, data: st.DataObject) -> None:
    encoded = headers.encode(header)
    at = data.draw(st.integers(5, len(encoded) - 1))
    until = data.draw(st.integers(at, min(at + 3, len(encoded))))
    agrees(encoded[:at] + data.draw(st.binary(max_size=3)) + encoded[until:])


def test_every_truncation_and_extension_of_a_header_is_refused() -> None:
    data = headers.encode(header_for(world().secrets))
    for bad in [*(data[:end] for end in range(len(data))), data + b"\x00"]:
        with pytest.raises(EnvelopeError):
            headers.decode(bad)


@dataclass(frozen=True)
class Bad:
    change: dict[str, Any]
    reason: Reason = Reason.HEADER_INVALID


CAUSE = Cause(new_event_id(0, bytes), bytes(32))
REFUSED = {
    "tenant of five digits": Bad({"tenant": "13104"}),
    "tenant in other digits": Bad({"tenant": "13104" + chr(0xFF11)}),
    "no producer": Bad({"producer": ""}),
    "negative partition": Bad({"partition": -1}),
    "negative sequence": Bad({"sequence": -1}),
    "sequence of 65 bits": Bad({"sequence": 1 << 64}),
    "event id in capitals": Bad({"event_id": CAUSE.event_id.upper()[:-1] + "A"}),
    "event id of version 4": Bad({"event_id": "00000000-0000-4000-8000-000000000000"}),
    "receipt number too long": Bad({"receipt_number": "1" * 513}),
    "lone surrogate": Bad({"receipt_number": "\ud800"}),
    "no procedure": Bad({"procedure": ""}),
    "empty tax item": Bad({"tax_item": ""}),
    "before 1970": Bad({"produced_at_ms": -1}),
    "after 9999": Bad({"accepted_at_ms": MAX_TIME_MS}),
    "submission with a cause": Bad({"cause": CAUSE}, Reason.CAUSE),
    "status without a cause": Bad({"kind": Kind.STATUS}, Reason.CAUSE),
    "cause with a short leaf": Bad({"kind": Kind.STATUS, "cause": Cause(CAUSE.event_id, b"")}, Reason.CAUSE),
    "short session": Bad({"session": b""}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_header_that_breaks_a_rule_is_not_written(case: str) -> None:
    with pytest.raises(EnvelopeError) as refused:
        headers.encode(header_for(world().secrets)._replace(**REFUSED[case].change))
    assert refused.value.reason is REFUSED[case].reason


@pytest.mark.parametrize("case", ["submission with a cause", "status without a cause"])
def test_header_that_contradicts_its_kind_is_not_read(case: str) -> None:
    header = header_for(world().secrets)
    changed = header._replace(**REFUSED[case].change)
    value = as_dict(changed)
    out = BytesIO()
    fastavro.schemaless_writer(out, PARSED, value)
    with pytest.raises(EnvelopeError) as refused:
        headers.decode(headers.prefix(header[:5])[:5] + out.getvalue())
    assert refused.value.reason is Reason.CAUSE


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "13104x"},
        {"producer": ""},
        {"partition": -1},
        {"sequence": -1},
        {"event_id": CAUSE.event_id[:-1] + "A"},
        {"event_id": CAUSE.event_id.replace("-7", "-4", 1)},
        {"receipt_number": ""},
        {"procedure": "p" * 129},
        {"procedure_version": 0},
        {"tax_item": ""},
        {"accepted_at": -1},
        {"produced_at": MAX_TIME_MS},
    ],
)
def test_header_that_a_stranger_wrote_against_the_rules_is_not_read(change: dict[str, Any]) -> None:
    header = header_for(world().secrets)
    out = BytesIO()
    fastavro.schemaless_writer(out, PARSED, as_dict(header) | change)
    with pytest.raises(EnvelopeError) as refused:
        headers.decode(headers.encode(header)[:5] + out.getvalue())
    assert refused.value.reason is Reason.HEADER_INVALID


def test_another_record_is_not_taken_for_a_header() -> None:
    with pytest.raises(EnvelopeError) as refused:
        headers.decode(world().event.value)
    assert refused.value.reason is Reason.FOREIGN_SCHEMA


@given(event_ids)
def test_event_id_is_a_uuid_of_version_7(event_id: str) -> None:
    parsed = uuid.UUID(event_id)
    assert str(parsed) == event_id and parsed.version == 7 and parsed.variant == uuid.RFC_4122
    assert is_event_id(event_id)


def test_event_ids_begin_with_their_time_and_differ() -> None:
    now = 0x019D_4643_3C00
    ids = {new_event_id(now) for _ in range(1_000)}
    assert len(ids) == 1_000 and all(each.startswith("019d4643-3c00-7") for each in ids)


def test_times_of_a_header_are_read_as_utc() -> None:
    header = header_for(world().secrets)
    assert header.produced_at.isoformat() == "2026-04-01T03:00:01+00:00"
    assert header.accepted_at.isoformat() == "2026-04-01T02:59:55+00:00"
