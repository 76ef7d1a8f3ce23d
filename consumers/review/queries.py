"""What people ask of the review desk's store: lists, one submission as it was sent, its attachments.

Only this module and the desk itself ever hold an opened submission; nothing here logs or caches it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from consumers.review.desk import Kept
from consumers.store.errors import ContentErased
from consumers.store.model import StoredEvent
from consumers.store.port import Store
from consumers.store.vault import Vault
from hub.envelope.event_ids import is_event_id
from hub.envelope.names import Kind
from hub.envelope.times import from_ms
from schemas.errors import HubError
from schemas.submission import Attachment, as_sent

_PAGE: Final = 1_000
_MAX_NAME_BYTES: Final = 150


class NotFound(HubError):
    """No submission is stored under this receipt number or event id."""

    code = "not-found"


class ReviewQueries:
    """Reads the review desk's store with the desk's own keys."""

    def __init__(self, store: Store, vault: Vault) -> None:
        """Both are the role's own."""
        self._store = store
        self._vault = vault

    def list(self, *, after: int = 0, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield one line for each submission, in the order of storing; opens nothing."""
        left = limit
        while left is None or left > 0:
            page = self._store.events(after=after, limit=_PAGE if left is None else min(_PAGE, left))
            if not page:
                return
            repeated = self._store.repeated([row.event.receipt_number for row in page])
            for row in page:
                if row.event.kind == Kind.SUBMISSION.value:
                    yield summary(row) | {"repeated_receipt": row.event.receipt_number in repeated}
            after = page[-1].number
            left = None if left is None else left - len(page)

    def find(self, receipt_or_event: str) -> Sequence[StoredEvent]:
        """Return the rows of a receipt number or event id. Raises NotFound."""
        if is_event_id(receipt_or_event):
            rows = self._store.events(event_id=receipt_or_event)
        else:
            rows = self._store.events(receipt_number=receipt_or_event)
        if not rows:
            raise NotFound
        return rows

    def show(self, receipt_or_event: str) -> Sequence[dict[str, Any]]:
        """Return each stored submission of a receipt number or event id, opened.

        `submission` is the document as it was sent, with items string for string; it is null, with
        `erased` true, where the content was erased. Attachments are described, not contained.
        """
        rows = self.find(receipt_or_event)
        return [self._shown(row, [r for r in rows if r.number != row.number]) for row in rows]

    def _shown(self, row: StoredEvent, others: Sequence[StoredEvent]) -> dict[str, Any]:
        shown = summary(row) | {
            "history": [
                {"at": text_time(entry.at_ms), "what": entry.what, "detail": entry.detail}
                for entry in self._store.history(row.number)
            ],
            "same_receipt": [other.event.event_id for other in others],
        }
        try:
            kept = self._open(row)
        except ContentErased:
            return shown | {"erased": True, "submission": None, "items": None, "findings": [], "attachments": []}
        submission = kept.submission()
        sent = dict(as_sent(submission))
        sent.pop("attachments", None)
        return shown | {
            "erased": False,
            "submission": sent,
            "items": sent.get("items"),
            "findings": [
                {"path": f.path, "rule": f.rule, "message": f.message, "message_ja": f.message_ja}
                for f in kept.findings
            ],
            "attachments": [
                {
                    "file_name": each.file_name,
                    "media_type": each.media_type,
                    "bytes": len(each.content),
                    "sha256": sha256(each.content).hexdigest(),
                }
                for each in submission.attachments
            ],
        }

    def attachments(self, row: StoredEvent) -> Sequence[Attachment]:
        """Return the attachments of one row. Raises ContentErased."""
        return self._open(row).submission().attachments

    def _open(self, row: StoredEvent) -> Kept:
        content = self._store.content(row.number)
        if content is None:
            raise ContentErased
        event = row.event
        return Kept.decode(self._vault.open(event.tenant, event.event_id, event.leaf, content))


def save(attachments: Sequence[Attachment], directory: Path) -> list[Path]:
    """Write attachments as `01-<name>` with mode 0600, replacing nothing; return where.

    The name is the sender's: separators, control characters and leading dots do not survive.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = []
    for number, attachment in enumerate(attachments, 1):
        path = directory / f"{number:02d}-{safe_name(attachment.file_name)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(attachment.content)
        written.append(path)
    return written


def safe_name(name: str) -> str:
    """Return a file name of at most 150 bytes that stays in its directory and shows as it is."""
    kept = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name).lstrip(". ")
    encoded = kept.encode()[:_MAX_NAME_BYTES]
    return encoded.decode(errors="ignore") or "unnamed"


def summary(row: StoredEvent) -> dict[str, Any]:
    """Return what stands in clear of a row, as the commands show it."""
    event = row.event
    return {
        "number": row.number,
        "event_id": event.event_id,
        "receipt_number": event.receipt_number,
        "tenant": event.tenant,
        "procedure": event.procedure,
        "tax_item": event.tax_item,
        "status": event.status.value,
        "findings": event.findings,
        "confirmed": row.confirmed_at_ms is not None,
        "accepted_at": text_time(event.accepted_at_ms),
        "stored_at": text_time(event.stored_at_ms),
        "checks": {"calculation": event.calculation_check, "signature": event.signature_check},
        "replays": row.replays,
        "conflict": row.conflict,
    }


def text_time(at_ms: int) -> str:
    """Return a time as ISO 8601, UTC, milliseconds."""
    return from_ms(at_ms).isoformat(timespec="milliseconds")
