"""How one batch of records is judged and kept: which rows, leaves, logs and counts it changes in its transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from consumers.store.errors import StoreDamaged
from hub.crypto.merkle import Frontier
from hub.envelope.operations import CLASS_OF, Class, Kind, OperationEvent
from hub.envelope.reasons import EnvelopeError
from hub.envelope.times import from_ms, to_ms
from monitoring.operations import retention
from monitoring.operations.chains import Around, Judged, Log, Trouble, Verdict, judge, not_ended
from monitoring.operations.entries import CODES, Entry
from monitoring.operations.judging import Line, Refused
from monitoring.operations.retention import Deletion

Place = tuple[str, int]
"""topic, partition"""
MAX_REFUSED_BYTES: Final = 4 * 2**20
"""kept whole for each reason, so that a flood of one kind does not crowd out another; the rest is counted"""


@dataclass(frozen=True, slots=True)
class Item:
    """A record with its place, and what it was judged to be."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    judged: Line | Refused


@dataclass(frozen=True, slots=True)
class Batch:
    """What is kept in one transaction: moves as (place, expected, next offset), and the records in order."""

    at_ms: int
    moves: Sequence[tuple[Place, int | None, int]]
    items: Sequence[Item]


@dataclass(slots=True)
class Kept:
    """What came of a batch."""

    lines: Counter[Class] = field(default_factory=Counter)
    known: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    troubles: list[tuple[Trouble, str]] = field(default_factory=list)
    """with the principal whose log it is"""
    deleted: Counter[Class] = field(default_factory=Counter)
    not_deleted: int = 0
    """lines that would have deleted what is not due"""
    leaves: int = 0


class Work:
    """One batch inside its transaction; what it did to logs, tree and counts is read from it afterwards."""

    def __init__(
        self,
        db: sqlite3.Connection,
        known: Mapping[bytes, tuple[int, Log]],
        principal: str,
        days: Mapping[Class, int],
    ) -> None:
        """Begin with the tree as it stands. Raises StoreDamaged."""
        self._db, self._known, self._principal, self._days = db, known, principal, days
        self.logs: dict[bytes, tuple[int, Log]] = {}
        self.kept = Kept()
        found = db.execute("SELECT frontier, collected_at_ms FROM tree").fetchone()
        try:
            self.frontier = Frontier() if found is None else Frontier.parse(found[0])
        except ValueError:
            raise StoreDamaged("operations, frontier") from None
        self._before = self.frontier.size
        self.at_ms = 0 if found is None else found[1]

    @property
    def grown(self) -> int:
        """How many leaves the batch added."""
        return self.frontier.size - self._before

    def take(self, batch: Batch) -> None:
        """Judge and keep every record of the batch. Raises StoreDamaged."""
        self.at_ms = max(self.at_ms, batch.at_ms)  # never back: numbers and times of collection go together
        for item in batch.items:
            if isinstance(item.judged, Refused):
                self._refuse(item, item.judged.reason)
                continue
            judged = self._judge(item.judged)
            self.kept.troubles += [(trouble, item.judged.event.principal) for trouble in judged.troubles]
            if judged.verdict is Verdict.NEW:
                assert judged.log is not None
                self._append(item.judged, judged.log)
            elif judged.verdict is Verdict.KNOWN:
                self.kept.known += 1
            else:
                self._refuse(item, judged.verdict.value)

    def _judge(self, line: Line) -> Judged:
        event = line.event
        found = self._log(event.log)
        if found is None:
            before = self._log_before(event)
            judged = judge(event, line.digest, None)
            if not_ended(before):
                return Judged(judged.verdict, judged.log, (*judged.troubles, Trouble.NOT_ENDED))
            return judged
        number, log = found
        around = self._around(number, event.sequence) if event.sequence <= log.head else Around()
        return judge(event, line.digest, log, around)

    def _log(self, log: bytes) -> tuple[int, Log] | None:
        found = self.logs.get(log) or self._known.get(log)
        if found is not None:
            return found
        row = self._db.execute(_LOG_BY_ID, (log,)).fetchone()
        return None if row is None else (row[0], _log(row[1:]))

    def _log_before(self, event: OperationEvent) -> Log | None:
        row = self._db.execute(
            "SELECT principal, instance, head, head_hash, last_kind, missing FROM log"
            " WHERE principal = ? AND instance = ? ORDER BY number DESC LIMIT 1",
            (event.principal, event.instance),
        ).fetchone()
        return None if row is None else _log(row)

    def _around(self, log: int, sequence: int) -> Around:
        rows = dict(
            self._db.execute(
                "SELECT sequence, hash FROM leaf WHERE log = ? AND sequence BETWEEN ? AND ?",
                (log, sequence - 1, sequence),
            ).fetchall()
        )
        after = self._db.execute(
            "SELECT value FROM line JOIN leaf USING (number) WHERE log = ? AND sequence = ?", (log, sequence + 1)
        ).fetchone()
        try:
            named = None if after is None else OperationEvent.parse(after[0])[0].previous
        except EnvelopeError:
            raise StoreDamaged("operations, line") from None
        return Around(rows.get(sequence), rows.get(sequence - 1), named)

    def _append(self, line: Line, log: Log) -> None:
        event, said = line.event, line.event.operation
        found = self._log(event.log)
        values = (log.head, log.head_hash, log.last_kind.value, log.missing)
        if found is None:
            cursor = self._db.execute(
                "INSERT INTO log (log, principal, instance, head, head_hash, last_kind, missing)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (event.log, log.principal, log.instance, *values),
            )
            number = int(cursor.lastrowid or 0)
        else:
            number = found[0]
            self._db.execute(
                "UPDATE log SET head = ?, head_hash = ?, last_kind = ?, missing = ? WHERE number = ?",
                (*values, number),
            )
        self.logs[event.log] = (number, log)
        kind = CLASS_OF[said.kind]
        entry = Entry(event.log, event.sequence, line.digest, kind, self.at_ms)
        at = self.frontier.append(entry.leaf)
        self._db.execute(
            "INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?)",
            (at, number, event.sequence, line.digest, CODES[kind], self.at_ms),
        )
        deletion = retention.deletion_of(event, self._principal)
        row = (at, CODES[kind], self.at_ms, deletion is not None, event.principal, said.kind.value, said.actor)
        self._db.execute(
            "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, said.tenant, said.receipt, to_ms(said.occurred_at), line.value),
        )
        self.kept.lines[kind] += 1
        if deletion is not None:
            self._delete(deletion, event)

    def _delete(self, deletion: Deletion, event: OperationEvent) -> None:
        if deletion.days < self._days[deletion.kind]:
            self.kept.not_deleted += 1
            return
        due = retention.cut_off(min(event.operation.occurred_at, from_ms(self.at_ms)), deletion.days)
        done = self._db.execute(
            "DELETE FROM line WHERE class = ? AND number < ? AND kept = 0 AND collected_at_ms < ?",
            (CODES[deletion.kind], deletion.before, max(0, to_ms(due))),
        )
        self.kept.deleted[deletion.kind] += done.rowcount

    def _refuse(self, item: Item, reason: str) -> None:
        self.kept.refused[reason] += 1
        size = len(item.key or b"") + len(item.value or b"")
        found = self._db.execute(
            "SELECT records, kept, bytes FROM refused_count WHERE reason = ?", (reason,)
        ).fetchone()
        records, kept, held = found or (0, 0, 0)
        whole = held + size <= MAX_REFUSED_BYTES
        if whole:
            self._db.execute(
                "INSERT INTO refused (topic, partition, offset, reason, collected_at_ms, key, value)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (item.topic, item.partition, item.offset, reason, self.at_ms, item.key, item.value),
            )
        self._db.execute(
            "INSERT OR REPLACE INTO refused_count VALUES (?, ?, ?, ?)",
            (reason, records + 1, kept + whole, held + size * whole),
        )


_LOG_BY_ID: Final = "SELECT number, principal, instance, head, head_hash, last_kind, missing FROM log WHERE log = ?"


def _log(row: Sequence[object]) -> Log:
    principal, instance, head, head_hash, last_kind, missing = row
    assert isinstance(head, int) and isinstance(missing, int) and isinstance(head_hash, bytes)
    return Log(str(principal), str(instance), head, head_hash, Kind(str(last_kind)), missing)
