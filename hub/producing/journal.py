"""The producer's durable memory: SQLite with an own writer thread, one fsync for many callers.

`apply` returns when its steps have survived a power cut. Calls that are waiting at the same time share
one commit. Each call is all or nothing; a call that contradicts the journal fails alone. One process
owns a journal, told by a lock that the kernel frees when the process ends, however it ends.

The file holds sealed bytes, ids and digests: no plaintext, no session secret (docs/envelope.md, "Producing").
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from hub.envelope.event_ids import id_of_time
from hub.envelope.times import to_ms
from hub.producing import journal_store
from hub.producing.errors import JournalBusy, JournalConflict, JournalForeign, JournalUnavailable
from hub.producing.journal_rows import (
    Confirmed,
    EventState,
    JournaledEvent,
    Lane,
    PendingEvent,
    SessionState,
    Settled,
    Step,
    StoredSession,
    UnsentCheckpoint,
)

PAGE_BYTES: Final = 16_384
MAX_WAITING_CALLS: Final = 256
MAX_CALLS_PER_COMMIT: Final = 64
MAX_OVERDUE: Final = 1_000
"""so many are looked at, so that looking costs the same however many wait"""

_EVENTS: Final = (
    "SELECT e.event_id, e.leaf, e.tenant, e.receipt_number, s.session, e.partition, e.sequence, e.state"
    " FROM event e JOIN session s ON s.number = e.session"
)


def _event(
    event_id: str,
    leaf: bytes,
    tenant: str,
    receipt_number: str,
    session: bytes,
    partition: int,
    sequence: int,
    state: int,
) -> JournaledEvent:
    return JournaledEvent(event_id, leaf, tenant, receipt_number, session, partition, sequence, EventState(state))


@dataclass(slots=True)
class _Call:
    steps: tuple[Step, ...]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[tuple[Confirmed | None, ...]]
    error: Exception | None = None
    result: tuple[Confirmed | None, ...] = ()


def _settle(calls: Sequence[_Call]) -> None:
    for call in calls:
        if call.future.done():
            continue
        if call.error is not None:
            call.future.set_exception(call.error)
        else:
            call.future.set_result(call.result)


def _connect(path: Path, max_bytes: int | None) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("PRAGMA cache_size = -65536")
    if max_bytes is not None:
        db.execute(f"PRAGMA max_page_count = {max(max_bytes // PAGE_BYTES, 1)}")
    return db


def _lock(path: Path) -> int:
    """Take the owner's lock; the descriptor holds it until it is closed or the process ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise JournalBusy(path.name) from None
    return descriptor


class Journal:
    """One producer instance's journal. Open it with `Journal.open`, end it with `close`."""

    def __init__(self, path: Path, owner_lock: int, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        """Use `Journal.open`."""
        self.path = path
        self._owner_lock = owner_lock
        self._writer = writer
        self._reader = reader
        self._queue: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._waiting = asyncio.Semaphore(MAX_WAITING_CALLS)
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()
        self.commits = 0

    @classmethod
    def open(cls, path: Path, *, owner: str, max_bytes: int | None = None) -> Self:
        """Open or make the journal of `owner` (`<principal>/<instance>/<namespace>`), mode 0600.

        `max_bytes` bounds the database file (not its write-ahead log, which is some tens of MB).
        Raises `JournalBusy` if another process has it, `JournalForeign` if it is another owner's or
        another version's, `JournalUnavailable` if it cannot be read or made.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            held = _lock(path.with_name(path.name + ".lock"))
        except OSError as problem:
            raise JournalUnavailable(type(problem).__name__) from None
        writer: sqlite3.Connection | None = None
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)
            writer = _connect(path, max_bytes)
            _check(writer, owner)
            reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            reader.execute("PRAGMA query_only = ON")
        except (OSError, sqlite3.Error) as problem:
            _release(writer, held)
            raise JournalUnavailable(type(problem).__name__) from None
        except JournalForeign:
            _release(writer, held)
            raise
        return cls(path, held, writer, reader)

    def close(self) -> None:
        """Finish what was handed over, then let the journal go."""
        self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()
        os.close(self._owner_lock)

    # --- writing

    async def apply(self, *steps: Step) -> tuple[Confirmed | None, ...]:
        """Make the steps durable together; returns after fsync, with one answer per step.

        Raises `JournalConflict` (nothing of this call was written) or `JournalUnavailable`
        (the disk is full or broken; nothing of this call was written, try again later).
        """
        loop = asyncio.get_running_loop()
        async with self._waiting:
            call = _Call(steps, loop, loop.create_future())
            self._queue.put(call)
            # A caller that is cancelled leaves its steps to the writer: they are whole either way.
            return await call.future

    def _write_all(self) -> None:
        while True:
            calls: list[_Call] = []
            following = self._queue.get()
            while following is not None:
                calls.append(following)
                if len(calls) >= MAX_CALLS_PER_COMMIT:
                    break
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
            if calls:
                self._commit(calls)
                self._answer(calls)
            if following is None:
                return

    @staticmethod
    def _answer(calls: list[_Call]) -> None:
        for loop in {call.loop for call in calls}:
            try:
                loop.call_soon_threadsafe(_settle, [call for call in calls if call.loop is loop])
            except RuntimeError:  # the loop is closed: nobody waits for the answer any more
                continue

    def _commit(self, calls: list[_Call]) -> None:
        """Write all calls in one transaction, each in a savepoint of its own."""
        db = self._writer
        try:
            db.execute("BEGIN IMMEDIATE")
            for call in calls:
                db.execute("SAVEPOINT one_call")
                try:
                    call.result = tuple(journal_store.apply(db, step) for step in call.steps)
                except JournalConflict as conflict:
                    db.execute("ROLLBACK TO one_call")
                    call.error = conflict
                db.execute("RELEASE one_call")
            db.execute("COMMIT")
            self.commits += 1
        except sqlite3.Error as problem:
            if db.in_transaction:  # SQLite itself rolls back on some errors, a full disk among them
                db.execute("ROLLBACK")
            for call in calls:
                call.error = JournalUnavailable(getattr(problem, "sqlite_errorname", type(problem).__name__))

    # --- reading; what `apply` has returned for is visible here

    def find(self, index_key: bytes) -> JournaledEvent | None:
        """Look an input up by its index key."""
        row = self._reader.execute(
            f"{_EVENTS} WHERE e.index_key = ?",
            (index_key,),
        ).fetchone()
        return None if row is None else _event(*row)

    def events(self) -> Iterator[JournaledEvent]:
        """Yield every event ever journaled, oldest first, over a connection of its own."""
        yield from read_events(self.path)

    def open_sessions(self) -> list[StoredSession]:
        """Return the sessions whose close is not acknowledged, oldest first."""
        rows = self._reader.execute(
            "SELECT session, topic, tenant, record, created_at_ms, state, close FROM session"
            " WHERE state < 3 ORDER BY number"
        ).fetchall()
        return [
            StoredSession(session, topic, tenant, record, created_at_ms, SessionState(state), close)
            for session, topic, tenant, record, created_at_ms, state, close in rows
        ]

    def latest_session(self, topic: str, tenant: str) -> bytes | None:
        """Return the id of the newest session of a topic and tenant, closed or not."""
        row = self._reader.execute(
            "SELECT session FROM session WHERE topic = ? AND tenant = ? ORDER BY number DESC LIMIT 1",
            (topic, tenant),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def lanes(self, session: bytes) -> list[Lane]:
        """Return the lanes of a session that have anything in them, by partition."""
        rows = self._reader.execute(
            "SELECT l.partition, l.next_sequence, l.acknowledged_through, l.checkpointed_through,"
            " l.checkpoint_hash"
            " FROM lane l JOIN session s ON s.number = l.session WHERE s.session = ? ORDER BY l.partition",
            (session,),
        ).fetchall()
        return [Lane(session, *row) for row in rows]

    def pending(self, lane: Lane, limit: int, max_bytes: int) -> list[PendingEvent]:
        """Return the next events beyond acknowledged-through, in order, at least one if there is any."""
        rows = self._reader.execute(
            "SELECT e.sequence, e.event_id, e.leaf, e.state, d.value FROM event e"
            " JOIN session s ON s.number = e.session LEFT JOIN sealed d ON d.number = e.number"
            " WHERE s.session = ? AND e.partition = ? AND e.sequence > ? ORDER BY e.sequence LIMIT ?",
            (lane.session, lane.partition, lane.acknowledged_through, limit),
        )
        found: list[PendingEvent] = []
        size = 0
        for sequence, event_id, leaf, state, value in rows:
            size += len(value or b"")
            if found and size > max_bytes:
                break
            found.append(PendingEvent(sequence, event_id, leaf, state == EventState.VOID, value))
        rows.close()
        return found

    def settled(self, lane: Lane, limit: int) -> list[Settled]:
        """Return acknowledged events that no checkpoint lists yet, in order."""
        rows = self._reader.execute(
            "SELECT e.sequence, e.leaf, e.state FROM event e JOIN session s ON s.number = e.session"
            " WHERE s.session = ? AND e.partition = ? AND e.sequence > ? AND e.sequence <= ?"
            " ORDER BY e.sequence LIMIT ?",
            (lane.session, lane.partition, lane.checkpointed_through, lane.acknowledged_through, limit),
        ).fetchall()
        return [Settled(sequence, leaf, state == EventState.VOID) for sequence, leaf, state in rows]

    def unsent_checkpoints(self, session: bytes, partition: int) -> list[UnsentCheckpoint]:
        """Return the checkpoints whose acknowledgement is not known, in the order of their chain."""
        rows = self._reader.execute(
            "SELECT c.first_sequence, c.hash, c.key, c.record FROM checkpoint c"
            " JOIN session s ON s.number = c.session WHERE s.session = ? AND c.partition = ?"
            " ORDER BY c.number",
            (session, partition),
        ).fetchall()
        return [UnsentCheckpoint(*row) for row in rows]

    def positions(self, topic: str) -> dict[int, int]:
        """Return the next offset to read, per partition of a status topic."""
        return dict(
            self._reader.execute("SELECT partition, next_offset FROM position WHERE topic = ?", (topic,)).fetchall()
        )

    def highest_epoch(self, audience: str) -> tuple[int, bytes] | None:
        """Return the highest epoch used for an audience, and its key record's hash."""
        row = self._reader.execute("SELECT epoch, key_hash FROM epoch WHERE audience = ?", (audience,)).fetchone()
        return None if row is None else (row[0], row[1])

    def depth(self) -> tuple[int, int]:
        """Return how many events the desk has not confirmed, and how many of them Kafka has not acknowledged.

        Reads the whole index once; keep the numbers up to date from there.
        """
        counts = dict(self._reader.execute("SELECT state, count(*) FROM event GROUP BY state").fetchall())
        journaled = counts.get(int(EventState.JOURNALED), 0)
        return journaled + counts.get(int(EventState.ACKNOWLEDGED), 0), journaled

    def overdue(self, before: datetime) -> int:
        """Return how many of the oldest MAX_OVERDUE acknowledged events are from before a time and lack their receipt.

        An event's time is that in its id, so no column is needed for it.
        """
        row = self._reader.execute(
            "SELECT count(*) FROM (SELECT e.event_id FROM sealed d JOIN event e ON e.number = d.number"
            " WHERE e.state = ? ORDER BY d.number LIMIT ?) WHERE event_id < ?",
            (int(EventState.ACKNOWLEDGED), MAX_OVERDUE, id_of_time(to_ms(before))),
        ).fetchone()
        return int(row[0])

    def refusals(self) -> list[tuple[int, tuple[str, ...], int]]:
        """Return (epoch second, rule ids, count) of the inputs that were refused."""
        rows = self._reader.execute("SELECT at, rules, count FROM refusal ORDER BY at, rules").fetchall()
        return [(at, tuple(rules.split()), count) for at, rules, count in rows]


def read_events(path: Path) -> Iterator[JournaledEvent]:
    """Yield every event of a journal, oldest first; nothing if there is no journal.

    Does not need to own it: the owner may be writing meanwhile. Raises `JournalUnavailable`.
    """
    if not path.exists():
        return
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        db.execute("PRAGMA query_only = ON")
        for row in db.execute(f"{_EVENTS} ORDER BY e.number"):
            yield _event(*row)
    except sqlite3.Error as problem:
        raise JournalUnavailable(type(problem).__name__) from None
    finally:
        db.close()


def count_states(path: Path) -> dict[EventState, int]:
    """Return how many events of a journal are in each state, all 0 if there is no journal; as `read_events`."""
    counts = dict.fromkeys(EventState, 0)
    if not path.exists():
        return counts
    db = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        db.execute("PRAGMA query_only = ON")
        for state, count in db.execute("SELECT state, count(*) FROM event GROUP BY state"):
            counts[EventState(state)] = count
    except (sqlite3.Error, ValueError) as problem:
        raise JournalUnavailable(type(problem).__name__) from None
    finally:
        db.close()
    return counts


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """What proves that the desk has stored an event."""

    record: bytes
    """the signed receipt as it came"""
    stripped: bytes | None
    """the SealedEvent without ciphertexts; None if it was confirmed before these were kept"""


def read_receipt(path: Path, event_id: str) -> KeptReceipt | None:
    """Return the signed receipt that confirmed an event; None if none has, or was kept. Raises `JournalUnavailable`."""
    if not path.exists():
        return None
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        db.execute("PRAGMA query_only = ON")
        if db.execute("PRAGMA user_version").fetchone()[0] < journal_store.VERSION:
            return None  # its owner has not run since this program is here; receipts are kept from then on
        row = db.execute(
            "SELECT r.record, s.value FROM event e JOIN receipt r ON r.number = e.receipt"
            " LEFT JOIN stripped s ON s.number = e.number WHERE e.event_id = ?",
            (event_id,),
        ).fetchone()
    except sqlite3.Error as problem:
        raise JournalUnavailable(type(problem).__name__) from None
    finally:
        db.close()
    return None if row is None else KeptReceipt(*row)


def _check(db: sqlite3.Connection, owner: str) -> None:
    """Make the tables if the file is new; otherwise see that they are this owner's, and bring them to this version."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    application = db.execute("PRAGMA application_id").fetchone()[0]
    if (version, application) == (0, 0) and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        journal_store.create(db, owner)
        return
    if application != journal_store.APPLICATION_ID or version not in (journal_store.VERSION, *journal_store.UPGRADES):
        raise JournalForeign(f"journal version {version}, this program reads {journal_store.VERSION}")
    if db.execute("SELECT name FROM owner").fetchone() != (owner,):
        raise JournalForeign("it belongs to another producer, instance or namespace")
    journal_store.upgrade(db, version)


def _release(db: sqlite3.Connection | None, owner_lock: int) -> None:
    if db is not None:
        db.close()
    os.close(owner_lock)
