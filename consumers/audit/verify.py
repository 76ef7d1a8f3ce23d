"""`audit verify`: everything again, from the log's rows alone.

Trusts nothing that was derived: recomputes the RFC 6962 root and compares it with every signed head,
checks each statement's signature again, and runs the ledger over all entries. A changed, removed, added
or reordered row shows in the root; what the desk should have alarmed about shows in the troubles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from consumers.audit import codec
from consumers.audit.codec import Statement
from consumers.audit.entries import CheckpointEntry, CloseEntry, Entry, SessionEntry
from consumers.audit.ledger import Ledger, Trouble
from consumers.audit.tree import read_head
from consumers.store.errors import StoreError
from consumers.store.port import Store
from hub.crypto.merkle import Frontier, leaf_hash
from hub.envelope.reasons import EnvelopeError
from hub.envelope.records import Resolution
from hub.envelope.signed import Signed
from schemas.codec import CodecError

SignatureHolds = Callable[[Statement, Mapping[bytes, SessionEntry]], bool]
"""Says whether a statement is signed as it must be, given the sessions that the log announced before it."""
HeadHolds = Callable[[Signed, int], bool]
"""Says whether a tree head of that time (ms) is signed by this desk's identity."""

_INTEGRITY: Final = frozenset(
    {
        Trouble.GAP,
        Trouble.FORK,
        Trouble.SESSION_FORK,
        Trouble.BEYOND_CLOSE,
        Trouble.MISSING_PREDECESSOR,
        Trouble.SECOND_LEAF,
        Trouble.MISSING_EVENT,
        Trouble.UNCONFIRMED,
        Trouble.RECEIPT_WITHOUT_EVENT,
    }
)
"""troubles that `verified` excludes; a session that was not closed in time is listed, and is no loss"""


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of `audit verify`. `verified` is what the exit status says."""

    verified: bool
    size: int
    root: bytes
    events: int
    checkpoints: int
    gaps: int
    duplicates: int
    unconfirmed: int
    receipted: int
    replayed: int = 0
    """dead letters whose record the operator sent back"""
    discarded: int = 0
    """dead letters that the operator discarded, by his signed word"""
    noticed: int = 0
    """events that never came, and that the router alone says are dead letters"""
    troubles: Mapping[str, int] = field(default_factory=dict)
    damage: tuple[str, ...] = ()
    """where rows, heads or signatures do not hold; codes and row numbers"""

    def as_json(self) -> dict[str, object]:
        """Return the documented fields for `--json`."""
        return {
            "verified": self.verified,
            "size": self.size,
            "root": self.root.hex(),
            "events": self.events,
            "checkpoints": self.checkpoints,
            "gaps": self.gaps,
            "duplicates": self.duplicates,
            "unconfirmed": self.unconfirmed,
            "receipted": self.receipted,
            "replayed": self.replayed,
            "discarded": self.discarded,
            "noticed": self.noticed,
            "troubles": dict(self.troubles),
            "damage": list(self.damage),
        }


_MAX_DAMAGE: Final = 100


class _Walk:
    """One pass over rows and heads."""

    def __init__(self, store: Store, signature_holds: SignatureHolds, head_holds: HeadHolds) -> None:
        self.store = store
        self.ledger = Ledger()
        self.frontier = Frontier()
        self.damage: list[str] = []
        self._sessions: dict[bytes, SessionEntry] = {}
        self._waiting: dict[bytes, list[tuple[int, Entry | None, Statement | None]]] = {}
        self._signature_holds = signature_holds
        self._head_holds = head_holds

    def run(self) -> None:
        try:
            heads = self.store.tree_heads()
            head = next(heads, None)
            for number, kind, entry in self.store.log_entries():
                if number != self.frontier.size:
                    self._damaged(f"row-missing {self.frontier.size}")
                self.frontier.append(leaf_hash(entry))
                self._entry(number, kind, entry)
                head = self._heads(head, heads)
            for waiting in self._waiting.values():
                for number, _, _ in waiting:
                    self._damaged(f"session-missing {number}")
            while head is not None:  # a signed head beyond the rows: rows were cut off
                self._damaged(f"rows-cut-off {self.frontier.size} of {head[0]}")
                head = next(heads, None)
            kept = self.store.log_head()
            expected = (0, Frontier().root()) if kept is None else (kept.size, kept.root)
            if expected != (self.frontier.size, self.frontier.root()):
                self._damaged("frontier")
        except StoreError as error:
            self._damaged(error.code)

    def _entry(self, number: int, kind: str, framed: bytes) -> None:
        try:
            entry, statement = codec.decode(kind, framed)
        except (CodecError, EnvelopeError):
            self._damaged(f"entry {number}")
            return
        if isinstance(entry, (CheckpointEntry, CloseEntry)) and entry.session not in self._sessions:
            # Topics are read side by side: a checkpoint may be entered before its session.
            self._waiting.setdefault(entry.session, []).append((number, entry, statement))
            return
        self._take(number, entry, statement)

    def _take(self, number: int, entry: Entry | None, statement: Statement | None) -> None:
        if statement is not None and not self._signature_holds(statement, self._sessions):
            self._damaged(f"signature {number}")
            return
        if entry is None:
            return
        self.ledger.add(entry)
        if isinstance(entry, SessionEntry):
            self._sessions[entry.session] = entry
            for waiting in self._waiting.pop(entry.session, ()):
                self._take(*waiting)

    def _heads(
        self, head: tuple[int, bytes, bytes] | None, heads: Iterator[tuple[int, bytes, bytes]]
    ) -> tuple[int, bytes, bytes] | None:
        while head is not None and head[0] <= self.frontier.size:
            size, root, record = head
            try:
                said, signed = read_head(record)
                holds = (said.size, said.root) == (size, root) and self._head_holds(signed, said.made_at_ms)
            except (CodecError, EnvelopeError):
                holds = False
            if not holds:
                self._damaged(f"head-signature {size}")
            if (size, root) != (self.frontier.size, self.frontier.root()):
                self._damaged(f"root {size}")
            head = next(heads, None)
        return head

    def _damaged(self, what: str) -> None:
        if len(self.damage) < _MAX_DAMAGE:
            self.damage.append(what)


def verify(store: Store, signature_holds: SignatureHolds, head_holds: HeadHolds, now_ms: int) -> Verification:
    """Recompute everything from the rows; never raises for what they hold.

    Time and memory grow with the log: some 55,000 entries a second, 300 bytes for each event.
    """
    walk = _Walk(store, signature_holds, head_holds)
    walk.run()
    ledger = walk.ledger
    troubles, resolutions = ledger.troubles(now_ms), ledger.resolutions()
    return Verification(
        verified=not walk.damage and not _INTEGRITY & troubles.keys(),
        size=walk.frontier.size,
        root=walk.frontier.root(),
        events=sum(len(leaves) for leaves in ledger.events.values()),
        checkpoints=ledger.chains.checkpoints,
        gaps=troubles[Trouble.GAP] + troubles[Trouble.MISSING_EVENT],
        duplicates=ledger.duplicates,
        unconfirmed=len(ledger.unconfirmed()),
        receipted=ledger.receipted(),
        replayed=resolutions[Resolution.REPLAYED],
        discarded=resolutions[Resolution.DISCARDED],
        noticed=ledger.noticed(),
        troubles={trouble.value: count for trouble, count in sorted(troubles.items())},
        damage=tuple(walk.damage),
    )
