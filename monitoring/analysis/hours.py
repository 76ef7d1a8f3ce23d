"""Service hours by configuration: which moments count as outside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from consumers.calendar import is_open
from hub.envelope.times import from_ms, in_japan

_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class ServiceHours:
    """Open from `begins` to before `ends`, Japan Standard Time, on days when a ward office is open.

    `also` are days that are open by order (a Sunday in the filing season), `never` days that are not.
    """

    begins: time = time(8, 30)
    ends: time = time(17, 15)
    also: frozenset[date] = frozenset()
    never: frozenset[date] = frozenset()

    def open_on(self, day: date) -> bool:
        """Say whether people work on a day; of a year whose holidays are unknown, they do not."""
        if day in self.never:
            return False
        try:
            return day in self.also or is_open(day)
        except NotImplementedError:
            return False

    def within(self, at: int) -> bool:
        """Say whether a moment (milliseconds) lies in service hours."""
        local = in_japan(from_ms(at))
        return self.begins <= local.time() < self.ends and self.open_on(local.date())


def parse_hours(text: str) -> tuple[time, time]:
    """Read `08:30-17:15`. Raises ValueError."""
    found = _HOURS.fullmatch(text)
    if not found:
        raise ValueError("hours are written HH:MM-HH:MM")
    begins = time(int(found[1]), int(found[2]))
    ends = time.max if found[3] == "24" else time(int(found[3]), int(found[4]))
    if begins >= ends:
        raise ValueError("service hours end after they begin, on the same day")
    return begins, ends
