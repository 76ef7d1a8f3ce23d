"""Who is shut out: one line for each time that the administrator did it or took it back, the last one counts.

    <home>/shut-out.jsonl   {"at": "2026-04-01T03:00:00+00:00", "done": "shut-out", "principal": "portal"}

It is written before anything else is done, so that whatever a crash cuts short, the next run finishes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final

from hub.crypto.certificates import write_private
from schemas.errors import HubError

BOOK: Final = "shut-out.jsonl"


class BookUnreadable(HubError):
    """The list of who is shut out cannot be read."""

    code: ClassVar[str] = "shut-out.unreadable"
    hint: ClassVar[str] = "Nothing is enrolled or applied before shut-out.jsonl in HUB_HOME is put right."


class Done(StrEnum):
    """What was done to a principal."""

    SHUT_OUT = "shut-out"
    LET_IN = "let-in"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the book."""

    at: str
    done: str
    principal: str


def lines(home: Path) -> list[Line]:
    """Everything that was ever done, oldest first. Raises BookUnreadable."""
    path = home / BOOK
    if not path.exists():
        return []
    try:
        found = [Line(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
        if any(each.done not in set(Done) for each in found):
            raise BookUnreadable
    except (ValueError, TypeError) as error:
        raise BookUnreadable from error
    return found


def shut_out_at(home: Path) -> dict[str, str]:
    """Return who is shut out now, and since when. Raises BookUnreadable."""
    last = {each.principal: each for each in lines(home)}
    return {name: each.at for name, each in sorted(last.items()) if each.done == Done.SHUT_OUT}


def note(home: Path, done: Done, principal: str, at: datetime) -> None:
    """Write a line, durably; the same thing done again is no news. `at` is aware."""
    if (principal in shut_out_at(home)) == (done is Done.SHUT_OUT):
        return
    line = json.dumps(asdict(Line(at.isoformat(timespec="seconds"), done.value, principal)))
    path = home / BOOK
    before = path.read_bytes() if path.exists() else b""
    write_private(path, before + line.encode() + b"\n")
