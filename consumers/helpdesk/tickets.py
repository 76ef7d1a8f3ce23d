"""What the helpdesk may say of a record that could not be processed: since when, why in one word, and how it ended.

From notices of the router and the review desk and the operator's statements, all signed and all about a receipt
that the asker named. Nothing of the record's content is in any. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.operator.discards import REASONS
from consumers.operator.healing import healing_of
from consumers.review.queries import text_time
from consumers.store.model import HELD, NoticeSeen, ResolutionSeen
from hub.envelope.reasons import Reason
from hub.envelope.records import Resolution
from topics.names import in_generation

_DISCARDS = {each.code: each for each in REASONS}


@dataclass(frozen=True, slots=True)
class Ticket:
    """One refusal of one event: open until the operator said what he did."""

    since_ms: int
    where: str
    """kind of topic on which it was refused: submissions, review, helpdesk, audit, status or accepted"""
    reason: str
    said: ResolutionSeen | None = None

    def shown(self) -> dict[str, Any]:
        """Return it for `helpdesk lookup`."""
        reason = Reason.of(self.reason)
        waits = None if reason is None else healing_of(reason, event=True)
        discard = None if self.said is None or self.said.discard is None else _DISCARDS.get(self.said.discard)
        return {
            "since": text_time(self.since_ms),
            "where": self.where,
            "reason": self.reason,
            "waits_for": None if waits is None else waits.value,
            "waits_for_ja": None if waits is None else waits.japanese,
            "outcome": "open" if self.said is None else self.said.kind,
            "resolved_at": None if self.said is None else text_time(self.said.resolved_at_ms),
            "discard": None if discard is None else discard.code,
            "discard_ja": None if discard is None else discard.japanese,
        }

    def timeline(self) -> list[tuple[int, str, str]]:
        """Return (time, what, detail) for the timeline of a receipt."""
        found = [(self.since_ms, "dead-letter", self.reason)]
        if self.said is not None:
            found.append((self.said.resolved_at_ms, f"letter-{self.said.kind}", self.said.discard or ""))
        return found


def tickets(notices: Iterable[NoticeSeen], resolutions: Sequence[ResolutionSeen]) -> dict[bytes, tuple[Ticket, ...]]:
    """Return the tickets of each event (leaf), by when they began.

    A notice of the router without a statement about its event on submissions is an open ticket; a desk's word
    that it refused the event is one until a statement speaks of just that refusal.
    """
    found: defaultdict[bytes, list[Ticket]] = defaultdict(list)
    ended = {(said.leaf, _where(said), said.refused_at_ms) for said in resolutions if said.kind != HELD}
    for said in resolutions:
        if said.leaf is None:
            continue
        if said.kind != HELD:
            found[said.leaf].append(Ticket(said.refused_at_ms, _where(said), said.refused, said))
        elif (said.leaf, _where(said), said.refused_at_ms) not in ended:
            found[said.leaf].append(Ticket(said.refused_at_ms, _where(said), said.refused))
    for notice in notices:
        if not any(ticket.where == "submissions" for ticket in found[notice.leaf]):
            found[notice.leaf].append(Ticket(notice.seen_at_ms, "submissions", notice.reason))
    return {leaf: tuple(sorted(each, key=lambda ticket: ticket.since_ms)) for leaf, each in found.items()}


def _where(said: ResolutionSeen) -> str:
    return in_generation(said.origin, 1).rpartition(".")[2]


def status_of(event: Sequence[Ticket]) -> str:
    """Return the status of an event that never arrived: `discarded` if that was the operator's last word."""
    last = max((ticket.said for ticket in event if ticket.said), key=lambda said: said.resolved_at_ms, default=None)
    return "discarded" if last is not None and last.kind == Resolution.DISCARDED else "dead-letter"
