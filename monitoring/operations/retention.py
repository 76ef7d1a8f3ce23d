"""How long the body of a line is kept, by class; and the line that deletes.

What is deleted is deleted by a line of our own, in the transaction that stores this line:

    COMMANDED, about `retention`, code `<class>.<days>d.before-<number>`, count = lines deleted

says that every line of the class below that number in the tree may go. Hashes stay; so do these lines themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.envelope.operations import Class, Kind, Operation, OperationEvent

ABOUT: Final = "retention"
DEFAULT_DAYS: Final[Mapping[Class, int]] = {
    Class.SYSTEM: 365,
    Class.NETWORK: 1_095,
    Class.ADMINISTRATION: 1_825,
    Class.ACCESS: 2_555,
}
"""No law fixes a period. 1 year shows a year's peaks beside the last one's; 3 years is the limitation of
unauthorised access (不正アクセス), 7 years that of fraud: who looked at what is kept longest."""
LEAST_DAYS: Final = 7
MOST_DAYS: Final = 36_500
MAX_LINES: Final = 20_000
"""deleted by one line, so that the transaction stays short"""
MAX_STEP: Final = timedelta(days=1)
"""so far one sweep goes beyond the one before it: a clock that jumps years ahead must not empty the store"""
_CODE: Final = re.compile(r"(?P<kind>[a-z]{1,20})\.(?P<days>[1-9][0-9]{0,4})d\.before-(?P<number>0|[1-9][0-9]{0,10})")


@dataclass(frozen=True, slots=True)
class Deletion:
    """Bodies of one class below a number in the tree may go, because they are older than so many days."""

    kind: Class
    days: int
    before: int
    lines: int = 1

    def operation(self, at: datetime) -> Operation:
        """Return the line that says and does it."""
        code = f"{self.kind.value}.{self.days}d.before-{self.before}"
        return Operation(Kind.COMMANDED, at, about=ABOUT, code=code, count=self.lines)


def deletion_of(event: OperationEvent, principal: str) -> Deletion | None:
    """Read a line of our own that deletes; None if it is another one."""
    said = event.operation
    if event.principal != principal or said.kind is not Kind.COMMANDED or said.about != ABOUT:
        return None
    found = _CODE.fullmatch(said.code)
    if found is None or found["kind"] not in tuple(Class):
        return None
    return Deletion(Class(found["kind"]), int(found["days"]), int(found["number"]), said.count)


def cut_off(now: datetime, days: int) -> datetime:
    """Lines collected before this time are due."""
    return now - timedelta(days=days)


def sweep_time(now: datetime, last: datetime) -> datetime:
    """The time a sweep goes by: now, but not far beyond the last sweep, and never back."""
    return max(last, min(now, last + MAX_STEP))
