"""What the helpdesk may ask: masked items of a receipt, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from consumers.review.cases import is_submission
from consumers.review.queries import summary, text_time
from consumers.store.errors import ContentErased, NotFound
from consumers.store.model import StoredEvent
from consumers.store.port import Store
from consumers.store.vault import Vault
from hub.envelope.names import Kind
from schemas.decisions import REASONS, STATUS_AFTER, Decision, DecisionRecord
from schemas.sections import HelpdeskRecord, read_helpdesk_section


class HelpdeskQueries:
    """Reads the helpdesk's store with the helpdesk's own keys."""

    def __init__(self, store: Store, vault: Vault) -> None:
        """Both are the role's own."""
        self._store = store
        self._vault = vault

    def lookup(self, receipt_number: str) -> Sequence[dict[str, Any]]:
        """Return each submission under a receipt number: masked record and timeline.

        Raises NotFound if neither a submission nor a dead-letter notice is known.
        """
        rows = self._store.events(receipt_number=receipt_number)
        notices = self._store.notices(receipt_number=receipt_number)
        if not rows and not notices:
            raise NotFound
        submissions = [row for row in rows if is_submission(row)]
        found = [self._shown(row, rows) for row in submissions]
        stored = {row.event.leaf for row in submissions}
        for notice in notices:
            if notice.leaf not in stored:
                timeline = [{"at": text_time(notice.seen_at_ms), "what": "dead-letter", "detail": notice.reason}]
                found.append(
                    {
                        "event_id": notice.event_id,
                        "receipt_number": notice.receipt_number,
                        "tenant": notice.tenant,
                        "status": "dead-letter",
                        "items": None,
                        "timeline": timeline,
                    }
                )
        return found

    def _shown(self, row: StoredEvent, rows: Sequence[StoredEvent]) -> dict[str, Any]:
        timeline = [(row.event.accepted_at_ms, "accepted-by-portal", "")]
        timeline += [(entry.at_ms, entry.what, entry.detail) for entry in self._store.history(row.number)]
        told = [
            later
            for later in rows
            if later.event.kind == Kind.STATUS.value and later.event.cause_leaf == row.event.leaf
        ]
        opened = [(later, self._decision(later)) for later in told]
        decisions = sorted((each for _, each in opened if each is not None), key=lambda each: each.revision)
        timeline += [(each.decided_at, each.decision, each.reason) for each in decisions]
        timeline += [(later.event.produced_at_ms, "status", "erased") for later, each in opened if each is None]
        shown = summary(row) | {
            "timeline": [
                {"at": text_time(at_ms), "what": what, "detail": detail}
                for at_ms, what, detail in sorted(timeline, key=lambda entry: entry[0])
            ],
            "decisions": [
                {
                    "decision": each.decision,
                    "reason": each.reason,
                    "reason_ja": REASONS.get(each.reason, (None, "", ""))[2],
                    "at": text_time(each.decided_at),
                    "answer_by": each.answer_by,
                    "tax_items": list(each.tax_items),
                }
                for each in decisions
            ],
        }
        if decisions:
            shown["status"] = STATUS_AFTER[Decision(decisions[-1].decision)]
        del shown["findings"]  # the helpdesk does not judge
        try:
            return shown | {"erased": False} | self._masked(row)
        except ContentErased:
            return shown | {"erased": True, "items": None}

    def _decision(self, row: StoredEvent) -> DecisionRecord | None:
        """Open one status event; None if it was erased."""
        content = self._store.content(row.number)
        if content is None:
            return None
        event = row.event
        try:
            return DecisionRecord.decode(self._vault.open(event.tenant, event.event_id, event.leaf, content))
        except ContentErased:
            return None

    def _masked(self, row: StoredEvent) -> dict[str, Any]:
        content = self._store.content(row.number)
        if content is None:
            raise ContentErased
        event = row.event
        plaintext = self._vault.open(event.tenant, event.event_id, event.leaf, content)
        record: HelpdeskRecord = read_helpdesk_section(plaintext)
        return {
            "items": [asdict(item) for item in record.items],
            "attachments": record.attachments,
            "replaces": record.replaces,
            "withdraws": record.withdraws,
            "rehearsal": record.rehearsal,
        }
