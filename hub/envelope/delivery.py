"""The delivery receipt as a file: its one form (docs/envelope.md, "The delivery receipt").

    {"format": "eltax-hub-delivery-receipt/1", "receipt_number", "procedure", "accepted_at", "tenant", "event_id",
     "leaf", "stored_at", "desk", "header": base64, "sections": [{"audience", "digest"}], "record": base64}

`record` is the StoredReceipt as the desk signed it; it lists the leaf, which is the digest of `header` and
`sections`; the header names the filing. Everything else only repeats what these say. Whether the record is signed
is not asked here: a portal asks the trust file, an auditor the log that holds the record.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import ClassVar, Final

from hub.envelope import header as headers
from hub.envelope.header import EventHeader
from hub.envelope.reasons import EnvelopeError
from hub.envelope.sealed import Sealed, build, parse
from hub.envelope.signed import Signed
from hub.envelope.statements import StoredEvent, StoredReceipt
from schemas.errors import HubError
from schemas.strict_json import has_too_many_values

FORMAT: Final = "eltax-hub-delivery-receipt/1"
MAX_BYTES: Final = 8 * 2**20


class NoDeliveryReceipt(HubError):
    """This is not a delivery receipt in its one form."""

    code: ClassVar[str] = "delivery-receipt"


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """What a file says, once it says nothing else; `entry` is what the record must say of the event."""

    record: bytes
    receipt: StoredReceipt
    header: EventHeader
    entry: StoredEvent

    @property
    def agrees(self) -> bool:
        """Whether the record speaks of this event."""
        receipt, header = self.receipt, self.header
        return (
            (receipt.session, receipt.partition, receipt.tenant) == (header.session, header.partition, header.tenant)
            and self.entry in receipt.entries
        )  # fmt: skip


def write(record: bytes, event: Sealed) -> bytes:
    """Return the file of a signed receipt and an event without ciphertexts. Raises EnvelopeError."""
    receipt = StoredReceipt.decode(Signed.parse(record).body)
    header = headers.decode(event.header)
    document = {
        "format": FORMAT,
        "receipt_number": header.receipt_number,
        "procedure": header.procedure,
        "accepted_at": header.accepted_at.isoformat(timespec="milliseconds"),
        "tenant": header.tenant,
        "event_id": header.event_id,
        "leaf": event.leaf().hex(),
        "stored_at": receipt.stored_at.isoformat(timespec="milliseconds"),
        "desk": receipt.desk,
        "header": base64.b64encode(event.header).decode(),
        "sections": [{"audience": audience, "digest": digest.hex()} for audience, digest in event.digests],
        "record": base64.b64encode(record).decode(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def read(document: bytes) -> DeliveryReceipt:
    """Read a file; every byte of it must be what `write` writes. Raises NoDeliveryReceipt."""
    if len(document) > MAX_BYTES or has_too_many_values(document):
        raise NoDeliveryReceipt("too large")
    try:
        said = json.loads(document)
        if said["format"] != FORMAT:
            raise NoDeliveryReceipt("format")
        record = base64.b64decode(said["record"], validate=True)
        header = base64.b64decode(said["header"], validate=True)
        digests = [(each["audience"], bytes.fromhex(each["digest"]), None) for each in said["sections"]]
        event = parse(build(header, digests, None))
        if write(record, event) != document:
            raise NoDeliveryReceipt("its own words are not those of its record")
        found = headers.decode(event.header)
        return DeliveryReceipt(
            record,
            StoredReceipt.decode(Signed.parse(record).body),
            found,
            StoredEvent(found.sequence, found.event_id, event.leaf()),
        )
    except EnvelopeError as problem:
        raise NoDeliveryReceipt(problem.reason.value) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NoDeliveryReceipt("unreadable") from None
