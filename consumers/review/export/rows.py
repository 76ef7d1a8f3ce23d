"""From a submission with its decision to the cells of each file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumers.review.export.characters import Misfit, Writing
from consumers.review.export.columns import PARSED, PREFIX, Column, FileForm, Form, forms_of
from consumers.review.export.text import Cell
from consumers.store.casework import KeptDecision
from consumers.store.exporting import Entry
from consumers.store.model import StoredEvent
from hub.envelope.times import from_ms, in_japan
from schemas.dates import parse_date
from schemas.submission_model import Submission


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A submission as it is handed over."""

    row: StoredEvent
    decision: KeptDecision
    submission: Submission = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a character stands; never the value. `row` counts from 1 in a repeated group."""

    receipt_number: str
    event_id: str
    file: str
    row: int | None
    column: str
    misfit: Misfit


def lines(form: FileForm, acceptance: Acceptance) -> Iterator[tuple[Cell, ...]]:
    """Yield the lines that a submission has in a file: one, or one for each row of a group."""
    fixed = _fixed(acceptance)
    items: Mapping[str, Any] = acceptance.submission.items or {}
    if form.group is None:
        yield tuple(_cell(column, fixed, items) for column in form.columns)
        return
    for number, row in enumerate(items.get(form.group) or (), 1):
        numbered = {**fixed, PREFIX + "row": number}
        yield tuple(_cell(column, numbered, row) for column in form.columns)


def withdrawn_line(form: FileForm, entry: Entry) -> tuple[Cell, ...]:
    """Return the line of a withdrawal."""
    revocation, event = entry.revocation, entry.row.event
    assert revocation is not None  # an entry of that kind has one
    said: dict[str, Cell] = {
        "receipt_number": event.receipt_number,
        "decision": revocation.what,
        "tax_items": _joined(entry.decision),
        "accepted_at": moment(event.accepted_at_ms),
        "decided_at": moment(revocation.decided_at_ms),
        "reason": revocation.reason,
        "revision": revocation.revision,
        "event_id": event.event_id,
        "procedure": event.procedure,
        "handed_over_in": entry.handed_over_in,
        "handed_over_revision": entry.decision.revision,
    }
    return tuple(said[column.name.removeprefix(PREFIX)] for column in form.columns)


def erased_line(entry: Entry) -> tuple[Cell, ...]:
    """Return the line that stands for a row whose content was erased."""
    event = entry.row.event
    return event.receipt_number, event.event_id, entry.decision.revision, event.procedure


def replaced_line(place: Place) -> tuple[Cell, ...]:
    """Return the line that tells of a character."""
    misfit = place.misfit
    becomes = f"U+{ord(misfit.becomes):04X}" if misfit.becomes else None
    where = (place.receipt_number, place.event_id, place.file, place.row, place.column)
    return *where, f"U+{misfit.code_point:04X}", becomes


def misfits(form: FileForm, acceptance: Acceptance, cells: Sequence[Cell], writing: Writing) -> Iterator[Place]:
    """Yield the characters of a line that are not written as themselves."""
    event = acceptance.row.event
    row = None
    for column, cell in zip(form.columns, cells, strict=True):
        if column.name == PREFIX + "row" and isinstance(cell, int):
            row = cell
        for misfit in writing.misfits(cell):
            yield Place(event.receipt_number, event.event_id, form.name, row, column.name, misfit)


def judged(acceptance: Acceptance, writing: Writing) -> list[Place]:
    """Return all characters of a submission that are not written as themselves. Raises ProcedureUnknown."""
    return [
        place
        for form in forms_of(acceptance.row.event.procedure)
        for cells in lines(form, acceptance)
        for place in misfits(form, acceptance, cells, writing)
    ]


def moment(at_ms: int) -> str:
    """Return a time in Japan, ISO 8601 with milliseconds and offset."""
    return in_japan(from_ms(at_ms)).isoformat(timespec="milliseconds")


def _joined(decision: KeptDecision) -> str:
    return ";".join(decision.tax_items)


def _fixed(acceptance: Acceptance) -> dict[str, Cell]:
    event, decision, submission = acceptance.row.event, acceptance.decision, acceptance.submission
    said: dict[str, Cell] = {
        "receipt_number": event.receipt_number,
        "decision": decision.what,
        "tax_items": _joined(decision),
        "accepted_at": moment(event.accepted_at_ms),
        "decided_at": moment(decision.decided_at_ms),
        "reason": decision.reason,
        "revision": decision.revision,
        "event_id": event.event_id,
        "procedure": event.procedure,
        "procedure_version": event.procedure_version,
        "calculation_check": event.calculation_check,
        "signature_check": event.signature_check,
        "rehearsal": "true" if submission.rehearsal else "false",
        "replaces": submission.replaces,
        "withdraws": submission.withdraws,
        "findings": event.findings,
        "attachments": len(submission.attachments),
    }
    return {PREFIX + name: cell for name, cell in said.items()}


def _cell(column: Column, fixed: Mapping[str, Cell], items: Mapping[str, Any]) -> Cell:
    if column.name.startswith(PREFIX):
        return fixed[column.name]
    if column.form is Form.DATE:
        text = items.get(column.name.removesuffix(PARSED))
        day = None if text is None else parse_date(text)
        return None if day is None else day.isoformat()
    value = items.get(column.name)
    if value is None:
        return None
    return int(value) if column.form is Form.NUMBER else str(value)
