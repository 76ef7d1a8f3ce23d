"""Writes one run into an open file. Reads each submission once for each file of its procedure, keeps none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO

from consumers.review.cases import Dossiers
from consumers.review.deadlines import JAPAN
from consumers.review.export import archive
from consumers.review.export import manifest as manifests
from consumers.review.export.characters import Writing
from consumers.review.export.columns import (
    ERASED_FORM,
    REPLACED_FORM,
    VERSION,
    WITHDRAWN_FORM,
    FileForm,
    digest,
    forms_of,
)
from consumers.review.export.manifest import Manifest
from consumers.review.export.rows import (
    Acceptance,
    Place,
    erased_line,
    lines,
    misfits,
    moment,
    replaced_line,
    withdrawn_line,
)
from consumers.review.export.text import Cell, record
from consumers.store.errors import ContentErased
from consumers.store.exporting import Entry, ExportFile, ExportRun, What
from consumers.store.port import Store
from hub import crashpoints
from hub.envelope.times import from_ms


@dataclass(frozen=True, slots=True)
class Built:
    """What was written."""

    manifest: Manifest
    places: tuple[Place, ...]
    erased: tuple[str, ...]
    """receipt numbers of rows whose content is no more"""


def build(
    file: IO[bytes],
    password: str,
    run: ExportRun,
    writing: Writing,
    store: Store,
    dossiers: Dossiers,
    namespace: str,
    tenant: str,
) -> Built:
    """Write the archive of a run. Raises OSError, ContentDamaged, StoreUnavailable, ProcedureUnknown."""
    with archive.writing(file, password, from_ms(run.claimed_at_ms).astimezone(JAPAN)) as out:
        work = _Work(out, run, writing, store, dossiers)
        work.run()
        erased = work.erased.values()
        manifest = Manifest(
            namespace=namespace,
            tenant=tenant,
            series=run.series,
            run=run.run,
            previous=run.previous,
            claimed_at=moment(run.claimed_at_ms),
            encoding=run.encoding,
            replacement=run.replacement,
            columns_version=VERSION,
            columns_sha256=digest(),
            rows=run.rows - len(erased),
            withdrawn=run.withdrawn,
            erased=len(erased),
            files=tuple(sorted(work.files, key=lambda each: each.name)),
        )
        with out.member(manifests.NAME) as write:
            write(manifest.encode())
    return Built(manifest, tuple(work.places), tuple(entry.row.event.receipt_number for entry in erased))


@dataclass
class _Work:
    out: archive.ArchiveWriter
    of: ExportRun
    writing: Writing
    store: Store
    dossiers: Dossiers
    files: list[ExportFile] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    erased: dict[int, Entry] = field(default_factory=dict)

    def run(self) -> None:
        """Write every file but the manifest."""
        for procedure in self.store.exports.procedures(self.of.run):
            for form in forms_of(procedure):
                self._file(form, self._submissions(form))
        self._unless_empty(WITHDRAWN_FORM, [withdrawn_line(WITHDRAWN_FORM, each) for each in self._withdrawn()])
        self._unless_empty(REPLACED_FORM, [replaced_line(place) for place in self.places])
        self._unless_empty(ERASED_FORM, [erased_line(entry) for _, entry in sorted(self.erased.items())])

    def _submissions(self, form: FileForm) -> Iterator[list[tuple[Cell, ...]]]:
        """Yield the lines of one submission after the other."""
        for entry in self._entries(What.ROW, form.procedure):
            if entry.position in self.erased:
                continue
            try:
                submission = self.dossiers.kept(entry.row).reviewed().submission
            except ContentErased:
                if form.group is not None:
                    raise  # its submission stands in another file already: begin again without it
                self.erased[entry.position] = entry
                continue
            acceptance = Acceptance(entry.row, entry.decision, submission)
            made = list(lines(form, acceptance))
            for cells in made:
                self.places.extend(misfits(form, acceptance, cells, self.writing))
            yield made

    def _withdrawn(self) -> Iterator[Entry]:
        return self._entries(What.WITHDRAWN, None)

    def _entries(self, what: What, procedure: str | None) -> Iterator[Entry]:
        after = -1
        while page := self.store.exports.entries(self.of.run, what, procedure=procedure, after=after):
            yield from page
            after = page[-1].position
            crashpoints.reached("review.export-in-file")

    def _unless_empty(self, form: FileForm, made: list[tuple[Cell, ...]]) -> None:
        if made:
            self._file(form, [made])

    def _file(self, form: FileForm, groups: Iterable[list[tuple[Cell, ...]]]) -> None:
        """Write one member from its lines, some at a time."""
        digested, size, count = sha256(), 0, 0
        with self.out.member(form.name) as write:

            def put(data: bytes, write: Callable[[bytes], None] = write) -> None:
                nonlocal size
                digested.update(data)
                size += len(data)
                write(data)

            put(self.writing.encoding.mark + record(form.header).encode("ascii"))
            for made in groups:
                count += len(made)
                put(self.writing.encode(record(cells) for cells in made))
        self.files.append(ExportFile(form.name, count, size, digested.digest()))
