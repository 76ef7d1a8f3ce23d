"""What a dashboard is here: frozen data, from which JSON, pictures, tests and docs/logging-duty.md derive. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

COLUMNS: Final = 24
"""of Grafana's grid; a row of it is 30 pixels high"""

GREEN, AMBER, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"

Steps = tuple[tuple[float, str], ...]
"""thresholds: from this value on this colour; all our numbers begin at 0"""

ZERO_IS_GOOD: Final[Steps] = ((0, GREEN), (1, RED))
ONE_IS_GOOD: Final[Steps] = ((0, RED), (1, GREEN))
PLAIN: Final[Steps] = ((0, BLUE),)


class Look(Enum):
    """How a panel shows its answers; the values are Grafana's names of its panel plugins."""

    STAT = "stat"
    TIME = "timeseries"
    TABLE = "table"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Query:
    """One query in PromQL with `$` variables; `legend` may name labels as `{{label}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a label, or the value of a query by its letter; and its heading."""

    source: str
    ja: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. Titles are Japanese first; `about` says what is shown and what value is good."""

    look: Look
    ja: str
    en: str
    about_ja: str
    about_en: str
    queries: tuple[Query, ...] = ()
    width: int = 12
    height: int = 8
    unit: str = "short"
    decimals: int | None = None
    steps: Steps = PLAIN
    zero_is_good: bool = False
    """an answer of 0, or of nothing where docs say so, is what a healthy hub gives"""
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """value → text and colour, for what is rather a word than a number"""
    columns: tuple[Column, ...] = ()
    stacked: bool = False
    limit: float | None = None
    """a line drawn across a chart"""

    @property
    def title(self) -> str:
        """Japanese first."""
        return f"{self.ja} / {self.en}"


@dataclass(frozen=True, slots=True)
class Row:
    """A titled group of panels, laid out from left to right."""

    ja: str
    en: str
    panels: tuple[Panel, ...]
    measures: tuple[str, ...] = ()
    """slugs of the checklist that the whole row answers to"""

    @property
    def title(self) -> str:
        """Japanese first."""
        return f"{self.ja} / {self.en}"


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a board, from a bounded query (a label of a declared metric); starts as all."""

    name: str
    ja: str
    en: str
    metric: str
    label: str

    @property
    def query(self) -> str:
        """As Grafana's Prometheus data source writes it."""
        return f"label_values({self.metric}, {self.label})"


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `slug` is its file name and, after `eltax-hub-`, its uid."""

    slug: str
    ja: str
    en: str
    about_ja: str
    about_en: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    span: str = "now-1h"

    @property
    def uid(self) -> str:
        """Stable, so that links hold."""
        return f"eltax-hub-{self.slug}"

    @property
    def title(self) -> str:
        """Japanese first."""
        return f"{self.ja} / {self.en}"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All of them, in order."""
        return tuple(panel for row in self.rows for panel in row.panels)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands in the grid."""

    x: int
    y: int
    width: int
    height: int


def laid_out(board: Board) -> Iterator[tuple[Row | Panel, Place]]:
    """Give each row's title and each panel its place: left to right, a new line when the width is used up."""
    y = 0
    for row in board.rows:
        yield row, Place(0, y, COLUMNS, 1)
        y += 1
        x = tallest = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield panel, Place(x, y, panel.width, panel.height)
            x += panel.width
            tallest = max(tallest, panel.height)
        y += tallest


_WORD: Final = re.compile(r"\$\{?([A-Za-z_]+)\}?")


def filled(expr: str, values: Mapping[str, str]) -> str:
    """Return a query with its `$` variables replaced; KeyError for one that has no value."""
    return _WORD.sub(lambda found: values[found[1]], expr)


_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_METRIC: Final = re.compile(r"\b(?:(?:hub|kafka|process|jvm|jmx|slo)_[a-z0-9_]+|up|ALERTS|[a-z]+:[a-z0-9_:]+)\b")
_SELECTOR: Final = re.compile(r"\b([A-Za-z_:][A-Za-z0-9_:]*)\s*\{([^{}]*)\}")
_GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
_TAILS: Final = ("_bucket", "_count", "_sum")


def metrics_in(expr: str) -> frozenset[str]:
    """Return the metrics a query names, as they are exposed (a histogram's with its ending)."""
    bare = _GROUPING.sub("", re.sub(r"\{[^{}]*\}", "", _STRING.sub("", expr)))
    return frozenset(_METRIC.findall(bare))


def labels_in(expr: str) -> frozenset[tuple[str, str]]:
    """Return (metric, label) for each label that a selector names, and ("", label) for each of a grouping."""
    found = {
        (selector[1], label)
        for selector in _SELECTOR.finditer(_STRING.sub('""', expr))
        for label in re.findall(r"([A-Za-z_]+)\s*(?:=~|!~|!=|=)", selector[2])
    }
    groupings = {("", label.strip()) for each in _GROUPING.findall(expr) for label in each.split(",") if label.strip()}
    return frozenset(found | groupings)


def declared_name(exposed: str, known: Mapping[str, object]) -> str:
    """Return the declared name of an exposed one: a histogram's without its ending."""
    if exposed not in known:
        for tail in _TAILS:
            if exposed.endswith(tail) and exposed.removesuffix(tail) in known:
                return exposed.removesuffix(tail)
    return exposed
