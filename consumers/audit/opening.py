"""What ties a receipt number to a leaf of the log: the event's header and the digests of its sections.

    {"format": "eltax-hub-opening/1", "header": base64, "sections": [{"audience", "digest": hex}]}

The log holds no receipt number (decision 32), but each event entry holds the event's leaf, which is a digest
of exactly these bytes (docs/envelope.md, "The record"). Whoever is given an opening can compute the leaf and
read in the header which submission it stands for. It holds no content: a header is what every desk sees.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import ClassVar, Final

from consumers.audit.entries import EventEntry
from hub.envelope import header as headers
from hub.envelope import sealed
from hub.envelope.header import EventHeader
from hub.envelope.leaf import leaf
from hub.envelope.limits import MAX_HEADER_BYTES, MAX_SECTIONS
from hub.envelope.reasons import EnvelopeError
from schemas.errors import HubError

FORMAT: Final = "eltax-hub-opening/1"
MAX_BYTES: Final = 64 * 1024


class NotOpened(HubError):
    """This does not open the event that the log holds."""

    code: ClassVar[str] = "audit.not-opened"


def write(record: bytes, event: EventEntry) -> bytes:
    """Return the opening of a sealed event as a topic holds it. Raises NotOpened if it is another event."""
    try:
        found = sealed.parse(record)
    except EnvelopeError as problem:
        raise NotOpened(f"({problem.reason.value})") from problem
    if found.leaf() != event.leaf:
        raise NotOpened("(another record lies at its place)")
    return _document(found.header, list(found.digests))


def _document(header: bytes, digests: list[tuple[str, bytes]]) -> bytes:
    document = {
        "format": FORMAT,
        "header": base64.b64encode(header).decode(),
        "sections": [{"audience": audience, "digest": digest.hex()} for audience, digest in digests],
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def read(document: bytes, event: EventEntry) -> EventHeader:
    """Return the header that an opening shows to be the event's. Raises NotOpened, whatever is wrong."""
    if len(document) > MAX_BYTES:
        raise NotOpened("(too large)")
    try:
        value = json.loads(document)
        header = base64.b64decode(value["header"], validate=True)
        digests = [(each["audience"], bytes.fromhex(each["digest"])) for each in value["sections"]]
        if _document(header, digests) != document:
            raise NotOpened("(not in its one form)")
        if len(header) > MAX_HEADER_BYTES or len(digests) > MAX_SECTIONS or any(len(each) != 32 for _, each in digests):
            raise NotOpened("(too large)")
        if leaf(header, digests) != event.leaf:
            raise NotOpened("(it has another leaf)")
        found = headers.decode(header)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError) as problem:
        raise NotOpened("(unreadable)") from problem
    except EnvelopeError as problem:
        raise NotOpened(f"({problem.reason.value})") from problem
    if (found.event_id, found.tenant, found.sequence) != (event.event_id, event.tenant, event.sequence):
        raise NotOpened("(the entry says otherwise)")
    return found
