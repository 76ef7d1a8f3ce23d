"""JSON, strictly: UTF-8, no key twice, no fractions, no endless nesting, nothing after the end.

Bounds come before building: what a small document can grow to in memory is counted first, because `[[],[],…`
takes thirty times its size.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from schemas.problems import MAX_PROBLEMS, Problem, pointer, problem

MAX_DOCUMENT_BYTES: Final = 96 * 2**20
"""56 MiB of attachments are 75 MiB in base64."""
MAX_VALUES: Final = 20_000
"""The fullest submission has some 3,900 values (two groups of 200 rows, 50 attachments)."""
MAX_LEVELS: Final = 8
_MAX_DIGITS: Final = 15
_SMALL_BYTES: Final = 64 * 2**10
"""Below this nothing is counted: it cannot grow beyond a few MiB."""
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b"[{,"))
_STRING_OR_MARK: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{,]', re.DOTALL)


class Duplicated(dict[str, Any]):
    """An object in which a key stood twice; the last value is kept only to go on checking."""

    __slots__ = ("keys_twice",)

    keys_twice: tuple[str, ...]


class BadNumber:
    """Stands where a number was that is not a short whole number."""


BAD_NUMBER: Final = BadNumber()


def _integer(text: str) -> int | BadNumber:
    return int(text) if len(text.lstrip("-")) <= _MAX_DIGITS else BAD_NUMBER


def _bad(_: str) -> BadNumber:
    return BAD_NUMBER


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for key, _ in pairs:
        if key in seen:
            twice[key] = None
        seen.add(key)
    marked = Duplicated(made)
    marked.keys_twice = tuple(twice)
    return marked


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_bad, parse_constant=_bad, strict=True
)


def load(document: bytes) -> Any | Problem:
    """Return the value of a JSON document of at most 96 MiB, or what is wrong with it. Never raises."""
    if len(document) > MAX_DOCUMENT_BYTES:
        return problem("", "json.too-large")
    if has_too_many_values(document):
        return problem("", "json.too-many-values")
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        return problem("", "json.encoding")
    text = text.removeprefix("\ufeff").strip(" \t\r\n")
    if not text:
        return problem("", "json.empty")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return problem("", "json.nesting")
    except json.JSONDecodeError as error:
        return problem("", "text.control" if error.msg.startswith("Invalid control character") else "json.syntax")
    except ValueError:
        return problem("", "json.syntax")


def has_too_many_values(document: bytes) -> bool:
    """Say whether a document has more than 20,000 values: it would take thirty times its size in memory."""
    return len(document) > _SMALL_BYTES and _values(document) > MAX_VALUES


def _values(document: bytes) -> int:
    """Count what opens or follows a value; outside strings, one by one, only where the quick count is too high."""
    quick = len(document.translate(None, _NOT_STRUCTURE))
    if quick <= MAX_VALUES:
        return quick
    marks = strings = 0
    for found in _STRING_OR_MARK.finditer(document):
        if found.end() - found.start() > 1:
            strings += 1
        else:
            marks += 1
        if marks > MAX_VALUES or strings > 2 * MAX_VALUES:  # a value has one string at most, and its key
            return MAX_VALUES + 1
    return marks


def marks(value: Any) -> list[Problem]:
    """List duplicate keys, bad numbers and nesting beyond 8 levels anywhere in a value; the first 50."""
    found: list[Problem] = []
    _mark(value, "", 0, found)
    return found[:MAX_PROBLEMS]


def _mark(value: Any, path: str, depth: int, found: list[Problem]) -> None:
    if len(found) >= MAX_PROBLEMS:
        return
    if isinstance(value, BadNumber):
        found.append(problem(path, "json.number"))
    elif depth > MAX_LEVELS:
        found.append(problem(path, "json.nesting"))
    elif isinstance(value, dict):
        if isinstance(value, Duplicated):
            found += [problem(pointer(path, key), "json.duplicate-key") for key in value.keys_twice[:MAX_PROBLEMS]]
        for key, each in value.items():
            if isinstance(each, (dict, list, BadNumber)):
                _mark(each, pointer(path, key), depth + 1, found)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            if isinstance(each, (dict, list, BadNumber)):
                _mark(each, pointer(path, number), depth + 1, found)
