"""The tax team's table: one row for each hand-over, and where to go on, in one transaction.

Facts of the header stand in clear; what the filer wrote is sealed under a data key of its own, as at the desks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
)

from consumers.store.dialect import SqliteDialect
from consumers.store.errors import StoreMismatch, StorePositionLost
from consumers.store.model import Content, StoreKey

metadata: Final = MetaData()
owner: Final = Table("owner", metadata, Column("name", Text, primary_key=True))
place: Final = Table(
    "place",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("place", Text, nullable=False),
)
store_key: Final = Table(
    "store_key",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("key_id", LargeBinary(8), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
handed: Final = Table(
    "handed",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String(36), nullable=False),
    Column("leaf", LargeBinary(32), nullable=False, unique=True),
    Column("tenant", String(6), nullable=False),
    Column("tax_item", Text, nullable=False),
    Column("receipt_number", Text, nullable=False, index=True),
    Column("procedure", Text, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("decided_at_ms", BigInteger, nullable=False),
    Column("submission_event_id", String(36), nullable=False),
    Column("epoch", Integer),
    Column("ciphertext", LargeBinary),
    Column("wrapped", LargeBinary),
)
_by_event: Final = Index("handed_event_id", handed.c.event_id)


@dataclass(frozen=True, slots=True)
class Handed:
    """One hand-over as it stands in clear; `content` is None for a revocation."""

    event_id: str
    leaf: bytes
    tenant: str
    tax_item: str
    receipt_number: str
    procedure: str
    decision: str
    revision: int
    decided_at_ms: int
    submission_event_id: str
    content: Content | None = None


class TaxStore:
    """One tax team's database. Calls block; they raise `StoreError`s like every store here."""

    def __init__(self, path: Path, name: str) -> None:
        """Open or make it; `name` is `<namespace>/<principal>`. Raises StoreMismatch, StoreUnavailable."""
        self._dialect = SqliteDialect(path)
        self._engine = self._dialect.engine()
        try:
            with self._engine.begin() as db:
                if not inspect(db).has_table(owner.name):
                    metadata.create_all(db)
                    db.execute(insert(owner).values(name=name))
                elif db.execute(select(owner.c.name)).scalar_one() != name:
                    raise StoreMismatch
                _by_event.create(db, checkfirst=True)
        except self._dialect.failures as error:
            self._engine.dispose()
            raise self._dialect.error(error) from None
        except BaseException:
            self._engine.dispose()
            raise

    def keep(self, row: Handed, partition: int, following: str, keys: Sequence[StoreKey]) -> bool:
        """Keep a hand-over and the place behind it, both or neither; say whether it was new.

        One event id is one hand-over, whatever its leaf: who writes to the topic can add sections for others to an
        event, which makes another leaf of the same content. Raises StorePositionLost if another process writes here.
        """
        try:
            with self._engine.begin() as db:
                _add_keys(db, keys)
                same = or_(handed.c.event_id == row.event_id, handed.c.leaf == row.leaf)
                new = db.execute(select(handed.c.number).where(same)).first() is None
                if new:
                    sealed = row.content
                    db.execute(
                        insert(handed).values(
                            event_id=row.event_id,
                            leaf=row.leaf,
                            tenant=row.tenant,
                            tax_item=row.tax_item,
                            receipt_number=row.receipt_number,
                            procedure=row.procedure,
                            decision=row.decision,
                            revision=row.revision,
                            decided_at_ms=row.decided_at_ms,
                            submission_event_id=row.submission_event_id,
                            epoch=None if sealed is None else sealed.epoch,
                            ciphertext=None if sealed is None else sealed.ciphertext,
                            wrapped=None if sealed is None else sealed.wrapped_key,
                        )
                    )
                _move(db, partition, following)
        except self._dialect.failures as error:
            raise self._dialect.error(error) from None
        return new

    def passed(self, partition: int, following: str) -> None:
        """Move a place past what is not ours."""
        try:
            with self._engine.begin() as db:
                _move(db, partition, following)
        except self._dialect.failures as error:
            raise self._dialect.error(error) from None

    def places(self) -> Mapping[int, str]:
        """Return where to go on, by partition."""
        with self._reading() as db:
            return {row.partition: row.place for row in db.execute(select(place))}

    def forget_places(self) -> int:
        """Read from the oldest record next time, for a Kafka with other offsets; returns how many places there were."""
        try:
            with self._engine.begin() as db:
                return int(db.execute(delete(place)).rowcount)
        except self._dialect.failures as error:
            raise self._dialect.error(error) from None

    def store_key(self, epoch: int) -> StoreKey | None:
        """Return the sealed key of an epoch."""
        with self._reading() as db:
            row = db.execute(select(store_key).where(store_key.c.epoch == epoch)).first()
        return None if row is None else StoreKey(row.epoch, row.key_id, row.sealed)

    def rows(self, receipt_number: str | None = None) -> Iterator[tuple[Handed, bool]]:
        """Yield hand-overs in the order in which they came, each with whether it is the newest on its filing."""
        query = select(handed).order_by(handed.c.number)
        if receipt_number is not None:
            query = query.where(handed.c.receipt_number == receipt_number)
        with self._reading() as db:
            newest = _newest(db)
            for row in db.execute(query):
                content = None if row.ciphertext is None else Content(row.epoch, row.ciphertext, row.wrapped)
                kept = Handed(
                    row.event_id,
                    row.leaf,
                    row.tenant,
                    row.tax_item,
                    row.receipt_number,
                    row.procedure,
                    row.decision,
                    row.revision,
                    row.decided_at_ms,
                    row.submission_event_id,
                    content,
                )
                yield kept, newest[row.submission_event_id] == row.number

    def names(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield (tenant, event id, leaf) of hand-overs in the order in which they came, without their contents."""
        query = select(handed.c.tenant, handed.c.event_id, handed.c.leaf).order_by(handed.c.number)
        with self._reading() as db:
            for row in db.execute(query):
                yield row.tenant, row.event_id, row.leaf

    def count(self) -> int:
        """Return how many hand-overs were taken."""
        with self._reading() as db:
            return int(db.execute(select(func.count()).select_from(handed)).scalar_one())

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(reading=True) as db:
                yield db
        except self._dialect.failures as error:
            raise self._dialect.error(error) from None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _newest(db: Connection) -> dict[str, int]:
    """Return which hand-over on each filing counts: a desk that was restored may give a revision twice."""
    columns = (handed.c.submission_event_id, handed.c.number)
    order = (handed.c.revision, handed.c.decided_at_ms, handed.c.number)
    return {row.submission_event_id: row.number for row in db.execute(select(*columns).order_by(*order))}


def _move(db: Connection, partition: int, following: str) -> None:
    db.execute(delete(place).where(place.c.partition == partition))
    db.execute(insert(place).values(partition=partition, place=following))


def _add_keys(db: Connection, keys: Sequence[StoreKey]) -> None:
    """Keep new keys. Another process that made a key for the same epoch would leave rows that nothing opens."""
    for key in keys:
        there = db.execute(select(store_key.c.sealed).where(store_key.c.epoch == key.epoch)).scalar_one_or_none()
        if there is None:
            db.execute(insert(store_key).values(epoch=key.epoch, key_id=key.key_id, sealed=key.sealed))
        elif there != key.sealed:
            raise StorePositionLost
