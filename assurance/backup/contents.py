"""What of a home goes into which archive. Looks only; opens nothing but the first bytes of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LEFT_OUT: Final = frozenset({"broker", "brokers", "logs", "run"})
"""Kafka keeps its own copies; the rest is of a machine, not of the hub"""
_NOT_OURS: Final = frozenset({"run.json", "operations.db", "faust"})
"""The operations log begins anew (a restored one would give the same numbers to other lines, which is a fork);
tables of the analysis come from their changelog topics."""
_ENDINGS: Final = ("-wal", "-shm", "-journal", ".lock", ".new", ".partial")
_KEY: Final = re.compile(r"audience\.[a-z0-9-]+\.(?P<epoch>\d{6})\.[0-9a-f]{16}\.key")
_SQLITE: Final = b"SQLite format 3\x00"
JOURNALS: Final = frozenset({"journal.db", "status.db", "accepted.db"})
"""of producers; put back only if nothing was produced after the backup"""


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a home by its name in it; `epoch` if it is a key that ends with one."""

    name: str
    path: Path
    database: bool
    epoch: int | None


def items(home: Path) -> tuple[Item, ...]:
    """All files that a backup takes, by name. No symbolic link is followed or taken."""
    found = []
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home)
        if path.is_symlink() or not path.is_file() or name.parts[0] in _LEFT_OUT or name.parts[0].startswith("."):
            continue
        if _NOT_OURS & set(name.parts) or name.name.endswith(_ENDINGS) or name.name.startswith("."):
            continue
        key = _KEY.fullmatch(name.name) if path.parent.name == "keys" else None
        found.append(Item(name.as_posix(), path, _is_database(path), int(key["epoch"]) if key else None))
    return tuple(found)


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE
