"""The collector's tables. One SQLite file, mode 0600, of the role `monitor`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from consumers.store.errors import StoreDamaged, StoreError, StoreMismatch, StoreTooNew, StoreUnavailable
from hub.operations import spool

VERSION: Final = 1
APPLICATION_ID: Final = 0x656C6F63  # "eloc"

SCHEMA: Final = """
CREATE TABLE owner (name TEXT NOT NULL, began_at_ms INTEGER NOT NULL, swept_at_ms INTEGER NOT NULL);
CREATE TABLE log (
  number INTEGER PRIMARY KEY, log BLOB NOT NULL UNIQUE, principal TEXT NOT NULL, instance TEXT NOT NULL,
  head INTEGER NOT NULL, head_hash BLOB NOT NULL, last_kind TEXT NOT NULL,
  missing INTEGER NOT NULL);
CREATE INDEX log_owner ON log (principal, instance, number);
CREATE INDEX log_missing ON log (number) WHERE missing > 0;
CREATE TABLE leaf (
  number INTEGER PRIMARY KEY, log INTEGER NOT NULL REFERENCES log, sequence INTEGER NOT NULL, hash BLOB NOT NULL,
  class INTEGER NOT NULL, collected_at_ms INTEGER NOT NULL);
CREATE UNIQUE INDEX leaf_place ON leaf (log, sequence);
CREATE TABLE line (
  number INTEGER PRIMARY KEY REFERENCES leaf, class INTEGER NOT NULL, collected_at_ms INTEGER NOT NULL,
  kept INTEGER NOT NULL, principal TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, tenant TEXT NOT NULL,
  receipt TEXT NOT NULL, occurred_at_ms INTEGER NOT NULL, value BLOB NOT NULL);
CREATE INDEX line_class ON line (class, number);
CREATE INDEX line_time ON line (occurred_at_ms);
CREATE INDEX line_actor ON line (actor) WHERE actor <> '';
CREATE INDEX line_receipt ON line (receipt) WHERE receipt <> '';
CREATE TABLE tree (
  one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, root BLOB NOT NULL, frontier BLOB NOT NULL,
  head BLOB NOT NULL, collected_at_ms INTEGER NOT NULL);
CREATE TABLE head (hour INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, head BLOB NOT NULL);
CREATE TABLE place (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE lost (
  number INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, first_offset INTEGER NOT NULL,
  next_offset INTEGER NOT NULL, noticed_at_ms INTEGER NOT NULL);
CREATE TABLE refused (
  number INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
  reason TEXT NOT NULL, collected_at_ms INTEGER NOT NULL, key BLOB, value BLOB);
CREATE TABLE refused_count (
  reason TEXT PRIMARY KEY, records INTEGER NOT NULL, kept INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE peer (
  principal TEXT NOT NULL, address TEXT NOT NULL, first_at_ms INTEGER NOT NULL,
  PRIMARY KEY (principal, address)) WITHOUT ROWID;
CREATE TABLE followed (
  family TEXT NOT NULL, inode INTEGER NOT NULL, offset INTEGER NOT NULL, start BLOB NOT NULL,
  done INTEGER NOT NULL, inside INTEGER NOT NULL,
  PRIMARY KEY (family, inode)) WITHOUT ROWID;
"""

_LATER: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    }
)


class NothingCollected(StoreError):
    """The monitor of this home has not collected anything."""

    code = "operations.nothing"
    hint = "`eltax-hub up`, or `eltax-hub monitor` with this role directory, collects as long as it runs."


def translate(error: sqlite3.Error) -> StoreError:
    """The error of ours that stands for SQLite's; its text may quote values and stays behind."""
    code = getattr(error, "sqlite_errorcode", None)
    later = code is not None and code & 0xFF in _LATER
    return StoreUnavailable("operations") if later else StoreDamaged("operations")


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's errors into StoreUnavailable or StoreDamaged."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error) from None


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, synced when it returns. Raises StoreUnavailable, StoreDamaged."""
    with translated(), spool.transaction(db):
        yield


def connect(path: Path, owner: str, now_ms: int) -> sqlite3.Connection:
    """Open or make the file for writing. Raises StoreUnavailable, StoreDamaged, StoreMismatch, StoreTooNew."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError:
        raise StoreUnavailable("operations") from None
    with translated():
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = ON")
            if db.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                _create(db, owner, now_ms)
            _check(db, owner)
        except BaseException:
            db.close()
            raise
        return db


def connect_reading(path: Path, owner: str) -> sqlite3.Connection:
    """Open the file to look at it, beside a process that writes. Raises NothingCollected, and as `connect`."""
    if not path.exists():
        raise NothingCollected(path.parent.parent.name)
    with translated():
        where = f"{path.absolute().as_uri()}?mode=rw"  # never make one by looking
        db = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            db.execute("PRAGMA query_only = ON")
            _check(db, owner)
        except BaseException:
            db.close()
            raise
        return db


def _create(db: sqlite3.Connection, owner: str, now_ms: int) -> None:
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise StoreMismatch("not a collector's")
    with transaction(db):
        for statement in filter(str.strip, SCHEMA.split(";")):
            db.execute(statement)
        db.execute("INSERT INTO owner VALUES (?, ?, ?)", (owner, now_ms, now_ms))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")


def _check(db: sqlite3.Connection, owner: str) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreMismatch("not a collector's")
    if version > VERSION:
        raise StoreTooNew(f"version {version}, known {VERSION}")
    if db.execute("SELECT name FROM owner").fetchall() != [(owner,)]:
        raise StoreMismatch("another role's")
