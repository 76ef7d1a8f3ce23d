"""What a rule is, and the expressions that many rules share.

Durations stand in brackets and after `offset` only, so that a rule can be made faster as a whole (`hastened`):
the tests fire the very rules that production has, with shorter waits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

HUB: Final = 'job="hub"'
"""the scrape job of our own processes; `instance` is the principal, `role` what it is"""


class Severity(Enum):
    """How soon a person must look."""

    PAGE = "page"
    """now, at any hour"""
    TICKET = "ticket"
    """in service hours"""
    NOTICE = "notice"
    """in the next look at the reports"""


class Team(Enum):
    """Who looks."""

    OPERATOR = "operator"
    """runs the processes, brokers and machines"""
    MONITOR = "monitor"
    """watches over controls, peers and the watch itself"""
    AUDIT = "audit"
    """answers for completeness and for what the log proves"""


@dataclass(frozen=True, slots=True)
class Explained:
    """An alert that explains another where both have equal labels `same` (none: wherever it fires)."""

    by: str
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert rule; its runbook is docs/runbooks/alerts/<name>.md.

    `lasts` is how long the condition must hold. While an alert of `silenced_by` fires, nobody is told of this one.
    """

    name: str
    expr: str
    lasts: str
    severity: Severity
    team: Team
    summary_en: str
    summary_ja: str
    measures: tuple[str, ...]
    silenced_by: tuple[Explained, ...] = ()

    @property
    def runbook(self) -> str:
        """Its page, relative to the repository."""
        return f"docs/runbooks/alerts/{self.name}.md"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording rule; `labels` are added to its series."""

    name: str
    expr: str
    en: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in order."""

    name: str
    rules: tuple[Alert | Recording, ...]
    every: str = "15s"


def gained(metric: str, selector: str = "", window: str = "15m") -> str:
    """By how much a counter rose within the window, per series.

    `increase` alone is blind to the first value of a series that was not there before, and most of our counters
    with labels begin with their first event. So a series that did not exist a window ago counts as a whole.
    """
    chosen = f"{metric}{{{selector}}}" if selector else metric
    return f"(({chosen} unless {chosen} offset {window}) or increase({chosen}[{window}]))"


def risen(metric: str, selector: str = "", window: str = "15m", *, by: str) -> str:
    """By how much a counter rose within the window, where it did at all."""
    return f"sum by ({by}) {gained(metric, selector, window)} > 0"


_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(?<=\[)\d+[smhd](?=\])|(?<=offset )\d+[smhd]")


def in_seconds(duration: str) -> int:
    """Seconds of a duration such as `5m`."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


def _shorter(duration: str, factor: float, least: int) -> str:
    return f"{max(least, round(in_seconds(duration) * factor))}s"


def hastened(rule: Alert | Recording, factor: float, *, least_window: int = 5) -> Alert | Recording:
    """The same rule with every duration multiplied by `factor`; windows keep `least_window` seconds."""
    expr = _DURATION.sub(lambda found: _shorter(found[0], factor, least_window), rule.expr)
    if isinstance(rule, Recording):
        return replace(rule, expr=expr)
    return replace(rule, expr=expr, lasts=_shorter(rule.lasts, factor, 0))
