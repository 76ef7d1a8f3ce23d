"""Frozen values of exports, and the port of the store's part in them.

A *series* is one receiving system. A *run* is the set of rows that one file of a series hands over: its rows are
claimed in one transaction, and no other run of the series ever has them. What stands in an export row is an
acceptance, not a submission: accepted, revoked and accepted again is handed over, withdrawn and handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from consumers.store.casework import KeptDecision
from consumers.store.model import StoredEvent


class RunState(StrEnum):
    """Where a run stands."""

    CLAIMED = "claimed"
    """its rows are taken; the next export of its series finishes it"""
    DONE = "done"
    RELEASED = "released"
    """no file came of it, and its rows wait again"""


class What(StrEnum):
    """What an export row tells."""

    ROW = "row"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to claim. `replacement` None refuses rows that the encoding cannot hold."""

    series: str
    encoding: str
    replacement: str | None
    columns_version: int
    by: str
    at_ms: int
    directory: str


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of a run's archive. `size` in bytes and `sha256` are of the plain CSV."""

    name: str
    rows: int
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class ExportRun:
    """A run as the store has it. `previous` is the run of its series that was done before it."""

    run: int
    series: str
    previous: int | None
    encoding: str
    replacement: str | None
    columns_version: int
    by: str
    claimed_at_ms: int
    directory: str
    state: RunState
    ended_at_ms: int | None
    rows: int
    withdrawn: int
    files: tuple[ExportFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a run: an acceptance, and for a withdrawal what revoked it and the run that handed it over."""

    position: int
    row: StoredEvent
    decision: KeptDecision
    revocation: KeptDecision | None = None
    handed_over_in: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that somebody took out; `again` if its run was done before."""

    copy: int
    run: int
    again: bool
    by: str
    at_ms: int
    rows: int
    withdrawn: int
    erased: int


@dataclass(frozen=True, slots=True)
class NewCopy:
    """A file to take note of."""

    run: int
    by: str
    at_ms: int
    rows: int
    withdrawn: int
    erased: int


@dataclass(frozen=True, slots=True)
class Passage:
    """That an event was in a run."""

    at_ms: int
    what: What
    series: str
    run: int


class Exports(Protocol):
    """The store's part in exports. Every call raises what `consumers.store.port` says."""

    def candidates(self, series: str, *, after: int = 0, limit: int = 500) -> Sequence[KeptDecision]:
        """Return acceptances that stand and that no run of the series has, by decision from `after` (exclusive) on."""

    def withdrawable(self, series: str) -> int:
        """Count the rows of the series that were revoked since and not yet withdrawn."""

    def claim(self, new: NewRun, decisions: Sequence[int]) -> ExportRun | None:
        """Take those of the acceptances that are candidates still, and all withdrawals; None if nothing is left."""

    def unfinished(self, series: str) -> Sequence[ExportRun]:
        """Return the runs of a series that were claimed and neither done nor released, oldest first."""

    def run(self, run: int) -> ExportRun | None:
        """Return a run."""

    def runs(self, *, after: int = 0, limit: int = 1_000) -> Sequence[ExportRun]:
        """Return runs by number, from `after` (exclusive) on; without their files."""

    def procedures(self, run: int) -> Sequence[str]:
        """Return the procedures of the rows of a run, sorted."""

    def entries(
        self, run: int, what: What, *, procedure: str | None = None, after: int = -1, limit: int = 200
    ) -> Sequence[Entry]:
        """Return the rows of a run in order, from position `after` (exclusive) on."""

    def moved(self, run: int, directory: str, columns_version: int) -> None:
        """Take note that an unfinished run is finished in another directory, or with other columns."""

    def finish(self, copy: NewCopy, files: Sequence[ExportFile]) -> None:
        """Mark a claimed run as done; the same again changes nothing."""

    def release(self, run: int, at_ms: int) -> None:
        """Give back the rows of a claimed run of which no file came."""

    def copied(self, copy: NewCopy) -> None:
        """Take note that a run was written again."""

    def copies(self, run: int) -> Sequence[Copy]:
        """Return who took out files of a run, oldest first."""

    def untold(self, limit: int = 100) -> Sequence[tuple[Copy, str]]:
        """Return the oldest copies, with their series, of which the desk's process has not spoken."""

    def told(self, copies: Sequence[int], at_ms: int) -> None:
        """Take note that it has."""

    def passages(self, number: int) -> Sequence[Passage]:
        """Return the runs, done or claimed, that an event's row was in."""
