"""What the helpdesk sees of an item: less than it needs is a call back, more than it needs is a leak.

個人番号 does not leave the review section in any form. A name keeps its first character, an address its
ward or city, a phone number its last four digits; free text and amounts are hidden; what is hidden shows
that there was something, and not how long it was.

People type numbers into the wrong field. So nothing is shown because of the field it stands in alone:
a text that does not look like what its mask expects is hidden.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.catalogue import Mask
from schemas.dates import parse_date
from schemas.numbers import is_corporate_number

HIDDEN: Final = "＊＊＊"
MAX_PLAIN_CHARACTERS: Final = 40
MAX_PLAIN_DIGITS: Final = 7
"""A 個人番号 has twelve digits, a phone number ten: a text with fewer than eight holds neither."""

_PREFECTURE: Final = (
    "(?:北海道|東京都|京都府|大阪府|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|富山|石川"
    "|福井|山梨|長野|岐阜|静岡|愛知|三重|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡"
    "|佐賀|長崎|熊本|大分|宮崎|鹿児島|沖縄)県)[ \u3000]?"
)
_NAME: Final = "[^\\s0-9０-９市区町村郡]{1,6}"
# Names that hold 市, 町, 村 or 郡 themselves and would be cut in the middle, or one place too far.
_CITY: Final = (
    "(?:四日市市|廿日市市|野々市市|市川市|市原市|町田市|大町市|十日町市|村上市|村山市|武蔵村山市|東村山市|羽村市"
    f"|田村市|大村市|郡山市|大和郡山市|郡上市|小郡市|蒲郡市|{_NAME}[市区])"
)
_COUNTY: Final = f"(?:余市郡|高市郡|[東西北]村山郡|田村郡|{_NAME}郡)"
_TOWN: Final = f"(?:余市町|玉村町|市貝町|上市町|下市町|市川三郷町|市川町|大町町|村田町|{_NAME}[町村])"
_WARD: Final = re.compile(f"(?:{_PREFECTURE})?(?:{_COUNTY}{_TOWN}|{_CITY})|{_PREFECTURE}{_TOWN}")
"""A town or village only under its prefecture or county: 中村 and 木村 are families, too."""
_SURE: Final = re.compile(f"{_PREFECTURE}|{_COUNTY}{_TOWN}")
_HOUSE: Final = re.compile("[0-9０-９]|丁目|番地|[番号]")
_PHONE: Final = re.compile(r"[+＋]?[0-9０-９()（）\-‐‑–—−－ーｰ. \u3000]+")
_DIGITS: Final = re.compile(r"[0-9０-９]")
_FIRST: Final = re.compile(r"[^\s][\uFE00-\uFE0F\U000E0100-\U000E01EF\u3099\u309A\uFF9E\uFF9F]*")
"""a character with its variation selector, or kana with its sound mark"""


def mask(kind: Mask, text: str) -> str | None:
    """Return what may be shown of a text, or None if not even its presence may."""
    if kind is Mask.ABSENT:
        return None
    if not text:
        return ""
    match kind:
        case Mask.PLAIN:
            return text if _is_harmless(text) else HIDDEN
        case Mask.NAME:
            first = _FIRST.search(text)
            return HIDDEN if first is None or first.group()[0].isnumeric() else first.group() + HIDDEN
        case Mask.WARD:
            return _ward(text) + HIDDEN
        case Mask.LAST_FOUR:
            return HIDDEN + _last_four(text)
        case _:
            return HIDDEN


def _is_harmless(text: str) -> bool:
    """Whether a short text cannot hold a number of a person, unless it is a date or a 法人番号 (which is public)."""
    if len(text) > MAX_PLAIN_CHARACTERS:
        return False
    if sum(map(str.isnumeric, text)) <= MAX_PLAIN_DIGITS:
        return True
    return parse_date(text) is not None or is_corporate_number(text)


def _ward(text: str) -> str:
    """The ward or city of an address, else nothing. Without prefecture or county a house number has to follow:
    古市 and 今市 are families, too."""
    found = _WARD.match(text)
    if found is None:
        return ""
    sure = _SURE.match(text) is not None or _HOUSE.search(text, found.end()) is not None
    return found.group() if sure else ""


def _last_four(text: str) -> str:
    """The last four digits of a phone number of 8 to 11 digits (with +81: 11 or 12), else nothing."""
    if not _PHONE.fullmatch(text):
        return ""
    digits = _DIGITS.findall(text)
    if text[0] in "+＋":
        known = 11 <= len(digits) <= 12 and digits[0] in "8８" and digits[1] in "1１"
    else:
        known = 8 <= len(digits) <= 11
    return "".join(digits[-4:]) if known else ""
