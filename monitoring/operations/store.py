"""What the collector keeps: rows, leaves, offsets and the signed head of the tree change together or not at all.

The rows are authoritative. Leaves are never changed or deleted; bodies go when their class allows it, by a line of
our own (`retention`). One process writes; whoever looks opens a connection of its own.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from consumers.store.errors import StoreDamaged, StorePositionLost
from consumers.store.model import LogHead
from hub import crashpoints
from hub.envelope.operations import Class
from hub.envelope.times import from_ms, to_ms
from monitoring.operations import retention
from monitoring.operations.chains import Log
from monitoring.operations.entries import CODES, Entry
from monitoring.operations.follower import Place as ReadTo
from monitoring.operations.keeping import Batch, Kept, Place, Work
from monitoring.operations.retention import Deletion
from monitoring.operations.tables import connect, connect_reading, transaction, translated

SignHead = Callable[[int, bytes, int], bytes]
"""Returns the framed signed `TreeHead` of a size, root and time (ms)."""
_HOUR_MS: Final = 3_600_000
_PAGE: Final = 2_000
_MAX_LOGS: Final = 10_000
"""logs remembered between commits"""


class OperationsStore:
    """`with OperationsStore(path, owner, …) as store`; thread-safe, and blocks."""

    def __init__(
        self, path: Path, owner: str, principal: str, sign: SignHead, days: Mapping[Class, int], now_ms: int
    ) -> None:
        """Open or make the file; `owner` is `<namespace>/<principal>`, `days` what is kept at least, by class.

        Raises StoreUnavailable, StoreDamaged, StoreMismatch, StoreTooNew.
        """
        self._path, self._owner, self._principal = path, owner, principal
        self._sign, self._days = sign, dict(days)
        self._lock = threading.RLock()
        self._db = connect(path, owner, now_ms)
        self._logs: dict[bytes, tuple[int, Log]] = {}

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> OperationsStore:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    # --- what the collector writes

    def places(self) -> dict[Place, int]:
        """The next offset of each partition that was read."""
        with self._lock, translated():
            rows = self._db.execute("SELECT topic, partition, next_offset FROM place").fetchall()
            return {(topic, partition): offset for topic, partition, offset in rows}

    def keep(self, batch: Batch) -> Kept:
        """Keep a batch whole. Raises StoreUnavailable, StoreDamaged, or StorePositionLost: another process was here."""
        with self._lock:
            work = Work(self._db, self._logs, self._principal, self._days)
            with transaction(self._db):
                for place, expected, following in batch.moves:
                    self._move(place, expected, following)
                work.take(batch)
                self._extend(work, batch.at_ms)
                crashpoints.reached("collector.before-commit")
            crashpoints.reached("collector.after-commit")
            if len(self._logs) + len(work.logs) > _MAX_LOGS:
                self._logs.clear()
            self._logs.update(work.logs)
            return work.kept

    def lose(self, place: Place, first: int, following: int, at_ms: int) -> None:
        """Note that the records from `first` up to `following` are gone unread, and go on behind them."""
        with self._lock, transaction(self._db):
            self._move(place, first, following)
            self._db.execute(
                "INSERT INTO lost (topic, partition, first_offset, next_offset, noticed_at_ms) VALUES (?, ?, ?, ?, ?)",
                (*place, first, following, at_ms),
            )

    def _move(self, place: Place, expected: int | None, following: int) -> None:
        found = self._db.execute("SELECT next_offset FROM place WHERE topic = ? AND partition = ?", place).fetchone()
        if (None if found is None else found[0]) != expected:
            raise StorePositionLost(f"{place[0]}/{place[1]}")
        self._db.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", (*place, following))

    def _extend(self, work: Work, at_ms: int) -> None:
        size, grown = work.frontier.size, work.grown
        work.kept.leaves = size
        if not grown:
            return
        root = work.frontier.root()
        head = self._sign(size, root, at_ms)
        self._db.execute(
            "INSERT OR REPLACE INTO tree VALUES (1, ?, ?, ?, ?, ?)",
            (size, root, work.frontier.serialise(), head, work.at_ms),
        )
        self._db.execute("INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?)", (work.at_ms // _HOUR_MS, size, root, head))

    # --- retention

    def due(self, now: datetime) -> list[Deletion]:
        """What may be deleted now, a bounded part of each class; moves the time of the last sweep on."""
        with self._lock, transaction(self._db):
            ((last,),) = self._db.execute("SELECT swept_at_ms FROM owner").fetchall()
            at = retention.sweep_time(now, from_ms(last))
            self._db.execute("UPDATE owner SET swept_at_ms = ?", (to_ms(at),))
            return [found for kind in Class if (found := self._due(kind, at)) is not None]

    def _due(self, kind: Class, at: datetime) -> Deletion | None:
        days = self._days[kind]
        numbers = self._db.execute(
            "SELECT number FROM line WHERE class = ? AND kept = 0 AND collected_at_ms < ? ORDER BY number LIMIT ?",
            (CODES[kind], max(0, to_ms(retention.cut_off(at, days))), retention.MAX_LINES),
        ).fetchall()
        return Deletion(kind, days, numbers[-1][0] + 1, len(numbers)) if numbers else None

    # --- numbers and peers

    def missing(self) -> int:
        """How many lines are missing now below the newest of their logs."""
        with self._lock, translated():
            (found,) = self._db.execute("SELECT coalesce(sum(missing), 0) FROM log WHERE missing > 0").fetchone()
            return int(found)

    def size(self) -> int:
        """How many leaves the tree has."""
        with self._lock, translated():
            found = self._db.execute("SELECT size FROM tree").fetchone()
            return 0 if found is None else int(found[0])

    def peers(self) -> dict[str, set[str]]:
        """The addresses that principals have come from, as far as they were learned."""
        with self._lock, translated():
            found: dict[str, set[str]] = {}
            for principal, address in self._db.execute("SELECT principal, address FROM peer"):
                found.setdefault(principal, set()).add(address)
            return found

    def followed(self) -> tuple[ReadTo, ...]:
        """How far the brokers' logs were read."""
        with self._lock, translated():
            rows = self._db.execute("SELECT family, inode, offset, start, done, inside FROM followed").fetchall()
            return tuple(
                ReadTo(family, inode, offset, start, bool(done), bool(inside))
                for family, inode, offset, start, done, inside in rows
            )

    def follow(self, places: Sequence[ReadTo], peers: Sequence[tuple[str, str]], at_ms: int) -> None:
        """Keep how far the brokers' logs were read, and whom we have met there."""
        rows = [(each.family, each.inode, each.offset, each.start, each.done, each.inside) for each in places]
        with self._lock, transaction(self._db):
            self._db.execute("DELETE FROM followed")
            self._db.executemany("INSERT INTO followed VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._db.executemany("INSERT OR IGNORE INTO peer VALUES (?, ?, ?)", [(*peer, at_ms) for peer in peers])

    # --- what the publisher reads

    def log_head(self) -> LogHead | None:
        """Where the tree stands; None before its first leaf."""
        with self._lock, translated():
            found = self._db.execute("SELECT size, root, frontier, head FROM tree").fetchone()
            return None if found is None else LogHead(*found)

    def log_entries(self, start: int = 0) -> Iterator[tuple[int, str, bytes]]:
        """Yield (number, "line", entry) in order; reads beside whoever writes."""
        db = connect_reading(self._path, self._owner)
        try:
            for number, entry in entries(db, start):
                yield number, "line", entry.encode()
        finally:
            db.close()


def entries(db: sqlite3.Connection, start: int = 0) -> Iterator[tuple[int, Entry]]:
    """Yield the leaves' entries in order, in bounded memory. Raises StoreDamaged."""
    classes = {code: kind for kind, code in CODES.items()}
    while True:
        with translated():
            rows = db.execute(
                "SELECT leaf.number, log.log, sequence, hash, class, collected_at_ms FROM leaf"
                " JOIN log ON log.number = leaf.log WHERE leaf.number >= ? ORDER BY leaf.number LIMIT ?",
                (start, _PAGE),
            ).fetchall()
        for number, log, sequence, digest, code, collected in rows:
            if code not in classes:
                raise StoreDamaged(f"operations, leaf {number}")
            yield number, Entry(log, sequence, digest, classes[code], collected)
        if len(rows) < _PAGE:
            return
        start = rows[-1][0] + 1
