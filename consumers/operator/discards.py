"""Why a letter may be discarded: a closed list, and what may not stand in the note beside it. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from consumers.operator.errors import DiscardReasonUnknown, NoteRefused
from hub.envelope.limits import MAX_NOTE_CHARACTERS
from hub.envelope.records import Discard


class DiscardReason(NamedTuple):
    """A code and what it says in two languages."""

    code: str
    japanese: str
    english: str


REASONS: Final[tuple[DiscardReason, ...]] = (
    DiscardReason("sent-again", "送信者が改めて送信済み", "its producer has sent it again as a new record"),
    DiscardReason("duplicate", "同一記録が受理済み", "the same record was taken elsewhere"),
    DiscardReason("not-ours", "本システム宛でない記録", "it never was a record of this hub"),
    DiscardReason("damaged", "破損しており復元できない", "its bytes are damaged and nobody can repair them"),
    DiscardReason("forged", "偽造と判断", "it was judged to be forged; an incident is open"),
    DiscardReason("withdrawn", "提出者が取り下げ", "its filer has withdrawn it"),
    DiscardReason("test-data", "試験データ", "it came from a trial"),
    DiscardReason("erased-by-law", "法令により消去", "its content had to be erased by law"),
)
CODES: Final = frozenset(reason.code for reason in REASONS)
_BETWEEN: Final = re.compile(r"[\s\-‐‑–—ー−.,・/]+")
_LONG_NUMBER: Final = re.compile(r"\d{8,}")


def discard_for(reason: str, note: str) -> Discard:
    """Return a discard with a declared reason and a note. Raises DiscardReasonUnknown, NoteRefused.

    Eight digits in a row, whatever stands between them, may be a 個人番号, a telephone or an account number.
    """
    if reason not in CODES:
        raise DiscardReasonUnknown
    note = note.strip()
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", note))
    if not 0 < len(note) <= MAX_NOTE_CHARACTERS or not note.isprintable() or _LONG_NUMBER.search(plain):
        raise NoteRefused
    return Discard(reason, note)
