"""Avro's `int` has 32 bits. fastavro writes and reads wider numbers without a word; other readers cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_LEAST, _MOST = -(2**31), 2**31 - 1

Check = Callable[[Any], bool]


def int_check(schema: Any) -> Check | None:
    """Return what tells whether all ints of a value fit; None if a schema holds no int."""
    if isinstance(schema, list):
        return _union([int_check(each) for each in schema])
    kind = schema["type"] if isinstance(schema, Mapping) else schema
    if kind == "int" and not (isinstance(schema, Mapping) and "logicalType" in schema):
        return lambda value: not isinstance(value, int) or _LEAST <= value <= _MOST
    if kind == "array":
        inner = int_check(schema["items"])
        return None if inner is None else lambda value: not isinstance(value, list) or all(map(inner, value))
    if kind == "record":
        return _record({field["name"]: int_check(field["type"]) for field in schema["fields"]})
    return int_check(kind) if isinstance(kind, (Mapping, list)) else None


def _union(branches: list[Check | None]) -> Check | None:
    """Of our unions one branch at most holds an int, beside null; each check lets other kinds of value pass."""
    held = [each for each in branches if each is not None]
    return (lambda value: all(each(value) for each in held)) if held else None


def _record(fields: Mapping[str, Check | None]) -> Check | None:
    held = [(name, each) for name, each in fields.items() if each is not None]
    if not held:
        return None
    return lambda value: not isinstance(value, Mapping) or all(each(value.get(name)) for name, each in held)
