"""Small builders for journal tests: artificial ids, no content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hub.producing.journal import Journal
from hub.producing.journal_rows import AddSession, Append, SealedEntry

OWNER = "portal/portal-1/rehearsal"
TOPIC = "rehearsal.submissions"


def digest(*parts: object) -> bytes:
    """Return 32 bytes that depend on all parts."""
    return hashlib.sha256(repr(parts).encode()).digest()


def session(number: int = 0, tenant: str = "131041") -> AddSession:
    """Return the step that adds an artificial session."""
    return AddSession(digest("session", number, tenant), TOPIC, tenant, b"record-%d" % number, 1_000)


def entry(of: bytes, partition: int, sequence: int, name: object = None, size: int = 100) -> SealedEntry:
    """Return an artificial sealed entry; the same `name` is the same input."""
    label = (of, partition, sequence) if name is None else name
    return SealedEntry(
        digest("key", label),
        of,
        partition,
        sequence,
        digest("id", label).hex()[:36],
        digest("leaf", label),
        "131041",
        "R7-13104-000000017",
        bytes(size),
    )


def append(of: bytes, partition: int, first: int, count: int, size: int = 100) -> Append:
    """Return the step that appends `count` entries."""
    return Append(tuple(entry(of, partition, first + at, size=size) for at in range(count)))


def open_journal(directory: Path, **options: int) -> Journal:
    """Open the test journal of a directory."""
    return Journal.open(directory / "journal.db", owner=OWNER, **options)
