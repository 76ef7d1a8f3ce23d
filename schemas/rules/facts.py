"""How a rule reads a submission: by item, by row, by type; a path for everything, and nothing raises.

Blank text (nothing, or white space alone) is the same as no text: it is kept as sent, and judged as absent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Final, TypeAlias

from schemas.catalogue import Item, Procedure
from schemas.dates import parse_date
from schemas.submission_model import Row, Submission, Value

JAPAN: Final = timezone(timedelta(hours=9))
FILED: Final = ("submitted_on", "offered_on")
"""items that name the day of filing"""
_NO_ROWS: Final[tuple[Row, ...]] = ()
_BETWEEN: Final = "\x00"
"""stands between texts, and in none: the input refuses control characters"""


class Facts:
    """One submission as the rules read it. What costs time is computed when it is first asked for, once."""

    __slots__ = ("_accepted", "_characters", "_filed", "_text", "items", "submission")

    def __init__(self, submission: Submission) -> None:
        """Nothing is computed yet."""
        self.submission = submission
        self.items: Mapping[str, Value | tuple[Row, ...]] = submission.items or {}
        self._accepted: date | bool | None = False
        self._filed: date | bool | None = False
        self._text: str | None = None
        self._characters: str | None = None

    @property
    def accepted(self) -> date | None:
        """The day of acceptance in Japan; None if the time is none."""
        if isinstance(self._accepted, bool):
            self._accepted = day_in_japan(self.submission.accepted_at)
        return self._accepted

    @property
    def filed(self) -> date | None:
        """The day of filing that the form names, else the day of acceptance."""
        if isinstance(self._filed, bool):
            named = next((found for name in FILED if (found := day(self.items, name)) is not None), None)
            self._filed = self.accepted if named is None else named
        return self._filed

    @property
    def text(self) -> str:
        """All texts of all items, one after the other, with a character between them that is in none."""
        if self._text is None:
            self._text = _BETWEEN.join(_texts(self.items))
        return self._text

    @property
    def characters(self) -> str:
        """Each character that occurs in any text, once, in no order."""
        if self._characters is None:
            self._characters = "".join(set(self.text))
        return self._characters


FactsCheck: TypeAlias = Callable[[Facts], Sequence[str]]
"""a rule bound to one procedure: at which paths a submission breaks it"""


def day_in_japan(moment: str) -> date | None:
    """Return the calendar day in Japan of an RFC 3339 time, or None."""
    try:
        return datetime.fromisoformat(moment).astimezone(JAPAN).date()
    except ValueError:
        return None
    except OverflowError:  # the last nine hours of the year 9999
        return date.max


def _texts(items: Mapping[str, Value | tuple[Row, ...]]) -> Iterator[str]:
    for value in items.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            for row in value:
                for each in row.values():
                    if isinstance(each, str):
                        yield each


def text(row: Mapping[str, object], name: str) -> str:
    """Return a text without white space around it; empty if there is none."""
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""


def number(row: Mapping[str, object], name: str) -> int | None:
    """Return a whole number, or None if it is absent."""
    value = row.get(name)
    return value if isinstance(value, int) else None


def day(row: Mapping[str, object], name: str) -> date | None:
    """Return the day that an item names, or None if it names none."""
    value = row.get(name)
    return parse_date(value.strip()) if isinstance(value, str) else None


def given(row: Mapping[str, object], name: str) -> bool:
    """Whether an item is filled in; zero is."""
    value = row.get(name)
    return bool(value.strip()) if isinstance(value, str) else isinstance(value, int)


def rows(items: Mapping[str, Value | tuple[Row, ...]], group: str) -> tuple[Row, ...]:
    """Return the rows of a repeated group, none if it is absent."""
    value = items.get(group)
    return value if isinstance(value, tuple) else _NO_ROWS


def alike(one: str) -> str:
    """Return a text for comparing: compatibility forms folded (NFKC), without spaces. Never to be stored."""
    return "".join(unicodedata.normalize("NFKC", one).split()).casefold()


def has(procedure: Procedure, *names: str) -> bool:
    """Whether a procedure's form has all these items."""
    return set(names) <= {item.name for item in procedure.items}


def group_of(procedure: Procedure, name: str) -> str | None:
    """Return the repeated group that an item belongs to, None if it stands once. Raises StopIteration if unknown."""
    return next(item.group for item in procedure.items if item.name == name)


Wanted: TypeAlias = Callable[[Item], bool]


def per_text(procedure: Procedure, wanted: Wanted, broken: Callable[[str], bool]) -> FactsCheck | None:
    """Return a check that judges each wanted text by itself; None if the form has no such item."""
    return per_value(
        procedure, wanted, lambda value, _: isinstance(value, str) and bool(value.strip()) and broken(value)
    )


def per_number(procedure: Procedure, wanted: Wanted, broken: Callable[[int], bool]) -> FactsCheck | None:
    """Return a check that judges each wanted whole number by itself; None if the form has no such item."""
    return per_value(procedure, wanted, lambda value, _: isinstance(value, int) and broken(value))


def per_value(procedure: Procedure, wanted: Wanted, broken: Callable[[object, Facts], bool]) -> FactsCheck | None:
    """Return a check that judges each wanted value that is there; None if the form has no such item."""
    chosen = [item for item in procedure.items if wanted(item)]
    if not chosen:
        return None
    single = tuple((item.name, f"/items/{item.name}") for item in chosen if item.group is None)
    grouped = tuple(
        (group, names)
        for group in procedure.groups
        if (names := tuple(item.name for item in chosen if item.group == group))
    )

    def check(facts: Facts) -> Sequence[str]:
        items = facts.items
        found = [path for name, path in single if name in items and broken(items[name], facts)]
        for group, names in grouped:
            for position, row in enumerate(rows(items, group)):
                found += [
                    f"/items/{group}/{position}/{name}" for name in names if name in row and broken(row[name], facts)
                ]
        return found

    return check


def per_row(
    procedure: Procedure, group: str | None, faulty: Callable[[Mapping[str, object], Facts], str | None]
) -> FactsCheck:
    """Return a check that judges each row of a group (None: the form itself); `faulty` names the item at fault."""

    def form(facts: Facts) -> Sequence[str]:
        name = faulty(facts.items, facts)
        return () if name is None else (f"/items/{name}",)

    def each_row(facts: Facts) -> Sequence[str]:
        found = []
        for position, row in enumerate(rows(facts.items, group or "")):
            name = faulty(row, facts)
            if name is not None:
                found.append(f"/items/{group}/{position}/{name}")
        return found

    return form if group is None else each_row
