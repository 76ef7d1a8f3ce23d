"""Checks of type and structure: what a document must be before it is a submission.

What is wrong in substance (check digits, order of dates, shares) is not judged here: in law the portal has
accepted the filing, and those are findings that travel on (`schemas.rules`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from schemas.catalogue import Item, ItemType, procedures
from schemas.dates import parse_date
from schemas.numbers import is_municipality_code
from schemas.problems import MAX_PROBLEMS, Problem, pointer, problem
from schemas.strict_json import BadNumber
from schemas.submission_model import Attachment

MAX_CHARACTERS: Final = 4_096
MAX_ROWS: Final = 200
MAX_ATTACHMENTS: Final = 50
MAX_ATTACHMENT_BYTES: Final = 56 * 2**20
"""All attachments of a submission together; what does not fit into one event travels in parts (schemas.parts)."""
MAX_ITEM_BYTES: Final = 6 * 2**20
"""All texts of the items together: they do not travel in parts."""
MAX_YEN: Final = 10**15 - 1

_UNWELCOME: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane * 0x10000 + low) for plane in range(1, 17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
_RECEIPT: Final = re.compile(r"[\x21-\x7e]{1,64}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])",
    re.ASCII,
)
_ATTACHMENT_KEYS: Final = ("file_name", "media_type", "content_base64")
_FIRST_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_TIME: Final = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
"""Times in records end before the year 10000 (docs/envelope.md, Words)."""


class Findings:
    """Problems as they are found, up to the bound."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        """None yet."""
        self.found: list[Problem] = []

    def add(self, path: str, rule: str) -> None:
        """Note one."""
        if len(self.found) < MAX_PROBLEMS:
            self.found.append(problem(path, rule))


def text(value: Any, path: str, found: Findings, limit: int = MAX_CHARACTERS) -> str | None:
    """Return a text that may be kept as it is, or None."""
    if not isinstance(value, str):
        if not isinstance(value, BadNumber):
            found.add(path, "type.text")
        return None
    if len(value) > limit:
        found.add(path, "limit.characters")
        return None
    bad = _UNWELCOME.search(value)
    if bad is not None:
        code = ord(bad.group())
        if 0xD800 <= code <= 0xDFFF:
            found.add(path, "text.surrogate")
        else:
            found.add(path, "text.control" if code < 0x100 else "text.noncharacter")
        return None
    return value


def receipt_number(value: Any, path: str, found: Findings) -> str | None:
    """Return a receipt number, or None."""
    kept = text(value, path, found)
    if kept is not None and not _RECEIPT.fullmatch(kept):
        found.add(path, "receipt.invalid")
        return None
    return kept


def tenant(value: Any, found: Findings, served: Collection[str] | None) -> str | None:
    """Return the code of a municipality that this hub serves (None: of any), or None."""
    kept = text(value, "/tenant", found)
    if kept is None:
        return None
    if not is_municipality_code(kept):
        found.add("/tenant", "tenant.invalid")
        return None
    if served is not None and kept not in served:
        found.add("/tenant", "tenant.unknown")
        return None
    return kept


def time(value: Any, path: str, found: Findings) -> str | None:
    """Return an RFC 3339 time with offset as it was sent, or None."""
    kept = text(value, path, found, 64)
    if kept is None:
        return None
    if _TIME.fullmatch(kept):
        try:
            moment = datetime.fromisoformat(kept)
            if _FIRST_TIME <= moment <= _LAST_TIME:
                return kept
        except (ValueError, OverflowError):
            pass
    found.add(path, "time.invalid")
    return None


Checker = Callable[[Any, str, Findings], None]


def _text_checker(limit: int) -> Checker:
    def check(value: Any, path: str, found: Findings) -> None:
        text(value, path, found, limit)

    return check


def _date_checker(limit: int) -> Checker:
    def check(value: Any, path: str, found: Findings) -> None:
        kept = text(value, path, found, limit)
        if kept is not None and parse_date(kept) is None:
            found.add(path, "date.impossible")

    return check


def _number(value: Any, path: str, found: Findings) -> None:
    if isinstance(value, BadNumber):
        return
    if not isinstance(value, int) or isinstance(value, bool):
        found.add(path, "type.integer")
    elif not -MAX_YEN <= value <= MAX_YEN:
        found.add(path, "json.number")


def _checker(item: Item) -> Checker:
    if item.type.is_number:
        return _number
    return _date_checker(item.max_length) if item.type is ItemType.DATE else _text_checker(item.max_length)


@cache
def _checkers(slug: str) -> tuple[Mapping[str, Checker], Mapping[str, Mapping[str, Checker]]]:
    procedure = procedures()[slug]
    single = {item.name: _checker(item) for item in procedure.items if item.group is None}
    groups = {
        group: {item.name: _checker(item) for item in procedure.items if item.group == group}
        for group in procedure.groups
    }
    return single, groups


def items(slug: str, value: Any, found: Findings) -> dict[str, Any] | None:
    """Check the items of a new procedure; return them with rows as tuples."""
    if not isinstance(value, dict):
        found.add("/items", "type.object")
        return None
    single, groups = _checkers(slug)
    kept: dict[str, Any] = {}
    for name, each in value.items():
        checker = single.get(name)
        path = pointer("/items", name)
        if checker is not None:
            checker(each, path, found)
            kept[name] = each
        elif name in groups:
            kept[name] = _rows(each, groups[name], path, found)
        else:
            found.add(path, "key.unknown")
    return kept


def _rows(value: Any, checkers: Mapping[str, Checker], path: str, found: Findings) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list):
        found.add(path, "type.array")
        return ()
    if len(value) > MAX_ROWS:
        found.add(path, "limit.rows")
        return ()
    for number, row in enumerate(value):
        where = pointer(path, number)
        if not isinstance(row, dict):
            found.add(where, "type.object")
            continue
        for name, each in row.items():
            checker = checkers.get(name)
            if checker is None:
                found.add(pointer(where, name), "key.unknown")
            else:
                checker(each, pointer(where, name), found)
    return tuple(value)


def attachments(value: Any, found: Findings) -> tuple[Attachment, ...]:
    """Check and decode the attachments."""
    if not isinstance(value, list):
        found.add("/attachments", "type.array")
        return ()
    if len(value) > MAX_ATTACHMENTS:
        found.add("/attachments", "limit.attachments")
        return ()
    kept: list[Attachment] = []
    for number, each in enumerate(value):
        one = _attachment(each, f"/attachments/{number}", found)
        if one is not None:
            kept.append(one)
    if sum(len(each.content) for each in kept) > MAX_ATTACHMENT_BYTES:
        found.add("/attachments", "limit.bytes")
    return tuple(kept)


def _attachment(value: Any, path: str, found: Findings) -> Attachment | None:
    if not isinstance(value, dict):
        found.add(path, "type.object")
        return None
    for key in value:
        if key not in _ATTACHMENT_KEYS:
            found.add(pointer(path, key), "key.unknown")
    missing = [key for key in _ATTACHMENT_KEYS if key not in value]
    for key in missing:
        found.add(pointer(path, key), "key.missing")
    if missing:
        return None
    file_name = text(value["file_name"], f"{path}/file_name", found, 255)
    media_type = text(value["media_type"], f"{path}/media_type", found, 255)
    coded = value["content_base64"]
    if not isinstance(coded, str):
        text(coded, f"{path}/content_base64", found)
        return None
    try:
        content = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        found.add(f"{path}/content_base64", "base64.invalid")
        return None
    if base64.b64encode(content).decode() != coded:
        found.add(f"{path}/content_base64", "base64.invalid")
        return None
    if file_name is None or media_type is None:
        return None
    return Attachment(file_name, media_type, content)


def size(items: Mapping[str, Any] | None) -> int:
    """Return how many bytes the texts of the items have together."""
    total = 0
    for value in (items or {}).values():
        rows = value if isinstance(value, tuple) else ({"": value},)
        total += sum(len(str(each).encode()) for row in rows for each in row.values())
    return total
