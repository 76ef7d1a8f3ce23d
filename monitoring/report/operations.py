"""From the collected operations log to the figures: only lines that still are what was collected count.

For the report's period every line is checked again: its signature, its hash in the tree, and the tree's root from all
its leaves against the signed head. `monitor operations verify` does that and more for the whole log.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from consumers.audit.signatures import SignatureRules
from consumers.audit.tree import read_head
from consumers.store.errors import StoreDamaged, StoreUnavailable
from hub.crypto.merkle import Frontier
from hub.envelope.operations import Class, OperationEvent
from hub.envelope.reasons import EnvelopeError
from hub.envelope.signed import Signed
from hub.envelope.times import from_ms
from hub.envelope.trust import Trust
from monitoring.operations.reading import Wanted, lines, snapshot
from monitoring.operations.store import entries
from monitoring.operations.tables import translated
from monitoring.operations.watch import LOG
from monitoring.report.model import MAX_LISTED, BasisUnreadable, Checkpoint, Gap, Log, Period, Retention, Use
from monitoring.report.tallying import Tally, of_tenant
from monitoring.report.words import CLASSES
from schemas.codec import CodecError

_DAY_HOURS: Final = 24
_LEAF: Final = (
    "SELECT leaf.hash, leaf.sequence, log.log FROM leaf JOIN log ON log.number = leaf.log WHERE leaf.number = ?"
)


@dataclass(frozen=True, slots=True)
class Operations:
    """What the log says of one tenant's period."""

    tenant: str
    use: Use
    log: Log
    retention: tuple[Retention, ...]


_FILE: Final = TypeAdapter(tuple[Operations, ...])


def write(found: Sequence[Operations]) -> bytes:
    """Return a file of what the log says."""
    return _FILE.dump_json(tuple(found))


def read(raw: bytes) -> tuple[Operations, ...]:
    """Read such a file. Raises BasisUnreadable."""
    try:
        return _FILE.validate_json(raw, strict=True)
    except ValidationError:
        raise BasisUnreadable from None


def take(
    path: Path,
    owner: str,
    trust: Trust,
    principal: str,
    tenants: Iterable[str],
    period: Period,
    days: Mapping[Class, int],
) -> tuple[Operations, ...]:
    """Read one state of the collector's store, which may be written meanwhile. Raises StoreError.

    `owner` is `<namespace>/<principal>`, `days` how long bodies of a class are kept.
    """
    if not path.exists():
        raise StoreUnavailable("operations")  # to look for it would make an empty one
    tallies = {tenant: Tally(tenant, period) for tenant in tenants}
    with snapshot(path, owner) as db:
        head, good = _head(db, trust, principal)
        try:
            for line in lines(db, Wanted(since=from_ms(period.begin_ms), until=from_ms(period.end_ms))):
                if not _stands(db, trust, line.number, line.event, line.value):
                    good = False
                    continue  # what was put in its place says nothing
                for tally in tallies.values():
                    tally.take(line.event)
        except StoreDamaged:
            good = False  # the counts end here, and the report says that they do not stand
        gaps = list(_gaps(db))
        refused = _refused(db, period)
    kept = tuple(Retention(f"操作ログ（{CLASSES[kind.value]}）", days[kind] * _DAY_HOURS) for kind in Class)
    made = []
    for tenant, tally in tallies.items():
        mine = [each for each in gaps if of_tenant(each.principal, tenant)]
        missing = sum(each.last - each.first + 1 for each in mine)
        log = Log(head, good and head is not None, tuple(mine[:MAX_LISTED]), missing, refused)
        made.append(Operations(tenant, tally.use(), log, kept))
    return tuple(made)


def _head(db: sqlite3.Connection, trust: Trust, principal: str) -> tuple[Checkpoint | None, bool]:
    """The signed head, and whether its signature holds and the leaves give its root."""
    with translated():
        row = db.execute("SELECT size, root, head FROM tree").fetchone()
    if row is None:
        return None, False
    size, root, record = row
    frontier = Frontier()
    try:
        said, signed = read_head(record)
        holds = (said.tenant, said.size, said.root) == (LOG, size, root)
        holds = holds and SignatureRules(trust, principal).head_holds(signed, said.made_at_ms)
        for _, entry in entries(db):
            frontier.append(entry.leaf)
    except (CodecError, EnvelopeError, ValueError, StoreDamaged):
        return None, False
    return Checkpoint(size, root.hex(), said.made_at_ms), holds and (frontier.size, frontier.root()) == (size, root)


def _stands(db: sqlite3.Connection, trust: Trust, number: int, event: OperationEvent, value: bytes) -> bool:
    with translated():
        leaf = db.execute(_LEAF, (number,)).fetchone()
    signed = Signed.parse(value)
    return leaf == (signed.hash, event.sequence, event.log) and trust.spoke(
        signed, event.principal, event.operation.occurred_at
    )


def _gaps(db: sqlite3.Connection) -> Iterator[Gap]:
    """Yield the runs of lines that are missing now, and what was lost on the topic before it was read."""
    with translated():
        logs = db.execute(
            "SELECT number, log, principal, head FROM log WHERE missing > 0 ORDER BY principal, number"
        ).fetchall()
        for row, log, principal, head in logs:
            expected = 0
            for (sequence,) in db.execute("SELECT sequence FROM leaf WHERE log = ? ORDER BY sequence", (row,)):
                if sequence > expected:
                    yield Gap(principal, log.hex(), expected, sequence - 1)
                expected = sequence + 1
            if expected <= head:
                yield Gap(principal, log.hex(), expected, head)
        for topic, partition, first, following in db.execute(
            "SELECT topic, partition, first_offset, next_offset FROM lost ORDER BY number"
        ):
            yield Gap(f"{topic}/{partition}", "", first, following - 1)


def _refused(db: sqlite3.Connection, period: Period) -> tuple[tuple[str, int], ...]:
    """Count what did not count in the period; what was too much to be kept has no time and counts always."""
    found = Counter[str]()
    with translated():
        for reason, count in db.execute(
            "SELECT reason, count(*) FROM refused WHERE collected_at_ms >= ? AND collected_at_ms < ? GROUP BY reason",
            (period.begin_ms, period.end_ms),
        ):
            found[reason] += count
        for reason, count in db.execute("SELECT reason, records - kept FROM refused_count WHERE records > kept"):
            found[f"{reason}（時刻の記録なし）"] += count
    return tuple(sorted(found.items()))
