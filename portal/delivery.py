"""The delivery receipt of one submission: a file that proves, without the hub, that the ward's desk has stored it.

`hub.envelope.delivery` says what is in it. The signed receipt lists other events of the same batch, too, by
sequence, event id and leaf: random numbers and digests, nothing of anybody.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hub.envelope.delivery import MAX_BYTES as MAX_BYTES
from hub.envelope.delivery import NoDeliveryReceipt, read, write
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.sealed import parse
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_receipt
from hub.producing.errors import JournalBusy
from hub.producing.journal import read_events, read_receipt
from hub.producing.journal_rows import EventState, JournaledEvent
from portal.producer import JOURNAL, PortalProducer, PortalRole
from schemas.errors import HubError
from schemas.parts import ATTACHMENT_PART

_LOOK_SECONDS: Final = 0.2
_SETTLED: Final = frozenset({EventState.STORED, EventState.VOID})
"""states after which no receipt comes any more"""


class NotSent(HubError):
    """This portal has sent nothing under this receipt number or event id."""

    code = "portal.not-sent"


class NotStoredYet(HubError):
    """The desk has not confirmed that it stored this submission."""

    code = "portal.not-stored"
    hint = "Does the desk run? `portal receipt --wait SECONDS` waits longer."
    retriable = True


class ReceiptNotKept(HubError):
    """The desk has confirmed this submission, but before this portal kept what proves it."""

    code = "portal.receipt-not-kept"
    hint = "The audit desk can prove that it was delivered: `audit prove`."


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

    if event.state in _SETTLED or await asyncio.to_thread(read_receipt, journal, event.event_id) is not None:
        return
    try:
        async with PortalProducer(role):
            await arrived()
    except JournalBusy:
        await arrived()


def delivery_receipt(journal: Path, event: JournaledEvent) -> bytes:
    """Return the file of one event.

    Raises NotStoredYet, ReceiptNotKept, NotSent (the broker has refused it), JournalUnavailable.
    """
    kept = read_receipt(journal, event.event_id)
    if kept is not None and kept.stripped is not None:
        return write(kept.record, parse(kept.stripped))
    if event.state is EventState.VOID:
        raise NotSent(event.event_id)
    if kept is not None or event.state is EventState.STORED:
        raise ReceiptNotKept(event.event_id)
    raise NotStoredYet(event.event_id)


def is_part(document: bytes) -> bool:
    """Tell whether a file that `delivery_receipt` gave is of a part of an attachment, and not of a filing."""
    return bool(json.loads(document)["procedure"] == ATTACHMENT_PART)


def check(document: bytes, trust: Trust, now: datetime) -> dict[str, Any]:
    """Verify a delivery receipt with a trust file alone; return what it proves. Raises ReceiptInvalid."""
    try:
        said = read(document)
        found = validate_receipt(
            Signed.parse(said.record), trust, now, tenant=said.header.tenant, partition=said.header.partition
        )
    except NoDeliveryReceipt as problem:
        raise ReceiptInvalid(problem.detail) from None
    except EnvelopeError as problem:
        found = problem.reason
    if isinstance(found, Reason):
        raise ReceiptInvalid(found.value)
    if not said.agrees:
        raise ReceiptInvalid("it speaks of other events")
    header = said.header
    return {
        "receipt_number": header.receipt_number,
        "procedure": header.procedure,
        "accepted_at": header.accepted_at.isoformat(timespec="milliseconds"),
        "event_id": header.event_id,
        "leaf": said.entry.leaf.hex(),
        "tenant": found.tenant,
        "desk": found.desk,
        "stored_at": found.stored_at.isoformat(timespec="milliseconds"),
    }
