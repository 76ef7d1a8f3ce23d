"""Puts the state of desks aside whose topics were deleted: their stores remember places that are gone."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from cli.home import Home, NoHub

_SECONDS: Final = 30.0


def set_aside(home: Home, tenants: Collection[str], label: str) -> tuple[list[Path], list[str]]:
    """Move `roles/<principal>/state` of these tenants to `removed/<label>/<principal>/state`; nothing is deleted.

    Return where they are now, and the principals that still run after half a minute and keep theirs. Keys stay: who
    comes back opens what was sealed to it.
    """
    names = [name for name in home.roles("") if name.rpartition("-")[2] in tenants]
    moved: list[Path] = []
    left = _still_running(home, names)
    for name in names:
        state = home.role(name) / "state"
        if name in left or not state.is_dir():
            continue
        place = home.path / "removed" / label / name
        place.mkdir(parents=True, mode=0o700)
        moved.append(state.rename(place / "state"))
    return moved, left


def _still_running(home: Home, names: Sequence[str]) -> list[str]:
    """Those that run here; a desk that was told to end is given a while."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            running = home.running().pids
        except NoHub:
            return []
        left = [name for name in names if name in running]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)
