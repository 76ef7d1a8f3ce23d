"""Writes Avro by hand, straight from a contract's schema, also in forms that the codec would never write.

For attacks only: every number, union, array and boolean is an opportunity to write the same value in another form,
and `odd_forms` takes each one once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas import registry
from tests.unit.schemas.support import named_types

_Twist = Callable[[str, str], str]
"""(path, kind of opportunity) → the form to write: "" is the normal one"""

FORMS: Mapping[str, tuple[str, ...]] = {
    "number": ("overlong",),
    "array": ("negative count", "split in two", "empty block first"),
    "boolean": ("two",),
    "union": ("overlong",),
}


def long(value: int, *, overlong: bool = False) -> bytes:
    """Zigzag and base 128; overlong: with a last group of nothing."""
    rest = value << 1 if value >= 0 else ((-value) << 1) - 1
    groups = []
    while True:
        groups.append(rest & 0x7F)
        rest >>= 7
        if not rest:
            break
    if overlong:
        groups.append(0)
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


class Writer:
    """Writes one value of one schema."""

    def __init__(self, twist: _Twist, schema: Any) -> None:
        self._twist = twist
        self._named = named_types(schema)

    def write(self, schema: Any, value: Any, path: str) -> bytes:
        """Return the encoding of a value at a path."""
        if isinstance(schema, list):
            return self._union(schema, value, path)
        if isinstance(schema, str):
            return self._plain(schema, value, path)
        kind = schema["type"]
        if kind == "record":
            parts = [
                self.write(field["type"], value[field["name"]], f"{path}.{field['name']}") for field in schema["fields"]
            ]
            return b"".join(parts)
        if kind == "array":
            return self._array(schema["items"], value, path)
        if kind == "enum":
            return self._number(schema["symbols"].index(value), path)
        if kind == "fixed":
            return bytes(value)
        return self.write(kind, value, path)

    def _number(self, value: int, path: str, kind: str = "number") -> bytes:
        return long(value, overlong=self._twist(path, kind) == "overlong")

    def _plain(self, kind: str, value: Any, path: str) -> bytes:
        match kind:
            case "null":
                return b""
            case "boolean":
                return b"\x02" if value and self._twist(path, "boolean") == "two" else bytes((bool(value),))
            case "int" | "long":
                return self._number(value, path)
            case "double":
                return struct.pack("<d", value)
            case "bytes" | "string":
                data = value.encode() if isinstance(value, str) else bytes(value)
                return self._number(len(data), f"{path} length") + data
            case _:
                return self.write(self._named[kind.rpartition(".")[2]], value, path)

    def _union(self, schema: list[Any], value: Any, path: str) -> bytes:
        null = schema.index("null")
        if value is None:
            return self._number(null, f"{path} union", "union")
        (branch,) = (each for each in range(len(schema)) if each != null)
        return self._number(branch, f"{path} union", "union") + self.write(schema[branch], value, path)

    def _array(self, items: Any, values: list[Any], path: str) -> bytes:
        form = self._twist(path, "array") if values else ""
        written = [self.write(items, each, f"{path}[{number}]") for number, each in enumerate(values)]
        if not written:
            return b"\x00"
        if form == "negative count":
            content = b"".join(written)
            return long(-len(written)) + long(len(content)) + content + b"\x00"
        if form == "split in two" and len(written) > 1:
            return long(1) + written[0] + long(len(written) - 1) + b"".join(written[1:]) + b"\x00"
        if form == "empty block first":
            return long(-len(written)) + long(0) + b"".join(written) + b"\x00"
        return long(len(written)) + b"".join(written) + b"\x00"


def frame(name: str) -> bytes:
    """The five bytes in front of a record."""
    return b"\x00" + registry.contract(name).schema_id.to_bytes(4, "big")


def encoded(name: str, value: Mapping[str, Any], twist: _Twist = lambda path, kind: "") -> bytes:
    """Return a framed record, in its normal form or as `twist` says."""
    return frame(name) + Writer(twist, registry.contract(name).schema).write(
        registry.contract(name).schema, value, name
    )


def odd_forms(name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield (path and form, bytes) of every other form of the same value, one oddity at a time."""
    places: list[tuple[str, str]] = []

    def note(path: str, kind: str) -> str:
        places.append((path, kind))
        return ""

    normal = encoded(name, value, note)
    for path, kind in places:
        for form in FORMS[kind]:
            made = encoded(name, value, lambda at, _, path=path, form=form: form if at == path else "")
            if made != normal:
                yield f"{path}: {form}", made
