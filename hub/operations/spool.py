"""The operations log on disk: a bounded SQLite file per role, in which each line gets its place and its signature.

    append ── one transaction: place in the log, hash of the line before, signature ──> durable, waits
    waiting ─> Kafka acknowledges ─> mark ─> kept a little ─> gone

Several processes of a role append at once, its daemon and the commands of people: SQLite lets one write at a time.
A file that is not there begins a new log with a new id, which everybody sees. Beyond the bound nothing is overwritten:
what must be logged raises `Unlogged`, all else is counted, and the count becomes a line once there is room.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar

from hub.crashpoints import reached
from hub.crypto.durable import sync_directory
from hub.crypto.identity import IdentityKey
from hub.crypto.random import Randomness, system_random
from hub.envelope.operations import CLASS_OF, FIRST, LOG_BYTES, Class, Kind, Operation, OperationEvent, line_hash
from hub.envelope.reasons import EnvelopeError
from hub.operations.errors import SpoolDamaged, Unlogged
from hub.settings import SpoolSettings

FILE: Final = "operations.db"
ABOUT: Final = "operations"
"""what lines about the log itself are about"""
LOST: Final = "operations.lost"
APPLICATION_ID: Final = 0x656C6F31  # "elo1"
VERSION: Final = 1
MAX_ROUND_LINES: Final = 500
MAX_ROUND_BYTES: Final = 512 * 1024
_BUSY_SECONDS: Final = 10.0
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""the last of them is what a table that is gone ends in"""
_QUIET: Final = frozenset({Class.SYSTEM, Class.NETWORK})
"""what processes say of themselves: it may fill three quarters of the room, so that people can go on"""

SCHEMA: Final = """
CREATE TABLE log (
  one INTEGER PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, id BLOB NOT NULL, next INTEGER NOT NULL,
  previous BLOB NOT NULL, sent INTEGER NOT NULL, waiting_bytes INTEGER NOT NULL, lost INTEGER NOT NULL);
CREATE TABLE line (sequence INTEGER PRIMARY KEY, value BLOB NOT NULL, sent_at INTEGER);
"""

T = TypeVar("T")


class Signer(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def identity(self) -> IdentityKey: ...
    @property
    def state_directory(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not on Kafka yet: lines, their bytes; `full` if not even a line of a person has room any more."""

    lines: int
    bytes: int
    full: bool
    lost: int
    """lines of processes that had no room, and that no line has told of yet"""


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest lines that wait, in order: the log's id, and each with its sequence and its framed, signed bytes."""

    log: bytes
    lines: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Log:
    id: bytes
    next: int
    previous: bytes
    sent: int
    waiting_bytes: int
    lost: int


class Spool:
    """One role's log. Every method may be called from any thread; each is whole or did not happen."""

    def __init__(
        self,
        role: Signer,
        settings: SpoolSettings | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wall: Callable[[], float] = time.time,
        randomness: Randomness = system_random,
    ) -> None:
        """Nothing is opened before the first call, and then again whenever the file is not the one it was."""
        self._role = role
        self._settings = SpoolSettings() if settings is None else settings
        self._path = role.state_directory / FILE
        self._owner = f"{role.namespace}/{role.principal}"
        self._now = now
        self._wall = wall
        self._randomness = randomness
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._file = (0, 0)

    def note(self, operation: Operation) -> None:
        """Append one line that must not be missing. Raises Unlogged, SpoolDamaged: then it is not there."""
        self._in_transaction(lambda db: self._append(db, [operation], must=True))
        reached("operations.after-append")

    def tell(self, operations: Sequence[Operation], lost: int = 0) -> None:
        """Append lines as far as there is room, and count the others; `lost` could not be written before.

        Raises Unlogged, SpoolDamaged if nothing can be written at all: then nothing was counted either.
        """

        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE log SET lost = lost + ?", (lost,))
            self._append(db, operations, must=False)

        self._in_transaction(work)
        reached("operations.after-append")

    def probe(self) -> None:
        """Write and sync, without saying anything. Raises Unlogged, SpoolDamaged if that is not possible."""
        self._in_transaction(lambda db: db.execute("UPDATE log SET lost = lost"))

    def waiting(self) -> Waiting:
        """Count what is not on Kafka yet. Raises Unlogged, SpoolDamaged."""

        def work(db: sqlite3.Connection) -> Waiting:
            log = _log(db)
            full = not self._fits(log, 1, quiet=False)
            return Waiting(log.next - log.sent, log.waiting_bytes, full, log.lost)

        return self._guarded(work)

    def batch(self, lines: int = MAX_ROUND_LINES, size: int = MAX_ROUND_BYTES) -> Batch:
        """Return the oldest lines that wait: at least one if one does, else up to the bounds. Raises as `waiting`."""

        def work(db: sqlite3.Connection) -> Batch:
            db.execute("BEGIN")  # id and lines of one moment
            try:
                log = _log(db)
                found: list[tuple[int, bytes]] = []
                rows = db.execute(
                    "SELECT sequence, value FROM line WHERE sequence >= ? ORDER BY sequence LIMIT ?", (log.sent, lines)
                )
                for sequence, value in rows:
                    size_left = size - sum(len(each) for _, each in found)
                    if found and len(value) > size_left:
                        break
                    found.append((sequence, value))
            finally:
                db.execute("COMMIT")
            return Batch(log.id, tuple(found))

        return self._guarded(work)

    def mark(self, log: bytes, through: int) -> None:
        """Kafka has acknowledged the lines of `log` up to sequence `through`. Another log is left as it is."""

        def work(db: sqlite3.Connection) -> None:
            found, at = _log(db), int(self._wall())
            if found.id == log and found.sent <= through < found.next:
                size = db.execute(
                    "SELECT sum(length(value)) FROM line WHERE sequence BETWEEN ? AND ?", (found.sent, through)
                ).fetchone()[0]
                db.execute("UPDATE line SET sent_at = ? WHERE sequence BETWEEN ? AND ?", (at, found.sent, through))
                db.execute("UPDATE log SET sent = ?, waiting_bytes = waiting_bytes - ?", (through + 1, size))
            kept = at - self._settings.keep_seconds
            db.execute(
                "DELETE FROM line WHERE sent_at IS NOT NULL AND (sent_at <= ? OR sent_at > ? OR sequence < ?)",
                (kept, at, through - self._settings.lines),
            )

        self._in_transaction(work)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._close()

    def _append(self, db: sqlite3.Connection, operations: Sequence[Operation], *, must: bool) -> None:
        log = _log(db)
        if log.lost and self._fits(log, 1, quiet=True):
            log = self._line(db, log, Operation(Kind.ALARM, self._now(), about=ABOUT, code=LOST, count=log.lost))
            db.execute("UPDATE log SET lost = 0")
        for operation in operations:
            quiet = not must and CLASS_OF[operation.kind] in _QUIET
            if self._fits(log, 1, quiet=quiet):
                log = self._line(db, log, operation)
            elif must:
                raise Unlogged(f"({log.next - log.sent} lines wait)")
            else:
                db.execute("UPDATE log SET lost = lost + 1")
        reached("operations.before-append")

    def _fits(self, log: _Log, lines: int, *, quiet: bool) -> bool:
        share = 0.75 if quiet else 1.0
        return (
            log.next - log.sent + lines <= self._settings.lines * share
            and log.waiting_bytes < self._settings.mib * 1024 * 1024 * share
        )

    def _line(self, db: sqlite3.Connection, log: _Log, operation: Operation) -> _Log:
        role = self._role
        event = OperationEvent(role.principal, role.instance, role.namespace, log.id, log.next, log.previous, operation)
        try:
            value = event.sign(role.identity)
            previous = line_hash(value)
        except (EnvelopeError, ValueError) as problem:  # a slip of ours; what cannot be logged must not be done
            raise Unlogged("(no line of a log)") from problem
        db.execute("INSERT INTO line VALUES (?, ?, NULL)", (log.next, value))
        size = log.waiting_bytes + len(value)
        db.execute("UPDATE log SET next = ?, previous = ?, waiting_bytes = ?", (log.next + 1, previous, size))
        return _Log(log.id, log.next + 1, previous, log.sent, size, log.lost)

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def whole(db: sqlite3.Connection) -> T:
            with transaction(db):
                return work(db)

        return self._guarded(whole)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Work on the file that is there now; SQLite's own words go no further."""
        with self._lock:
            try:
                return work(self._connected())
            except sqlite3.Error as problem:
                self._close()
                if getattr(problem, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                    raise SpoolDamaged(f"({self._owner})") from None
                raise Unlogged(f"({getattr(problem, 'sqlite_errorname', type(problem).__name__)})") from None
            except OSError as problem:
                self._close()
                raise Unlogged(f"({type(problem).__name__})") from None

    def _connected(self) -> sqlite3.Connection:
        if self._db is not None and self._file != _file(self._path):
            self._close()  # taken away or exchanged: what we wrote there would be in nobody's log
        if self._db is None:
            self._db = self._open()
            self._file = _file(self._path)
        return self._db

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(exist_ok=True, mode=0o700)
        new = not self._path.exists()
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if new:
            sync_directory(self._path.parent)
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
        try:
            _patiently(lambda: db.execute("PRAGMA journal_mode = WAL"))
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA temp_store = MEMORY")
            with transaction(db):
                self._begin_log(db)
        except BaseException:
            db.close()
            raise
        return db

    def _begin_log(self, db: sqlite3.Connection) -> None:
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            for statement in filter(str.strip, SCHEMA.split(";")):
                db.execute(statement)
            name = self._randomness(LOG_BYTES)
            db.execute("INSERT INTO log VALUES (1, ?, ?, 0, ?, 0, 0, 0)", (self._owner, name, FIRST))
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        of = tuple(db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if of != (APPLICATION_ID, VERSION) or db.execute("SELECT owner FROM log").fetchone() != (self._owner,):
            raise SpoolDamaged(f"({self._owner})")

    def _close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None


def _log(db: sqlite3.Connection) -> _Log:
    row = db.execute("SELECT id, next, previous, sent, waiting_bytes, lost FROM log").fetchone()
    if row is None:
        raise SpoolDamaged
    return _Log(*row)


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, synced when it returns; SQLite's errors come through."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        raise


def _file(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_dev, found.st_ino


def _patiently(work: Callable[[], object]) -> None:
    """The change to WAL does not wait for another process's, whatever the timeout."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            work()
        except sqlite3.OperationalError as problem:
            if getattr(problem, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
