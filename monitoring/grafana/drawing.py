"""Small pieces of SVG, and numbers as people read them. Pure; knows nothing of boards."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

FONTS: Final = "'Noto Sans JP','Noto Sans CJK JP','Hiragino Sans','Yu Gothic',Meiryo,IPAexGothic,sans-serif"
INK: Final = "#24292e"
FAINT: Final = "#6e7781"
RULE: Final = "#e1e4e8"
COLOURS: Final = {
    "green": "#1a7f4b", "orange": "#c4650a", "red": "#c92a2a", "blue": "#1f60c4", "text": "#57606a",
}  # fmt: skip
SERIES: Final = (
    "#1f60c4", "#1a7f4b", "#c4650a", "#8b3fb8", "#c92a2a", "#0b8a9e",
    "#7a6a00", "#d6468c", "#4a5bd4", "#5f8a00", "#8a4b2a", "#57606a",
)  # fmt: skip
"""told apart by people who see fewer colours too, as far as twelve can be"""


def width_of(text: str, size: float) -> float:
    """Return about how wide a text is: full-width characters are square."""
    return size * sum(1.0 if unicodedata.east_asian_width(each) in "WF" else 0.56 for each in text)


def fitted(text: str, size: float, room: float) -> str:
    """Return the text, cut with an ellipsis where it would not fit."""
    if width_of(text, size) <= room:
        return text
    while text and width_of(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def write(
    text: str,
    x: float,
    y: float,
    size: float,
    *,
    colour: str = INK,
    bold: bool = False,
    anchor: str = "start",
    room: float = math.inf,
) -> str:
    """Return a line of text with its baseline at `y`, cut to its room."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"{weight} text-anchor="{anchor}">'
        f"{escape(fitted(text, size, room))}</text>"
    )


def box(x: float, y: float, width: float, height: float, *, fill: str, line: str = "none", round_: float = 3) -> str:
    """Return a rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{round_:g}" '
        f'fill="{fill}" stroke="{line}"/>'
    )


def rule(x1: float, y1: float, x2: float, y2: float, colour: str = RULE, dashes: str = "") -> str:
    """Return a thin line."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" fill="none"{dashed}/>'


def path(points: Sequence[tuple[float, float]], colour: str) -> str:
    """Return a line through points."""
    said = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{said}" stroke="{colour}" stroke-width="1.5" fill="none" stroke-linejoin="round"/>'


def area(points: Sequence[tuple[float, float]], floor: Sequence[tuple[float, float]], colour: str, shade: float) -> str:
    """Return the area between points and what lies below them."""
    said = "L".join(f"{x:.1f} {y:.1f}" for x, y in (*points, *reversed(floor)))
    return f'<path d="M{said}Z" fill="{colour}" fill-opacity="{shade:g}" stroke="none"/>'


_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_SECONDS: Final = ((86_400 * 365, "年"), (86_400, "日"), (3_600, "時間"), (60, "分"), (1, "秒"), (1e-3, "ミリ秒"))


def number(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value as a person reads it, by the names that Grafana gives to units."""
    if math.isnan(value):
        return "—"
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f}%"
    if unit == "bytes":
        return _bytes(value)
    if unit == "s":
        return _seconds(value)
    tail = "/s" if unit in ("reqps", "ops") else ""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M{tail}"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.3g}k{tail}"
    if decimals is not None:
        return f"{value:.{decimals}f}{tail}"
    if value == int(value):
        return f"{int(value):,}{tail}"
    return f"{value:.3g}{tail}"


def _bytes(value: float) -> str:
    step = 0
    while abs(value) >= 1024 and step < len(_BINARY) - 1:
        value /= 1024
        step += 1
    return f"{value:.3g} {_BINARY[step]}"


def _seconds(value: float) -> str:
    for least, name in _SECONDS:
        if abs(value) >= least:
            return f"{value / least:.3g}{name}"
    return "0秒" if value == 0 else f"{value * 1e3:.2g}ミリ秒"


def ticks(top: float, most: int = 4) -> list[float]:
    """Return round values from 0 to at least `top`."""
    if top <= 0 or not math.isfinite(top):
        top = 1.0
    rough = top / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= rough * 0.999)
    return [step * each for each in range(math.ceil(top / step - 1e-9) + 1)]
