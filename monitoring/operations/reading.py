"""What people look at: lines by what they say, beside a monitor that goes on collecting."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from consumers.store.errors import StoreDamaged
from hub.envelope.operations import CLASS_OF, Class, OperationEvent, line_hash
from hub.envelope.reasons import EnvelopeError
from hub.envelope.times import from_ms, to_ms
from monitoring.operations.entries import CODES
from monitoring.operations.tables import connect_reading, translated

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: all that fit every condition that is set. Times are when it occurred; `until` is exclusive."""

    kind: Class | None = None
    principal: str = ""
    actor: str = ""
    receipt: str = ""
    """32 hex digits"""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> tuple[str, list[object]]:
        """Return the SQL conditions, of fixed texts, and their values."""
        given: list[tuple[str, object]] = [("line.number > ?", None)]
        if self.kind is not None:
            given.append(("line.class = ?", CODES[self.kind]))
        for column, value in (("principal", self.principal), ("actor", self.actor), ("receipt", self.receipt)):
            if value:
                given.append((f"line.{column} = ?", value))
        if self.since is not None:
            given.append(("line.occurred_at_ms >= ?", to_ms(self.since)))
        if self.until is not None:
            given.append(("line.occurred_at_ms < ?", to_ms(self.until)))
        return " AND ".join(text for text, _ in given), [value for _, value in given[1:]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A line as it is kept: its number in the tree, when it was collected, and its signed record."""

    number: int
    collected_at: datetime
    event: OperationEvent
    value: bytes

    def as_json(self) -> dict[str, object]:
        """Return the documented fields for `--json`."""
        return {
            "number": self.number,
            "collected_at": self.collected_at.isoformat(timespec="milliseconds"),
            **described(self.event),
            "hash": line_hash(self.value).hex(),
        }


def described(event: OperationEvent) -> dict[str, object]:
    """What a line says, as JSON."""
    said = event.operation
    return {
        "class": CLASS_OF[said.kind].value,
        "principal": event.principal,
        "instance": event.instance,
        "log": event.log.hex(),
        "sequence": event.sequence,
        **said.as_json(),
    }


@contextmanager
def snapshot(path: Path, owner: str) -> Iterator[sqlite3.Connection]:
    """One state of the store for as long as it is looked at. Raises StoreError."""
    db = connect_reading(path, owner)
    try:
        with translated():
            db.execute("BEGIN")
        yield db
    finally:
        db.close()


def lines(db: sqlite3.Connection, wanted: Wanted, limit: int | None = None) -> Iterator[Stored]:
    """Yield lines in the order in which they were collected; the newest `limit` of them. Raises StoreDamaged."""
    conditions, values = wanted.conditions()
    start = -1
    if limit is not None:
        newest = (
            "SELECT min(number) FROM (SELECT number FROM line WHERE " + conditions + " ORDER BY number DESC LIMIT ?)"  # noqa: S608 - fixed texts
        )
        with translated():
            (first,) = db.execute(newest, (-1, *values, limit)).fetchone()
        if first is None:
            return
        start = first - 1
    page = "SELECT number, collected_at_ms, value FROM line WHERE " + conditions + " ORDER BY number LIMIT ?"  # noqa: S608 - fixed texts
    while True:
        with translated():
            rows = db.execute(page, (start, *values, _PAGE)).fetchall()
        for number, collected, value in rows:
            try:
                event, _ = OperationEvent.parse(value)
            except EnvelopeError:
                raise StoreDamaged(f"operations, line {number}") from None
            yield Stored(number, from_ms(collected), event, value)
        if len(rows) < _PAGE:
            return
        start = rows[-1][0]
