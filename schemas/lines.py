"""Cuts a stream into documents, JSON or JSON Lines, in bounded memory. What is too large is skipped and named.

A file is one object, an array of objects, or lines of one object each. `.jsonl` and `.ndjson` are lines; of
anything else the beginning decides: `[` is an array, and an object whose first line is whole, or whose second
line begins with `{`, is lines. One bad line or element is refused; the rest of the file goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from schemas.elements import elements
from schemas.problems import Refused, problem

_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\r\n"
_LOOK_BYTES: Final = 64 * 2**10
"""How far the first line is looked at."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, numbered from 1 (lines: by line)."""

    number: int
    data: bytes = field(repr=False)


Found: TypeAlias = Document | Refused


def split_documents(chunks: Iterable[bytes], name: str, max_document_bytes: int) -> Iterator[Found]:
    """Yield the documents of a file in order, or a refusal for what cannot be one.

    Holds at most one document of `max_document_bytes` and two chunks.
    """
    source = iter(chunks)
    suffix = name.rpartition(".")[2].lower()
    head = bytearray()
    for chunk in source:
        head += chunk
        if len(head) >= _LOOK_BYTES or _kind(head) is not None:
            break
    kind = _kind(head)
    start = bytes(head).removeprefix(_BOM)
    head.clear()
    rest = chain((start,), source)
    if not start.strip(_SPACE) and len(start) < _LOOK_BYTES:
        yield Refused((problem("", "json.empty"),))
    elif suffix in ("jsonl", "ndjson"):
        yield from _or_empty(_lines(rest, max_document_bytes))
    elif kind == "array":
        yield from _or_empty(_array(rest, max_document_bytes))
    elif kind == "object" or (kind is None and suffix == "json"):
        yield from _whole(rest, max_document_bytes)
    else:
        yield from _or_empty(_lines(rest, max_document_bytes))


def _kind(head: bytearray) -> str | None:
    """`array`, `object` (one, over several lines) or `lines`; None: more has to be seen."""
    start = bytes(head[:_LOOK_BYTES]).removeprefix(_BOM).lstrip(_SPACE)
    if start.startswith(b"["):
        return "array"
    if not start.startswith(b"{"):
        return None
    first, newline, following = start.partition(b"\n")
    if not newline:
        return None
    if first.rstrip(_SPACE).endswith(b"}") and first.strip(_SPACE) != b"{":
        return "lines"
    second = following.lstrip(_SPACE)
    if not second:
        return None
    return "lines" if second.startswith(b"{") else "object"


def _or_empty(documents: Iterator[Found]) -> Iterator[Found]:
    any_found = False
    for document in documents:
        any_found = True
        yield document
    if not any_found:
        yield Refused((problem("", "json.empty"),))


def _whole(source: Iterable[bytes], most: int) -> Iterator[Found]:
    """One document; what is too large is read to its end and not kept."""
    held = bytearray()
    too_large = False
    for chunk in source:
        too_large = too_large or len(held) + len(chunk) > most
        if too_large:
            held.clear()
        else:
            held += chunk
    yield Refused((problem("", "json.too-large"),), number=1) if too_large else Document(1, bytes(held))


def _array(source: Iterable[bytes], most: int) -> Iterator[Found]:
    for number, element in enumerate(elements(source, most), start=1):
        if isinstance(element, str):
            yield Refused((problem("", element),), number=number)
        else:
            yield Document(number, element)


def _lines(source: Iterable[bytes], most: int) -> Iterator[Found]:
    held = bytearray()
    number = 1
    too_large = False
    for chunk in source:
        at = 0
        while True:
            end = chunk.find(b"\n", at)
            stop = len(chunk) if end < 0 else end
            if too_large or len(held) + stop - at > most:
                too_large = True
                held.clear()
            else:
                held += chunk[at:stop]
            if end < 0:
                break
            yield from _line(bytes(held), number, too_large=too_large)
            held.clear()
            too_large = False
            number += 1
            at = end + 1
    yield from _line(bytes(held), number, too_large=too_large)


def _line(line: bytes, number: int, *, too_large: bool) -> Iterator[Found]:
    if too_large:
        yield Refused((problem("", "json.too-large"),), number=number)
    elif line.strip(b" \t\r"):
        yield Document(number, line)
