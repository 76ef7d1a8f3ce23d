"""A submission with everything that belongs to it, opened: section, parts of attachments, decision, message.

Reads the review desk's store with the desk's own keys; used by people's commands and by the outbox, each
with a vault of its own. Nothing here logs or caches what it opens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from consumers.review.desk import Kept
from consumers.store.casework import KeptDecision
from consumers.store.errors import ContentErased
from consumers.store.model import Content, Status, StoredEvent
from consumers.store.port import Store
from consumers.store.vault import Vault
from hub.crypto.labels import label
from hub.envelope.event_ids import is_event_id
from hub.envelope.names import Kind
from schemas.codec import CodecError
from schemas.decisions import DecisionRecord
from schemas.media import SNIFFED_BYTES
from schemas.parts import (
    ATTACHMENT_PART,
    AttachmentDamaged,
    AttachmentIncomplete,
    LargeAttachment,
    Part,
    PartName,
    Reviewed,
    belongs,
    completed,
    join,
)
from schemas.submission import Submission

_MESSAGE: Final = label("decision-message")
_LOOSE_ENDS: Final = (Status.RETURNED.value, Status.REVOKED.value)


@dataclass(frozen=True, slots=True)
class Opened:
    """A decision with the submission that it is about."""

    row: StoredEvent
    decision: KeptDecision
    reviewed: Reviewed = field(repr=False)
    message: str | None = field(repr=False)

    def record(self, tenant: str) -> DecisionRecord:
        """Return what is told of it."""
        decision, event = self.decision, self.row.event
        return DecisionRecord(
            event.receipt_number,
            tenant,
            event.procedure,
            decision.revision,
            decision.what,
            decision.reason,
            self.message,
            decision.tax_items,
            decision.answer_by,
            decision.decided_at_ms,
        )


class Dossiers:
    """Opens what the store holds. Used by one thread at a time."""

    def __init__(self, store: Store, vault: Vault) -> None:
        """Both are the role's own."""
        self._store = store
        self._vault = vault

    def forget(self) -> None:
        """Drop opened keys from memory: a key that was destroyed meanwhile opens nothing any more."""
        self._vault.forget()

    def kept(self, row: StoredEvent) -> Kept:
        """Open one row. Raises ContentErased, ContentDamaged."""
        content = self._store.content(row.number)
        if content is None:
            raise ContentErased
        event = row.event
        return Kept.decode(self._vault.open(event.tenant, event.event_id, event.leaf, content))

    def row(self, number: int) -> StoredEvent:
        """Return one row."""
        return self._store.events(after=number - 1, limit=1)[0]

    def opened(self, decision: KeptDecision) -> Opened:
        """Open a decision and its submission. Raises ContentErased, ContentDamaged."""
        row = self.row(decision.number)
        return Opened(row, decision, self.kept(row).reviewed(), self.message(row, decision))

    def part(self, reviewed: Reviewed, large: LargeAttachment, number: int) -> Part:
        """Open one part. Raises AttachmentIncomplete, AttachmentDamaged, ContentErased, ContentDamaged."""
        row = self._part_row(large.parts[number])
        if row is None:
            raise AttachmentIncomplete(f"attachment {large.position + 1}, part {number + 1} of {len(large.parts)}")
        try:
            part = self.kept(row).part()
        except CodecError:
            raise AttachmentDamaged from None
        if not belongs(reviewed.submission, large, number, part):
            raise AttachmentDamaged
        return part

    def beginning(self, reviewed: Reviewed, large: LargeAttachment) -> bytes:
        """Open as many parts as it takes to tell what an attachment is. Raises as `part`."""
        found = b""
        for number in range(len(large.parts)):
            found += self.part(reviewed, large, number).content
            if len(found) >= SNIFFED_BYTES:
                break
        return found

    def _part_row(self, name: PartName) -> StoredEvent | None:
        for row in self._store.events(event_id=name.event_id):
            if row.event.leaf == name.leaf and row.event.procedure == ATTACHMENT_PART:
                return row
        return None

    def contents(self, reviewed: Reviewed) -> dict[int, bytes]:
        """Put the attachments in parts together, by place. Raises as `part`."""
        return {
            large.position: join(
                reviewed.submission, large, [self.part(reviewed, large, number) for number in range(len(large.parts))]
            )
            for large in reviewed.large
        }

    def whole(self, reviewed: Reviewed) -> Submission:
        """Return the submission with every attachment. Raises as `part`."""
        return completed(reviewed.submission, self.contents(reviewed)) if reviewed.large else reviewed.submission

    def missing(self, reviewed: Reviewed) -> Sequence[int]:
        """Return the places of attachments of which a part is not here; opens nothing."""
        return [each.position for each in reviewed.large if any(self._part_row(name) is None for name in each.parts)]

    def message(self, row: StoredEvent, decision: KeptDecision) -> str | None:
        """Open the message of a decision. Raises ContentErased, ContentDamaged."""
        if not decision.has_message:
            return None
        content = self._store.cases.message(decision.decision)
        if content is None:
            raise ContentErased
        event = row.event
        place = message_place(event.leaf, decision.revision)
        return self._vault.open(event.tenant, event.event_id, place, content).decode()

    def seal_message(self, row: StoredEvent, revision: int, text: str) -> Content:
        """Seal a message under the epoch of its submission, so that both are erased together."""
        content = self._store.content(row.number)
        if content is None:
            raise ContentErased
        event = row.event
        place = message_place(event.leaf, revision)
        return self._vault.seal(content.epoch, event.tenant, event.event_id, place, text.encode())


def message_place(leaf: bytes, revision: int) -> bytes:
    """Return the 32 bytes that stand in for a leaf where a decision's message is sealed."""
    return sha256(_MESSAGE + leaf + revision.to_bytes(8, "big")).digest()


def is_submission(row: StoredEvent) -> bool:
    """Say whether a row is a filing, and not a part of one or an event of a desk."""
    return row.event.kind == Kind.SUBMISSION.value and row.event.procedure != ATTACHMENT_PART


def filings(store: Store, receipt_or_event: str) -> list[StoredEvent]:
    """Return the filings under a receipt number or event id, oldest first; none for a text that can be neither."""
    if is_event_id(receipt_or_event):
        rows = store.events(event_id=receipt_or_event)
    else:
        rows = store.events(receipt_number=receipt_or_event) if receipt_or_event.isascii() else []
    return [row for row in rows if is_submission(row)]


def successors(store: Store, row: StoredEvent) -> Sequence[tuple[StoredEvent, str]]:
    """Return the submissions that correct (`replaces`) or withdraw (`withdraws`) this one, oldest first."""
    found = []
    for number, how in store.cases.referring(row.event.receipt_number):
        (other,) = store.events(after=number - 1, limit=1)
        if other.number != row.number and other.event.tenant == row.event.tenant:
            found.append((other, how))
    return found


def live_successors(store: Store, row: StoredEvent) -> Sequence[StoredEvent]:
    """Return those that were not returned or revoked themselves."""
    return [other for other, _ in successors(store, row) if other.event.status.value not in _LOOSE_ENDS]
