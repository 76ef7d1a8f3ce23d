"""Writes YAML that people can read: mappings, lists, texts, numbers and booleans, always in the order given.

It reads none; what is not plainly a word is quoted, with escapes where it has what cannot be seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Plain = Mapping[str, "Plain"] | Sequence["Plain"] | str | int | float | bool
_WORD: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_MEANT_OTHERWISE: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


def dump(value: Mapping[str, Plain], *, heading: str = "") -> str:
    """Return the document as text; `heading` becomes comment lines."""
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    return comment + "".join(f"{line}\n" for line in _mapping(value, ""))


def _mapping(value: Mapping[str, Plain], indent: str) -> Iterator[str]:
    for key, each in value.items():
        yield from _entry(f"{indent}{_scalar(key)}:", each, indent)


def _entry(before: str, value: Plain, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield before
        yield from _mapping(value, indent + "  ")
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        yield before
        for each in value:
            yield from _item(each, indent + "  ")
    else:
        yield f"{before} {_scalar(value)}"


def _item(value: Plain, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        lines = _mapping(value, indent + "  ")
        yield f"{indent}- {next(lines).lstrip()}"
        yield from lines
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        yield f"{indent}-"
        for each in value:
            yield from _item(each, indent + "  ")
    else:
        yield f"{indent}- {_scalar(value)}"


def _scalar(value: Plain) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, str):
        plain = _WORD.fullmatch(value) and value.lower() not in _MEANT_OTHERWISE
        if plain:
            return value
        if value.isprintable():
            return "'" + value.replace("'", "''") + "'"
        return '"' + "".join(each if _is_itself(each) else f"\\U{ord(each):08x}" for each in value) + '"'
    if isinstance(value, Sequence):
        return "[]"
    return json.dumps(value)


def _is_itself(character: str) -> bool:
    return character.isprintable() and character not in '"\\'
