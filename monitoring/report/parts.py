"""Tables and charts of the report as its sections use them: never empty, never endless, nothing steering. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from monitoring.report.charts import Chart, Series
from monitoring.report.document import Picture, Table
from monitoring.report.model import OTHERS, Basis, Counted
from monitoring.report.words import number, slots

_ROWS: Final = 30
"""rows of a table at most; what is more is counted in its last row and stands in the JSON file"""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, most: int = 80) -> str:
    """Return a text from outside as it may be drawn: nothing invisible or steering, and not endless."""
    shown = "".join(
        each if unicodedata.category(each) not in _UNSEEN else f"[U+{ord(each):04X}]" for each in text[: most + 1]
    )
    return shown if len(text) <= most else f"{shown[:most]}…"


def captions_of(basis: Basis) -> tuple[str, ...]:
    """Return the captions of the slots of a period: hours of a day, days of a month."""
    return slots(basis.period.name, basis.period.begin_ms, basis.period.end_ms)


def counted(caption: str, head: tuple[str, str, str], rows: Sequence[Counted]) -> Table:
    """Return a table of names, what they are about, and how often."""
    others = "その他"
    return table(
        caption,
        head,
        (
            (
                others if each.name == OTHERS else clean(each.name) or "－",
                others if each.about == OTHERS else clean(each.about) or "－",
                number(each.count),
            )
            for each in rows
        ),
        (42, 42, 16),
        {2},
    )


def table(
    caption: str,
    head: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    widths: tuple[int, ...],
    right: Iterable[int] = (),
    *,
    small: bool = False,
) -> Table:
    """A table that is never empty and never endless."""
    found = list(rows)
    kept = limited(found) if found else (("該当なし", *([""] * (len(head) - 1))),)
    return Table(caption, head, kept, widths, frozenset(right), small=small)


def limited(rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Return the first rows, and one that counts the others."""
    if len(rows) <= _ROWS:
        return tuple(rows)
    blank = [""] * (len(rows[0]) - 1)
    return (*rows[:_ROWS], (f"ほか{number(len(rows) - _ROWS)}行（基礎資料を参照）", *blank))


def picture(title: str, unit: str, captions: tuple[str, ...], series: Sequence[Series]) -> Picture:
    """A chart and its numbers: captions across, in as many blocks as fit the page."""
    across = 16 if len(captions) > 24 else 12
    rows: list[tuple[str, ...]] = []
    for start in range(0, len(captions), across):
        some = captions[start : start + across]
        pad = ("",) * (across - len(some)) if start else ()
        rows.append(("", *some, *pad))
        rows += [(each.name, *map(number, each.values[start : start + across]), *pad) for each in series]
    width = len(rows[0]) - 1
    lead = 12
    return Picture(
        Chart(title, unit, captions, tuple(series)),
        Table(
            f"{title}（{unit}）",
            (),
            tuple(rows),
            (lead, *([max(1, (100 - lead) // width)] * width)),
            frozenset(range(1, width + 1)),
            small=True,
            strong=frozenset(range(0, len(rows), 1 + len(series))),
        ),
    )
