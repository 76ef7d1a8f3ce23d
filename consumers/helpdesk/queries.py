"""What the helpdesk may ask: masked items of a receipt, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from consumers.helpdesk.tickets import Ticket, status_of, tickets
from consumers.review.cases import is_submission
from consumers.review.queries import summary, text_time
from consumers.store.errors import ContentErased, NotFound
from consumers.store.model import Status, StoredEvent
from consumers.store.port import Store
from consumers.store.vault import Vault
from hub.envelope.names import Kind
from hub.envelope.resolutions import receipt_fingerprint
from schemas.decisions import REASONS, STATUS_AFTER, Decision, DecisionRecord
from schemas.sections import HelpdeskRecord, read_helpdesk_section


class HelpdeskQueries:
    """Reads the helpdesk's store with the helpdesk's own keys."""

    def __init__(self, store: Store, vault: Vault) -> None:
        """Both are the role's own."""
        self._store = store
        self._vault = vault

    def lookup(self, receipt_number: str) -> Sequence[dict[str, Any]]:
        """Return each submission under a receipt number: masked record, timeline, and what of it was refused.

        Raises NotFound if neither a submission, nor a dead-letter notice, nor the operator's word is known.
        """
        if not receipt_number.isascii():
            raise NotFound
        rows = self._store.events(receipt_number=receipt_number)
        notices = self._store.notices(receipt_number=receipt_number)
        resolutions = self._store.resolutions(receipt=receipt_fingerprint(receipt_number))
        known = tickets(notices, resolutions)
        submissions = [row for row in rows if is_submission(row)]
        stored = {row.event.leaf for row in rows}
        found = []
        for row in submissions:
            answers = [each.event.leaf for each in rows if each.event.cause_leaf == row.event.leaf]
            found.append(
                self._shown(row, rows, [each for leaf in (row.event.leaf, *answers) for each in known.get(leaf, ())])
            )
        named = {notice.leaf: (notice.event_id, notice.tenant) for notice in notices}
        named |= {said.leaf: (said.event_id or "", said.tenant or "") for said in resolutions if said.leaf}
        for leaf, (event_id, tenant) in named.items():
            if leaf not in stored:
                found.append(
                    {
                        "event_id": event_id,
                        "receipt_number": receipt_number,
                        "tenant": tenant,
                        "status": status_of(known[leaf]),
                        "items": None,
                        "timeline": _timeline([each for ticket in known[leaf] for each in ticket.timeline()]),
                        "tickets": [ticket.shown() for ticket in known[leaf]],
                    }
                )
        if not found:  # of a filing whose parts alone have come, nothing can be said yet
            raise NotFound
        return found

    def _shown(self, row: StoredEvent, rows: Sequence[StoredEvent], known: Sequence[Ticket]) -> dict[str, Any]:
        timeline = [(row.event.accepted_at_ms, "accepted-by-portal", "")]
        timeline += [each for ticket in known for each in ticket.timeline()]
        timeline += [(entry.at_ms, entry.what, entry.detail) for entry in self._store.history(row.number)]
        told = [
            later
            for later in rows
            if later.event.kind == Kind.STATUS.value and later.event.cause_leaf == row.event.leaf
        ]
        opened = [(later, self._decision(later)) for later in told]
        # A desk that was restored from a backup counts some revisions again: the later word counts.
        decisions = sorted(
            (each for _, each in opened if each is not None), key=lambda each: (each.revision, each.decided_at)
        )
        timeline += [(each.decided_at, each.decision, each.reason) for each in decisions]
        timeline += [(later.event.produced_at_ms, "status", "erased") for later, each in opened if each is None]
        shown = summary(row) | {
            "timeline": _timeline(timeline),
            "tickets": [ticket.shown() for ticket in known],
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
        latest = max(opened, key=lambda each: each[0].event.produced_at_ms, default=None)
        if latest is not None and latest[1] is None:
            shown["status"] = Status.ERASED.value  # it was decided upon, and nobody here can say how
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


def _timeline(entries: Sequence[tuple[int, str, str]]) -> list[dict[str, str]]:
    return [
        {"at": text_time(at_ms), "what": what, "detail": detail}
        for at_ms, what, detail in sorted(entries, key=lambda entry: entry[0])
    ]
