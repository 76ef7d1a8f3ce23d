"""Which characters an encoding holds, and what becomes of the others. Pure.

CP932 as Python and Windows have it. A character counts as held only if it comes back as itself: Python writes
〜 ‖ − ¢ £ ¬ as their full-width twins without a word, which changes the text. U+E000..U+E757 are the user-defined
area (外字): they come back as themselves, but what they show is agreed on by font, so they are told of, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from consumers.review.export.errors import EncodingUnknown, ExportError, ReplacementInvalid
from consumers.review.export.text import GUARD, TRIGGERS, Cell

GETA: Final = "〓"
TWINS: Final = {"〜": "～", "‖": "∥", "−": "－", "¢": "￠", "£": "￡", "¬": "￢"}
"""characters of JIS that CP932 has only as their full-width twins"""
_USER_DEFINED: Final = range(0xE000, 0xE758)
_UNASSIGNED: Final = frozenset({0x80, *range(0xF8F0, 0xF8F4)})
"""code points that the codec lets through as single bytes to which nothing is assigned"""
_UNFIT: Final = frozenset('?？",\r\n\t' + GUARD + TRIGGERS)


class Encoding(StrEnum):
    """How the files are written."""

    UTF_8 = "utf-8"
    """with a byte order mark, which makes spreadsheets read it as what it is"""
    CP932 = "cp932"

    @property
    def mark(self) -> bytes:
        """What a file begins with."""
        return b"\xef\xbb\xbf" if self is Encoding.UTF_8 else b""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A character that is not written as itself. `becomes` is empty where nothing was declared."""

    code_point: int
    becomes: str

    @property
    def refused(self) -> bool:
        """Whether it keeps its row out of the file."""
        return not self.becomes


@dataclass(frozen=True, slots=True)
class Writing:
    """An encoding and what was declared for characters that it lacks; `replacement` None refuses their rows."""

    encoding: Encoding
    replacement: str | None = None

    @classmethod
    def declared(cls, encoding: str, on_missing: str, replacement: str | None = None) -> Writing:
        """Read what a person declared. Raises EncodingUnknown, ReplacementInvalid."""
        if encoding not in set(Encoding) or on_missing not in ("refuse", "replace"):
            raise EncodingUnknown
        if on_missing == "refuse":
            if replacement is not None:
                raise ReplacementInvalid("It goes with --on-missing replace only.")
            return cls(Encoding(encoding))
        chosen = GETA if replacement is None else replacement
        if len(chosen) != 1 or chosen in _UNFIT or chosen.isspace() or not _comes_back(chosen):
            raise ReplacementInvalid
        return cls(Encoding(encoding), chosen)

    def misfits(self, cell: Cell) -> Sequence[Misfit]:
        """Return what a cell holds that is not written as itself, each code point once, in order of appearance."""
        if self.encoding is Encoding.UTF_8 or not isinstance(cell, str) or cell.isascii():
            return ()
        return [Misfit(ord(c), self._becomes(c)) for c in dict.fromkeys(cell) if not _plain(c)]

    def encode(self, lines: Iterable[str]) -> bytes:
        """Return the bytes of lines in which nothing is refused. Raises ExportError otherwise."""
        text = "".join(lines)
        if self.encoding is Encoding.UTF_8:
            return text.encode()
        if not text.isascii():
            text = "".join([c if _plain(c) else self._becomes(c) or "\ufffd" for c in text])
        try:
            return text.encode("cp932")
        except UnicodeEncodeError:  # its text would name what was filed
            raise ExportError("characters") from None

    def _becomes(self, character: str) -> str:
        if _comes_back(character):
            return character
        if self.replacement is None:
            return ""
        return TWINS.get(character, self.replacement)


@lru_cache(maxsize=16_384)
def _comes_back(character: str) -> bool:
    if ord(character) in _UNASSIGNED:
        return False
    try:
        return character.encode("cp932").decode("cp932") == character
    except UnicodeError:
        return False


def _plain(character: str) -> bool:
    return _comes_back(character) and ord(character) not in _USER_DEFINED
