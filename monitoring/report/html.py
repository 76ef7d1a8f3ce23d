"""The report as one HTML file: no script, no other file, charts as SVG; prints on A4. Pure.

Everything that is not a tag of ours is escaped here, whoever wrote it. The file forbids itself scripts and loading.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

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

_CSS: Final = """
@page { size: A4; margin: 15mm 15mm 16mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 180mm; padding: 6mm 1px; color: #111; background: #fff;
  font: 9.5pt/1.5 "BIZ UDPGothic", "BIZ UDGothic", "Yu Gothic", "Hiragino Sans", Meiryo, sans-serif; }
header { text-align: center; }
h1 { font-size: 17pt; margin: 0; letter-spacing: .12em; }
header p { margin: 1mm 0 4mm; }
h2 { font-size: 11.5pt; margin: 7mm 0 2mm; padding: 0 0 .5mm; border-bottom: 1.5pt solid #1f3a5f; break-after: avoid; }
table { width: 100%; border-collapse: collapse; margin: 2mm 0 4mm; table-layout: fixed; }
td { white-space: pre-line; }
caption { text-align: left; font-weight: bold; padding-bottom: 1mm; break-after: avoid; }
th, td { border: .5pt solid #888; padding: .8mm 1.5mm; vertical-align: top; overflow-wrap: anywhere; text-align: left; }
thead th, th[scope=row] { background: #eef2f7; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
.small { font-size: 7.5pt; }
.small th, .small td { padding: .5mm .7mm; }
.right { text-align: right; font-variant-numeric: tabular-nums; }
.strong td { font-weight: bold; }
.strong.heads td { background: #eef2f7; font-weight: normal; }
.conclusion { border: 2pt solid #111; padding: 3mm 4mm; margin: 4mm 0; break-inside: avoid; }
.conclusion strong { display: block; font-size: 15pt; }
.conclusion p { margin: 0; }
.notice { border: 1pt solid #111; padding: 1mm 3mm; font-weight: bold; }
.seals { width: auto; margin-left: auto; table-layout: fixed; break-inside: avoid; }
.seals th, .seals td { width: 24mm; text-align: center; }
.seals td { height: 19mm; }
.seals td.day { height: auto; }
figure { margin: 2mm 0; break-inside: avoid; }
figcaption { font-weight: bold; }
svg { width: 100%; height: auto; display: block; }
.remark { border: .5pt solid #888; padding: 1.5mm 2mm; margin: 2mm 0 4mm; break-inside: avoid; }
.remark div { border-bottom: .5pt dotted #888; height: 8mm; }
footer { margin-top: 6mm; font-size: 7.5pt; border-top: .5pt solid #888; padding-top: 1mm; overflow-wrap: anywhere; }
"""


def render(document: Document) -> bytes:
    """Return the file, UTF-8."""
    return "".join(_page(document)).encode("utf-8", "xmlcharrefreplace")


def _page(document: Document) -> Iterator[str]:
    title = escape(f"{document.title} {document.organisation}")
    yield (
        '<!DOCTYPE html>\n<html lang="ja">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(document.title)}</h1><p>{escape(document.subtitle)}</p></header>\n<main>\n"
    )
    for number, part in enumerate(document.parts):
        yield from _part(part, number)
    yield f"</main>\n<footer>{escape(document.footer)}　基礎資料 SHA-256 {escape(document.identity)}</footer>\n"
    yield "</body>\n</html>\n"


def _part(part: Part, number: int) -> Iterator[str]:
    match part:
        case Heading():
            yield f"<h2>{escape(part.text)}</h2>\n"
        case Text():
            yield f'<p class="notice">{escape(part.text)}</p>\n' if part.strong else f"<p>{escape(part.text)}</p>\n"
        case Conclusion():
            said = "".join(f"<p>{escape(each)}</p>" for each in part.said)
            yield f'<div class="conclusion"><strong>{escape(part.text)}</strong>{said}</div>\n'
        case Table():
            yield from _table(part)
        case Picture():
            yield f"<figure><figcaption>{escape(part.chart.title)}</figcaption>\n"
            yield from _svg(part.chart, f"chart-{number}")
            yield from _table(part.table, heads=True)
            yield "</figure>\n"
        case Signatures():
            heads = "".join(f'<th scope="col">{escape(each)}</th>' for each in part.titles)
            cells = "<td></td>" * len(part.titles)
            days = f'<td class="day">{escape(part.under)}</td>' * len(part.titles)
            yield f'<table class="seals" aria-label="決裁欄"><thead><tr>{heads}</tr></thead>'
            yield f"<tbody><tr>{cells}</tr><tr>{days}</tr></tbody></table>\n"
        case Remark():
            lines = "<div></div>" * part.lines
            yield f'<div class="remark">{escape(part.caption)}{lines}</div>\n'


def _table(table: Table, *, heads: bool = False) -> Iterator[str]:
    yield f'<table class="{"small" if table.small else "full"}">'
    if table.caption and not heads:
        yield f"<caption>{escape(table.caption)}</caption>"
    whole = sum(table.widths)
    yield "<colgroup>" + "".join(f'<col style="width:{100 * w / whole:.2f}%">' for w in table.widths) + "</colgroup>\n"
    if table.head:
        yield "<thead><tr>" + "".join(f'<th scope="col">{escape(each)}</th>' for each in table.head) + "</tr></thead>\n"
    yield "<tbody>\n"
    for number, row in enumerate(table.rows):
        strong = f' class="strong{" heads" if heads else ""}"' if number in table.strong else ""
        yield f"<tr{strong}>"
        for column, cell in enumerate(row):
            right = ' class="right"' if column in table.right else ""
            if column == 0 and not table.head:
                yield f'<th scope="row">{escape(cell)}</th>'
            else:
                yield f"<td{right}>{escape(cell)}</td>"
        yield "</tr>\n"
    yield "</tbody></table>\n"


def _svg(chart: charts.Chart, name: str) -> Iterator[str]:
    title = escape(chart.title)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {charts.WIDTH:g} {charts.HEIGHT:g}" role="img"'
        f' aria-labelledby="{name}"><title id="{name}">{title}（{escape(chart.unit)}）。数値は次の表。</title>\n'
    )
    for part in charts.parts(chart):
        match part:
            case charts.Box():
                yield (
                    f'<rect x="{part.x:.2f}" y="{part.y:.2f}" width="{part.width:.2f}" height="{part.height:.2f}"'
                    f' fill="{part.fill}"/>'
                )
            case charts.Stroke():
                yield (
                    f'<line x1="{part.x1:.2f}" y1="{part.y1:.2f}" x2="{part.x2:.2f}" y2="{part.y2:.2f}"'
                    f' stroke="{part.colour}" stroke-width=".6"/>'
                )
            case charts.Word():
                yield (
                    f'<text x="{part.x:.2f}" y="{part.y:.2f}" font-size="{part.size:g}" fill="{charts.INK}"'
                    f' text-anchor="{part.anchor}">{escape(part.text)}</text>'
                )
    yield "</svg>\n"
