"""Frozen values of what people do with stored submissions, and the port of the store's part in it.

Times are milliseconds since 1970 UTC, `number` is the event's row; a revision counts a submission's
decisions and assignments from 0, and is what two people who work at once are told apart by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from consumers.store.model import Content, Status, StoreKey


@dataclass(frozen=True, slots=True)
class Case:
    """Where the work on one submission stands."""

    number: int
    revision: int
    due_on: date | None = None
    replaces: str | None = None
    withdraws: str | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A decision to keep. `expected_revision` is what its maker saw."""

    number: int
    expected_revision: int
    decision: str
    status: Status
    reason: str
    decided_by: str
    decided_at_ms: int
    tax_items: tuple[str, ...] = ()
    """to whom an acceptance, or its revocation, is handed over"""
    answer_by: date | None = None
    message: Content | None = None
    store_keys: tuple[StoreKey, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """A decision as the store has it. `event_id` and `leaf` name the status event once it is sealed."""

    decision: int
    number: int
    revision: int
    what: str
    reason: str
    decided_by: str
    decided_at_ms: int
    tax_items: tuple[str, ...]
    answer_by: str | None
    event_id: str | None
    leaf: bytes | None
    told_at_ms: int | None
    failed: str | None
    has_message: bool


@dataclass(frozen=True, slots=True)
class Handover:
    """What one tax team is to get because of one decision."""

    handover: int
    decision: int
    tax_item: str
    event_id: str | None
    leaf: bytes | None
    told_at_ms: int | None
    failed: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A status or accepted event that all in-sync replicas hold; `row` is the decision or hand-over."""

    row: int
    event_id: str
    leaf: bytes
    at_ms: int


class Cases(Protocol):
    """The store's part in people's work. Every call raises what `consumers.store.port` says."""

    def case(self, number: int) -> Case:
        """Return where the work on an event stands."""

    def cases(self, numbers: Sequence[int]) -> dict[int, Case]:
        """Return the same for many; those without a row are at revision 0."""

    def assign(self, number: int, expected_revision: int, assignee: str | None, at_ms: int) -> None:
        """Give a case to somebody, or to nobody. Raises DecisionConflict."""

    def decide(self, new: NewDecision) -> int:
        """Keep a decision with its hand-overs, all or nothing; return its row.

        Raises DecisionConflict, EventErased, NotFound.
        """

    def decisions(self, number: int) -> Sequence[KeptDecision]:
        """Return the decisions on an event, oldest first."""

    def all_decisions(self, *, after: int = 0, limit: int = 1_000) -> Sequence[KeptDecision]:
        """Return decisions by row, from row `after` (exclusive) on."""

    def message(self, decision: int) -> Content | None:
        """Return the sealed message of a decision."""

    def handovers(self, decisions: Sequence[int]) -> Sequence[Handover]:
        """Return the hand-overs of decisions, oldest first."""

    def untold(self, limit: int) -> Sequence[KeptDecision]:
        """Return the oldest decisions that filer and helpdesk are not told of."""

    def unhanded(self, limit: int) -> Sequence[KeptDecision]:
        """Return the oldest decisions of which some tax team is not told."""

    def untold_count(self) -> int:
        """Count decisions with something left to tell, to whomever."""

    def told(self, decisions: Sequence[Told], handovers: Sequence[Told]) -> None:
        """Take note of what was told; the same again changes nothing."""

    def cannot_tell(self, code: str, *, decision: int | None = None, handover: int | None = None) -> None:
        """Take note that a decision or hand-over can never be sent; it is tried no more. What was told stays told."""

    def referring(self, receipt_number: str) -> Sequence[tuple[int, str]]:
        """Return (event row, `replaces` or `withdraws`) of submissions that refer to a receipt, oldest first."""
