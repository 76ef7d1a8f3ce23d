"""All rules over lines in one process, without Kafka: what the Faust application must agree with.

It takes lines in any order, keeps what they leave, and says what was found when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.envelope.operations import OperationEvent
from hub.envelope.times import to_ms
from monitoring.analysis.findings import Finding
from monitoring.analysis.marks import Mark, Subject, mark_of, subject_of
from monitoring.analysis.rules.base import Conditions
from monitoring.analysis.silence import Heard, limit_of, spans_of
from monitoring.analysis.windows import HOUR_MS, Windows

_BATCH = 1_000


class Detector:
    """`take` each line, then `finish`."""

    def __init__(self, conditions: Conditions, silent_minutes: Mapping[str, int]) -> None:
        """Nothing was seen yet."""
        self._conditions = conditions
        self._minutes = silent_minutes
        self._windows = Windows()
        self._heard: dict[str, Heard] = {}
        self._waiting: list[OperationEvent] = []
        self._found: dict[str, Finding] = {}
        self._newest = 0

    def take(self, event: OperationEvent) -> None:
        """Take one line."""
        self._waiting.append(event)
        if len(self._waiting) >= _BATCH:
            self._work()

    def finish(self, watermark: int) -> list[Finding]:
        """Return everything that was found up to a moment (milliseconds), by time."""
        self._work()
        for principal, heard in self._heard.items():
            limit = limit_of(principal, self._minutes)
            if limit is not None:
                self._keep(heard.silences(principal, limit, watermark))
        return sorted(self._found.values(), key=lambda each: (each.began_at, each.rule, each.subject))

    def _work(self) -> None:
        batch, self._waiting = self._waiting, []
        touched = self._windows.take(marked(batch))
        self._keep(self._windows.find(touched, self._conditions))
        for principal, spans in spans_of(batch, self._minutes).items():
            limit = limit_of(principal, self._minutes)
            if limit is not None:
                self._heard.setdefault(principal, Heard()).take(spans, limit)
        newest = max((to_ms(event.operation.occurred_at) for event in batch), default=0)
        if newest - newest % HOUR_MS > self._newest:
            self._newest = newest - newest % HOUR_MS
            self._windows.forget(self._newest)

    def _keep(self, findings: Iterable[Finding]) -> None:
        for each in findings:
            known = self._found.get(each.finding_id)
            self._found[each.finding_id] = each if known is None else grown(known, each)


def marked(events: Iterable[OperationEvent]) -> list[tuple[Subject, Mark]]:
    """Return the marks that lines leave, with whose they are."""
    return [(subject, mark_of(event)) for event in events if (subject := subject_of(event)) is not None]


def grown(known: Finding, again: Finding) -> Finding:
    """Return what a finding is that was found again, as the store keeps it."""
    return Finding(
        known.finding_id,
        known.rule,
        known.severity,
        min(known.began_at, again.began_at),
        max(known.ended_at, again.ended_at),
        known.subject,
        known.tenant,
        max(known.count, again.count),
        again.evidence if again.count >= known.count else known.evidence,
    )
