"""What people ask of the review desk's store: lists, one submission as it was sent, its attachments.

Only this module and the desk itself ever hold an opened submission; nothing here logs or caches it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from consumers.review.cases import Dossiers, filings, is_submission, successors
from consumers.store.casework import Case, KeptDecision
from consumers.store.errors import ContentErased, NotFound
from consumers.store.exporting import What
from consumers.store.model import Status, StoredEvent
from consumers.store.port import Store
from consumers.store.vault import Vault
from hub.envelope.event_ids import is_event_id
from hub.envelope.times import from_ms
from schemas.decisions import REASONS
from schemas.judging import (
    DAMAGED,
    INCOMPLETE,
    OTHER_PROCEDURE,
    UNKNOWN_LINK,
    at_the_desk,
    judge_late,
    weight,
)
from schemas.media import sniff
from schemas.parts import AttachmentDamaged, Reviewed
from schemas.rules import Finding
from schemas.submission import Attachment, as_sent

_PAGE: Final = 1_000
_MAX_NAME_BYTES: Final = 150

_EXPORTED: Final = {What.ROW: "exported", What.WITHDRAWN: "export-withdrawn"}
_OPEN: Final = frozenset({Status.STORED, Status.HELD, Status.REVOKED})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which submissions a list is to show; None stands for any."""

    status: str | None = None
    assignee: str | None = None
    unassigned: bool = False
    overdue_on: date | None = None
    """only open ones whose last day for a decision lies before this one"""
    with_findings: bool = False

    def has(self, row: StoredEvent, case: Case) -> bool:
        """Say whether a row is wanted."""
        event = row.event
        return (
            self.status in (None, event.status.value)
            and self.assignee in (None, case.assignee)
            and not (self.unassigned and case.assignee is not None)
            and not (self.with_findings and not event.findings)
            and (
                self.overdue_on is None
                or (event.status in _OPEN and case.due_on is not None and case.due_on < self.overdue_on)
            )
        )


class ReviewQueries:
    """Reads the review desk's store with the desk's own keys."""

    def __init__(self, store: Store, vault: Vault) -> None:
        """Both are the role's own."""
        self._store = store
        self._dossiers = Dossiers(store, vault)

    def listed(
        self, wanted: Wanted | None = None, *, after: int = 0, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield one line for each submission, in the order of storing; opens nothing."""
        left = limit
        while left is None or left > 0:
            page = self._store.events(after=after, limit=_PAGE)
            if not page:
                return
            after = page[-1].number
            submissions = [row for row in page if is_submission(row)]
            repeated = self._store.repeated([row.event.receipt_number for row in submissions])
            cases = self._store.cases.cases([row.number for row in submissions])
            for row in submissions:
                case = cases[row.number]
                if wanted is not None and not wanted.has(row, case):
                    continue
                yield summary(row) | work(case) | {"repeated_receipt": row.event.receipt_number in repeated}
                if left is not None:
                    left -= 1
                    if not left:
                        return

    def find(self, receipt_or_event: str) -> Sequence[StoredEvent]:
        """Return the rows of a receipt number or event id. Raises NotFound."""
        rows = filings(self._store, receipt_or_event)
        if not rows:
            raise NotFound
        return rows

    def show(self, receipt_or_event: str) -> Sequence[dict[str, Any]]:
        """Return each stored submission of a receipt number or event id, opened.

        `submission` is the document as it was sent, with items string for string; it is null, with
        `erased` true, where the content was erased. Attachments are described, not contained.
        """
        rows = self.find(receipt_or_event)
        same = rows
        if is_event_id(receipt_or_event):
            same = [r for row in rows for r in self.find(row.event.receipt_number)]
        return [self._shown(row, [r for r in same if r.number != row.number]) for row in rows]

    def _shown(self, row: StoredEvent, others: Sequence[StoredEvent]) -> dict[str, Any]:
        decisions = self._store.cases.decisions(row.number)
        shown = summary(row) | work(self._store.cases.case(row.number))
        shown |= {
            "history": self._history(row, decisions),
            "same_receipt": [other.event.event_id for other in others],
            "replaced_by": self._later(row, "replaces"),
            "withdrawn_by": self._later(row, "withdraws"),
        }
        try:
            kept = self._dossiers.kept(row)
        except ContentErased:
            erased: dict[str, Any] = {
                "erased": True,
                "submission": None,
                "items": None,
                "findings": [],
                "attachments": [],
            }
            return shown | erased | {"decisions": [self._decision(row, each, opened=False) for each in decisions]}
        reviewed = kept.reviewed()
        submission = reviewed.submission
        sent = dict(as_sent(submission))
        sent.pop("attachments", None)
        missing = self._dossiers.missing(reviewed)
        found = [*kept.findings, *self._found_now(reviewed, row, missing)]
        return shown | {
            "erased": False,
            "submission": sent,
            "items": sent.get("items"),
            "findings": [asdict(each) | {"severity": weight(each).value} for each in found],
            "attachments": [
                self._attachment(each, position, reviewed, missing)
                for position, each in enumerate(submission.attachments)
            ],
            "decisions": [self._decision(row, each, opened=True) for each in decisions],
        }

    def _found_now(self, reviewed: Reviewed, row: StoredEvent, missing: Sequence[int]) -> Iterator[Finding]:
        """What could not be judged when the submission was stored: attachments in parts, receipts that it refers to."""
        beginnings = {}
        for large in reviewed.large:
            path = f"/attachments/{large.position}"
            if large.position in missing:
                yield at_the_desk(path, INCOMPLETE)
                continue
            try:
                beginnings[large.position] = self._dossiers.beginning(reviewed, large)
            except ContentErased:
                yield at_the_desk(path, INCOMPLETE)
            except AttachmentDamaged:
                yield at_the_desk(path, DAMAGED)
        yield from judge_late(reviewed.submission, beginnings, reviewed.portal)
        for key in ("replaces", "withdraws"):
            receipt = getattr(reviewed.submission, key)
            if receipt is None:
                continue
            known = [r for r in self._store.events(receipt_number=receipt) if is_submission(r)]
            if not known:
                yield at_the_desk(f"/{key}", UNKNOWN_LINK)
            elif all(other.event.procedure != row.event.procedure for other in known):
                yield at_the_desk(f"/{key}", OTHER_PROCEDURE)

    def _attachment(
        self, attachment: Attachment, position: int, reviewed: Reviewed, missing: Sequence[int]
    ) -> dict[str, Any]:
        shown = {"file_name": attachment.file_name, "media_type": attachment.media_type, "parts": 0, "complete": True}
        for large in reviewed.large:
            if large.position == position:
                return shown | {
                    "bytes": large.size,
                    "sha256": large.sha256.hex(),
                    "sniffed": None,
                    "parts": len(large.parts),
                    "complete": position not in missing,
                }
        return shown | {
            "bytes": len(attachment.content),
            "sha256": sha256(attachment.content).hexdigest(),
            "sniffed": sniff(attachment.content),
        }

    def _later(self, row: StoredEvent, how: str) -> list[str]:
        return [other.event.receipt_number for other, found in successors(self._store, row) if found == how]

    def _history(self, row: StoredEvent, decisions: Sequence[KeptDecision]) -> list[dict[str, str]]:
        found = [(entry.at_ms, entry.what, entry.detail) for entry in self._store.history(row.number)]
        found += [(each.decided_at_ms, each.what, each.reason) for each in decisions]
        found += [
            (each.at_ms, _EXPORTED[each.what], f"{each.series} run {each.run}")
            for each in self._store.exports.passages(row.number)
        ]
        return [
            {"at": text_time(at_ms), "what": what, "detail": detail}
            for at_ms, what, detail in sorted(found, key=lambda entry: entry[0])
        ]

    def _decision(self, row: StoredEvent, decision: KeptDecision, *, opened: bool) -> dict[str, Any]:
        handovers = self._store.cases.handovers([decision.decision])
        return {
            "decision": decision.what,
            "revision": decision.revision,
            "reason": decision.reason,
            "reason_ja": REASONS.get(decision.reason, (None, "", ""))[2],
            "message": self._dossiers.message(row, decision) if opened else None,
            "by": decision.decided_by,
            "at": text_time(decision.decided_at_ms),
            "answer_by": decision.answer_by,
            "event_id": decision.event_id,
            "told_at": None if decision.told_at_ms is None else text_time(decision.told_at_ms),
            "failed": decision.failed,
            "handed_over": [
                {
                    "tax_item": each.tax_item,
                    "event_id": each.event_id,
                    "told_at": None if each.told_at_ms is None else text_time(each.told_at_ms),
                    "failed": each.failed,
                }
                for each in handovers
            ],
        }

    def attachments(self, row: StoredEvent) -> Sequence[Attachment]:
        """Return the attachments of one row, put together.

        Raises ContentErased, AttachmentIncomplete, AttachmentDamaged.
        """
        return self._dossiers.whole(self._dossiers.kept(row).reviewed()).attachments


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


def work(case: Case) -> dict[str, Any]:
    """Return where the work on a submission stands, as the commands show it."""
    return {
        "revision": case.revision,
        "assignee": case.assignee,
        "due_on": None if case.due_on is None else case.due_on.isoformat(),
        "replaces": case.replaces,
        "withdraws": case.withdraws,
    }


def text_time(at_ms: int) -> str:
    """Return a time as ISO 8601, UTC, milliseconds."""
    return from_ms(at_ms).isoformat(timespec="milliseconds")
