"""The store on a SQL database, through SQLAlchemy Core. Says when a transaction begins and ends.

A version table has one row that names the owner and the version of the tables; `MIGRATIONS[n]` takes
version n + 1 to n + 2, in the transaction that also writes the new number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, func, insert, inspect, select, update

from consumers.store import reading, writing
from consumers.store import tables as t
from consumers.store.cases import SqlCases
from consumers.store.chunking import chunks
from consumers.store.dialect import Dialect, SqliteDialect
from consumers.store.errors import StoreMismatch, StoreTooNew
from consumers.store.exports import SqlExports
from consumers.store.model import (
    Batch,
    Committed,
    Content,
    HistoryEntry,
    LogHead,
    NoticeSeen,
    OutboxRow,
    Overdue,
    ResolutionSeen,
    StoredEvent,
    StoreKey,
)


def _add_tables(db: Connection) -> None:
    """Make the tables that this version has and the last one had not."""
    t.metadata.create_all(db)


def _add_exports(db: Connection) -> None:
    """Make the tables of exports; none of the older ones changed."""
    t.metadata.create_all(db, tables=t.EXPORT_TABLES)


MIGRATIONS: Final[tuple[Callable[[Connection], None], ...]] = (_add_tables, _add_exports, _add_tables)
_LOG_PAGE: Final = 500


class SqlStore:
    """A desk's store in one SQL database. Implements `consumers.store.port.Store`."""

    def __init__(self, dialect: Dialect, owner: str) -> None:
        """Open it, making or migrating the tables.

        `owner` is `<namespace>/<principal>`. Raises StoreMismatch, StoreTooNew, StoreDamaged or
        StoreUnavailable.
        """
        self._dialect = dialect
        self._engine = dialect.engine()
        self._owner = owner
        try:
            with self._reading() as db:
                ready = self._current(db)
            if not ready:
                with self._writing() as db:
                    self._found(db)
        except BaseException:
            self._engine.dispose()
            raise

    def _current(self, db: Connection) -> bool:
        """Say whether the tables are there in this version. Raises StoreMismatch, StoreTooNew."""
        if not inspect(db).has_table(t.owner.name):
            return False
        name, version = db.execute(select(t.owner.c.name, t.owner.c.schema_version)).one()
        if name != self._owner:
            raise StoreMismatch(f"it is {name}'s")
        if version > t.SCHEMA_VERSION:
            raise StoreTooNew(f"version {version}, known {t.SCHEMA_VERSION}")
        return bool(version == t.SCHEMA_VERSION)

    def _found(self, db: Connection) -> None:
        """Make the tables, or bring them to this version; another process may have been first."""
        if self._current(db):
            return
        if not inspect(db).has_table(t.owner.name):
            t.metadata.create_all(db)
            self._dialect.guard_log(db)
            db.execute(insert(t.owner).values(name=self._owner, schema_version=t.SCHEMA_VERSION))
            return
        version = db.execute(select(t.owner.c.schema_version)).scalar_one()
        for migrate in MIGRATIONS[version - 1 :]:
            migrate(db)
        db.execute(update(t.owner).values(schema_version=t.SCHEMA_VERSION))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as db:
                self._dialect.lock(db)
                yield db
        except self._dialect.failures as error:
            # The driver's text may quote values: only its code goes on.
            raise self._dialect.error(error) from None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(reading=True) as db:
                yield db
        except self._dialect.failures as error:
            raise self._dialect.error(error) from None

    @property
    def cases(self) -> SqlCases:
        """What people do with the events: decisions, assignments, hand-overs."""
        return SqlCases(self._reading, self._writing)

    @property
    def exports(self) -> SqlExports:
        """What was handed over to other systems as files."""
        return SqlExports(self._reading, self._writing)

    def commit(self, batch: Batch) -> Committed:
        """Keep the whole batch or nothing of it."""
        tally = writing.Tally()
        with self._writing() as db:
            writing.advance(db, batch.advances)
            writing.add_store_keys(db, batch.store_keys)
            writing.add_events(db, batch.events, tally)
            for seen in batch.checkpoints:
                writing.add_checkpoint(db, seen, tally)
            for notice in batch.notices:
                writing.add_notice(db, notice)
            for said in batch.resolutions:
                writing.add_resolution(db, said)
            writing.add_remarks(db, batch.remarks)
            writing.add_outgoing(db, batch.outgoing)
            if batch.log is not None:
                writing.append_log(db, batch.log)
        return tally.committed()

    def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the next offset of each (topic, partition) that was ever read."""
        with self._reading() as db:
            return {(row.topic, row.partition): row.next_offset for row in db.execute(select(t.position))}

    def forget_positions(self) -> int:
        """Read every topic from its oldest record next time, for a Kafka with other offsets; what comes again is known.

        Returns how many partitions that concerns.
        """
        with self._writing() as db:
            return int(db.execute(delete(t.position)).rowcount)

    def waiting(self, max_rows: int, max_bytes: int) -> Sequence[OutboxRow]:
        """Return what is to be sent, oldest first."""
        with self._reading() as db:
            return reading.waiting(db, max_rows, max_bytes)

    def waiting_count(self) -> int:
        """Return how many outbox rows are waiting."""
        with self._reading() as db:
            return int(db.execute(select(func.count()).select_from(t.outbox)).scalar_one())

    def sent(self, numbers: Sequence[int]) -> None:
        """Drop outbox rows that were acknowledged."""
        with self._writing() as db:
            for some in chunks(numbers):
                db.execute(delete(t.outbox).where(t.outbox.c.number.in_(some)))

    def store_key(self, epoch: int) -> StoreKey | None:
        """Return the sealed key of an epoch, if this store has one."""
        with self._reading() as db:
            return reading.store_key(db, epoch)

    def overdue(self, before_ms: int) -> Overdue:
        """Count what has waited since before a time."""
        with self._reading() as db:
            return reading.overdue(db, before_ms)

    def counts(self) -> Mapping[str, int]:
        """Return totals."""
        with self._reading() as db:
            return reading.counts(db)

    def events(
        self,
        *,
        receipt_number: str | None = None,
        event_id: str | None = None,
        after: int = 0,
        limit: int = 1_000,
    ) -> Sequence[StoredEvent]:
        """Return rows in the order in which they were stored."""
        with self._reading() as db:
            return reading.events(db, receipt_number, event_id, after, limit)

    def unknown(self, events: Sequence[tuple[str, bytes]]) -> int:
        """Count those (event id, leaf) that are not stored."""
        with self._reading() as db:
            return reading.unknown(db, events)

    def repeated(self, receipt_numbers: Sequence[str]) -> frozenset[str]:
        """Return those of the receipt numbers under which more than one submission is stored."""
        with self._reading() as db:
            return reading.repeated(db, sorted(set(receipt_numbers)))

    def content(self, number: int) -> Content | None:
        """Return the sealed content of a row; None if it has none (any more)."""
        with self._reading() as db:
            return reading.content(db, number)

    def history(self, number: int) -> Sequence[HistoryEntry]:
        """Return what happened to a row, in order."""
        with self._reading() as db:
            return reading.history(db, number)

    def notices(self, *, receipt_number: str | None = None, limit: int = 1_000) -> Sequence[NoticeSeen]:
        """Return dead-letter notices, oldest first."""
        with self._reading() as db:
            return reading.notices(db, receipt_number, limit)

    def resolutions(self, *, receipt: bytes | None = None, discarded: bool = False) -> Sequence[ResolutionSeen]:
        """Return what the operator did with dead letters, oldest first."""
        with self._reading() as db:
            return reading.resolutions(db, receipt, discarded)

    def log_head(self) -> LogHead | None:
        """Return where the append-only log stands; None before its first entry."""
        with self._reading() as db:
            return reading.log_head(db)

    def log_entries(self, start: int = 0, kinds: Sequence[str] | None = None) -> Iterator[tuple[int, str, bytes]]:
        """Yield (index, kind, framed record) in order from an index on, a page at a time."""
        while True:
            with self._reading() as db:
                page = reading.log_page(db, start, kinds, _LOG_PAGE)
            yield from page
            if len(page) < _LOG_PAGE:
                return
            start = page[-1][0] + 1

    def tree_heads(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (size, root, signed head) in order, a page at a time."""
        after = -1
        while True:
            with self._reading() as db:
                page = reading.tree_head_page(db, after, _LOG_PAGE)
            yield from page
            if len(page) < _LOG_PAGE:
                return
            after = page[-1][0]

    def writable(self) -> None:
        """Raise StoreUnavailable unless a small write would succeed now."""
        with self._writing() as db:
            db.execute(update(t.owner).values(name=self._owner))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def open_sqlite(path: Path, owner: str) -> SqlStore:
    """Open or create the SQLite store of a role. `owner` is `<namespace>/<principal>`."""
    return SqlStore(SqliteDialect(path), owner)
