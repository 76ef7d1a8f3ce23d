"""The port: what every store of a desk promises. One contract suite runs against each implementation.

All calls block and belong into a thread; a store may be called from several threads, one call at a time
per writer. Every call raises `StoreUnavailable` (wait, try again) or another `StoreError` (stop).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from consumers.store.casework import Cases
from consumers.store.exporting import Exports
from consumers.store.model import (
    Batch,
    Committed,
    Content,
    HistoryEntry,
    LogHead,
    NoticeSeen,
    OutboxRow,
    Overdue,
    ResolutionSeen,
    StoredEvent,
    StoreKey,
)


class Store(Protocol):
    """A desk's memory."""

    @property
    def cases(self) -> Cases:
        """What people do with the events: decisions, assignments, hand-overs."""

    @property
    def exports(self) -> Exports:
        """What was handed over to other systems as files."""

    def commit(self, batch: Batch) -> Committed:
        """Keep the whole batch or nothing of it.

        Raises StorePositionLost when the place in a topic is not the expected one any more: then
        another process writes this store, and this one must end.
        """

    def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the next offset of each (topic, partition) that was ever read."""

    def waiting(self, max_rows: int, max_bytes: int) -> Sequence[OutboxRow]:
        """Return what is to be sent, oldest first; at least one row if there is any."""

    def waiting_count(self) -> int:
        """Return how many outbox rows are waiting."""

    def sent(self, numbers: Sequence[int]) -> None:
        """Drop outbox rows that were acknowledged; unknown numbers are ignored."""

    def store_key(self, epoch: int) -> StoreKey | None:
        """Return the sealed key of an epoch, if this store has one."""

    def overdue(self, before_ms: int) -> Overdue:
        """Count what has waited since before a time."""

    def counts(self) -> Mapping[str, int]:
        """Return totals: `events`, `replays`, `conflicts`, `confirmed`, `notices`."""

    def events(
        self,
        *,
        receipt_number: str | None = None,
        event_id: str | None = None,
        after: int = 0,
        limit: int = 1_000,
    ) -> Sequence[StoredEvent]:
        """Return rows in the order in which they were stored, from row number `after` (exclusive) on."""

    def unknown(self, events: Sequence[tuple[str, bytes]]) -> int:
        """Count those (event id, leaf) that are not stored."""

    def repeated(self, receipt_numbers: Sequence[str]) -> frozenset[str]:
        """Return those of the receipt numbers under which more than one submission is stored."""

    def content(self, number: int) -> Content | None:
        """Return the sealed content of a row; None if it has none (any more)."""

    def history(self, number: int) -> Sequence[HistoryEntry]:
        """Return what happened to a row, in order."""

    def notices(self, *, receipt_number: str | None = None, limit: int = 1_000) -> Sequence[NoticeSeen]:
        """Return dead-letter notices, oldest first."""

    def resolutions(self, *, receipt: bytes | None = None, discarded: bool = False) -> Sequence[ResolutionSeen]:
        """Return what the operator did with dead letters, oldest first.

        `receipt` is the fingerprint of a receipt number; `discarded` leaves out what was replayed, then or later.
        """

    def log_head(self) -> LogHead | None:
        """Return where the append-only log stands; None before its first entry."""

    def log_entries(self, start: int = 0, kinds: Sequence[str] | None = None) -> Iterator[tuple[int, str, bytes]]:
        """Yield (index, kind, framed record) in order from an index on, in bounded memory."""

    def tree_heads(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (size, root, signed head) of every batch that extended the log, in order."""

    def writable(self) -> None:
        """Raise StoreUnavailable unless a small write would succeed now."""

    def close(self) -> None:
        """Let go of the database."""
