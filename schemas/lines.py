"""Cuts a stream into documents, JSON or JSON Lines, in bounded memory. What is too large is skipped and named.

`.json` is one object or an array of objects; `.jsonl` and `.ndjson` are lines; anything else is looked at:
if the first line is an object of its own, the file is lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from schemas.problems import Problem, Refused, problem
from schemas.strict_json import load, value_end

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, numbered from 1 (lines: by line)."""

    number: int
    data: bytes = field(repr=False)


Found: TypeAlias = Document | Refused


def split_documents(chunks: Iterable[bytes], name: str, max_document_bytes: int) -> Iterator[Found]:
    """Yield the documents of a file in order, or a refusal for what cannot be one.

    Never holds more than about `max_document_bytes` and one chunk.
    """
    source = iter(chunks)
    suffix = name.rpartition(".")[2].lower()
    if suffix in ("jsonl", "ndjson"):
        yield from _or_empty(_lines(source, max_document_bytes))
        return
    head = bytearray()
    for chunk in source:
        head += chunk
        if len(head) > max_document_bytes or (
            suffix != "json" and _first_line_decides(bytes(head[:65_536])) is not None
        ):
            break
    start = bytes(head)
    if suffix != "json" and (_first_line_decides(start[:65_536]) or _lines_anyway(start)):
        yield from _or_empty(_lines(_chain(start, source), max_document_bytes))
    elif len(start) > max_document_bytes:
        for _ in source:  # read to the end, keep nothing
            pass
        yield Refused((problem("", "json.too-large"),))
    else:
        rest = start + b"".join(_bounded(source, max_document_bytes - len(start)))
        if len(rest) > max_document_bytes:
            yield Refused((problem("", "json.too-large"),))
        else:
            yield from _whole(rest.removeprefix(_BOM))


def _bounded(source: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Chunks up to a size and one more; the rest of the stream is read and dropped."""
    taken = 0
    for chunk in source:
        if taken <= most:
            yield chunk
        taken += len(chunk)


def _first_line_decides(head: bytes) -> bool | None:
    """Whether the first line is an object of its own (lines), or clearly not; None: not enough is there yet."""
    line, found, _ = head.removeprefix(_BOM).lstrip(b" \t\r\n").partition(b"\n")
    if not found and len(head) < 65_536:
        return None
    line = line.rstrip(b"\r \t")
    if not line.startswith(b"{"):
        return False if line.startswith(b"[") else None
    return line.endswith(b"}") or not found or None


def _lines_anyway(head: bytes) -> bool:
    """A stream whose first line begins and ends like an object, or that is nothing JSON could begin with."""
    stripped = head.removeprefix(_BOM).lstrip(b" \t\r\n")
    first = stripped.partition(b"\n")[0].rstrip(b"\r \t")
    if not stripped:
        return True
    if first.startswith(b"{"):
        return first.endswith(b"}") or len(first) > 65_536
    return not stripped.startswith(b"[")


def _chain(start: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from source


def _or_empty(documents: Iterator[Found]) -> Iterator[Found]:
    any_found = False
    for document in documents:
        any_found = True
        yield document
    if not any_found:
        yield Refused((problem("", "json.empty"),))


def _lines(source: Iterator[bytes], most: int) -> Iterator[Found]:
    held = bytearray()
    number = 1
    too_large = False
    first = True
    for piece in source:
        chunk = piece
        if first:
            chunk, first = chunk.removeprefix(_BOM), False
        at = 0
        while True:
            end = chunk.find(b"\n", at)
            part = chunk[at:] if end < 0 else chunk[at:end]
            if too_large or len(held) + len(part) > most:
                too_large = True
                held.clear()
            else:
                held += part
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
        yield Refused((problem("", "json.too-large"),))
    elif line.strip(b" \t\r"):
        yield Document(number, line)


def _whole(data: bytes) -> Iterator[Found]:
    """One object, or an array of objects; each element is written out again only to be parsed on its own."""
    if not data.lstrip(b" \t\r\n").startswith(b"["):
        yield Document(1, data)
        return
    elements = load(data)
    if isinstance(elements, Problem):
        yield Refused((elements,))
        return
    if not elements:
        yield Refused((problem("", "json.empty"),))
        return
    yield from _elements(data.decode())


def _elements(text: str) -> Iterator[Found]:
    """Cut a valid array into the texts of its elements: nothing is re-encoded, duplicates stay to be seen."""
    at = text.index("[") + 1
    number = 0
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "]":
            return
        end = value_end(text, at)
        number += 1
        yield Document(number, text[at:end].encode("utf-8", "surrogatepass"))
        at = end
