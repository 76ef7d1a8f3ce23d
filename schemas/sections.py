"""The plaintext of sections: what review gets (everything), and what the helpdesk gets (masked).

Framed Avro records of the procedure's contract and of HelpdeskRecord. Reading gives back what was sent,
text for text; the parsed dates beside the texts are for machines and are not read back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from schemas import codec
from schemas.catalogue import GENERIC, Item, ItemType, Mask, Procedure, procedures
from schemas.codec import CodecError
from schemas.dates import parse_date
from schemas.masks import mask
from schemas.submission_model import Attachment, Submission

HELPDESK: Final = "HelpdeskRecord"
_PARSED: Final = "_parsed"


@dataclass(frozen=True, slots=True)
class MaskedItem:
    """One item as the helpdesk sees it; `row` counts from 0 within a repeated group."""

    name: str
    group: str | None
    row: int | None
    shown: str


@dataclass(frozen=True, slots=True)
class HelpdeskRecord:
    """What the helpdesk may see of one submission."""

    procedure: str
    receipt_number: str
    tenant: str
    tax_item: str | None
    accepted_at: str
    calculation_check: str
    signature_check: str
    rehearsal: bool
    replaces: str | None
    withdraws: str | None
    attachments: int
    items: tuple[MaskedItem, ...]


def _header(submission: Submission) -> dict[str, Any]:
    return {
        "procedure": submission.procedure,
        "receipt_number": submission.receipt_number,
        "tenant": submission.tenant,
        "tax_item": submission.tax_item,
        "accepted_at": submission.accepted_at,
        "calculation_check": submission.calculation_check,
        "signature_check": submission.signature_check,
        "rehearsal": submission.rehearsal,
        "replaces": submission.replaces,
        "withdraws": submission.withdraws,
    }


def review_section(submission: Submission) -> bytes:
    """Return the framed record with every item and attachment. Raises CodecError if it breaks the contract."""
    procedure = procedures()[submission.procedure]
    value = _header(submission)
    if procedure.record_name != GENERIC:
        value["items"] = None if submission.items is None else _dated(submission.items, _dates(procedure.slug))
    value["attachments"] = [
        {"file_name": each.file_name, "media_type": each.media_type, "content": each.content}
        for each in submission.attachments
    ]
    return codec.encode(procedure.record_name, value)


@cache
def _dates(slug: str) -> Mapping[str | None, tuple[str, ...]]:
    """The names of date items by group (None: outside groups)."""
    found: dict[str | None, tuple[str, ...]] = {}
    for item in procedures()[slug].items:
        if item.type is ItemType.DATE:
            found[item.group] = (*found.get(item.group, ()), item.name)
    return found


def _dated(items: Mapping[str, Any], dates: Mapping[str | None, tuple[str, ...]]) -> dict[str, Any]:
    value = _with_parsed(items, dates.get(None, ()))
    for name, rows in items.items():
        if isinstance(rows, tuple):
            value[name] = [_with_parsed(row, dates.get(name, ())) for row in rows]
    return value


def _with_parsed(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    value = dict(row)
    for name in names:
        if name in row:
            value[name + _PARSED] = parse_date(row[name])
    return value


@cache
def _submission_records() -> frozenset[str]:
    return frozenset(each.record_name for each in procedures().values())


def read_review_section(framed: bytes) -> Submission:
    """Return the submission as it was sent. Raises CodecError."""
    decoded = codec.decode(framed, _submission_records())
    value = decoded.value
    procedure = procedures().get(value["procedure"])
    if procedure is None or procedure.record_name != decoded.name:
        raise CodecError(decoded.name)
    items = value.get("items")
    return Submission(
        items=None if items is None else _as_sent(items),
        attachments=tuple(
            Attachment(each["file_name"], each["media_type"], each["content"]) for each in value["attachments"]
        ),
        **{name: value[name] for name in _HEADER},
    )


_HEADER: Final = (
    "procedure",
    "receipt_number",
    "tenant",
    "tax_item",
    "accepted_at",
    "calculation_check",
    "signature_check",
    "rehearsal",
    "replaces",
    "withdraws",
)


def _as_sent(items: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, each in items.items():
        if each is None or name.endswith(_PARSED):
            continue
        found[name] = tuple(_as_sent(row) for row in each) if isinstance(each, list) else each
    return found


def helpdesk_section(submission: Submission) -> bytes:
    """Return the framed masked record. Raises CodecError if it breaks the contract."""
    return codec.encode(
        HELPDESK,
        {
            **_header(submission),
            "attachments": len(submission.attachments),
            "items": [] if submission.items is None else _masked(submission),
        },
    )


@cache
def _maskers(slug: str) -> tuple[tuple[Item, Callable[[str], str | None]], ...]:
    procedure: Procedure = procedures()[slug]

    def masker(kind: Mask) -> Callable[[str], str | None]:
        return lambda text: mask(kind, text)

    return tuple((item, masker(item.mask)) for item in procedure.items)


def _masked(submission: Submission) -> list[dict[str, Any]]:
    assert submission.items is not None
    shown: list[dict[str, Any]] = []
    for item, masker in _maskers(submission.procedure):
        if item.group is None:
            if item.name in submission.items:
                _show(shown, item, None, masker(str(submission.items[item.name])))
            continue
        rows = submission.items.get(item.group, ())
        if isinstance(rows, tuple):
            for number, row in enumerate(rows):
                if item.name in row:
                    _show(shown, item, number, masker(str(row[item.name])))
    return shown


def _show(shown: list[dict[str, Any]], item: Item, row: int | None, text: str | None) -> None:
    if text is not None:
        shown.append({"name": item.name, "group": item.group, "row": row, "shown": text})


def read_helpdesk_section(framed: bytes) -> HelpdeskRecord:
    """Return the masked record. Raises CodecError."""
    value = codec.decode(framed, {HELPDESK}).value
    items = tuple(MaskedItem(**each) for each in value.pop("items"))
    return HelpdeskRecord(items=items, **value)
