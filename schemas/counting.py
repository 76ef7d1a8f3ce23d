"""Counts the items of a record's arrays before anything is built of them.

An array's item can be two bytes on the wire and a dictionary of two hundred in memory, so a record of 8 MiB could
take a gigabyte. Only what a reader steps over is looked at; values are not judged here, the codec does that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

MAX_ITEMS: Final = 25_000
"""of all arrays of a record together; the fullest record is a part of a report with 20,000 entries. Items that are
digests alone are not counted: they take twice their size, and a destroyed key may name as many leaves as fit."""
MOST_ITEMS: Final[Mapping[str, int]] = {"Trust": 150_000}
"""of records that may have more: the trust list is decoded only behind the administrator's signature, and has 37 items
for each tenant, 66,000 for 1,788; the rest is for keys that are replaced"""
COUNTED_BYTES: Final = 64 * 2**10
"""below this nothing is counted: it cannot grow beyond a few MiB"""

_Step: TypeAlias = Callable[[bytes, int, list[int]], int]
"""(data, place, [items left]) → the place behind a value; IndexError at the data's end, TooMany"""
Walk: TypeAlias = int | _Step
"""how to step over a value: its size where all values have the same, else a function"""
_SIZES: Final = {"null": 0, "boolean": 1, "float": 4, "double": 8}


class TooMany(Exception):
    """More items than any reader takes."""


def too_many(walk: Walk, data: bytes, at: int, most: int = MAX_ITEMS) -> bool:
    """Say whether a record's arrays have more than `most` items; what is cut short has what it has."""
    if isinstance(walk, int):
        return False
    try:
        walk(data, at, [most])
    except TooMany:
        return True
    except IndexError:
        return False
    return False


def walk_of(schema: Any, names: dict[str, Walk] | None = None) -> Walk:
    """Return how to step over values of an Avro schema as JSON."""
    known: dict[str, Walk] = {} if names is None else names
    if isinstance(schema, list):
        return _union([walk_of(each, known) for each in schema])
    kind = schema["type"] if isinstance(schema, Mapping) else schema
    if not isinstance(kind, str):
        return walk_of(kind, known)
    match kind:
        case "record":
            made: Walk = _record([walk_of(field["type"], known) for field in schema["fields"]])
        case "array":
            items = schema["items"]
            counted = not (isinstance(items, Mapping) and items["type"] == "fixed")
            return _array(walk_of(items, known), counted=counted)
        case "fixed":
            made = int(schema["size"])
        case "enum":
            made = _long
        case "string" | "bytes":
            return _text
        case "int" | "long":
            return _long
        case _:
            return known[kind] if kind in known else _SIZES[kind]
    known[schema["name"]] = made
    return made


def _long(data: bytes, at: int, _: list[int]) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:  # no such number: the codec says so
            raise IndexError


def _text(data: bytes, at: int, _: list[int]) -> int:
    length, at = _number(data, at)
    if length < 0 or at + length > len(data):
        raise IndexError
    return at + length


def _record(fields: Sequence[Walk]) -> Walk:
    steps: list[Walk] = []
    for each in fields:
        if isinstance(each, int) and steps and isinstance(steps[-1], int):
            steps[-1] += each
        else:
            steps.append(each)
    if len(steps) == 1:
        return steps[0]

    def step(data: bytes, at: int, left: list[int]) -> int:
        for each in steps:
            at = at + each if isinstance(each, int) else each(data, at, left)
        return at

    return step if steps else 0


def _union(branches: Sequence[Walk]) -> Walk:
    def step(data: bytes, at: int, left: list[int]) -> int:
        index, at = _number(data, at)
        if not 0 <= index < len(branches):
            raise IndexError
        branch = branches[index]
        return at + branch if isinstance(branch, int) else branch(data, at, left)

    return step


def _array(item: Walk, *, counted: bool) -> Walk:
    def step(data: bytes, at: int, left: list[int]) -> int:
        while True:
            count, at = _number(data, at)
            if not count:
                return at
            if count < 0:  # with the size of the block behind it
                count = -count
                _, at = _number(data, at)
            if counted:
                left[0] -= count
                if left[0] < 0:
                    raise TooMany
            if isinstance(item, int):
                at += count * item
                continue
            for _ in range(count):
                at = item(data, at, left)

    return step
