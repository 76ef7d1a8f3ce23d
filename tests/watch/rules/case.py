"""What a case is: series of which an alert must fire, and series just below its condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Series = Mapping[str, str]
"""promtool's notation: `up{job="hub"}` -> `1x5 0x20` (one value a minute; `_` none)"""


@dataclass(frozen=True, slots=True)
class Case:
    """One alert. With each of `fires` it fires at `at`; with none of `quiet` does it at `quiet_at`.

    If `begins` (minutes) is given, the first of `fires` fires at it and not a minute before: the alert waits.
    """

    alert: str
    fires: tuple[Series, ...]
    quiet: tuple[Series, ...]
    at: str = "30m"
    quiet_at: str = ""
    begins: int | None = None
    count: int = 1
    """how many alerts of the name fire"""
    interval: str = "1m"
    """between two values of the series"""


def case(
    alert: str,
    fires: Series | tuple[Series, ...],
    quiet: Series | tuple[Series, ...],
    *,
    at: str = "30m",
    begins: int | None = None,
) -> Case:
    """A case; a variant may be given alone."""
    return Case(
        alert,
        fires if isinstance(fires, tuple) else (fires,),
        quiet if isinstance(quiet, tuple) else (quiet,),
        at,
        at,
        begins,
    )


def risen(alert: str, *counters: str, quiet_at: str = "37m") -> Case:
    """An alert on any step of each counter: from a value, or as the first value; and none later than its window."""
    return Case(
        alert,
        (dict.fromkeys(counters, "3x20 4x40"), dict.fromkeys(counters, "_x20 1x40")),
        (dict.fromkeys(counters, "7x100"),),
        "30m",
        quiet_at,
        count=len(counters),
    )


def always(name: str, value: float) -> Series:
    """One series that never moves."""
    return {name: f"{value}x60"}
