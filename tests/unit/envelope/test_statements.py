"""Records of announcements and statements: read as written, their keys, and the bounds a stranger's writer meets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import pytest

from hub.envelope.contracts import decode_body, encode_body, schema_id
from hub.envelope.reading_rules import ascending, moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    CheckpointEntry,
    ClosedPartition,
    DeadLetterNotice,
    KeyDestroyed,
    ReportEntry,
    RoleReport,
    Session,
    SessionClose,
    StoredEvent,
    StoredReceipt,
)
from hub.envelope.times import MAX_TIME_MS, epoch_bounds, from_ms, to_ms
from schemas import registry
from tests.unit.envelope.support import NOW, NS, PARTITION, REVIEW, T, audience_key, seed, world

SESSION = world().session
EVENT_ID, LEAF = world().event.event_id, world().event.leaf
LATER = NOW + timedelta(minutes=2)
FIRST = Checkpoint.decode(
    Checkpoint(
        SESSION.id, PARTITION, 0, (CheckpointEntry(LEAF), CheckpointEntry(bytes(32), True)), None, LATER
    ).encode()
)
CLOSE = SessionClose(SESSION.id, (ClosedPartition(0, -1, None), ClosedPartition(PARTITION, 7, FIRST.hash)), LATER)
RECEIPT = StoredReceipt(
    SESSION.id,
    PARTITION,
    T,
    REVIEW,
    (StoredEvent(4, EVENT_ID, bytes(32)), StoredEvent(4, EVENT_ID, LEAF), StoredEvent(5, EVENT_ID, bytes(32))),
    LATER,
)
DESTROYED = KeyDestroyed("quarantine", 202604, seed("key", 8), LATER, (bytes(32), LEAF))
REPORT = RoleReport(REVIEW, NS, "stored", LATER, (ReportEntry(T, EVENT_ID, LEAF, "stored"),), 2, 3)
NOTICE = DeadLetterNotice(T, b"header", (("a", bytes(32)), ("b", LEAF)), Reason.TENANT_NOT_READY, LATER)


class Record(Protocol):
    RECORD: Any

    def encode(self) -> bytes: ...

    @classmethod
    def decode(cls, body: bytes) -> Any: ...


@pytest.mark.parametrize(
    "record",
    [audience_key("router"), SESSION, FIRST, CLOSE, RECEIPT, DESTROYED, REPORT, NOTICE],
    ids=lambda record: record.RECORD,
)
def test_record_is_read_as_it_was_written(record: Record) -> None:
    assert type(record).decode(record.encode()) == record


def test_records_lie_under_keys_that_name_them() -> None:
    """Compaction goes by these keys, and readers refuse a record under another."""
    session = SESSION.id.hex()
    key = audience_key("router")
    assert key.key == f"router/202604/{key.key_id.hex()}"
    assert SESSION.key == session
    assert CLOSE.key == f"close/{session}"
    assert FIRST.key == f"checkpoint/{session}/3/0"
    assert RECEIPT.key == f"stored/{session}/3/4"
    assert DESTROYED.key == f"destroyed/quarantine/202604/{seed('key', 8).hex()}"


def refused(cls: Any, record: Record, **change: Any) -> Reason | None:
    """What becomes of a record with other fields, by a writer that does not look at them."""
    body = encode_body(record.RECORD, decode_body(record.RECORD, record.encode()) | change)
    try:
        cls.decode(body)
    except EnvelopeError as problem:
        return problem.reason
    return None


@pytest.mark.parametrize(
    ("record", "change", "reason"),
    [
        (FIRST, {"partition": 0, "first_sequence": 0}, None),
        (FIRST, {"partition": -1}, Reason.MALFORMED),
        (FIRST, {"first_sequence": -1}, Reason.MALFORMED),
        (FIRST, {"first_sequence": 2**63 - 3}, None),
        (FIRST, {"first_sequence": 2**63 - 2}, Reason.MALFORMED),
        (FIRST, {"produced_at": -1}, Reason.MALFORMED),
        (FIRST, {"produced_at": 0}, None),
        (FIRST, {"produced_at": MAX_TIME_MS - 1}, None),
        (FIRST, {"produced_at": MAX_TIME_MS}, Reason.MALFORMED),
        (FIRST, {"entries": [{"leaf": LEAF, "void": False}] * 4_096}, None),
        (FIRST, {"entries": [{"leaf": LEAF, "void": False}] * 4_097}, Reason.TOO_LARGE),
        (RECEIPT, {"partition": 0}, None),
        (RECEIPT, {"partition": -1}, Reason.MALFORMED),
        (RECEIPT, {"entries": []}, Reason.MALFORMED),
        (RECEIPT, {"entries": [{"sequence": 0, "event_id": EVENT_ID, "leaf": LEAF}]}, None),
        (RECEIPT, {"entries": [{"sequence": -1, "event_id": EVENT_ID, "leaf": LEAF}]}, Reason.MALFORMED),
        (RECEIPT, {"entries": [{"sequence": 0, "event_id": EVENT_ID[:-1], "leaf": LEAF}]}, Reason.MALFORMED),
        (DESTROYED, {"waivers": []}, None),
        (DESTROYED, {"waivers": [LEAF, bytes(32)]}, Reason.MALFORMED),
        (REPORT, {"part": 1, "parts": 1}, None),
        (REPORT, {"part": 3, "parts": 3}, None),
        (REPORT, {"part": 0, "parts": 1}, Reason.MALFORMED),
        (REPORT, {"part": 4, "parts": 3}, Reason.MALFORMED),
        (REPORT, {"entries": [decode_body("RoleReport", REPORT.encode())["entries"][0]] * 20_001}, Reason.TOO_LARGE),
        (NOTICE, {"reason": "bored"}, Reason.MALFORMED),
        (NOTICE, {"digests": []}, None),
        (NOTICE, {"digests": [{"audience": "a", "digest": LEAF}] * 2}, Reason.AUDIENCE_ORDER),
        (NOTICE, {"digests": [{"audience": f"a{n:02}", "digest": LEAF} for n in range(16)]}, None),
        (NOTICE, {"digests": [{"audience": f"a{n:02}", "digest": LEAF} for n in range(17)]}, Reason.TOO_LARGE),
        (CLOSE, {"partitions": []}, None),
    ],
)
def test_bounds_hold_for_what_a_stranger_wrote(record: Record, change: dict[str, Any], reason: Reason | None) -> None:
    assert refused(type(record), record, **change) is reason


def closed(*partitions: tuple[int, int]) -> Reason | None:
    listed = [{"partition": number, "last_sequence": last, "last_checkpoint": None} for number, last in partitions]
    return refused(SessionClose, CLOSE, partitions=listed)


def test_close_names_each_partition_once_and_in_order() -> None:
    assert closed((0, -1), (1, 0)) is None
    for bad in (((1, 0), (0, 0)), ((1, 0), (1, 0)), ((-1, 0),), ((0, -2),)):
        assert closed(*bad) is Reason.MALFORMED
    assert closed(*((number, 0) for number in range(4_096))) is None
    assert closed(*((number, 0) for number in range(4_097))) is Reason.TOO_LARGE


def test_session_names_64_audiences_at_most_in_order() -> None:
    def of(names: list[str]) -> Reason | None:
        one = {"epoch": 202604, "commitment": bytes(32), "sealed": b""}
        return refused(Session, SESSION, audiences=[{"audience": name, **one} for name in names])

    assert of([f"a{number:02}" for number in range(64)]) is None
    assert of([f"a{number:02}" for number in range(65)]) is Reason.TOO_LARGE
    assert of(["b", "a"]) is of(["a", "a"]) is Reason.AUDIENCE_ORDER


def test_largest_statements_are_written_and_larger_ones_are_not() -> None:
    entry = CheckpointEntry(LEAF)
    assert replace(FIRST, entries=(entry,) * 4_096).encode()
    stored = tuple(StoredEvent(number, EVENT_ID, LEAF) for number in range(4_097))
    assert replace(RECEIPT, entries=stored[:4_096]).encode()
    reported = ReportEntry(T, EVENT_ID, LEAF, "stored")
    whole = replace(REPORT, entries=(reported,) * 20_000).encode()
    assert len(RoleReport.decode(whole).entries) == 20_000
    for large in (
        replace(FIRST, entries=(entry,) * 4_097),
        replace(RECEIPT, entries=stored),
        replace(REPORT, entries=(reported,) * 20_001),
    ):
        with pytest.raises(EnvelopeError) as problem:
            large.encode()
        assert problem.value.reason is Reason.TOO_LARGE


def test_checkpoints_are_a_chain_from_the_first_one_on() -> None:
    second = replace(FIRST, first_sequence=2, previous=FIRST.hash)
    assert FIRST.next_sequence == 2 and FIRST.follows(None) and second.follows(FIRST)
    for broken in (
        replace(second, session=bytes(32)),
        replace(second, partition=PARTITION + 1),
        replace(second, previous=None),
        replace(second, previous=bytes(32)),
        replace(second, first_sequence=1),
        replace(second, first_sequence=3),
    ):
        assert not broken.follows(FIRST)
    for no_first in (replace(FIRST, first_sequence=2), replace(FIRST, previous=bytes(32))):
        assert not no_first.follows(None)


def test_partition_of_a_close_and_audience_of_a_session_are_found() -> None:
    assert [CLOSE.partition(number) for number in (0, PARTITION, 1)] == [*CLOSE.partitions, None]
    for each in SESSION.audiences:
        assert SESSION.audience(each.audience) is each
    assert SESSION.audience("nobody") is None


def test_every_value_is_greater_than_the_one_before() -> None:
    assert ascending([]) and ascending([1]) and ascending([1, 2, 3])
    assert not ascending([1, 1]) and not ascending([1, 3, 2]) and not ascending([b"b", b"a"])


def test_time_of_a_record_is_between_1970_and_9999() -> None:
    assert to_ms(moment(0)) == to_ms(from_ms(0)) == 0
    assert moment(MAX_TIME_MS - 1).isoformat() == "9999-12-31T23:59:59.999000+00:00"
    for outside in (-1, MAX_TIME_MS):
        with pytest.raises(EnvelopeError) as problem:
            moment(outside)
        assert problem.value.reason is Reason.MALFORMED


def test_epoch_is_a_month_of_japan() -> None:
    assert [each.isoformat() for each in epoch_bounds(202612)] == [
        "2026-11-30T15:00:00+00:00",
        "2026-12-31T15:00:00+00:00",
    ]
    assert [each.isoformat() for each in epoch_bounds(202601)] == [
        "2025-12-31T15:00:00+00:00",
        "2026-01-31T15:00:00+00:00",
    ]


def test_a_versions_id_is_the_locked_one() -> None:
    for contract in registry.all_contracts():
        assert schema_id(contract.name, contract.version) == contract.schema_id
    with pytest.raises(LookupError):
        schema_id("Session", 99)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", Reason.NOT_FRAMED),
        (b"\x00\x00\x00\xff\xff", Reason.UNKNOWN_SCHEMA),
        (CLOSE.encode(), Reason.FOREIGN_SCHEMA),
        (FIRST.encode()[:-1], Reason.TRUNCATED),
        (FIRST.encode() + b"\x00", Reason.TRAILING_BYTES),
    ],
    ids=["text", "unknown", "foreign", "cut", "longer"],
)
def test_body_that_is_not_the_record_is_refused_for_its_reason(body: bytes, reason: Reason) -> None:
    with pytest.raises(EnvelopeError) as problem:
        Checkpoint.decode(body)
    assert problem.value.reason is reason


def test_suite_and_window_of_a_key_are_read() -> None:
    made = AudienceKey.decode(audience_key("router").encode())
    assert (made.not_before, made.not_after) == epoch_bounds(202604)


def test_what_is_not_said_is_the_ordinary_case() -> None:
    """An entry is no void one, a report has one part, and nobody knows a hash or an id before the bytes."""
    made = Checkpoint(SESSION.id, 0, 0, (CheckpointEntry(LEAF),), None, LATER)
    assert made.hash == b"" and Checkpoint.decode(made.encode()).entries == (CheckpointEntry(LEAF, False),)
    assert (RoleReport(REVIEW, NS, "stored", LATER, ()).part, RoleReport(REVIEW, NS, "stored", LATER, ()).parts) == (
        1,
        1,
    )
    assert KeyDestroyed("a", 202604, bytes(8), LATER).waivers == ()
    assert replace(SESSION, id=b"").key == ""
