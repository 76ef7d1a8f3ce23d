"""The font that the PDF carries, and what becomes of characters that it has not."""

from __future__ import annotations

import hashlib
import lzma
import unicodedata
from functools import cache
from hmac import compare_digest
from io import BytesIO
from pathlib import Path
from typing import Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from schemas.errors import HubError

REGULAR: Final = "BIZUDPGothic"
BOLD: Final = "BIZUDPGothic-Bold"
MISSING: Final = "〓"
"""the printers' sign for a character that the font has not; its number follows"""
_FILES: Final = {
    REGULAR: ("Regular", "6c269636f09162be639c87b635c544ac0c1aaf67feb7aeb9e0dc044fb5f5123e"),
    BOLD: ("Bold", "959d5d6f7c5c8c09518ebcc5e0a0f36654ade3d2a3344b2e6623568c7e681416"),
}
_VARIATIONS: Final = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_NO_VARIATIONS: Final = dict.fromkeys(_VARIATIONS)


class FontDamaged(HubError):
    """A font file of this installation is not the one that reports are made with."""

    code = "report.font"
    hint = "Install eltax-hub again; HTML reports need no font."


@cache
def register() -> None:
    """Give both fonts to the PDF library, once. Raises FontDamaged."""
    for name in _FILES:
        pdfmetrics.registerFont(TTFont(name, BytesIO(_read(name))))


def _read(name: str) -> bytes:
    weight, pinned = _FILES[name]
    path = Path(__file__).with_name("fonts") / f"BIZUDPGothic-{weight}.ttf.xz"
    try:
        found = lzma.decompress(path.read_bytes())
    except (OSError, lzma.LZMAError):
        raise FontDamaged(path.name) from None
    if not compare_digest(hashlib.sha256(found).hexdigest(), pinned):
        raise FontDamaged(path.name)
    return found


@cache
def _known() -> frozenset[int]:
    register()
    return frozenset(pdfmetrics.getFont(REGULAR).face.charToGlyph)


def fit(text: str) -> str:
    """Return a text that the font can draw: composed, variants as their base, what it has not as 〓[U+20BB7]."""
    known = _known()
    text = unicodedata.normalize("NFC", text).translate(_NO_VARIATIONS)
    return "".join(each if ord(each) in known or each == "\n" else f"{MISSING}[U+{ord(each):04X}]" for each in text)
