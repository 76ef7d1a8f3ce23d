"""What a reviewer does: decide, claim, assign. Reads, checks, and commits one decision with its hand-overs.

Nothing is sent from here: the decision row is the outbox, and the desk's process tells of it. Two people
who decide at once are told apart by the revision that each of them saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from consumers.review.cases import Dossiers, filings, live_successors
from consumers.review.deadlines import day_in_japan
from consumers.review.desk import Kept
from consumers.store.casework import NewDecision
from consumers.store.errors import ContentErased, DecisionConflict, EventErased, NotFound
from consumers.store.model import Status, StoredEvent
from consumers.store.port import Store
from hub.envelope.times import from_ms
from schemas.decisions import STATUS_AFTER, Decision, DecisionRefused, Order, check
from schemas.judging import asks, judge_late
from schemas.parts import Reviewed
from schemas.rules import Finding


class Ambiguous(DecisionRefused):
    """Several submissions have this receipt number."""

    code = "decision.ambiguous"
    hint = "Name one of them by its event id; `review show` lists them."


class Superseded(DecisionRefused):
    """A later submission corrects or withdraws this one."""

    code = "decision.superseded"
    hint = "Decide on the later one, and return this one as superseded or withdrawn."


class FindingsOverlooked(DecisionRefused):
    """Rules found something in this submission."""

    code = "decision.findings"
    hint = "Look at the findings, and accept with the reason with-findings or complete-after-inquiry, or return it."


@dataclass(frozen=True, slots=True)
class Decided:
    """What was kept."""

    decision: int
    event_id: str
    receipt_number: str
    status: str
    revision: int


class Reviewer:
    """One person at one desk."""

    def __init__(self, store: Store, dossiers: Dossiers, name: str, now_ms: Callable[[], int]) -> None:
        """`name` says who decides; it stays in the store and is told to nobody."""
        self._store = store
        self._dossiers = dossiers
        self._name = name
        self._now_ms = now_ms

    def find(self, receipt_or_event: str) -> StoredEvent:
        """Return the one submission of a receipt number or event id. Raises NotFound, Ambiguous."""
        rows = filings(self._store, receipt_or_event)
        if not rows:
            raise NotFound
        if len({(row.event.producer, row.event.event_id) for row in rows}) == 1:
            # Whoever writes to the desk's topic can make further rows of one event: other digests, the same section.
            # The sender's checkpoint says which one it sent.
            rows = [row for row in rows if row.confirmed_at_ms is not None] or rows
        if len(rows) > 1:
            raise Ambiguous(f"{len(rows)} submissions")
        return rows[0]

    def decide(self, receipt_or_event: str, order: Order, revision: int | None = None) -> Decided:
        """Keep a decision. `revision` is what its maker saw; None takes what stands now.

        Raises NotFound, a DecisionRefused, AttachmentIncomplete, AttachmentDamaged, DecisionConflict, EventErased.
        """
        case = self._store.cases.case(self.find(receipt_or_event).number)
        if revision is not None and revision != case.revision:
            raise DecisionConflict(f"revision {case.revision}")
        # Only now: a status that is read before the revision may be older than it, and would not conflict.
        row = self._dossiers.row(case.number)
        status = row.event.status.value
        if row.event.status is Status.ERASED:
            raise EventErased
        try:
            check(order, status, self._today())
            order = self._with_teams(row, status, order)
        except DecisionRefused:
            now = self._store.cases.case(case.number).revision
            if now != case.revision:  # somebody decided in between: that is what its maker has to hear
                raise DecisionConflict(f"revision {now}") from None
            raise
        try:
            # Whatever is decided: of what cannot be opened any more, nobody could be told.
            kept = self._dossiers.kept(row)
            if order.decision is Decision.ACCEPT:
                self._acceptable(row, kept, order)
        except ContentErased:
            raise EventErased from None
        following = case.revision + 1
        message = None
        if order.message is not None:
            message = self._dossiers.seal_message(row, following, order.message)
        after = STATUS_AFTER[order.decision]
        decision = self._store.cases.decide(
            NewDecision(
                row.number,
                case.revision,
                order.decision.value,
                Status(after),
                order.reason,
                self._name,
                self._now_ms(),
                order.tax_items,
                order.answer_by,
                message,
            )
        )
        return Decided(decision, row.event.event_id, row.event.receipt_number, after, following)

    def assign(self, receipt_or_event: str, assignee: str | None, revision: int | None = None) -> int:
        """Give a case to somebody (None: to nobody); return its new revision. Raises NotFound, DecisionConflict."""
        row = self.find(receipt_or_event)
        case = self._store.cases.case(row.number)
        if revision is not None and revision != case.revision:
            raise DecisionConflict(f"revision {case.revision}")
        self._store.cases.assign(row.number, case.revision, assignee, self._now_ms())
        return case.revision + 1

    def claim(self, receipt_or_event: str) -> int:
        """Take a case that is nobody's, or one's own already. Raises NotFound, DecisionConflict."""
        row = self.find(receipt_or_event)
        case = self._store.cases.case(row.number)
        if case.assignee == self._name:
            return case.revision
        if case.assignee is not None:
            raise DecisionConflict("somebody else has it")
        return self.assign(row.event.event_id, self._name, case.revision)

    def _today(self) -> date:
        return day_in_japan(from_ms(self._now_ms()))

    def _with_teams(self, row: StoredEvent, status: str, order: Order) -> Order:
        """A revoked acceptance is told to the teams that have it."""
        if order.decision is not Decision.REVOKE or status != Status.ACCEPTED.value:
            return order
        accepted = [each for each in self._store.cases.decisions(row.number) if each.what == Decision.ACCEPT]
        return replace(order, tax_items=accepted[-1].tax_items)

    def _late(self, reviewed: Reviewed) -> Sequence[Finding]:
        """Put attachments in parts together, as no tax team shall be the first to see that they are damaged."""
        return judge_late(reviewed.submission, self._dossiers.contents(reviewed), reviewed.portal)

    def _acceptable(self, row: StoredEvent, kept: Kept, order: Order) -> None:
        reviewed = kept.reviewed()
        found = [each for each in (*kept.findings, *self._late(reviewed)) if asks(each)]
        if found and order.reason == "complete":
            raise FindingsOverlooked(f"{len(found)} findings")
        if live_successors(self._store, row):
            raise Superseded
