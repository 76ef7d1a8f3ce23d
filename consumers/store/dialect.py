"""What one database does differently from another. SQLite today; PostgreSQL gets a second class here.

SQLite: WAL with synchronous=FULL (a commit survives a power cut), 16 KiB pages (2 KB rows), temporary
tables in memory and overwritten deletions, so that nothing of a row survives where nobody looks.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from consumers.store.errors import StoreDamaged, StoreError, StoreUnavailable

_WAIT_MS: Final = 10_000
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
    }
)
_LOG_TABLES: Final = ("log", "tree_head")


class Dialect(Protocol):
    """What the SQL store needs to know about a database."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""

    def engine(self) -> Engine:
        """Open it; the first statement of a writing transaction must exclude other writers."""

    def guard_log(self, connection: Connection) -> None:
        """Make the database itself refuse UPDATE and DELETE on the log."""

    def lock(self, connection: Connection) -> None:
        """Exclude other writers until the transaction ends."""

    def error(self, error: Exception) -> StoreError:
        """Sort a driver's error by what to do next; the text never holds parameters."""


class SqliteDialect:
    """One file per role, mode 0600, in the role's state directory."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist."""
        self._path = path

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """SQLAlchemy's wrapper, and what `connect` raises before SQLAlchemy could wrap it."""
        return (DBAPIError, sqlite3.Error)

    def engine(self) -> Engine:
        """Open or create the file. Raises StoreUnavailable if the directory cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600)
            self._path.chmod(0o600)  # SQLite gives -wal and -shm the mode of the database
        except OSError as error:
            raise StoreUnavailable(self._path.name) from error
        engine = create_engine(
            f"sqlite:///{self._path}",
            poolclass=QueuePool,
            pool_size=4,
            hide_parameters=True,
            connect_args={"timeout": _WAIT_MS / 1_000, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def guard_log(self, connection: Connection) -> None:
        """Add triggers that refuse UPDATE and DELETE."""
        for table in _LOG_TABLES:
            for verb in ("UPDATE", "DELETE"):
                connection.execute(
                    text(
                        f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
                        f"BEGIN SELECT RAISE(ABORT, 'append only'); END"
                    )
                )

    def lock(self, connection: Connection) -> None:
        """Do nothing: BEGIN IMMEDIATE has taken SQLite's one write lock."""

    def error(self, error: Exception) -> StoreError:
        """Read SQLite's result code: damage is final, what stands in the way may go away."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", None)
        name = getattr(cause, "sqlite_errorname", type(cause).__name__)
        if code is not None and code & 0xFF in _DAMAGED:
            return StoreDamaged(name)
        if code is not None and code & 0xFF in _PASSING:
            return StoreUnavailable(name)
        return StoreError(name)


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin says, not where sqlite3 guesses
    for pragma in (
        "page_size = 16384",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "wal_autocheckpoint = 256",
        "cell_size_check = ON",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
