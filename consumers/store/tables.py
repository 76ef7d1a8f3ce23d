"""The tables, in words that every SQL database understands. Version 3.

Only `content`, `data_key` and `decision_message` derive from what a filer or a reviewer wrote; everything
else is public by the header's definition (docs/envelope.md) or is our own bookkeeping. Data keys have a table
of their own so that an ordinary backup can leave them out.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 4

metadata: Final = MetaData()
# SQLite numbers rows by itself only in a column that is declared INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")

owner: Final = Table(
    "owner",
    metadata,
    Column("name", Text, primary_key=True),
    Column("schema_version", Integer, nullable=False),
)

position: Final = Table(
    "position",
    metadata,
    Column("topic", String(200), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

event: Final = Table(
    "event",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("tenant", String(6), nullable=False),
    Column("producer", Text, nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("session", LargeBinary(32), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("topic", String(200), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("receipt_number", Text, nullable=False),
    Column("procedure", Text, nullable=False),
    Column("procedure_version", Integer, nullable=False),
    Column("tax_item", Text),
    Column("accepted_at_ms", BigInteger, nullable=False),
    Column("produced_at_ms", BigInteger, nullable=False),
    Column("stored_at_ms", BigInteger, nullable=False),
    Column("calculation_check", String(16), nullable=False),
    Column("signature_check", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("findings", Integer, nullable=False),
    Column("cause_event_id", String(36)),
    Column("cause_leaf", LargeBinary(32)),
    Column("confirmed_at_ms", BigInteger),
    Column("replays", Integer, nullable=False, default=0),
    Column("conflict", Boolean, nullable=False, default=False),
    UniqueConstraint("tenant", "producer", "event_id", "leaf", name="event_once"),
    Index("event_place", "session", "partition", "sequence"),
    Index("event_receipt", "receipt_number"),
    Index("event_id_lookup", "event_id"),
)
Index(
    "event_unconfirmed",
    event.c.stored_at_ms,
    sqlite_where=event.c.confirmed_at_ms.is_(None),
    postgresql_where=event.c.confirmed_at_ms.is_(None),
)

store_key: Final = Table(
    "store_key",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("key_id", LargeBinary(8), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

content: Final = Table(
    "content",
    metadata,
    Column("event", _Number, ForeignKey("event.number"), primary_key=True, autoincrement=False),
    Column("epoch", Integer, ForeignKey("store_key.epoch"), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)

data_key: Final = Table(
    "data_key",
    metadata,
    Column("event", _Number, ForeignKey("event.number"), primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=False),
)

remark: Final = Table(
    "remark",  # what became of an event after it was stored; may come before the event itself
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("what", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    UniqueConstraint("leaf", "what", "detail", name="remark_once"),
)

promise: Final = Table(
    "promise",  # a checkpoint announced this leaf, and no stored event has it yet
    metadata,
    Column("session", LargeBinary(32), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("tenant", String(6), nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("void", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

notice: Final = Table(
    "notice",
    metadata,
    Column("leaf", LargeBinary(32), primary_key=True),
    Column("session", LargeBinary(32), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("tenant", String(6), nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("receipt_number", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

resolution: Final = Table(
    "resolution",  # the operator's words on dead letters; ids, codes and hashes only
    metadata,
    Column("letter", Text, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("resolved_at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", String(6)),
    Column("event_id", String(36)),
    Column("leaf", LargeBinary(32), index=True),
    Column("receipt", LargeBinary(16), index=True),
    Column("origin", Text, nullable=False),
    Column("refused", Text, nullable=False),
    Column("refused_at_ms", BigInteger, nullable=False),
    Column("discard", Text),
    Column("generation", Integer, nullable=False),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("topic", String(200), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("speaks_of", Integer, nullable=False),
    # A number that was used is never used again, or a late `sent` would drop a younger row.
    sqlite_autoincrement=True,
)

log: Final = Table(
    "log",  # append-only: dialect.guard_log makes the database itself refuse changes
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("entry", LargeBinary, nullable=False),
)

tree_head: Final = Table(
    "tree_head",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("head", LargeBinary, nullable=False),
)

frontier: Final = Table(
    "frontier",  # a cache of the log's right edge; the rows of `log` are what counts
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
)

case_file: Final = Table(
    "case_file",  # what people work on; an event without a row is at revision 0, nobody's, without a deadline
    metadata,
    Column("event", _Number, ForeignKey("event.number"), primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("due_on", String(10)),
    Column("replaces", Text, index=True),
    Column("withdraws", Text, index=True),
    Column("assignee", Text),
    Column("assigned_at_ms", BigInteger),
)

decision: Final = Table(
    "decision",  # also the outbox of status events: told_at_ms is null until all in-sync replicas have it
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("event", _Number, ForeignKey("event.number"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at_ms", BigInteger, nullable=False),
    Column("tax_items", Text, nullable=False),
    Column("answer_by", String(10)),
    Column("event_id", String(36)),
    Column("leaf", LargeBinary(32)),
    Column("told_at_ms", BigInteger),
    Column("failed", String(64)),
    UniqueConstraint("event", "revision", name="decision_once"),
    sqlite_autoincrement=True,
)
Index(
    "decision_untold",
    decision.c.number,
    sqlite_where=decision.c.told_at_ms.is_(None) & decision.c.failed.is_(None),
    postgresql_where=decision.c.told_at_ms.is_(None) & decision.c.failed.is_(None),
)

decision_message: Final = Table(
    "decision_message",  # text to the filer, under a data key of its own, as content is
    metadata,
    Column("decision", _Number, ForeignKey("decision.number"), primary_key=True, autoincrement=False),
    Column("epoch", Integer, ForeignKey("store_key.epoch"), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

handover: Final = Table(
    "handover",  # one row for each tax item of an acceptance or its revocation; outbox of accepted events
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("decision", _Number, ForeignKey("decision.number"), nullable=False),
    Column("tax_item", String(64), nullable=False),
    Column("event_id", String(36)),
    Column("leaf", LargeBinary(32)),
    Column("told_at_ms", BigInteger),
    Column("failed", String(64)),
    UniqueConstraint("decision", "tax_item", name="handover_once"),
    sqlite_autoincrement=True,
)
Index(
    "handover_untold",
    handover.c.number,
    sqlite_where=handover.c.told_at_ms.is_(None) & handover.c.failed.is_(None),
    postgresql_where=handover.c.told_at_ms.is_(None) & handover.c.failed.is_(None),
)

export_run: Final = Table(
    "export_run",  # a set of rows handed over in one file; `state` is claimed, done or released
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("series", String(32), nullable=False, index=True),
    Column("previous", BigInteger),
    Column("encoding", String(8), nullable=False),
    Column("replacement", String(8)),
    Column("columns_version", Integer, nullable=False),
    Column("claimed_by", Text, nullable=False),
    Column("claimed_at_ms", BigInteger, nullable=False),
    Column("directory", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ended_at_ms", BigInteger),
    # A number that stands in a file is never used again.
    sqlite_autoincrement=True,
)

export_row: Final = Table(
    "export_row",  # an acceptance in a run (`row`), or the word that it was revoked (`withdrawn`)
    metadata,
    Column("run", _Number, ForeignKey("export_run.number"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("series", String(32), nullable=False),
    Column("what", String(16), nullable=False),
    Column("event", _Number, ForeignKey("event.number"), nullable=False, index=True),
    Column("decision", _Number, ForeignKey("decision.number"), nullable=False),
    Column("revocation", _Number, ForeignKey("decision.number")),
    UniqueConstraint("series", "decision", "what", name="export_once"),
)

export_file: Final = Table(
    "export_file",  # what a run's files were when it was done: to tell whether a repetition is the same
    metadata,
    Column("run", _Number, ForeignKey("export_run.number"), primary_key=True, autoincrement=False),
    Column("name", String(160), primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
)

export_copy: Final = Table(
    "export_copy",  # who took a file out, and when; told_at_ms is null until the desk's process spoke of it
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("run", _Number, ForeignKey("export_run.number"), nullable=False, index=True),
    Column("again", Boolean, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("withdrawn", BigInteger, nullable=False),
    Column("erased", BigInteger, nullable=False),
    Column("told_at_ms", BigInteger),
    sqlite_autoincrement=True,
)
EXPORT_TABLES: Final = (export_run, export_row, export_file, export_copy)
