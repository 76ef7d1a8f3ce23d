"""What the analysis found, kept in one SQLite file in the role's state directory for the periodic report.

A finding has a deterministic id: the same lines give the same findings, however often and in whatever order they came.
A finding that grows is written again under its id; count and end only ever grow.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

FILE: Final = "findings.sqlite3"
"""inside the state directory of the principal `analysis`"""
MAX_EVIDENCE: Final = 20
"""event ids that a finding names at most, the earliest"""


class Severity(StrEnum):
    """Who has to look when."""

    PAGE = "page"
    TICKET = "ticket"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should look at. Times are aware, in UTC; `began_at` is the first line that belongs to it.

    `subject` is an account, a principal, an address or a fingerprint; several are joined by a space.
    `evidence` are event ids (`<log>-<sequence>`) on the operations log, the earliest, at most MAX_EVIDENCE.
    """

    finding_id: str
    rule: str
    severity: Severity
    began_at: datetime
    ended_at: datetime
    subject: str
    tenant: str
    """"" where the lines name none"""
    count: int
    """what the rule counts: events, receipts, rows, addresses"""
    evidence: tuple[str, ...]


_SCHEMA: Final = """
create table if not exists findings (
  finding_id text primary key, rule text not null, severity text not null, began_at integer not null,
  ended_at integer not null, subject text not null, tenant text not null, count integer not null, evidence text not null
) strict;
create index if not exists findings_began on findings (began_at);
"""
_KEEP: Final = """
insert into findings values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (finding_id) do update set
  began_at = min(began_at, excluded.began_at), ended_at = max(ended_at, excluded.ended_at),
  count = max(count, excluded.count),
  evidence = case when excluded.count >= count then excluded.evidence else evidence end
"""


class FindingStore:
    """`with FindingStore(path) as store`: the writing side. One process writes, any number may read meanwhile."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by its owner only. Raises sqlite3.Error."""
        if not path.exists():
            _make(path)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = full")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self._database.close()

    def keep(self, findings: Iterable[Finding]) -> None:
        """Write findings in one transaction, durable on return."""
        rows = [_row(each) for each in findings]
        self._database.execute("begin immediate")
        try:
            self._database.executemany(_KEEP, rows)
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")

    def unknown(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those whose id is not there, each id once."""
        asked = {each.finding_id: each for each in findings}
        return [
            each
            for each in asked.values()
            if self._database.execute("select 1 from findings where finding_id = ?", (each.finding_id,)).fetchone()
            is None
        ]

    def forget(self, before: datetime) -> int:
        """Delete findings that ended before a time (retention); return how many."""
        return self._database.execute("delete from findings where ended_at < ?", (_ms(before),)).rowcount


def read_findings(path: Path, since: datetime, until: datetime) -> list[Finding]:
    """Return findings that began in [since, until), by time, rule and subject. A file that is not there has none.

    Raises sqlite3.Error for a file that is no store.
    """
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "select * from findings where began_at >= ? and began_at < ? order by began_at, rule, subject, finding_id",
            (_ms(since), _ms(until)),
        ).fetchall()
    return [
        Finding(
            row[0],
            row[1],
            Severity(row[2]),
            _moment(row[3]),
            _moment(row[4]),
            row[5],
            row[6],
            row[7],
            tuple(json.loads(row[8])),
        )
        for row in rows
    ]


def _make(path: Path) -> None:
    """Make an empty store, whole or not at all: somebody may be about to read it."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    with closing(sqlite3.connect(new)) as database:
        database.executescript(_SCHEMA)
    new.replace(path)


def _row(each: Finding) -> tuple[str | int, ...]:
    return (
        each.finding_id,
        each.rule,
        each.severity.value,
        _ms(each.began_at),
        _ms(each.ended_at),
        each.subject,
        each.tenant,
        each.count,
        json.dumps(each.evidence[:MAX_EVIDENCE]),
    )


def _ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return round(moment.timestamp() * 1000)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
