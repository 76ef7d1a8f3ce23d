"""Silent peers: a principal that should be heard and was not, for longer than is declared.

    spans = what was heard, as stretches without a gap longer than the limit
    a gap between two stretches, or after the last one, is a silence once the watermark has passed it

A principal that said `stopped` may be silent until it speaks again. Order is no matter: a line that comes late joins
two stretches. The watermark says up to when everything was heard; before it has passed, nobody is called silent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from hub.envelope.operations import Kind, OperationEvent
from hub.envelope.times import from_ms, to_ms
from monitoring.analysis.findings import Finding, Severity
from monitoring.analysis.windows import finding_id

RULE: Final = "silent-peer"
SEVERITY: Final = Severity.TICKET
MAX_SPANS: Final = 1_000
"""stretches per principal that are not yet behind the watermark"""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch in which a principal was heard; times in milliseconds, event ids of its first and last line."""

    begins: int
    ends: int
    first: str
    last: str
    stopped: bool
    """the last line says that it stopped"""

    def row(self) -> list[Any]:
        """As JSON; `Span(*row)` reads it."""
        return [self.begins, self.ends, self.first, self.last, self.stopped]


def limit_of(principal: str, minutes: Mapping[str, int]) -> int | None:
    """Return after how many milliseconds a principal is silent; its own entry counts before that of its role
    (`review` for `review-131041`); None: it may be silent."""
    own = minutes.get(principal, minutes.get(principal.partition("-")[0]))
    return None if not own else own * 60_000


def spans_of(events: Iterable[OperationEvent], minutes: Mapping[str, int]) -> dict[str, list[Span]]:
    """Return what was heard by principal, for those that must be heard."""
    found: dict[str, list[Span]] = {}
    for event in events:
        if limit_of(event.principal, minutes) is not None:
            at = to_ms(event.operation.occurred_at)
            stopped = event.operation.kind is Kind.STOPPED
            found.setdefault(event.principal, []).append(Span(at, at, event.event_id, event.event_id, stopped))
    return {principal: joined(spans, limit_of(principal, minutes) or 0) for principal, spans in found.items()}


def joined(spans: Iterable[Span], limit: int) -> list[Span]:
    """Join stretches that lie no further apart than the limit; in order."""
    result: list[Span] = []
    for span in sorted(spans):
        last = result[-1] if result else None
        if last is not None and span.begins - last.ends <= limit:
            if span.ends >= last.ends:
                result[-1] = Span(last.begins, span.ends, last.first, span.last, span.stopped)
        else:
            result.append(span)
    return result


@dataclass(slots=True)
class Heard:
    """What was heard of one principal: all stretches that are not yet told, the one before the watermark included.

    `judged` is the watermark of the last judgement. What ends before it comes too late to be heard: of a stretch that
    is told again after a crash, a part alone would look like a shorter one, and the rest of it like a silence.
    """

    spans: list[Span] = field(default_factory=list)
    judged: int = 0

    def take(self, spans: Iterable[Span], limit: int) -> None:
        """Join what was heard to it."""
        self.spans = joined([*self.spans, *(span for span in spans if span.ends > self.judged)], limit)[-MAX_SPANS:]

    def silences(self, principal: str, limit: int, watermark: int) -> list[Finding]:
        """Return every silence that the watermark has passed, by the line it began after; forget those that ended."""
        found = []
        for span, following in zip_longest(self.spans, self.spans[1:]):
            ends = watermark if following is None else min(following.begins, watermark)
            if span.stopped or span.ends > watermark or ends - span.ends <= limit:
                continue
            evidence = (span.last,) if following is None else (span.last, following.first)
            found.append(_silence(principal, span, ends, evidence))
        behind = bisect_left(self.spans, watermark, key=lambda span: span.begins)
        self.spans = self.spans[max(0, behind - 1) :]
        self.judged = max(self.judged, watermark)
        return found

    def value(self) -> list[Any]:
        """As JSON."""
        return [self.judged, [span.row() for span in self.spans]]

    @classmethod
    def of_value(cls, value: Sequence[Any]) -> Heard:
        """Read `value` again."""
        return cls([Span(*row) for row in value[1]], value[0])


def _silence(principal: str, span: Span, ends: int, evidence: tuple[str, ...]) -> Finding:
    minutes = (ends - span.ends) // 60_000
    return Finding(
        finding_id(RULE, "", principal, span.last),
        RULE,
        SEVERITY,
        from_ms(span.ends),
        from_ms(ends),
        principal,
        "",
        minutes,
        evidence,
    )
