"""A page's content without its looks: what HTML and PDF both draw, so that they say the same."""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.report.charts import Chart


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a numbered section."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `strong` for what must be seen first."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The result of the whole report in one framed line, and the sentences that carry the numbers."""

    text: str
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under a caption. `widths` are shares of the page, `right` the columns of numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    right: frozenset[int] = frozenset()
    small: bool = False
    """for tables of many columns"""
    strong: frozenset[int] = frozenset()
    """rows in bold"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with the table of its numbers."""

    chart: Chart
    table: Table


@dataclass(frozen=True, slots=True)
class Signatures:
    """Boxes for seals: who seals, and what stands under each to be filled in."""

    titles: tuple[str, ...]
    under: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Ruled space that an officer writes in."""

    caption: str
    lines: int


Part = Heading | Text | Conclusion | Table | Picture | Signatures | Remark


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report. `made_at_ms` and `identity` (a hash) make the file reproducible."""

    title: str
    subtitle: str
    organisation: str
    footer: str
    identity: str
    made_at_ms: int
    parts: tuple[Part, ...]
