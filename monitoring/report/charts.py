"""Bar charts as rectangles, lines and texts in points; HTML draws them as SVG, PDF on its canvas. Pure.

Series differ by lightness and are stacked in a fixed order, so that they are told apart in print without colour; every
chart has its numbers in a table beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from monitoring.report.words import number

WIDTH: Final = 500.0
HEIGHT: Final = 128.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 6.0, 16.0, 18.0
SHADES: Final = ("#1f3a5f", "#7d9cc0", "#d5deea")
INK: Final = "#222222"
GRID: Final = "#c8c8c8"
_MOST_CAPTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one thing, one for each caption of the chart; not negative."""

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A stacked bar chart; `captions` stand under the bars, `unit` at the axis."""

    title: str
    unit: str
    captions: tuple[str, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle; y grows downwards, points."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A thin straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str


@dataclass(frozen=True, slots=True)
class Word:
    """A short text on its baseline; anchor start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str
    size: float


Part = Box | Stroke | Word


def step(highest: int) -> int:
    """Return the distance of grid lines for a highest value: 1, 2 or 5 times a power of ten, four lines at most."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= 4 * factor * size:
                return factor * size
        size *= 10


def parts(chart: Chart) -> tuple[Part, ...]:
    """Return what to draw, in order, inside WIDTH × HEIGHT."""
    count = max(1, len(chart.captions))
    sums = [sum(each.values[n] for each in chart.series) for n in range(len(chart.captions))]
    every = step(max([*sums, 1]))
    top = max(1, -(-max([*sums, 1]) // every)) * every
    floor, plot = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    drawn: list[Part] = [Word(2, 9, f"（{chart.unit}）", "start", 7)]
    for value in range(0, top + 1, every):
        y = floor - plot * value / top
        drawn.append(Stroke(_LEFT, y, WIDTH - _RIGHT, y, INK if value == 0 else GRID))
        drawn.append(Word(_LEFT - 4, y + 2.5, number(value), "end", 7))
    slot = (WIDTH - _LEFT - _RIGHT) / count
    bar = min(slot * 0.7, 34.0)
    skip = -(-count // _MOST_CAPTIONS)
    for n, caption in enumerate(chart.captions):
        middle = _LEFT + slot * (n + 0.5)
        base = floor
        for series, shade in zip(chart.series, SHADES, strict=False):
            height = plot * series.values[n] / top
            if height:
                drawn.append(Box(middle - bar / 2, base - height, bar, height, shade))
                base -= height
        if n % skip == 0:
            drawn.append(Word(middle, HEIGHT - 6, caption, "middle", 7))
    x = WIDTH - _RIGHT
    if len(chart.series) > 1:
        for series, shade in reversed(tuple(zip(chart.series, SHADES, strict=False))):
            x -= 7.0 * len(series.name) + 4
            drawn.append(Word(x, 9, series.name, "start", 7))
            x -= 11
            drawn.append(Box(x, 2.5, 8, 8, shade))
            x -= 8
    return tuple(drawn)
