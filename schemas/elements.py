"""Cuts a JSON array that comes in chunks into the bytes of its elements, without building any of them.

Only strings and brackets are followed. So an element that is not JSON is handed on to be refused by itself,
duplicate keys stay to be seen, and an array may be longer than memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_OUTSIDE: Final = re.compile(rb'["\[\]{},]')
_INSIDE: Final = re.compile(rb'["\\]')
_SPACE: Final = b" \t\r\n"
_OPENING: Final = b"[{"
_CLOSING: Final = b"]}"

TOO_LARGE: Final = "json.too-large"
SYNTAX: Final = "json.syntax"


def elements(chunks: Iterable[bytes], max_element_bytes: int) -> Iterator[bytes | str]:
    """Yield the elements of the array that the stream begins with, each as it was written.

    A rule id stands for what cannot be one: an element over the limit (skipped, not kept), an empty place
    between commas, an array without end, something after its end.
    """
    cutter = _Cutter(max_element_bytes)
    for chunk in chunks:
        yield from cutter.feed(chunk)
    yield from cutter.end()


class _Cutter:
    """Where we are: how deep (1: in the array itself), in a string or not, and the element so far."""

    __slots__ = ("_any", "_depth", "_escaped", "_held", "_most", "_over", "_string", "_too_large")

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = bytearray()
        self._depth = 0
        self._string = False
        self._escaped = False
        self._too_large = False
        self._any = False
        self._over = False

    def feed(self, chunk: bytes) -> Iterator[bytes | str]:
        at = 0
        if self._depth == 0 and not self._over:
            at = chunk.find(b"[") + 1
            if at == 0:
                return  # white space before the array
            self._depth = 1
        kept = at
        while at < len(chunk):
            if self._over:
                if chunk[at:].strip(_SPACE):
                    yield SYNTAX
                    self._over = False
                    self._depth = -1
                return
            if self._depth < 0:
                return
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = (_INSIDE if self._string else _OUTSIDE).search(chunk, at)
            if found is None:
                break
            mark = chunk[found.start()]
            at = found.end()
            if self._string:
                self._escaped = mark == 0x5C
                self._string = self._escaped
            elif mark == 0x22:
                self._string = True
            elif mark in _OPENING:
                self._depth += 1
            elif self._depth == 1:  # a comma, or the end of the array
                self._keep(chunk, kept, at - 1)
                last = mark in _CLOSING
                yield from self._cut(last=last)
                kept = at
                if last:
                    self._depth, self._over = 0, True
            elif mark in _CLOSING:
                self._depth -= 1
        if self._depth > 0:
            self._keep(chunk, kept, len(chunk))

    def end(self) -> Iterator[bytes | str]:
        """What is left when the stream ends: nothing, if the array was whole."""
        if self._depth > 0:
            yield SYNTAX

    def _keep(self, chunk: bytes, begin: int, end: int) -> None:
        if self._too_large or len(self._held) + end - begin > self._most:
            self._too_large = True
            self._held.clear()
        else:
            self._held += chunk[begin:end]

    def _cut(self, *, last: bool) -> Iterator[bytes | str]:
        element = bytes(self._held).strip(_SPACE)
        if self._too_large:
            yield TOO_LARGE
        elif element:
            yield element
        elif self._any or not last:
            yield SYNTAX
        self._any = True
        self._too_large = False
        self._held.clear()
