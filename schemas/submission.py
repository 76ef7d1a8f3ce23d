"""The input parser: a JSON document becomes a submission, or is refused with everything that is wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from schemas import checks
from schemas.catalogue import GENERIC, TAX_ITEMS, procedures
from schemas.checks import Findings
from schemas.problems import Problem, Refused, pointer, problem
from schemas.strict_json import BadNumber, load, marks
from schemas.submission_model import Attachment, Submission

__all__ = ["Attachment", "Problem", "Refused", "Submission", "as_sent", "canonical", "parse"]

_REQUIRED: Final = ("procedure", "receipt_number", "tenant", "accepted_at", "checks", "rehearsal")
_KEYS: Final = frozenset({*_REQUIRED, "tax_item", "items", "attachments", "replaces", "withdraws"})
CHECK_VALUES: Final = ("passed", "failed", "not_performed")


def parse(document: bytes, *, rehearsal: bool, tenants: Collection[str] | None = None) -> Submission | Refused:
    """Read one JSON document. `rehearsal` is what this hub is; `tenants` whom it serves (None: anyone).

    Never raises; all problems are listed, the first 50.
    """
    value = load(document)
    if isinstance(value, Problem):
        return Refused((value,))
    if not isinstance(value, dict):
        return Refused((problem("", "type.object"),))
    found = Findings()
    found.found += marks(value)
    for key in value:
        if key not in _KEYS:
            found.add(pointer("", key), "key.unknown")
    for key in _REQUIRED:
        if key not in value:
            found.add(f"/{key}", "key.missing")
    made = _submission(value, found, rehearsal, tenants)
    if made is not None and not found.found and len(document) > checks.MAX_ITEM_BYTES:
        _limit(made, found)
    if found.found:
        return Refused(tuple(found.found), _receipt(value))
    assert made is not None  # or something would have been found
    return made


def _limit(made: Submission, found: Findings) -> None:
    if checks.size(made.items) > checks.MAX_ITEM_BYTES:
        found.add("", "limit.submission")


def _receipt(value: Mapping[str, Any]) -> str | None:
    return checks.receipt_number(value.get("receipt_number"), "", Findings())


def _submission(
    value: Mapping[str, Any], found: Findings, rehearsal: bool, tenants: Collection[str] | None
) -> Submission | None:
    slug = _choice(value, "procedure", procedures().keys(), "procedure.unknown", found)
    receipt = (
        checks.receipt_number(value["receipt_number"], "/receipt_number", found) if "receipt_number" in value else None
    )
    tenant = checks.tenant(value["tenant"], found, tenants) if "tenant" in value else None
    tax_item = None
    if value.get("tax_item") is not None:
        tax_item = _choice(value, "tax_item", TAX_ITEMS, "value.choice", found)
    accepted_at = checks.time(value["accepted_at"], "/accepted_at", found) if "accepted_at" in value else None
    calculation, signature = _checks(value.get("checks"), found) if "checks" in value else (None, None)
    if "rehearsal" in value:
        if not isinstance(value["rehearsal"], bool):
            found.add("/rehearsal", "type.boolean")
        elif value["rehearsal"] is not rehearsal:
            found.add("/rehearsal", "rehearsal.mismatch")
    linked = {
        key: checks.receipt_number(value[key], f"/{key}", found) if key in value else None
        for key in ("replaces", "withdraws")
    }
    if all(linked.values()):
        found.add("", "submission.both")
    items = None
    if "items" in value and slug is not None:
        if procedures()[slug].record_name == GENERIC:
            found.add("/items", "procedure.no-items")
        else:
            items = checks.items(slug, value["items"], found)
    attachments = checks.attachments(value["attachments"], found) if "attachments" in value else ()
    if not value.get("items") and not value.get("attachments"):
        found.add("", "submission.empty")
    if None in (slug, receipt, tenant, accepted_at, calculation, signature):
        return None
    return Submission(
        procedure=str(slug),
        receipt_number=str(receipt),
        tenant=str(tenant),
        tax_item=tax_item,
        accepted_at=str(accepted_at),
        calculation_check=str(calculation),
        signature_check=str(signature),
        rehearsal=rehearsal,
        replaces=linked["replaces"],
        withdraws=linked["withdraws"],
        items=items,
        attachments=attachments,
    )


def _choice(value: Mapping[str, Any], key: str, allowed: Collection[str], rule: str, found: Findings) -> str | None:
    if key not in value:
        return None
    each = checks.text(value[key], f"/{key}", found)
    if each is not None and each not in allowed:
        found.add(f"/{key}", rule)
        return None
    return each


def _checks(value: Any, found: Findings) -> tuple[str | None, str | None]:
    if not isinstance(value, dict):
        if not isinstance(value, BadNumber):
            found.add("/checks", "type.object")
        return None, None
    for key in value:
        if key not in ("calculation", "signature"):
            found.add(pointer("/checks", key), "key.unknown")
    kept: list[str | None] = []
    for key in ("calculation", "signature"):
        if key not in value:
            found.add(f"/checks/{key}", "key.missing")
            kept.append(None)
            continue
        each = checks.text(value[key], f"/checks/{key}", found)
        if each is not None and each not in CHECK_VALUES:
            found.add(f"/checks/{key}", "value.choice")
            each = None
        kept.append(each)
    return kept[0], kept[1]


def as_sent(submission: Submission) -> dict[str, Any]:
    """Return the JSON form; items are equal to the input, text for text."""
    sent: dict[str, Any] = {
        "procedure": submission.procedure,
        "receipt_number": submission.receipt_number,
        "tenant": submission.tenant,
        "tax_item": submission.tax_item,
        "accepted_at": submission.accepted_at,
        "checks": {"calculation": submission.calculation_check, "signature": submission.signature_check},
        "rehearsal": submission.rehearsal,
    }
    if submission.replaces is not None:
        sent["replaces"] = submission.replaces
    if submission.withdraws is not None:
        sent["withdraws"] = submission.withdraws
    if submission.items is not None:
        sent["items"] = {
            name: [dict(row) for row in each] if isinstance(each, tuple) else each
            for name, each in submission.items.items()
        }
    if submission.attachments:
        sent["attachments"] = [
            {
                "file_name": each.file_name,
                "media_type": each.media_type,
                "content_base64": base64.b64encode(each.content).decode(),
            }
            for each in submission.attachments
        ]
    return sent


def canonical(submission: Submission) -> bytes:
    """Return the one byte string of a submission: keys sorted, no white space; what makes an input the same."""
    return json.dumps(as_sent(submission), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
