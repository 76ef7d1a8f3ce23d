"""What the helpdesk sees of an item: less than it needs is a call back, more than it needs is a leak.

個人番号 does not leave the review section in any form. A name keeps its first character, an address its
ward or city, a phone number its last four digits; free text and amounts are hidden; what is hidden shows
that there was something, and not how long it was.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.catalogue import Mask

HIDDEN: Final = "＊＊＊"
_WARD: Final = re.compile(
    r"\A(?:(?:東京都|北海道|(?:京都|大阪)府|[^\s0-9０-９]{2,3}県)?"
    r"(?:[^\s0-9０-９都道府県市区町村郡]{1,6}郡)?[^\s0-9０-９都道府県]{1,6}?[市区町村])"
)
_DIGITS: Final = re.compile(r"[0-9０-９]")
_FIRST: Final = re.compile(r".[\uFE00-\uFE0F\U000E0100-\U000E01EF\u3099\u309A\uFF9E\uFF9F]*", re.DOTALL)
"""a character with its variation selector, or kana with its sound mark"""


def mask(kind: Mask, text: str) -> str | None:
    """Return what may be shown of a text, or None if not even its presence may."""
    match kind:
        case Mask.ABSENT:
            return None
        case Mask.PLAIN:
            return text
        case _ if not text:
            return ""
        case Mask.NAME:
            first = _FIRST.match(text)
            return (first.group() if first else "") + HIDDEN
        case Mask.WARD:
            ward = _WARD.match(text)
            return (ward.group() if ward else "") + HIDDEN
        case Mask.LAST_FOUR:
            digits = _DIGITS.findall(text)
            return HIDDEN + "".join(digits[-4:]) if len(digits) >= 8 else HIDDEN
        case _:
            return HIDDEN
