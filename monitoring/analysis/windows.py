"""The state of all windows, and what the rules find in it. Pure: no clock, no Kafka; the order of lines is no matter.

    state of a subject = { clock hour → marks of that hour }        windows slide over the hours before and after

The same marks give the same findings in whatever order they come; a mark that comes twice counts once. A line that is
late changes the windows it lies in as long as their hours are kept (`forget`); after that it opens them anew.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right, insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from hub.envelope.times import from_ms
from monitoring.analysis.findings import MAX_EVIDENCE, Finding, Severity
from monitoring.analysis.marks import Mark, Subject
from monitoring.analysis.rules import OF_FAMILY
from monitoring.analysis.rules.base import DAY, Conditions, Group, Measure, Rule

HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * HOUR_MS
_JST_MS: Final = 9 * HOUR_MS
KEPT_MS: Final = 2 * _DAY_MS
"""a day's findings look a day back, so hours are kept for two days behind the watermark"""
MAX_MARKS: Final = 2_000
"""per subject and hour; what comes above is counted as lost from sight, and the thresholds are long passed"""
MAX_HOURS: Final = 50_000
"""subject hours in memory; subjects beyond are seen together as OTHER"""
OTHER: Final = "other"


@dataclass(slots=True)
class HourState:
    """Marks of one subject and clock hour, in order. `newest` says per log which sequence was taken last."""

    newest: dict[str, int] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)

    def take(self, mark: Mark) -> bool:
        """Take a mark unless it was taken before; lines of one log come in order."""
        if mark.sequence <= self.newest.get(mark.log, -1):
            return False
        self.newest[mark.log] = mark.sequence
        if len(self.marks) >= MAX_MARKS:
            return False
        insort(self.marks, mark)
        return True

    def value(self) -> list[Any]:
        """As JSON."""
        return [self.newest, [mark.row() for mark in self.marks]]

    @classmethod
    def of_value(cls, value: Sequence[Any]) -> HourState:
        """Read `value` again."""
        return cls(dict(value[0]), [Mark(*row) for row in value[1]])


Touched = dict[Subject, set[int]]
"""hours (milliseconds at which they begin) by subject"""


class Windows:
    """The marks of all subjects."""

    def __init__(self) -> None:
        """Empty."""
        self._hours: dict[Subject, dict[int, HourState]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Subject hours kept."""
        return self._count

    def put(self, subject: Subject, hour: int, state: HourState) -> None:
        """Set an hour's state, as kept elsewhere."""
        hours = self._hours.setdefault(subject, {})
        self._count += hour not in hours
        hours[hour] = state

    def get(self, subject: Subject, hour: int) -> HourState:
        """Return an hour's state. KeyError if there is none."""
        return self._hours[subject][hour]

    def take(self, marks: Iterable[tuple[Subject, Mark]]) -> Touched:
        """Take marks; return the hours that may show something else now. A repeated mark touches its hour too: whoever
        died between finding and telling finds again."""
        touched: Touched = {}
        for subject, mark in marks:
            hour = mark.at - mark.at % HOUR_MS
            hours = self._hours.get(subject)
            if hours is None or hour not in hours:
                if self._count >= MAX_HOURS:
                    subject = Subject(subject.family, "", OTHER)
                    hours = self._hours.get(subject)
                if hours is None or hour not in hours:
                    self.put(subject, hour, HourState())
                hours = self._hours[subject]
            hours[hour].take(mark)
            touched.setdefault(subject, set()).add(hour)
        return touched

    def find(self, touched: Touched, conditions: Conditions) -> list[Finding]:
        """Return all findings of the periods that the touched hours lie in."""
        return [found for subject, hours in touched.items() for found in self._of_subject(subject, hours, conditions)]

    def forget(self, watermark: int) -> list[tuple[Subject, int]]:
        """Drop hours that ended KEPT_MS before the watermark (milliseconds); return them."""
        gone = [
            (subject, hour)
            for subject, hours in self._hours.items()
            for hour in hours
            if hour + HOUR_MS + KEPT_MS < watermark
        ]
        for subject, hour in gone:
            del self._hours[subject][hour]
            if not self._hours[subject]:
                del self._hours[subject]
        self._count -= len(gone)
        return gone

    def _of_subject(self, subject: Subject, hours: set[int], conditions: Conditions) -> Iterator[Finding]:
        for of_day in (False, True):
            rules = [rule for rule in OF_FAMILY[subject.family] if (rule.period == DAY) is of_day]
            length = _DAY_MS if of_day else HOUR_MS
            # a mark changes windows that end up to a window later, so the period after it too
            periods = {_period(at, length) for hour in hours for at in (hour, hour + length)} if rules else set()
            for begins in sorted(periods):
                marks = self._between(subject, begins - length, begins + length)
                for rule in rules if marks and marks[-1].at >= begins else ():
                    yield from judge(rule, subject, marks, begins, conditions)

    def _between(self, subject: Subject, begins: int, ends: int) -> list[Mark]:
        hours = self._hours[subject]
        return list(chain.from_iterable(hours[hour].marks for hour in range(begins, ends, HOUR_MS) if hour in hours))


def judge(rule: Rule, subject: Subject, marks: Sequence[Mark], begins: int, conditions: Conditions) -> list[Finding]:
    """Return what a rule finds in the period that begins at `begins`; `marks` in order, from a period before it on."""
    kinds = rule.kinds
    groups: dict[str, list[Mark]] = {}
    for mark in marks:
        if mark.kind in kinds and rule.concerns(mark, subject.name, conditions):
            groups.setdefault(_group(rule.group, mark), []).append(mark)
    found = []
    for group, members in sorted(groups.items()):
        one = _judge_group(rule, subject, group, members, begins, conditions)
        if one is not None:
            found.append(one)
    return found


def _judge_group(
    rule: Rule, subject: Subject, group: str, marks: Sequence[Mark], begins: int, conditions: Conditions
) -> Finding | None:
    length = _DAY_MS if rule.period == DAY else HOUR_MS
    first = bisect_right(marks, begins - 1, key=lambda mark: mark.at)
    if first == len(marks):
        return None
    limit = rule.limit(conditions, subject.name)
    if rule.measure is Measure.EACH:
        each = [mark for mark in marks[first:] if mark.at < begins + length]
        return finding(rule.name, rule.severity, subject, group, begins, each, each[-1].at, len(each)) if each else None
    width = rule.window.days * _DAY_MS + rule.window.seconds * 1000
    window: deque[Mark] = deque()
    count = _Count(rule.measure)
    peak, evidence, last = 0, [], 0
    for mark in marks:
        if mark.at >= begins + length:
            break
        window.append(mark)
        count.add(mark)
        while window[0].at <= mark.at - width:
            count.remove(window.popleft())
        if mark.at >= begins and count.value >= limit:
            if not peak:
                evidence = list(window)
            peak, last = max(peak, count.value), mark.at
    return finding(rule.name, rule.severity, subject, group, begins, evidence, last, peak) if peak else None


class _Count:
    """A measure over the marks in a window."""

    __slots__ = ("_each", "_measure", "value")

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._each: Counter[str] = Counter()
        self.value = 0

    def add(self, mark: Mark) -> None:
        if self._measure is Measure.EVENTS:
            self.value += 1
        elif self._measure is Measure.WEIGHT:
            self.value += mark.weight
        elif name := self._name(mark):
            self._each[name] += 1
            self.value = len(self._each)

    def remove(self, mark: Mark) -> None:
        if self._measure is Measure.EVENTS:
            self.value -= 1
        elif self._measure is Measure.WEIGHT:
            self.value -= mark.weight
        elif name := self._name(mark):
            self._each[name] -= 1
            if not self._each[name]:
                del self._each[name]
            self.value = len(self._each)

    def _name(self, mark: Mark) -> str:
        """A line without a receipt or address is not another one."""
        return mark.receipt if self._measure is Measure.RECEIPTS else mark.address


def finding(
    rule: str,
    severity: Severity,
    subject: Subject,
    group: str,
    begins: int,
    marks: Sequence[Mark],
    last: int,
    count: int,
) -> Finding:
    """Make a finding with the id that its rule, subject, group and period (or the line it began with) give it."""
    name = f"{subject.name} {group}" if group else subject.name
    return Finding(
        finding_id(rule, subject.tenant, name, str(begins)),
        rule,
        severity,
        from_ms(marks[0].at),
        from_ms(last),
        name,
        subject.tenant,
        count,
        tuple(mark.event_id for mark in marks[:MAX_EVIDENCE]),
    )


def finding_id(*parts: str) -> str:
    """Return 32 hex digits: SHA-256 of the parts, each with its length in front."""
    text = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
    return hashlib.sha256(text).hexdigest()[:32]


def _period(at: int, length: int) -> int:
    """When the period of a moment began: clock hours and days of Japan, whose offset is whole hours."""
    return (at + _JST_MS) // length * length - _JST_MS


def _group(group: Group, mark: Mark) -> str:
    if group is Group.RECEIPT:
        return mark.receipt
    if group is Group.ABOUT:
        return mark.about
    return mark.code if group is Group.CODE else ""
