"""`monitor operations verify`: everything again, from rows alone, and against what was shown outside.

Nothing derived is trusted: the root is recomputed from the leaves and compared with every signed head, with the
published checkpoint and with those that somebody kept; each body with its leaf, its columns, its signature, and the
line before it. A body that is gone must be one that a line of the collector's own deleted, in its time.

What a monitor that rewrites all of its own rows cannot change is a checkpoint that left the machine. Keep one.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from consumers.audit.signatures import SignatureRules
from consumers.audit.tree import read_head
from consumers.store.errors import StoreError
from hub.crypto.checkpoints import CheckpointMalformed, TreeCheckpoint, open_checkpoint
from hub.crypto.merkle import EMPTY_ROOT, Frontier
from hub.crypto.notes import Note, NoteMalformed, NoteNotSigned, VerifierKey
from hub.envelope.operations import CLASS_OF, Class, OperationEvent
from hub.envelope.reasons import EnvelopeError
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from monitoring.operations.chains import Verdict
from monitoring.operations.entries import CODES, Entry
from monitoring.operations.retention import Deletion, cut_off, deletion_of
from monitoring.operations.tables import translated
from schemas.codec import CodecError
from schemas.errors import HubError

_MAX_DAMAGE: Final = 100
_PAGE: Final = 2_000
_DAY_MS: Final = 86_400_000
_LEAST: Final = -(2**62)
_CLASSES: Final = {code: kind for kind, code in CODES.items()}
_ROWS: Final = (
    "SELECT leaf.number, leaf.log, leaf.sequence, leaf.hash, leaf.class, leaf.collected_at_ms, line.class,"
    " line.collected_at_ms, line.kept, line.principal, line.kind, line.actor, line.tenant, line.receipt,"
    " line.occurred_at_ms, line.value FROM leaf LEFT JOIN line USING (number)"
    " WHERE leaf.number >= ? ORDER BY leaf.number LIMIT ?"
)


class ForeignCheckpoint(HubError):
    """This is no checkpoint that this log has signed."""

    code = "operations.foreign-checkpoint"
    hint = "`monitor operations checkpoint` prints one; was it of another namespace, or was the file changed?"


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome; `verified` is what the exit status says."""

    verified: bool
    size: int
    root: bytes
    bodies: int
    deleted: int
    logs: int
    missing: int
    forks: int
    checkpoints: int
    """signed heads and outside checkpoints that were compared"""
    lost_offsets: int
    refused: Mapping[str, int] = field(default_factory=dict)
    retention: Mapping[str, int] = field(default_factory=dict)
    """the fewest days after which bodies of a class were deleted"""
    damage: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the documented fields for `--json`."""
        return {
            "verified": self.verified,
            "size": self.size,
            "root": self.root.hex(),
            "bodies": self.bodies,
            "deleted": self.deleted,
            "logs": self.logs,
            "missing": self.missing,
            "forks": self.forks,
            "checkpoints": self.checkpoints,
            "lost_offsets": self.lost_offsets,
            "refused": dict(self.refused),
            "retention": dict(self.retention),
            "damage": list(self.damage),
        }


def read_checkpoint(data: bytes, keys: Collection[VerifierKey]) -> TreeCheckpoint:
    """Return a checkpoint that one of the log's keys signed. Raises ForeignCheckpoint."""
    try:
        return open_checkpoint(Note.parse(data), keys)
    except (NoteMalformed, NoteNotSigned, CheckpointMalformed) as problem:
        raise ForeignCheckpoint(f"({problem.code})") from problem


def verify(
    db: sqlite3.Connection, trust: Trust, principal: str, name: str, outside: Sequence[TreeCheckpoint]
) -> Verification:
    """Recompute everything of a `reading.snapshot`; never raises for what rows hold. Memory grows with logs only.

    `name` is what tree heads name in place of a tenant.
    """
    walk = _Walk(db, trust, principal, name, outside)
    try:
        with translated():
            walk.run()
    except StoreError as error:
        walk.damaged(error.code)
    return walk.result()


@dataclass(slots=True)
class _Chain:
    """What the walk has seen of a log; `row` is its row, and (principal, instance) what that says."""

    row: int
    id: bytes
    owner: tuple[str, str]
    lines: int = 0
    head: int = -1
    head_hash: bytes = b""

    @property
    def missing(self) -> int:
        """Places below the head without a line."""
        return self.head + 1 - self.lines


@dataclass(slots=True)
class _Gone:
    """Bodies of a class that are not there."""

    number: int = -1
    collected_at_ms: int = -1


class _Walk:
    def __init__(
        self, db: sqlite3.Connection, trust: Trust, principal: str, name: str, outside: Sequence[TreeCheckpoint]
    ) -> None:
        self._db, self._trust, self._principal, self._name = db, trust, principal, name
        self._heads_hold = SignatureRules(trust, principal).head_holds
        self._frontier = Frontier()
        self._roots: dict[int, set[bytes]] = {}
        self._checkpoints = 0
        for each in outside:
            self._expect(each.size, each.root)
        self._chains: dict[int, _Chain] = {}
        self._gone: dict[Class, _Gone] = {}
        self._deletions: dict[Class, list[tuple[Deletion, datetime]]] = {}
        self._bodies = self._deleted = 0
        self._damage: list[str] = []

    def damaged(self, what: str) -> None:
        if len(self._damage) < _MAX_DAMAGE:
            self._damage.append(what)

    def _expect(self, size: int, root: bytes) -> None:
        self._roots.setdefault(size, set()).add(root)
        self._checkpoints += 1

    def run(self) -> None:
        self._heads()
        self._compare()
        self._leaves()
        for size in sorted(size for size in self._roots if size > self._frontier.size):
            self.damaged(f"rows-cut-off {self._frontier.size} of {size}")
        self._tree()
        self._logs()
        self._retention()
        (orphans,) = self._db.execute(
            "SELECT count(*) FROM line WHERE number NOT IN (SELECT number FROM leaf)"
        ).fetchone()
        if orphans:
            self.damaged(f"lines-without-leaf {orphans}")

    def _heads(self) -> None:
        rows = self._db.execute("SELECT size, root, head FROM head UNION SELECT size, root, head FROM tree").fetchall()
        for size, root, record in rows:
            try:
                said, signed = read_head(record)
                holds = (said.tenant, said.size, said.root) == (self._name, size, root)
                holds = holds and self._heads_hold(signed, said.made_at_ms)
            except (CodecError, EnvelopeError, ValueError):
                holds = False
            if not holds:
                self.damaged(f"head-signature {size}")
            self._expect(size, root)

    def _compare(self) -> None:
        for root in self._roots.get(self._frontier.size, ()):
            if root != self._frontier.root():
                self.damaged(f"root {self._frontier.size}")

    def _leaves(self) -> None:
        for row in self._rows():
            if row[0] != self._frontier.size or not self._leaf(row):
                self.damaged(f"leaf {self._frontier.size}")
                return  # every number and root behind it would be damage too
            self._compare()

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        start = _LEAST
        while True:
            rows = self._db.execute(_ROWS, (start, _PAGE)).fetchall()
            yield from rows
            if len(rows) < _PAGE:
                return
            start = rows[-1][0] + 1

    def _leaf(self, row: tuple[Any, ...]) -> bool:
        number, log, sequence, digest, code, collected, *line = row
        chain = self._chain(log)
        try:
            entry = Entry(chain.id, sequence, digest, _CLASSES[code], collected) if chain is not None else None
            if entry is None or chain is None:
                return False
            self._frontier.append(entry.leaf)
        except (KeyError, struct.error):
            return False
        if line[-1] is None:
            self._without_body(number, entry)
        else:
            self._body(number, entry, chain, line)
        chain.lines += 1
        if sequence > chain.head:
            chain.head, chain.head_hash = sequence, digest
        return True

    def _chain(self, row: int) -> _Chain | None:
        if row not in self._chains:
            found = self._db.execute("SELECT log, principal, instance FROM log WHERE number = ?", (row,)).fetchone()
            if found is None:
                return None
            self._chains[row] = _Chain(row, found[0], (found[1], found[2]))
        return self._chains[row]

    def _without_body(self, number: int, entry: Entry) -> None:
        self._deleted += 1
        self._gone[entry.kind] = _Gone(number, entry.collected_at_ms)  # both only grow

    def _body(self, number: int, entry: Entry, chain: _Chain, line: list[Any]) -> None:
        self._bodies += 1
        *columns, value = line
        try:
            event, signed = OperationEvent.parse(value)
        except (EnvelopeError, TypeError):
            self.damaged(f"body {number}")
            return
        said = event.operation
        if (event.log, event.sequence, signed.hash, CLASS_OF[said.kind]) != (
            entry.log,
            entry.sequence,
            entry.hash,
            entry.kind,
        ) or (event.principal, event.instance) != chain.owner:
            self.damaged(f"body {number}")
            return
        deletion = deletion_of(event, self._principal)
        expected = [CODES[entry.kind], entry.collected_at_ms, deletion is not None, event.principal, said.kind.value]
        if columns != [*expected, said.actor, said.tenant, said.receipt, to_ms(said.occurred_at)]:
            self.damaged(f"columns {number}")
        if not self._trust.spoke(signed, event.principal, said.occurred_at):
            self.damaged(f"signature {number}")
        before = self._hash_before(chain, entry.sequence)
        if before is not None and before != event.previous:
            self.damaged(f"link {number}")
        if deletion is not None:
            self._deletions.setdefault(deletion.kind, []).append((deletion, said.occurred_at))

    def _hash_before(self, chain: _Chain, sequence: int) -> bytes | None:
        if chain.head == sequence - 1:
            return chain.head_hash or None
        row = self._db.execute(
            "SELECT hash FROM leaf WHERE log = ? AND sequence = ?", (chain.row, sequence - 1)
        ).fetchone()
        return None if row is None else row[0]

    def _tree(self) -> None:
        found = self._db.execute("SELECT size, root, frontier FROM tree").fetchone() or (0, EMPTY_ROOT, None)
        size, root, frontier = found
        ours = self._frontier.serialise() if self._frontier.size else None
        if (size, root, frontier) != (self._frontier.size, self._frontier.root(), ours):
            self.damaged("frontier")

    def _logs(self) -> None:
        for row, head, head_hash, missing in self._db.execute("SELECT number, head, head_hash, missing FROM log"):
            chain = self._chains.get(row)
            if chain is None or (head, head_hash, missing) != (chain.head, chain.head_hash, chain.missing):
                self.damaged(f"log {row}")

    def _retention(self) -> None:
        """The newest body that is gone of each class must be covered by a line that deleted it, in its time."""
        for kind, gone in self._gone.items():
            covered = any(
                gone.number < deletion.before and gone.collected_at_ms < to_ms(cut_off(at, deletion.days))
                for deletion, at in self._deletions.get(kind, ())
                if to_ms(at) >= deletion.days * _DAY_MS
            )
            if not covered:
                self.damaged(f"body-gone {gone.number} {kind.value}")

    def result(self) -> Verification:
        missing = sum(chain.missing for chain in self._chains.values())
        refused = dict(self._db.execute("SELECT reason, records FROM refused_count ORDER BY reason").fetchall())
        (lost,) = self._db.execute("SELECT count(*) FROM lost").fetchone()
        forks = sum(refused.get(each.value, 0) for each in (Verdict.FORK, Verdict.FOREIGN))
        return Verification(
            not self._damage and not missing and not forks,
            self._frontier.size,
            self._frontier.root(),
            self._bodies,
            self._deleted,
            len(self._chains),
            missing,
            forks,
            self._checkpoints,
            lost,
            refused,
            {kind.value: min(each.days for each, _ in found) for kind, found in sorted(self._deletions.items())},
            tuple(self._damage),
        )
