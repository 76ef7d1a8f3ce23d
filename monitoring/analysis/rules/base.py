"""What a rule is: which marks it looks at, what it counts of them, and from which number on somebody must look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Final

from hub.envelope.operations import Kind
from monitoring.analysis.findings import Severity
from monitoring.analysis.hours import ServiceHours
from monitoring.analysis.marks import Family, Mark

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
PROBING: Final = 50
"""times as many refusals are expected where the network watch probes from"""


class Measure(Enum):
    """What is counted within a window that slides over the times of the lines."""

    EACH = "each line is one too many"
    EVENTS = "lines"
    WEIGHT = "by the counts of lines"
    RECEIPTS = "distinct submissions"
    ADDRESSES = "distinct addresses"


class Group(Enum):
    """What else has a window of its own within one subject's marks."""

    NOTHING = ""
    RECEIPT = "receipt"
    ABOUT = "about"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What rules know besides the lines; all of it from configuration."""

    hours: ServiceHours = field(default_factory=ServiceHours)
    erased: Mapping[str, int] = field(default_factory=dict)
    """fingerprint → when it was erased, in milliseconds"""
    automatic: frozenset[str] = frozenset()
    """accounts of jobs that run at night"""
    probing: frozenset[str] = frozenset()
    """principals and addresses from which the network watch tries what must be refused"""
    thresholds: Mapping[str, int] = field(default_factory=dict)
    """rule → its threshold here"""


Concerns = Callable[[Mark, str, Conditions], bool]
"""whether a rule looks at a mark of a subject (by name)"""


def every(mark: Mark, subject: str, conditions: Conditions) -> bool:
    """Look at all marks of the rule's kinds."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. There is at most one finding per rule, subject, group and `period` (clock hour or day in
    Japan in which the threshold was reached), so that what goes on does not ring for each line."""

    name: str
    severity: Severity
    family: Family
    kinds: frozenset[Kind]
    measure: Measure
    threshold: int
    window: timedelta
    period: timedelta
    ja: str
    en: str
    do: str
    measures: tuple[str, ...]
    """slugs of the checklist"""
    group: Group = Group.NOTHING
    concerns: Concerns = every

    def __post_init__(self) -> None:
        """Refuse what the windows could not hold."""
        if self.period not in (HOUR, DAY) or not timedelta(0) < self.window <= self.period:
            raise ValueError(f"{self.name}: a window is no longer than its period, an hour or a day")
        if self.measure is Measure.EACH and self.threshold != 1:
            raise ValueError(f"{self.name}: each line is one")

    def limit(self, conditions: Conditions, subject: str) -> int:
        """The threshold that holds here for a subject: whoever is refused on purpose is so all the time."""
        often = self.family in (Family.HANDSHAKE, Family.PEER) and subject in conditions.probing
        return conditions.thresholds.get(self.name, self.threshold) * (PROBING if often else 1)
