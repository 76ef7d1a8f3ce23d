"""Copies of databases that are in use, and the data keys in them, which go another way than the rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from assurance.backup.errors import RestoreBroken, StoreUnreadable

_KEYS: Final = "CREATE TABLE data_key (event INTEGER PRIMARY KEY, wrapped BLOB NOT NULL)"


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
        yield db


def copy(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, whatever others write to it. Raises StoreUnreadable."""
    try:
        with _opened(source) as read, _opened(target) as made:
            read.backup(made)
            made.execute("PRAGMA journal_mode = DELETE")
            if made.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise StoreUnreadable(f"({source.parent.parent.name}/{source.name})")
    except sqlite3.Error as problem:
        name = getattr(problem, "sqlite_errorname", type(problem).__name__)
        raise StoreUnreadable(f"({source.parent.parent.name}/{source.name}, {name})") from None


def part_data_keys(copied: Path, keys: Path) -> dict[int, Path]:
    """Take the data keys out of a copy, page by page, and put them into a database per epoch beside `keys`.

    Returns these by epoch; nothing is done to a database that has no such table.
    """
    parted: dict[int, Path] = {}
    with _opened(copied) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"data_key", "content"} <= tables:
            return {}
        epochs = db.execute("SELECT DISTINCT epoch FROM content JOIN data_key USING (event) ORDER BY epoch").fetchall()
        for (epoch,) in epochs:
            parted[epoch] = keys.with_name(f"{keys.name}.{epoch}")
            with _opened(parted[epoch]) as made:
                made.execute(_KEYS)
                rows = db.execute(
                    "SELECT event, wrapped FROM data_key JOIN content USING (event) WHERE epoch = ?", (epoch,)
                )
                made.execute("BEGIN")
                made.executemany("INSERT INTO data_key VALUES (?, ?)", rows)
                made.execute("COMMIT")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("DELETE FROM data_key")
        db.execute("VACUUM")
    return parted


def join_data_keys(store: Path, keys: Path, epoch: int) -> int:
    """Put the data keys of an epoch back into a restored store; return how many. Raises RestoreBroken."""
    with _opened(keys) as read, _opened(store) as db:
        rows = read.execute("SELECT event, wrapped FROM data_key").fetchall()
        db.execute("BEGIN IMMEDIATE")
        for event, wrapped in rows:
            place = db.execute("SELECT epoch FROM content WHERE event = ?", (event,)).fetchone()
            if place is not None and place[0] != epoch:
                raise RestoreBroken(f"(a data key of another epoch in {store.parent.parent.name}/{store.name})")
            if place is not None:  # else the submission was erased, or stored after the backup of the rows
                db.execute("INSERT INTO data_key VALUES (?, ?)", (event, wrapped))
        db.execute("COMMIT")
    return len(rows)


def check(path: Path) -> None:
    """Look through a whole database. Raises RestoreBroken."""
    try:
        with _opened(path) as db:
            said = db.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error:
        said = None
    if said != ("ok",):
        raise RestoreBroken(f"({path.parent.parent.name}/{path.name} is damaged)")
