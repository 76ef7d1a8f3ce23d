"""The journal's tables, and what each step does to them. Runs inside a transaction that others open.

`event` is the index: it outlives the sealed bytes in `sealed`, which go when the desk has confirmed. What
stays of them with the receipt is `stripped`: header and digests, of which the leaf is made that the desk
has signed. These grow at the end only; the one index on random keys is `event.index_key`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from hub.envelope.reasons import EnvelopeError
from hub.envelope.sealed import outputs, parse
from hub.producing.errors import JournalConflict
from hub.producing.journal_rows import (
    Acknowledge,
    AddCheckpoint,
    AddClose,
    AddSession,
    Append,
    CheckpointSent,
    Confirm,
    Confirmed,
    DropSession,
    EventState,
    ForgetListed,
    MarkVoid,
    NoteRefusal,
    RememberEpoch,
    SessionAnnounced,
    SessionClosed,
    SessionState,
    Step,
)

VERSION: Final = 3
APPLICATION_ID: Final = 0x656C6A31  # "elj1"

SCHEMA: Final = """
CREATE TABLE owner (name TEXT NOT NULL);
CREATE TABLE session (
  number INTEGER PRIMARY KEY, session BLOB NOT NULL UNIQUE, topic TEXT NOT NULL, tenant TEXT NOT NULL,
  record BLOB NOT NULL, created_at_ms INTEGER NOT NULL, state INTEGER NOT NULL, close BLOB);
CREATE INDEX session_open ON session (state) WHERE state < 3;
CREATE TABLE lane (
  session INTEGER NOT NULL REFERENCES session, partition INTEGER NOT NULL, next_sequence INTEGER NOT NULL,
  acknowledged_through INTEGER NOT NULL, checkpointed_through INTEGER NOT NULL, checkpoint_hash BLOB,
  PRIMARY KEY (session, partition)) WITHOUT ROWID;
CREATE TABLE event (
  number INTEGER PRIMARY KEY, index_key BLOB NOT NULL UNIQUE, session INTEGER NOT NULL REFERENCES session,
  partition INTEGER NOT NULL, sequence INTEGER NOT NULL, event_id TEXT NOT NULL, leaf BLOB NOT NULL,
  tenant TEXT NOT NULL, receipt_number TEXT NOT NULL, state INTEGER NOT NULL, receipt INTEGER);
CREATE UNIQUE INDEX event_place ON event (session, partition, sequence);
CREATE TABLE sealed (number INTEGER PRIMARY KEY REFERENCES event, value BLOB NOT NULL);
CREATE TABLE checkpoint (
  number INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES session, partition INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL, hash BLOB NOT NULL, key BLOB NOT NULL, record BLOB NOT NULL);
CREATE INDEX checkpoint_place ON checkpoint (session, partition);
CREATE TABLE position (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE refusal (
  at INTEGER NOT NULL, rules TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (at, rules)) WITHOUT ROWID;
CREATE TABLE receipt (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, record BLOB NOT NULL);
CREATE TABLE stripped (number INTEGER PRIMARY KEY REFERENCES event, value BLOB NOT NULL);
CREATE TABLE epoch (audience TEXT PRIMARY KEY, epoch INTEGER NOT NULL, key_hash BLOB NOT NULL) WITHOUT ROWID;
"""


UPGRADES: Final = {
    1: (
        "ALTER TABLE event ADD COLUMN receipt INTEGER",
        "CREATE TABLE receipt (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, record BLOB NOT NULL)",
    ),
    2: ("CREATE TABLE stripped (number INTEGER PRIMARY KEY REFERENCES event, value BLOB NOT NULL)",),
}
"""from a version to the next one"""


def upgrade(db: sqlite3.Connection, version: int) -> int:
    """Bring the tables of an older version to this one, a version at a time; return what it is then."""
    while version in UPGRADES:
        db.execute("BEGIN IMMEDIATE")
        for statement in UPGRADES[version]:
            db.execute(statement)
        version += 1
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")
    return version


def create(db: sqlite3.Connection, owner: str) -> None:
    """Make the tables of an empty database, all or none, and say whose they are."""
    db.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA.split(";"):
        if statement.strip():
            db.execute(statement)
    db.execute("INSERT INTO owner VALUES (?)", (owner,))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def _session(db: sqlite3.Connection, session: bytes) -> tuple[int, int]:
    row = db.execute("SELECT number, state FROM session WHERE session = ?", (session,)).fetchone()
    if row is None:
        raise JournalConflict("session unknown")
    return row[0], row[1]


def _lane(db: sqlite3.Connection, number: int, partition: int) -> tuple[int, int, int, bytes | None]:
    row: tuple[int, int, int, bytes | None] | None = db.execute(
        "SELECT next_sequence, acknowledged_through, checkpointed_through, checkpoint_hash"
        " FROM lane WHERE session = ? AND partition = ?",
        (number, partition),
    ).fetchone()
    return row or (0, -1, -1, None)


def _update(db: sqlite3.Connection, number: int, partition: int, **columns: object) -> None:
    """Write lane columns; the lane comes into being with its first write."""
    db.execute("INSERT OR IGNORE INTO lane VALUES (?, ?, 0, -1, -1, NULL)", (number, partition))
    names = ", ".join(f"{name} = ?" for name in columns)  # names are literals of this module
    db.execute(
        f"UPDATE lane SET {names} WHERE session = ? AND partition = ?",  # noqa: S608
        (*columns.values(), number, partition),
    )


def _add_session(db: sqlite3.Connection, step: AddSession) -> None:
    try:
        db.execute(
            "INSERT INTO session (session, topic, tenant, record, created_at_ms, state) VALUES (?, ?, ?, ?, ?, 0)",
            (step.session, step.topic, step.tenant, step.record, step.created_at_ms),
        )
    except sqlite3.IntegrityError:
        raise JournalConflict("session already there") from None


def _announced(db: sqlite3.Connection, step: SessionAnnounced) -> None:
    number, state = _session(db, step.session)
    if state == SessionState.JOURNALED:
        db.execute("UPDATE session SET state = ? WHERE number = ?", (int(SessionState.ANNOUNCED), number))


def _append(db: sqlite3.Connection, step: Append) -> None:
    lanes: dict[tuple[bytes, int], tuple[int, int]] = {}
    rows: list[tuple[object, ...]] = []
    for entry in step.entries:
        place = (entry.session, entry.partition)
        if place not in lanes:
            number, state = _session(db, entry.session)
            if state >= SessionState.CLOSING:
                raise JournalConflict("event after the close of its session")
            lanes[place] = (number, _lane(db, number, entry.partition)[0])
        number, expected = lanes[place]
        if entry.sequence != expected:
            raise JournalConflict("sequence out of order")
        lanes[place] = (number, expected + 1)
        rows.append(
            (
                entry.index_key,
                number,
                entry.partition,
                entry.sequence,
                entry.event_id,
                entry.leaf,
                entry.tenant,
                entry.receipt_number,
            )
        )
    first = db.execute("SELECT coalesce(max(number), 0) + 1 FROM event").fetchone()[0]
    try:
        db.executemany(
            "INSERT INTO event (number, index_key, session, partition, sequence, event_id, leaf, tenant,"
            " receipt_number, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            [(first + at, *row) for at, row in enumerate(rows)],
        )
    except sqlite3.IntegrityError:
        raise JournalConflict("input already journaled") from None
    db.executemany(
        "INSERT INTO sealed VALUES (?, ?)",
        [(first + at, entry.value) for at, entry in enumerate(step.entries)],
    )
    for (_, partition), (number, following) in lanes.items():
        _update(db, number, partition, next_sequence=following)


def _acknowledge(db: sqlite3.Connection, step: Acknowledge) -> None:
    number, _ = _session(db, step.session)
    following, through, _, _ = _lane(db, number, step.partition)
    if step.through >= following:
        raise JournalConflict("acknowledged beyond what was journaled")
    if step.through <= through:
        return
    db.execute(
        "UPDATE event SET state = ? WHERE session = ? AND partition = ? AND sequence BETWEEN ? AND ? AND state = ?",
        (
            int(EventState.ACKNOWLEDGED),
            number,
            step.partition,
            through + 1,
            step.through,
            int(EventState.JOURNALED),
        ),
    )
    _update(db, number, step.partition, acknowledged_through=step.through)


def _void(db: sqlite3.Connection, step: MarkVoid) -> None:
    number, _ = _session(db, step.session)
    _, through, _, _ = _lane(db, number, step.partition)
    if step.sequence <= through:
        raise JournalConflict("void of an acknowledged event")
    done = db.execute(
        "UPDATE event SET state = ? WHERE session = ? AND partition = ? AND sequence = ? AND state = ?",
        (int(EventState.VOID), number, step.partition, step.sequence, int(EventState.JOURNALED)),
    )
    if done.rowcount != 1:
        raise JournalConflict("void of an event that is not open")


def _add_checkpoint(db: sqlite3.Connection, step: AddCheckpoint) -> None:
    number, state = _session(db, step.session)
    _, acknowledged, through, previous = _lane(db, number, step.partition)
    last = step.first_sequence + step.entries - 1
    if state >= SessionState.CLOSING:
        raise JournalConflict("checkpoint after the close of its session")
    if step.first_sequence != through + 1 or last > acknowledged or step.previous != previous:
        raise JournalConflict("checkpoint does not follow its predecessor")
    db.execute(
        "INSERT INTO checkpoint (session, partition, first_sequence, hash, key, record) VALUES (?, ?, ?, ?, ?, ?)",
        (number, step.partition, step.first_sequence, step.hash, step.key, step.record),
    )
    _update(db, number, step.partition, checkpointed_through=last, checkpoint_hash=step.hash)


def _checkpoint_sent(db: sqlite3.Connection, step: CheckpointSent) -> None:
    number, _ = _session(db, step.session)
    db.execute(
        "DELETE FROM checkpoint WHERE session = ? AND partition = ? AND hash = ?",
        (number, step.partition, step.hash),
    )


def _add_close(db: sqlite3.Connection, step: AddClose) -> None:
    number, state = _session(db, step.session)
    if state >= SessionState.CLOSING:
        raise JournalConflict("session closed twice")
    loose = db.execute(
        "SELECT count(*) FROM lane WHERE session = ? AND checkpointed_through <> next_sequence - 1", (number,)
    ).fetchone()[0]
    if loose:
        raise JournalConflict("close before the last checkpoint")
    db.execute(
        "UPDATE session SET state = ?, close = ? WHERE number = ?",
        (int(SessionState.CLOSING), step.record, number),
    )


def _closed(db: sqlite3.Connection, step: SessionClosed) -> None:
    number, state = _session(db, step.session)
    if state < SessionState.CLOSING:
        raise JournalConflict("close acknowledged before it was journaled")
    db.execute("UPDATE session SET state = ? WHERE number = ?", (int(SessionState.CLOSED), number))


def _dropped(db: sqlite3.Connection, step: DropSession) -> None:
    number, state = _session(db, step.session)
    if state != SessionState.JOURNALED or db.execute("SELECT 1 FROM lane WHERE session = ?", (number,)).fetchone():
        raise JournalConflict("a session that was announced, or has events, is not dropped")
    db.execute("UPDATE session SET state = ? WHERE number = ?", (int(SessionState.CLOSED), number))


def _confirm(db: sqlite3.Connection, step: Confirm) -> Confirmed:
    trimmed = repeated = elsewhere = contradicting = 0
    ours: dict[bytes, int | None] = {}
    kept: dict[int, int] = {}
    for receipt in step.receipts:
        if receipt.session not in ours:
            known = db.execute("SELECT number FROM session WHERE session = ?", (receipt.session,)).fetchone()
            ours[receipt.session] = None if known is None else known[0]
        session = ours[receipt.session]
        if session is None:
            elsewhere += 1
            continue
        row = db.execute(
            "SELECT number, event_id, leaf, state FROM event WHERE session = ? AND partition = ? AND sequence = ?",
            (session, receipt.partition, receipt.sequence),
        ).fetchone()
        if row is None or (row[1], row[2]) != (receipt.event_id, receipt.leaf):
            contradicting += 1
        elif row[3] == EventState.STORED:
            repeated += 1
        else:
            if receipt.record is not None and receipt.record not in kept:
                kept[receipt.record] = _keep_receipt(db, step.records[receipt.record])
            if receipt.record is not None:
                _keep_stripped(db, row[0])
            proof = None if receipt.record is None else kept[receipt.record]
            db.execute(
                "UPDATE event SET state = ?, receipt = ? WHERE number = ?", (int(EventState.STORED), proof, row[0])
            )
            db.execute("DELETE FROM sealed WHERE number = ?", (row[0],))
            trimmed += 1
    db.execute(
        "INSERT INTO position VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
        (step.topic, step.partition, step.next_offset),
    )
    return Confirmed(trimmed, repeated, elsewhere, contradicting)


def _keep_receipt(db: sqlite3.Connection, record: bytes) -> int:
    digest = sha256(record).digest()
    db.execute("INSERT OR IGNORE INTO receipt (hash, record) VALUES (?, ?)", (digest, record))
    number: int = db.execute("SELECT number FROM receipt WHERE hash = ?", (digest,)).fetchone()[0]
    return number


def _keep_stripped(db: sqlite3.Connection, number: int) -> None:
    """Keep what the leaf is made of, without any ciphertext."""
    row = db.execute("SELECT value FROM sealed WHERE number = ?", (number,)).fetchone()
    if row is None:
        return
    try:
        (stripped,) = outputs(parse(row[0]), [None])
    except EnvelopeError:
        return  # not an event that this program could have sealed: its receipt proves a leaf and nothing more
    db.execute("INSERT INTO stripped VALUES (?, ?)", (number, stripped))


def _forget_listed(db: sqlite3.Connection, step: ForgetListed) -> Confirmed:
    listed = db.execute(
        "SELECT e.number FROM sealed d JOIN event e ON e.number = d.number"
        " JOIN lane l ON l.session = e.session AND l.partition = e.partition"
        " WHERE e.state = ? AND e.sequence <= l.checkpointed_through AND NOT EXISTS"
        " (SELECT 1 FROM checkpoint c WHERE c.session = e.session AND c.partition = e.partition)",
        (int(EventState.ACKNOWLEDGED),),
    ).fetchall()
    db.executemany("UPDATE event SET state = ? WHERE number = ?", [(int(EventState.STORED), n) for (n,) in listed])
    db.executemany("DELETE FROM sealed WHERE number = ?", listed)
    return Confirmed(len(listed), 0, 0, 0)


def _refusal(db: sqlite3.Connection, step: NoteRefusal) -> None:
    db.execute(
        "INSERT INTO refusal VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (step.at, " ".join(sorted(set(step.rules))), step.count),
    )


def _epoch(db: sqlite3.Connection, step: RememberEpoch) -> None:
    row = db.execute("SELECT epoch, key_hash FROM epoch WHERE audience = ?", (step.audience,)).fetchone()
    if row is not None and (step.epoch < row[0] or (step.epoch == row[0] and step.key_hash != row[1])):
        raise JournalConflict("audience key goes back")
    db.execute(
        "INSERT INTO epoch VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET epoch = excluded.epoch,"
        " key_hash = excluded.key_hash",
        (step.audience, step.epoch, step.key_hash),
    )


_APPLY: Final[dict[type[Any], Callable[[sqlite3.Connection, Any], Confirmed | None]]] = {
    AddSession: _add_session,
    SessionAnnounced: _announced,
    Append: _append,
    Acknowledge: _acknowledge,
    MarkVoid: _void,
    AddCheckpoint: _add_checkpoint,
    CheckpointSent: _checkpoint_sent,
    AddClose: _add_close,
    SessionClosed: _closed,
    DropSession: _dropped,
    Confirm: _confirm,
    ForgetListed: _forget_listed,
    NoteRefusal: _refusal,
    RememberEpoch: _epoch,
}


def apply(db: sqlite3.Connection, step: Step) -> Confirmed | None:
    """Do one step inside the caller's transaction; `JournalConflict` if it contradicts what is there."""
    return _APPLY[type(step)](db, step)
