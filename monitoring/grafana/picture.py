"""Draws a board as SVG from what a Prometheus answered to its queries: no Grafana, no browser. Pure.

It follows the board's own layout, units, thresholds and words, but it is a drawing of ours and no screenshot of
Grafana, and every picture says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Final

from monitoring.grafana.board import COLUMNS, Board, Look, Panel, Place, Query, Row, laid_out
from monitoring.grafana.drawing import (
    COLOURS,
    FAINT,
    FONTS,
    INK,
    RULE,
    SERIES,
    area,
    box,
    number,
    path,
    rule,
    ticks,
    width_of,
    write,
)

JAPAN: Final = timezone(timedelta(hours=9))
WIDTH: Final = 1320.0
_CELL: Final = WIDTH / COLUMNS
_LINE: Final = 32.0
_GAP: Final = 4.0
_TOP: Final = 62.0
_MOST_SERIES: Final = 12


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and (Unix time, value) in order; an instant answer has one point."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


Answers = Mapping[str, Sequence[Series]]
"""expression as the board has it → its series"""


def drawn(board: Board, answers: Answers, span: tuple[float, float]) -> str:
    """Return the picture of a board; `span` is the range of its charts in Unix seconds."""
    began, ended = (datetime.fromtimestamp(each, UTC).astimezone(JAPAN) for each in span)
    when = f"{began:%Y-%m-%d %H:%M:%S} – {ended:%H:%M:%S} JST · drawn from the queries' answers, no screenshot"
    left = WIDTH - 36 - width_of(when, 12)
    body = [
        write(board.title, 12, 28, 20, bold=True, room=WIDTH - 24),
        write(board.about_ja, 12, 50, 13, colour=FAINT, room=left),
        write(when, WIDTH - 12, 50, 12, colour=FAINT, anchor="end"),
    ]
    height = _TOP
    for each, place in laid_out(board):
        x, y = place.x * _CELL, _TOP + place.y * _LINE
        height = max(height, y + place.height * _LINE)
        if isinstance(each, Row):
            body.append(write(each.title, 12, y + 22, 14, bold=True))
        else:
            body += _panel(each, answers, span, place, x, y)
    size = f'width="{WIDTH:g}" height="{height + 8:g}" viewBox="0 0 {WIDTH:g} {height + 8:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONTS}">'
    ground = box(0, 0, WIDTH, height + 8, fill="#f6f8fa", round_=0)
    return "\n".join([head, f"<title>{board.title}</title>", ground, *body, "</svg>"]) + "\n"


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a panel's content goes."""

    x: float
    y: float
    width: float
    height: float


def _panel(
    panel: Panel, answers: Answers, span: tuple[float, float], place: Place, x: float, y: float
) -> Iterator[str]:
    outer = _Frame(x + _GAP, y + _GAP, place.width * _CELL - 2 * _GAP, place.height * _LINE - 2 * _GAP)
    yield box(outer.x, outer.y, outer.width, outer.height, fill="#ffffff", line=RULE)
    room = outer.width - 20
    yield write(panel.ja, outer.x + 10, outer.y + 19, 13, bold=True, room=room)
    left = room - width_of(panel.ja, 13.5) - 8
    if left > width_of(panel.en, 11) * 0.6:
        yield write(panel.en, outer.x + outer.width - 10, outer.y + 19, 11, colour=FAINT, anchor="end", room=left)
    inner = _Frame(outer.x + 10, outer.y + 28, room, outer.height - 36)
    given = [(query, answers.get(query.expr, ())) for query in panel.queries]
    if panel.look is Look.STAT:
        yield from _stat(panel, given, outer, inner)
    elif panel.look is Look.TIME:
        yield from _chart(panel, given, span, inner)
    elif panel.look is Look.TABLE:
        yield from _table(panel, given, inner)


def _named(query: Query, series: Series) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: series.labels.get(found[1], ""), query.legend).strip()


def _colour(panel: Panel, value: float) -> str:
    found = panel.steps[0][1]
    for least, colour in panel.steps:
        if value >= least:
            found = colour
    return COLOURS[found]


def _said(panel: Panel, value: float) -> tuple[str, str]:
    """Text and colour of a value: a word of the panel's, or the number."""
    word = panel.words.get(number(value, "short"))
    if word is not None:
        return word[0], COLOURS[word[1]]
    return number(value, panel.unit, panel.decimals), _colour(panel, value)


def _stat(panel: Panel, given: Sequence[tuple[Query, Sequence[Series]]], outer: _Frame, inner: _Frame) -> Iterator[str]:
    values = [(_named(query, series), series.last) for query, found in given for series in found]
    if not values:
        yield write(
            "不明 / unknown", inner.x + inner.width / 2, inner.y + inner.height / 2, 18, colour=FAINT, anchor="middle"
        )
        return
    if len(values) == 1 and not values[0][0]:
        text, colour = _said(panel, values[0][1])
        yield box(outer.x, outer.y + 27, outer.width, outer.height - 27, fill=colour)
        size = min(40.0, inner.height * 0.55, inner.width / max(1.0, width_of(text, 1)))
        yield write(
            text, inner.x + inner.width / 2, inner.y + inner.height / 2 + size * 0.36, size,
            colour="#ffffff", bold=True, anchor="middle",
        )  # fmt: skip
        return
    across = max(1, min(len(values), int(inner.width // 105)))
    down = math.ceil(len(values) / across)
    wide, high = inner.width / across, inner.height / down
    for place, (name, value) in enumerate(values):
        text, colour = _said(panel, value)
        middle = inner.x + (place % across + 0.5) * wide
        top = inner.y + (place // across) * high
        size = min(26.0, high * 0.45, (wide - 8) / max(1.0, width_of(text, 1)))
        yield write(text, middle, top + high / 2 + size * 0.1, size, colour=colour, bold=True, anchor="middle")
        yield write(name, middle, top + high / 2 + size * 0.1 + 16, 11, colour=FAINT, anchor="middle", room=wide - 6)


def _chart(
    panel: Panel, given: Sequence[tuple[Query, Sequence[Series]]], span: tuple[float, float], inner: _Frame
) -> Iterator[str]:
    found = [(_named(query, series), series) for query, all_ in given for series in all_]
    found = [each for each in found if any(not math.isnan(value) for _, value in each[1].points)]
    found = sorted(found, key=lambda each: -_sum(each[1]))[:_MOST_SERIES] if len(found) > _MOST_SERIES else found
    if not found:
        yield write(
            "データなし / no data",
            inner.x + inner.width / 2,
            inner.y + inner.height / 2,
            14,
            colour=FAINT,
            anchor="middle",
        )
        return
    legend, lines = _legend(found, inner)
    plot = _Frame(inner.x + 58, inner.y + 6, inner.width - 66, inner.height - 28 - lines * 16)
    layers = list(_layers(panel, [series for _, series in found]))
    top = max((value for points, _ in layers for _, value in points if not math.isnan(value)), default=1.0)
    marks = ticks(top)
    for mark in marks:
        y = plot.y + plot.height * (1 - mark / marks[-1])
        yield rule(plot.x, y, plot.x + plot.width, y)
        yield write(number(mark, panel.unit), plot.x - 6, y + 4, 10.5, colour=FAINT, anchor="end", room=56)
    yield from _times(span, plot)

    def at(moment: float, value: float) -> tuple[float, float]:
        share = (moment - span[0]) / max(1e-9, span[1] - span[0])
        return plot.x + plot.width * share, plot.y + plot.height * (1 - value / marks[-1])

    for place, (points, floor) in enumerate(layers):
        colour = SERIES[place % len(SERIES)]
        if panel.stacked:
            yield area([at(*each) for each in points], [at(*each) for each in floor], colour, 0.35)
        for piece in _pieces(points):
            yield path([at(*each) for each in piece], colour)
    if panel.limit is not None and panel.limit <= marks[-1]:
        y = at(0, panel.limit)[1]
        yield rule(plot.x, y, plot.x + plot.width, y, COLOURS["red"], "6 4")
    yield from legend


def _sum(series: Series) -> float:
    return sum(value for _, value in series.points if not math.isnan(value))


def _layers(
    panel: Panel, found: Sequence[Series]
) -> Iterator[tuple[list[tuple[float, float]], list[tuple[float, float]]]]:
    """Yield (points, what lies below them) of each series; stacked ones stand upon one another."""
    moments = sorted({moment for series in found for moment, _ in series.points})
    below = dict.fromkeys(moments, 0.0)
    for series in found:
        points = [(moment, value) for moment, value in series.points if not math.isnan(value)]
        if not panel.stacked:
            yield points, []
            continue
        here = dict(points)
        floor = [(moment, below[moment]) for moment in moments]
        below = {moment: below[moment] + here.get(moment, 0.0) for moment in moments}
        yield list(below.items()), floor


def _pieces(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Cut a line where answers are missing: more than twice the usual step without one."""
    steps = sorted(later[0] - earlier[0] for earlier, later in pairwise(points))
    most = 2.0 * steps[len(steps) // 2] if steps else 0.0
    piece: list[tuple[float, float]] = []
    for point in points:
        if piece and point[0] - piece[-1][0] > most:
            yield piece
            piece = []
        piece.append(point)
    if piece:
        yield piece


def _times(span: tuple[float, float], plot: _Frame) -> Iterator[str]:
    steps = max(1, min(6, int(plot.width // 90)))
    for step in range(steps + 1):
        moment = span[0] + (span[1] - span[0]) * step / steps
        said = datetime.fromtimestamp(moment, UTC).astimezone(JAPAN)
        anchor = "start" if step == 0 else "end" if step == steps else "middle"
        x = plot.x + plot.width * step / steps
        yield write(f"{said:%H:%M:%S}", x, plot.y + plot.height + 16, 10.5, colour=FAINT, anchor=anchor)


def _legend(found: Sequence[tuple[str, Series]], inner: _Frame) -> tuple[list[str], int]:
    """Return the legend, drawn at the foot, and how many lines it has: two at most."""
    drawn_, x, line = [], inner.x, 0
    places: list[tuple[float, int, str, str]] = []
    for place, (name, _) in enumerate(found):
        text = name or "なし"
        wide = min(width_of(text, 11) + 26, inner.width)
        if x + wide > inner.x + inner.width and x > inner.x:
            x, line = inner.x, line + 1
        if line > 1:
            break
        places.append((x, line, text, SERIES[place % len(SERIES)]))
        x += wide
    lines = min(line, 1) + 1
    for left, at, text, colour in places:
        y = inner.y + inner.height - (lines - 1 - at) * 16
        drawn_.append(box(left, y - 6, 10, 3, fill=colour, round_=1))
        drawn_.append(write(text, left + 14, y, 11, colour=INK, room=inner.width - 14))
    return drawn_, lines


def _table(panel: Panel, given: Sequence[tuple[Query, Sequence[Series]]], inner: _Frame) -> Iterator[str]:
    letters = dict(zip("ABCDEFGHIJ", (found for _, found in given), strict=False))
    labels = [column.source for column in panel.columns if column.source not in letters]
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for letter, found in letters.items():
        for series in found:
            key = tuple(series.labels.get(label, "") for label in labels[:1])
            row = rows.setdefault(key, {})
            row.update({label: series.labels[label] for label in labels if label in series.labels})
            row[letter] = number(series.last, panel.unit, panel.decimals)
    if len(labels) > 1 and len(given) == 1:  # one query with several labels: a row each
        rows = {
            (str(place),): {**series.labels, "A": number(series.last, panel.unit, panel.decimals)}
            for place, series in enumerate(given[0][1])
        }
    if not rows:
        yield write(
            "なし / none", inner.x + inner.width / 2, inner.y + inner.height / 2, 14, colour=FAINT, anchor="middle"
        )
        return
    shares = [2.2 if column.source not in letters else 1.0 for column in panel.columns]
    edges = [inner.x]
    for share in shares:
        edges.append(edges[-1] + inner.width * share / sum(shares))
    most = int((inner.height - 22) // 19)
    ordered = sorted(rows.values(), key=lambda row: [row.get(label, "") for label in labels])
    shown = ordered if len(ordered) <= most else ordered[: most - 1]
    for place, column in enumerate(panel.columns):
        yield write(
            column.ja, edges[place] + 4, inner.y + 12, 11, colour=FAINT, room=edges[place + 1] - edges[place] - 6
        )
    yield rule(inner.x, inner.y + 18, inner.x + inner.width, inner.y + 18)
    for line, row in enumerate(shown):
        y = inner.y + 33 + line * 19
        for place, column in enumerate(panel.columns):
            yield write(
                row.get(column.source, ""), edges[place] + 4, y, 12, room=edges[place + 1] - edges[place] - 6
            )  # fmt: skip
    if len(shown) < len(ordered):
        y = inner.y + 33 + len(shown) * 19
        yield write(f"ほか {len(ordered) - len(shown)} 件", inner.x + 4, y, 12, colour=FAINT)
