"""CSV text: RFC 4180, with a reversible guard against formulas. Pure.

    file   = record*          ; header first
    record = field *("," field) CRLF
    field  = nothing          ; absent
           / <"> text <">     ; quotes inside doubled; for empty text and where " , CR or LF stands inside, or
                              ; white space at an end
           / text

A text that a spreadsheet might take for a formula gets one apostrophe in front, and so does a text that begins with
an apostrophe. So every apostrophe at the start of a text column is ours: taking one away gives the text back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

Cell: TypeAlias = "str | int | None"
"""text, a whole number, or nothing"""

GUARD: Final = "'"
TRIGGERS: Final = "=+-@\t\r\n＝＋－＠−"
"""what a formula may begin with (OWASP, CSV Injection), half and full width; − is U+2212, which CP932 holds as －"""
_NEEDS_QUOTES: Final = frozenset('",\r\n')
_SPACES: Final = " \t\u3000"


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return GUARD + text if text and (text[0] in TRIGGERS or text[0] == GUARD) else text


def restored(text: str) -> str:
    """Undo `guarded`."""
    return text[1:] if text.startswith(GUARD) else text


def record(cells: Iterable[Cell]) -> str:
    """Return one line with its CRLF. Numbers stand as they are, a negative one with its minus sign."""
    return ",".join([_field(cell) for cell in cells]) + "\r\n"


def _field(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return str(cell)
    text = guarded(cell)
    if not text or text[0] in _SPACES or text[-1] in _SPACES or not _NEEDS_QUOTES.isdisjoint(text):
        return '"' + text.replace('"', '""') + '"'
    return text
