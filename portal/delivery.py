"""The delivery receipt of one submission: a file that proves, without the hub, that the ward's desk has stored it.

    {"format": "eltax-hub-delivery-receipt/1", "receipt_number", "tenant", "event_id", "leaf", "stored_at",
     "desk", "record": base64 of the StoredReceipt as the desk signed it}

Only `record` proves anything; the rest must agree with it. The signed receipt lists other events of the same
batch, too, by sequence, event id and leaf: random numbers and digests, nothing of anybody.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hub.envelope.event_ids import is_event_id
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import StoredReceipt
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_receipt
from hub.producing.errors import JournalBusy
from hub.producing.journal import read_events, read_receipt
from hub.producing.journal_rows import JournaledEvent
from portal.producer import JOURNAL, PortalProducer, PortalRole
from schemas.errors import HubError

FORMAT: Final = "eltax-hub-delivery-receipt/1"
MAX_BYTES: Final = 8 * 2**20
_LOOK_SECONDS: Final = 0.2


class NotSent(HubError):
    """This portal has sent nothing under this receipt number or event id."""

    code = "portal.not-sent"


class NotStoredYet(HubError):
    """The desk has not confirmed that it stored this submission."""

    code = "portal.not-stored"
    hint = "Does the desk run? `portal receipt --wait SECONDS` waits longer."
    retriable = True


class ReceiptInvalid(HubError):
    """This is not a delivery receipt, or it does not prove what it says."""

    code = "portal.receipt-invalid"


def sent(journal: Path, receipt_or_event: str) -> Iterator[JournaledEvent]:
    """Yield what the journal knows of a receipt number or event id, oldest first."""
    for event in read_events(journal):
        if receipt_or_event in (event.receipt_number, event.event_id):
            yield event


async def await_receipt(role: PortalRole, event: JournaledEvent, seconds: float) -> None:
    """Read receipts from the status topics until the one of `event` is in the journal, `seconds` at most.

    Where another process of this portal runs, that one reads them. Raises what `PortalProducer` raises.
    """
    journal = Path(role.state_directory) / JOURNAL
    deadline = time.monotonic() + seconds

    async def arrived() -> bool:
        while await asyncio.to_thread(read_receipt, journal, event.event_id) is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    if await asyncio.to_thread(read_receipt, journal, event.event_id) is not None:
        return
    try:
        async with PortalProducer(role):
            await arrived()
    except JournalBusy:
        await arrived()


def delivery_receipt(journal: Path, event: JournaledEvent) -> bytes:
    """Return the file of one event. Raises NotStoredYet, JournalUnavailable."""
    record = read_receipt(journal, event.event_id)
    if record is None:
        raise NotStoredYet(event.event_id)
    receipt = StoredReceipt.decode(Signed.parse(record).body)
    document = {
        "format": FORMAT,
        "receipt_number": event.receipt_number,
        "tenant": event.tenant,
        "event_id": event.event_id,
        "leaf": event.leaf.hex(),
        "stored_at": receipt.stored_at.isoformat(timespec="milliseconds"),
        "desk": receipt.desk,
        "record": base64.b64encode(record).decode(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def check(document: bytes, trust: Trust, now: datetime) -> dict[str, Any]:
    """Verify a delivery receipt with a trust file alone; return what it proves. Raises ReceiptInvalid."""
    if len(document) > MAX_BYTES:
        raise ReceiptInvalid("too large")
    try:
        said = json.loads(document)
        event_id, leaf = said["event_id"], bytes.fromhex(said["leaf"])
        record = base64.b64decode(said["record"], validate=True)
        known = said["format"] == FORMAT and is_event_id(event_id)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise ReceiptInvalid("unreadable") from None
    if not known:
        raise ReceiptInvalid("format")
    try:
        found = validate_receipt(Signed.parse(record), trust, now, tenant=said.get("tenant"))
    except EnvelopeError as problem:
        found = problem.reason
    if isinstance(found, Reason):
        raise ReceiptInvalid(found.value)
    if not any((each.event_id, each.leaf) == (event_id, leaf) for each in found.entries):
        raise ReceiptInvalid("it speaks of other events")
    stored_at = found.stored_at.isoformat(timespec="milliseconds")
    if (said.get("stored_at"), said.get("desk")) != (stored_at, found.desk):
        raise ReceiptInvalid("its own words do not agree with what was signed")
    return {
        "event_id": event_id,
        "leaf": leaf.hex(),
        "tenant": found.tenant,
        "desk": found.desk,
        "stored_at": stored_at,
    }
