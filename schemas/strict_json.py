"""JSON, strictly: UTF-8, no key twice, no fractions, no endless nesting, nothing after the end."""

from __future__ import annotations

import json
from typing import Any, Final

from schemas.problems import Problem, pointer, problem

_MAX_DIGITS: Final = 15


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
    twice: list[str] = []
    for key, _ in pairs:
        if key in seen:
            twice.append(key)
        seen.add(key)
    marked = Duplicated(made)
    marked.keys_twice = tuple(twice)
    return marked


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_bad, parse_constant=_bad, strict=True
)


def load(document: bytes) -> Any | Problem:
    """Return the value of a JSON document, or what is wrong with it. Never raises."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        return problem("", "json.encoding")
    text = text.strip(" \t\r\n")
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


def value_end(text: str, at: int) -> int:
    """Return where the JSON value that begins at `at` ends, in a text that `load` has read before."""
    return _DECODER.raw_decode(text, at)[1]


def marks(value: Any, path: str = "", depth: int = 0) -> list[Problem]:
    """List duplicate keys and bad numbers anywhere in a value, and nesting beyond 8 levels."""
    if depth > 8:
        return [problem(path, "json.nesting")]
    found: list[Problem] = []
    if isinstance(value, dict):
        if isinstance(value, Duplicated):
            found += [problem(pointer(path, key), "json.duplicate-key") for key in value.keys_twice]
        for key, each in value.items():
            if isinstance(each, (dict, list, BadNumber)):
                found += marks(each, pointer(path, key), depth + 1)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            if isinstance(each, (dict, list, BadNumber)):
                found += marks(each, pointer(path, number), depth + 1)
    elif isinstance(value, BadNumber):
        found.append(problem(path, "json.number"))
    return found
