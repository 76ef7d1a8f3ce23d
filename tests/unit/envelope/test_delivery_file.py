"""The delivery receipt's file: every byte as the page says, and nothing else is one."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from hub.envelope import header as headers
from hub.envelope.delivery import MAX_BYTES, NoDeliveryReceipt, read, write
from hub.envelope.records import StoredEvent, StoredReceipt
from hub.envelope.sealed import Sealed, build, parse
from hub.envelope.signed import sign
from tests.unit.envelope.support import NOW, PARTITION, REVIEW, T, identity, world

HEADER = world().header._replace(receipt_number="区-1")
DIGESTS = [(each.audience, each.digest) for each in parse(world().event.value).sections]
EVENT: Sealed = parse(build(headers.encode(HEADER), [(*each, None) for each in DIGESTS], None))
STORED = StoredEvent(HEADER.sequence, HEADER.event_id, EVENT.leaf())
RECEIPT = StoredReceipt(HEADER.session, PARTITION, T, REVIEW, (STORED,), NOW)
RECORD = sign(StoredReceipt.RECORD, RECEIPT.encode(), identity(REVIEW))
FILE = write(RECORD, EVENT)


def test_file_has_these_members_and_this_form() -> None:
    document = {
        "format": "eltax-hub-delivery-receipt/1",
        "receipt_number": "区-1",
        "procedure": "heir-representative-designation",
        "accepted_at": "2026-04-01T02:59:55.000+00:00",
        "tenant": T,
        "event_id": HEADER.event_id,
        "leaf": EVENT.leaf().hex(),
        "stored_at": "2026-04-01T03:00:00.000+00:00",
        "desk": REVIEW,
        "header": base64.b64encode(headers.encode(HEADER)).decode(),
        "sections": [{"audience": name, "digest": digest.hex()} for name, digest in DIGESTS],
        "record": base64.b64encode(RECORD).decode(),
    }
    written = write(RECORD, EVENT)
    assert list(json.loads(written)) == list(document)
    assert json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n" == written == FILE
    assert FILE.startswith(b'{\n "format": ') and "区".encode() in FILE


def test_file_is_read_as_what_it_says() -> None:
    found = read(FILE)
    assert (found.record, found.receipt, found.header, found.entry) == (RECORD, RECEIPT, HEADER, STORED)
    assert found.agrees
    for other in (
        replace(RECEIPT, session=bytes(32)),
        replace(RECEIPT, partition=PARTITION + 1),
        replace(RECEIPT, tenant="999997"),
        replace(RECEIPT, entries=(replace(STORED, leaf=bytes(32)),)),
    ):
        assert not replace(found, receipt=other).agrees


def changed(**members: Any) -> bytes:
    return json.dumps(json.loads(FILE) | members, ensure_ascii=False, indent=1).encode() + b"\n"


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        (b"", "unreadable"),
        (b"[]", "unreadable"),
        (b"[" * 10_000, "unreadable"),
        (b"[" * 1_000_000, "too large"),
        (b"[" + b"[]," * 50_000 + b"[]]", "too large"),
        (FILE[:-1], "its own words are not those of its record"),
        (FILE.replace(b"\n ", b"\n"), "its own words are not those of its record"),
        (changed(format="eltax-hub-delivery-receipt/2"), "format"),
        (changed(tenant="999997"), "its own words are not those of its record"),
        (changed(record=5), "unreadable"),
        (changed(record="A"), "unreadable"),
        (changed(header=base64.b64encode(RECORD).decode()), "foreign-schema"),
        (changed(header="!" + base64.b64encode(headers.encode(HEADER)).decode()), "unreadable"),
        (changed(record="!" + base64.b64encode(RECORD).decode()), "unreadable"),
        (changed(record=base64.b64encode(RECORD[:-1]).decode()), "truncated"),
        (changed(sections=None), "unreadable"),
        (changed(sections=[{"audience": ["a"], "digest": "00" * 32}]), "unreadable"),
        (changed(sections=[{"audience": "a", "digest": "00"}]), "malformed"),
        (changed(sections=[{"audience": "a"}]), "unreadable"),
        (b" " * MAX_BYTES, "unreadable"),
        (b" " * (MAX_BYTES + 1), "too large"),
    ],
    ids=map(str, range(20)),
)
def test_no_other_file_is_a_delivery_receipt(document: bytes, detail: str) -> None:
    with pytest.raises(NoDeliveryReceipt) as refused:
        read(document)
    assert MAX_BYTES == 8 * 1024 * 1024
    assert refused.value.detail == detail and refused.value.code == "delivery-receipt"
