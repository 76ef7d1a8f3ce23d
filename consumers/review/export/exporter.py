"""One export: choose rows, claim them, write the file, mark the run as done.

    choose    open every candidate; leave out what the encoding cannot hold, what is erased or damaged
    claim     one transaction: a run number, the rows that still stand, all withdrawals
    write     part file ─ sync ─ rename            what a run holds is fixed by now: later decisions change nothing
    done      one transaction: the files' digests, who took them out

Killed after `claim`, the run stays claimed, and the next export of its series writes the same bytes and goes on with
a run of its own. An error before the rename gives the rows back. One export of a desk at a time (`placing.alone`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from consumers.review.cases import Dossiers
from consumers.review.export import archive
from consumers.review.export.build import Built, build
from consumers.review.export.characters import Encoding, Writing
from consumers.review.export.columns import VERSION, ProcedureUnknown
from consumers.review.export.errors import (
    ColumnsChanged,
    DirectoryGone,
    ExportError,
    ExportNotWritable,
    FileInTheWay,
    NotTheSame,
    RunUnknown,
    SeriesInvalid,
)
from consumers.review.export.manifest import Manifest
from consumers.review.export.placing import alone, new_part, part_of, place, remove
from consumers.review.export.rows import Acceptance, Place, judged, moment
from consumers.store.casework import KeptDecision
from consumers.store.errors import ContentDamaged, ContentErased, StoreError
from consumers.store.exporting import ExportRun, NewCopy, NewRun, RunState
from consumers.store.port import Store
from hub import crashpoints

_SERIES: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose rows they are. `lock` is a file in the role's state directory."""

    namespace: str
    tenant: str
    lock: Path


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be handed over. Empty `tax_items` or `procedures` stand for any; withdrawals always go along."""

    series: str
    writing: Writing
    directory: Path
    tax_items: frozenset[str] = frozenset()
    procedures: frozenset[str] = frozenset()
    elsewhere: bool = False
    """finish an unfinished run in `directory` instead of where it began"""

    def has(self, decision: KeptDecision, procedure: str) -> bool:
        """Say whether an acceptance is wanted."""
        return (not self.tax_items or not self.tax_items.isdisjoint(decision.tax_items)) and (
            not self.procedures or procedure in self.procedures
        )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An acceptance that stays where it is. `why`: characters, erased, damaged or procedure."""

    receipt_number: str
    event_id: str
    why: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A file in its place. `same` says whether a repetition equals the run as it was."""

    path: Path
    manifest: Manifest
    resumed: bool = False
    same: bool = True
    places: tuple[Place, ...] = ()
    erased: tuple[str, ...] = ()
    """receipt numbers"""


@dataclass(frozen=True, slots=True)
class Choice:
    """What an export would claim, by decision."""

    decisions: tuple[int, ...]
    withdrawals: int
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What an export did."""

    written: tuple[Written, ...]
    left_out: tuple[LeftOut, ...]


class Exporter:
    """One person's exports at one desk."""

    def __init__(self, store: Store, dossiers: Dossiers, desk: Desk, by: str, now_ms: Callable[[], int]) -> None:
        """`by` says who takes the files out; it stays in the store."""
        self._store = store
        self._dossiers = dossiers
        self._desk = desk
        self._by = by
        self._now_ms = now_ms

    def export(self, wish: Wish, password: str) -> Report:
        """Finish what was begun, then hand over what is new. Nothing to hand over makes no file.

        Raises ExportError, StoreError; then the rows wait for the next export.
        """
        _check(wish)
        archive.password_bytes(password)
        with alone(self._desk.lock):
            written = [self._resume(run, wish, password) for run in self._store.exports.unfinished(wish.series)]
            choice = self._choose(wish)
            run = self._store.exports.claim(self._new(wish), choice.decisions)
            if run is not None:
                crashpoints.reached("review.export-after-claim")
                written.append(self._first(run, wish.directory, password))
        return Report(tuple(written), choice.left_out)

    def choose(self, wish: Wish) -> Choice:
        """Say what an export would hand over; changes nothing."""
        _check(wish)
        return self._choose(wish)

    def again(self, run: int, directory: Path, password: str) -> Written:
        """Write a run once more, byte for byte the same CSV, without what was erased since.

        Raises RunUnknown, ColumnsChanged, NotTheSame, FileInTheWay and as `export`.
        """
        _directory(directory)
        archive.password_bytes(password)
        with alone(self._desk.lock):
            found = self._store.exports.run(run)
            if found is None or found.state is not RunState.DONE:
                raise RunUnknown(str(run))
            final = directory / self.file_name(found)
            built = self._build(found, final, password)
            same = built.manifest.files == found.files
            if not same and not built.erased:
                remove(part_of(final))
                raise NotTheSame(f"run {run}")
            _settle(final, built.manifest, password)
            self._store.exports.copied(self._copy(found, built))
        return _written(final, built, same=same)

    def file_name(self, run: ExportRun) -> str:
        """Return the name of a run's file: `<namespace>-<tenant>-<series>-<run, six digits>.zip`."""
        return f"{self._desk.namespace}-{self._desk.tenant}-{run.series}-{run.run:06d}.zip"

    def _new(self, wish: Wish) -> NewRun:
        return NewRun(
            wish.series,
            wish.writing.encoding.value,
            wish.writing.replacement,
            VERSION,
            self._by,
            self._now_ms(),
            str(wish.directory.resolve()),
        )

    def _choose(self, wish: Wish) -> Choice:
        chosen: list[int] = []
        left_out: list[LeftOut] = []
        for decision in self._candidates(wish.series):
            row = self._dossiers.row(decision.number)
            event = row.event
            if not wish.has(decision, event.procedure):
                continue
            why, places = "", []
            try:
                submission = self._dossiers.kept(row).reviewed().submission
                places = judged(Acceptance(row, decision, submission), wish.writing)
            except ContentErased:
                why = "erased"
            except ContentDamaged:
                why = "damaged"
            except ProcedureUnknown:
                why = "procedure"
            refused = tuple(place for place in places if place.misfit.refused)
            if refused:
                why = "characters"
            if why:
                left_out.append(LeftOut(event.receipt_number, event.event_id, why, refused))
            else:
                chosen.append(decision.decision)
        return Choice(tuple(chosen), self._store.exports.withdrawable(wish.series), tuple(left_out))

    def _candidates(self, series: str) -> Iterator[KeptDecision]:
        after = 0
        while True:
            page = self._store.exports.candidates(series, after=after, limit=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].decision

    def _first(self, run: ExportRun, directory: Path, password: str) -> Written:
        """Write a run that was claimed just now; unless its file is in its place, an error gives the rows back."""
        final = directory / self.file_name(run)
        try:
            if final.exists():
                raise FileInTheWay(final.name)
            built = self._build(run, final, password)
            crashpoints.reached("review.export-before-rename")
            place(final)
        except BaseException as error:
            remove(part_of(final))
            # A file under its name may be at the receiver already: then the run stays claimed, to be finished.
            if isinstance(error, FileInTheWay) or not final.exists():
                with suppress(StoreError):  # or the next export finishes the run
                    self._store.exports.release(run.run, self._now_ms())
            raise
        return self._done(run, final, built)

    def _resume(self, run: ExportRun, wish: Wish, password: str) -> Written:
        """Finish a run that a killed export left; it stays claimed if that fails."""
        directory = wish.directory.resolve() if wish.elsewhere else Path(run.directory)
        if not directory.is_dir():
            raise DirectoryGone(f"run {run.run}")
        final = directory / self.file_name(run)
        if final.exists():
            # Renamed, not marked. The file counts as it is: rows may have been erased since, or columns changed.
            there = _there(final, password)
            if there is None or not self._is_of(there, run):
                raise FileInTheWay(final.name)
            return self._done(run, final, Built(there, (), ()), resumed=True)
        if (str(directory), VERSION) != (run.directory, run.columns_version):
            remove(part_of(Path(run.directory) / self.file_name(run)))
            self._store.exports.moved(run.run, str(directory), VERSION)
            run = replace(run, directory=str(directory), columns_version=VERSION)
        built = self._build(run, final, password)
        crashpoints.reached("review.export-before-rename")
        place(final)
        return self._done(run, final, built, resumed=True)

    def _is_of(self, manifest: Manifest, run: ExportRun) -> bool:
        desk, said = self._desk, manifest
        return (said.namespace, said.tenant, said.series, said.run, said.claimed_at) == (
            *(desk.namespace, desk.tenant, run.series, run.run),
            moment(run.claimed_at_ms),
        ) and (said.rows + said.erased, said.withdrawn) == (run.rows, run.withdrawn)

    def _done(self, run: ExportRun, final: Path, built: Built, *, resumed: bool = False) -> Written:
        crashpoints.reached("review.export-after-rename")
        self._store.exports.finish(self._copy(run, built), built.manifest.files)
        return _written(final, built, resumed=resumed)

    def _build(self, run: ExportRun, final: Path, password: str) -> Built:
        if run.columns_version != VERSION:
            raise ColumnsChanged(f"version {run.columns_version}, this is {VERSION}")
        writing = Writing(Encoding(run.encoding), run.replacement)
        with new_part(final) as file:
            return build(
                file, password, run, writing, self._store, self._dossiers, self._desk.namespace, self._desk.tenant
            )

    def _copy(self, run: ExportRun, built: Built) -> NewCopy:
        said = built.manifest
        return NewCopy(run.run, self._by, self._now_ms(), said.rows, said.withdrawn, said.erased)


def _check(wish: Wish) -> None:
    if not _SERIES.fullmatch(wish.series):
        raise SeriesInvalid
    _directory(wish.directory)


def _directory(directory: Path) -> None:
    if not directory.is_dir():
        raise ExportNotWritable("No such directory.")


def _settle(final: Path, manifest: Manifest, password: str) -> None:
    """Give the part its name; a file that is there already must be the same under this password."""
    if not final.exists():
        place(final)
        return
    remove(part_of(final))
    if _there(final, password) != manifest:
        raise FileInTheWay(final.name)


def _there(final: Path, password: str) -> Manifest | None:
    """Return what a file holds, or None if it is no whole export under this password."""
    try:
        return archive.verify(final, password)
    except ExportError:
        return None


def _written(final: Path, built: Built, *, resumed: bool = False, same: bool = True) -> Written:
    return Written(final, built.manifest, resumed, same, built.places, built.erased)
