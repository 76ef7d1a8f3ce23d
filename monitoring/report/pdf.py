"""The report as a PDF on A4, the font inside it. Pure: the same document gives the same bytes.

Dates and the file's identifier come from the document, never from a clock. Texts are drawn as texts: what looks like
markup in them was escaped, and what the font has not is shown by its number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor, black, white
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, TableStyle
from reportlab.platypus import Table as Grid

from hub.envelope.times import from_ms, in_japan
from monitoring.report import charts
from monitoring.report.document import (
    Conclusion,
    Document,
    Heading,
    Part,
    Picture,
    Remark,
    Signatures,
    Table,
    Text,
)
from monitoring.report.fonts import BOLD, REGULAR, fit, register

_SIDE: Final = 15 * mm
_FRAME: Final = 6.0
"""the library's own padding inside the margins, points"""
_WIDTH: Final = A4[0] - 2 * _SIDE
_SHORT: Final = 12
"""rows of a table that is not broken over pages"""
_LINE: Final = HexColor("#888888")
_HEAD: Final = HexColor("#eef2f7")
_RULE: Final = HexColor("#1f3a5f")


def _style(name: str, size: float, **more: Any) -> ParagraphStyle:
    given = {"fontName": REGULAR, "fontSize": size, "leading": size * 1.45, "wordWrap": "CJK", **more}
    return ParagraphStyle(name, **given)


_BODY: Final = _style("body", 9)
_STRONG: Final = _style("strong", 9, fontName=BOLD)
_RIGHT: Final = _style("right", 9, alignment=TA_RIGHT)
_SMALL: Final = _style("small", 6.6)
_SMALL_RIGHT: Final = _style("small-right", 6.6, alignment=TA_RIGHT)
_SMALL_STRONG: Final = _style("small-strong", 6.6, fontName=BOLD)
_CENTRE: Final = _style("centre", 9, alignment=TA_CENTER)
_TITLE: Final = _style("title", 17, fontName=BOLD, alignment=TA_CENTER)
_SUBTITLE: Final = _style("subtitle", 9, alignment=TA_CENTER, spaceAfter=3 * mm)
_HEADING: Final = _style("heading", 11, fontName=BOLD)
_CAPTION: Final = _style("caption", 9, fontName=BOLD, spaceAfter=1 * mm)
_RESULT: Final = _style("result", 15, fontName=BOLD)


def render(document: Document) -> bytes:
    """Return the file. Raises FontDamaged."""
    register()
    made = BytesIO()
    template = SimpleDocTemplate(
        made,
        pagesize=A4,
        leftMargin=_SIDE - _FRAME,
        rightMargin=_SIDE - _FRAME,
        topMargin=14 * mm,
        bottomMargin=18 * mm,
        title=f"{document.title} {document.organisation}",
        author=document.organisation,
        subject=document.subtitle,
        creator="eltax-hub",
        producer="eltax-hub",
        lang="ja-JP",
    )
    flow: list[Flowable] = [_text(document.title, _TITLE), _text(document.subtitle, _SUBTITLE)]
    heading: list[Flowable] = []
    for part in document.parts:
        drawn = list(_part(part))
        if isinstance(part, Heading):
            heading = drawn
            continue
        # a heading stays with what follows it
        flow += _together(heading, drawn) if heading else drawn
        heading = []
    template.build([*flow, *heading], canvasmaker=_canvas_of(document))
    return made.getvalue()


def _together(heading: list[Flowable], drawn: list[Flowable]) -> list[Flowable]:
    """Keep a heading with what follows it; one thing kept together inside another would begin a new page."""
    first = drawn[0]
    if isinstance(first, CondPageBreak):  # a long table, which may go on over the page
        return [CondPageBreak(first.height + 15 * mm), *heading, *drawn[1:]]
    inside = first._content if isinstance(first, KeepTogether) else [first]
    return [KeepTogether([*heading, *inside]), *drawn[1:]]


def _text(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(fit(text)).replace("\n", "<br/>"), style)


def _part(part: Part) -> Iterator[Flowable]:
    match part:
        case Heading():
            rule = TableStyle([("LINEBELOW", (0, 0), (-1, -1), 1.2, _RULE), *_padding(0, 1)])
            yield Grid(
                [[_text(part.text, _HEADING)]], colWidths=[_WIDTH], style=rule, spaceBefore=4 * mm, spaceAfter=2 * mm
            )
        case Text():
            if part.strong:
                yield _framed([_text(part.text, _STRONG)], 0.8)
            else:
                yield _text(part.text, _style("text", 9, spaceBefore=1.5 * mm, spaceAfter=1.5 * mm))
        case Conclusion():
            yield _framed(
                [_text(part.text, _RESULT), Spacer(0, 1.5 * mm), *(_text(each, _BODY) for each in part.said)], 1.6
            )
        case Table():
            yield from _table(part)
        case Picture():
            yield KeepTogether([_text(part.chart.title, _CAPTION), _Drawn(part.chart), *_table(part.table, bare=True)])
        case Signatures():
            yield _seals(part)
        case Remark():
            yield _remark(part)


def _padding(side: float, around: float) -> list[tuple[Any, ...]]:
    everywhere = (0, 0), (-1, -1)
    return [
        ("LEFTPADDING", *everywhere, side),
        ("RIGHTPADDING", *everywhere, side),
        ("TOPPADDING", *everywhere, around),
        ("BOTTOMPADDING", *everywhere, around),
    ]


def _framed(inside: list[Flowable], line: float) -> Flowable:
    style = TableStyle([("BOX", (0, 0), (-1, -1), line, black), *_padding(8, 5)])
    return Grid([[inside]], colWidths=[_WIDTH], style=style, spaceBefore=2 * mm, spaceAfter=2 * mm)


def _table(table: Table, *, bare: bool = False) -> Iterator[Flowable]:
    body, right = (_SMALL, _SMALL_RIGHT) if table.small else (_BODY, _RIGHT)
    strong = _SMALL_STRONG if table.small else _STRONG
    commands: list[tuple[Any, ...]] = [
        ("GRID", (0, 0), (-1, -1), 0.4, _LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *_padding(2 if table.small else 4, 1 if table.small else 2),
    ]
    rows: list[list[Flowable]] = []
    if table.head:
        rows.append([_text(each, strong) for each in table.head])
        commands.append(("BACKGROUND", (0, 0), (-1, 0), _HEAD))
    else:
        commands.append(("BACKGROUND", (0, 0), (0, -1), _HEAD))
    for number, row in enumerate(table.rows):
        heavy = number in table.strong and not bare
        if bare and number in table.strong:
            commands.append(("BACKGROUND", (0, len(rows)), (-1, len(rows)), _HEAD))
        rows.append(
            [
                _text(cell, right if column in table.right else strong if heavy else body)
                for column, cell in enumerate(row)
            ]
        )
    whole = sum(table.widths)
    grid = Grid(
        rows,
        colWidths=[_WIDTH * width / whole for width in table.widths],
        repeatRows=1 if table.head else 0,
        style=TableStyle(commands),
        spaceAfter=3 * mm,
    )
    if bare or (not table.caption and len(rows) <= _SHORT):
        yield grid
    elif not table.caption:
        yield CondPageBreak(30 * mm)
        yield grid
    elif len(rows) <= _SHORT:
        yield KeepTogether([_text(table.caption, _CAPTION), grid])
    else:
        yield CondPageBreak(30 * mm)
        yield _text(table.caption, _CAPTION)
        yield grid


def _seals(part: Signatures) -> Flowable:
    count = len(part.titles)
    return Grid(
        [[_text(each, _CENTRE) for each in part.titles], [""] * count, [_text(part.under, _CENTRE)] * count],
        colWidths=[24 * mm] * count,
        rowHeights=[5.5 * mm, 16 * mm, 5.5 * mm],
        hAlign="RIGHT",
        style=TableStyle(
            [("GRID", (0, 0), (-1, -1), 0.6, black), ("VALIGN", (0, 0), (-1, -1), "MIDDLE"), *_padding(2, 0)]
        ),
        spaceBefore=1 * mm,
        spaceAfter=2 * mm,
    )


def _remark(part: Remark) -> Flowable:
    commands: list[tuple[Any, ...]] = [("BOX", (0, 0), (-1, -1), 0.6, black), *_padding(5, 3)]
    commands += [("LINEBELOW", (0, n), (-1, n), 0.3, _LINE, None, (1, 2)) for n in range(1, part.lines)]
    rows: list[list[Any]] = [[_text(part.caption, _BODY)], *([""] for _ in range(part.lines))]
    heights = [None, *([8 * mm] * part.lines)]
    return KeepTogether(
        [Grid(rows, colWidths=[_WIDTH], rowHeights=heights, style=TableStyle(commands), spaceAfter=3 * mm)]
    )


class _Drawn(Flowable):  # type: ignore[misc]
    """A chart on the page, scaled to its width."""

    def __init__(self, chart: charts.Chart) -> None:
        super().__init__()
        self._chart = chart
        self._scale = _WIDTH / charts.WIDTH

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return _WIDTH, charts.HEIGHT * self._scale

    def draw(self) -> None:
        canvas = self.canv
        canvas.scale(self._scale, self._scale)
        for part in charts.parts(self._chart):
            match part:
                case charts.Box():
                    canvas.setFillColor(HexColor(part.fill))
                    below = charts.HEIGHT - part.y - part.height
                    canvas.rect(part.x, below, part.width, part.height, stroke=0, fill=1)
                case charts.Stroke():
                    canvas.setStrokeColor(HexColor(part.colour))
                    canvas.setLineWidth(0.5)
                    canvas.line(part.x1, charts.HEIGHT - part.y1, part.x2, charts.HEIGHT - part.y2)
                case charts.Word():
                    canvas.setFillColor(HexColor(charts.INK))
                    canvas.setFont(REGULAR, part.size)
                    place = part.x, charts.HEIGHT - part.y, fit(part.text)
                    _WRITE[part.anchor](canvas, *place)


_WRITE: Final[dict[str, Any]] = {
    "start": Canvas.drawString,
    "middle": Canvas.drawCentredString,
    "end": Canvas.drawRightString,
}


def _canvas_of(document: Document) -> type[Canvas]:
    """A canvas that knows the number of pages when it writes the footers, and takes no time from the machine."""

    class Numbered(Canvas):  # type: ignore[misc]
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **{**named, "invariant": 1})
            moment = in_japan(from_ms(document.made_at_ms))
            self._doc._timeStamp = SimpleNamespace(
                t=document.made_at_ms // 1_000,
                lt=tuple(moment.timetuple()),
                YMDhms=tuple(moment.timetuple())[:6],
                dhh=9,
                dmm=0,
                tzname="JST",
            )
            self._doc.signature = hashlib.md5(document.identity.encode(), usedforsecurity=False)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - the library's name
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self._pages, 1):
                self.__dict__.update(state)
                self._foot(number)
                super().showPage()
            super().save()

        def _foot(self, number: int) -> None:
            self.setStrokeColor(_LINE)
            self.setLineWidth(0.4)
            self.line(_SIDE, 14 * mm, A4[0] - _SIDE, 14 * mm)
            self.setFillColor(black)
            self.setFont(REGULAR, 7.5)
            self.drawString(_SIDE, 10.5 * mm, fit(document.footer))
            self.drawRightString(A4[0] - _SIDE, 10.5 * mm, f"{number} / {len(self._pages)}")
            self.setFont(REGULAR, 6)
            self.drawString(_SIDE, 7.5 * mm, f"基礎資料 SHA-256 {document.identity}")
            self.setFillColor(white)

    return Numbered
