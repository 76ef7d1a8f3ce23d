"""Searches bytes for marked content, however it was written down: for rehearsals with artificial people.

A rehearsal's people are made up, so that their names may be looked for. `Scanner` is given marks (a label and the
text, or the bytes of a key) and finds them in other encodings, escaped, packed, encoded for transport, and any of
these inside another:

    character sets   UTF-8, UTF-16 (both orders), CP932, EUC-JP; composed and decomposed, half and full width
    escapes          \\uXXXX, \\xXX, %XX, &#N;, =XX
    transport        base64 (both alphabets, lines wrapped), base32, hexadecimal, at any offset
    packed           gzip, zlib, deflate inside ZIP
    digits           with a separator between any two of them

What is encrypted stays so: a scanner finds what anybody could read who has the bytes.
"""

from __future__ import annotations

import base64
import binascii
import errno
import functools
import html
import os
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CHARSETS: Final = ("utf-8", "utf-16-le", "utf-16-be", "cp932", "euc_jp")
_LEAST: Final = 6
"""bytes of a mark; fewer would be met by chance"""
_DEPTH: Final = 3
_UNPACKED: Final = 8 * 2**20
_PIECE: Final = 8 * 2**20
_OVERLAP: Final = 64 * 2**10
_SEPARATORS: Final = "-－‐.． 　_/,:"
_HALF_WIDTH: Final = {
    unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF61, 0xFFA0)
}  # fmt: skip
_FULL_WIDTH: Final = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "　"}


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A mark that was found: where, which, and under which coatings (`base64`, `gzip/utf-16-le`); never its text."""

    place: str
    label: str
    how: str


class Scanner:
    """Looks for marks. Building it takes a moment, using it is bounded by the bytes that are searched."""

    def __init__(self, marks: Mapping[str, str | bytes]) -> None:
        """Give each mark a label that may be shown. Raises ValueError for a mark that chance could write."""
        self._needles: dict[bytes, tuple[str, str]] = {}
        self._digits: list[tuple[str, re.Pattern[bytes]]] = []
        for label, mark in marks.items():
            for needle, how in _forms(mark):
                if len(needle) < _LEAST:
                    raise ValueError(f"{label}: at least {_LEAST} bytes")
                self._needles.setdefault(needle, (label, how))
            if isinstance(mark, str) and mark.isdigit():
                self._digits += [(label, pattern) for pattern in _separated(mark)]
        shortest = min((len(needle) for needle in self._needles), default=_LEAST)
        self._packed = shortest

    def search(self, data: bytes, place: str) -> set[Leak]:
        """Return what stands in some bytes."""
        return {Leak(place, label, how) for label, how in self._found(data, "", _DEPTH)}

    def search_file(self, path: Path, place: str | None = None) -> set[Leak]:
        """Search a file piece by piece; holes of sparse files are skipped. A file that goes away holds nothing."""
        leaks: set[Leak] = set()
        try:
            for piece in _pieces(path):
                leaks |= self.search(piece, place or str(path))
        except FileNotFoundError:
            return set()
        return leaks

    def search_tree(self, directory: Path, *, skip: Callable[[Path], bool] = lambda _: False) -> set[Leak]:
        """Search all files under a directory, and their names."""
        leaks: set[Leak] = set()
        for path in sorted(directory.rglob("*")):
            if not skip(path):
                leaks |= self.search(os.fsencode(path.name), f"name of a file in {path.parent}")
                if path.is_file() and not path.is_symlink():
                    leaks |= self.search_file(path)
        return leaks

    def _found(self, data: bytes, coat: str, depth: int) -> Iterator[tuple[str, str]]:
        for needle, (label, how) in self._needles.items():
            if needle in data:
                yield label, coat + how
        for label, pattern in self._digits:
            if pattern.search(data):
                yield label, f"{coat}separated"
        if depth:
            for name, view in _views(data, self._packed):
                yield from self._found(view, f"{coat}{name}/", depth - 1)


def _forms(mark: str | bytes) -> Iterator[tuple[bytes, str]]:
    if isinstance(mark, bytes):
        yield mark, "bytes"
        return
    texts = {
        "": mark,
        "composed ": unicodedata.normalize("NFC", mark),
        "decomposed ": unicodedata.normalize("NFD", mark),
        "compatible ": unicodedata.normalize("NFKC", mark),
        "half-width ": "".join(
            _HALF_WIDTH.get(part, part) for part in unicodedata.normalize("NFKD", mark)
        ),
        "full-width ": "".join(_FULL_WIDTH.get(part, part) for part in mark),
    }  # fmt: skip
    for style, text in texts.items():
        for charset in _CHARSETS:
            try:
                yield text.encode(charset), style + charset
            except UnicodeEncodeError:
                continue


def _separated(digits: str) -> Iterator[re.Pattern[bytes]]:
    """The digits with at most one separator between any two, in half or full width, in any of the character sets.

    A pattern for each way to write the first digit: one that begins with plain bytes is found fast.
    """
    seen = set()
    for charset in _CHARSETS:
        between = b"(?:" + b"|".join(re.escape(each) for each in _encoded(_SEPARATORS, charset)) + b")?"
        wide = [
            b"(?:" + b"|".join(re.escape(each) for each in _encoded(one + _FULL_WIDTH[one], charset)) + b")"
            for one in digits
        ]
        for first in _encoded(digits[0] + _FULL_WIDTH[digits[0]], charset):
            pattern = between.join([re.escape(first), *wide[1:]])
            if pattern not in seen:
                seen.add(pattern)
                yield re.compile(pattern)


def _encoded(characters: str, charset: str) -> Iterator[bytes]:
    for each in characters:
        try:
            yield each.encode(charset)
        except UnicodeEncodeError:
            continue


# views: the same bytes with one coating taken off

_HEX_RUN: Final = re.compile(rb"[0-9a-fA-F](?:[: -]?[0-9a-fA-F]){11,}")
_WRAPPED: Final = re.compile(rb"[A-Za-z0-9+/]{40}=?=?(?:(?:\\[nr])+|\r?\n[ \t]*)[A-Za-z0-9+/]")
_LINE_ENDS: Final = re.compile(rb"(?:\\[nr])+|\r?\n[ \t]*")
_ESCAPES: Final[tuple[tuple[str, bytes, Callable[[re.Match[bytes]], bytes]], ...]] = (
    ("\\u", rb"(?:\\+u[0-9a-fA-F]{4})+", lambda found: _from_u(found[0])),
    ("\\x", rb"\\+x[0-9a-fA-F]{2}", lambda found: bytes.fromhex(found[0][-2:].decode())),
    ("percent", rb"%[0-9a-fA-F]{2}", lambda found: bytes.fromhex(found[0][-2:].decode())),
    ("quoted-printable", rb"=(?:\r?\n|[0-9A-F]{2})", lambda found: _from_quoted(found[0][1:])),
    ("entities", rb"&#(?:[0-9]{2,7}|[xX][0-9a-fA-F]{2,6});", lambda found: _from_entity(found[0])),
)
_SINGLE: Final = {name: re.compile(one) for name, one, _ in _ESCAPES}
_RUN: Final = {
    "\\u": _SINGLE["\\u"],
    "\\x": re.compile(rb"(?:\\+x[0-9a-fA-F]{2}){2,}"),
    "percent": re.compile(rb"(?:%[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2})?){2,}"),  # and escaped twice
    "quoted-printable": re.compile(rb"(?:=(?:\r?\n|[0-9A-F]{2})){2,}"),
    "entities": re.compile(rb"(?:&#(?:[0-9]{2,7}|[xX][0-9a-fA-F]{2,6});){2,}"),
}
"""what chance does not write often"""
_AROUND: Final = 256
"""bytes on each side of a run of escapes that are looked at with it: what needs no escape stands between"""
_DEFLATED: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|PK\x03\x04")


def _views(data: bytes, least: int) -> Iterator[tuple[str, bytes]]:
    for name, _, plain in _ESCAPES:
        if around := _neighbourhoods(data, _RUN[name]):
            yield name, _SINGLE[name].sub(plain, around)
    if _WRAPPED.search(data):
        yield "joined", _LINE_ENDS.sub(b"", data)
    yield from _decoded(data, "base64", _run_of(rb"[A-Za-z0-9+/_-]", least * 4 // 3), 4, least, binascii.a2b_base64)
    base32 = _run_of(rb"[A-Z2-7]", least * 8 // 5, rb"[a-z2-7]")
    yield from _decoded(data, "base32", base32, 8, least, lambda run: base64.b32decode(run, casefold=True))
    yield from _decoded(data, "hex", _HEX_RUN, 2, least, binascii.unhexlify)
    for found in _DEFLATED.finditer(data):
        if inflated := _inflate(data, found.start()):
            yield "packed", inflated


@functools.cache
def _run_of(alphabet: bytes, least: int, other: bytes = b"") -> re.Pattern[bytes]:
    return re.compile(b"|".join(each + b"{%d,}" % least for each in (alphabet, other) if each))


def _neighbourhoods(data: bytes, runs: re.Pattern[bytes]) -> bytes:
    """The places where escapes stand close together, with what is around them."""
    spans: list[tuple[int, int]] = []
    for found in runs.finditer(data):
        begin, end = max(0, found.start() - _AROUND), found.end() + _AROUND
        if spans and begin <= spans[-1][1]:
            begin = spans.pop()[0]
        spans.append((begin, end))
    return b"\n".join(data[begin:end] for begin, end in spans)


def _decoded(
    data: bytes, name: str, runs: re.Pattern[bytes], unit: int, least: int, decode: Callable[[bytes], bytes]
) -> Iterator[tuple[str, bytes]]:
    """All runs of an alphabet decoded from each offset within a unit; joined, so that the marks are sought once."""
    views: list[list[bytes]] = [[] for _ in range(unit)]
    for found in runs.finditer(data):
        run = _compact(found[0], name)
        for offset in range(min(unit, len(run))):
            part = run[offset : offset + (len(run) - offset) // unit * unit]
            rest = run[offset + len(part) :]
            try:
                views[offset].append(decode(part) + _tail(rest, name))
            except (ValueError, binascii.Error):
                continue
    for parts in views:
        if sum(map(len, parts)) >= least:
            yield name, b"\n".join(parts)


_PLAIN_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")


def _compact(run: bytes, name: str) -> bytes:
    if name == "base64":
        return run.translate(_PLAIN_ALPHABET)
    return re.sub(rb"[: -]", b"", run) if name == "hex" else run


def _tail(rest: bytes, name: str) -> bytes:
    """The last, incomplete unit, as far as it holds whole bytes."""
    if name == "base64" and len(rest) >= 2:
        return base64.b64decode(rest + b"=" * (4 - len(rest)))
    if name == "base32" and len(rest) in (2, 4, 5, 7):
        return base64.b32decode(rest + b"=" * (8 - len(rest)), casefold=True)
    return b""


def _from_u(run: bytes) -> bytes:
    units = bytes.fromhex("".join(part[-4:].decode() for part in re.findall(rb"\\+u[0-9a-fA-F]{4}", run)))
    return units.decode("utf-16-be", "replace").encode("utf-8")


def _from_quoted(pair: bytes) -> bytes:
    return bytes.fromhex(pair.decode()) if pair.strip() else b""


def _from_entity(entity: bytes) -> bytes:
    return html.unescape(entity.decode()).encode("utf-8", "replace")


def _inflate(data: bytes, start: int) -> bytes:
    kind, begin = zlib.MAX_WBITS | 32, start
    if data[start : start + 2] == b"PK":
        if len(data) < start + 30 or int.from_bytes(data[start + 8 : start + 10], "little") != zlib.DEFLATED:
            return b""
        lengths = (data[start + 26 : start + 28], data[start + 28 : start + 30])
        kind, begin = -zlib.MAX_WBITS, start + 30 + sum(int.from_bytes(each, "little") for each in lengths)
    out = bytearray()
    inflater = zlib.decompressobj(kind)
    try:
        while begin < len(data) and not inflater.eof and len(out) < _UNPACKED:
            out += inflater.decompress(data[begin : begin + 4_096], _UNPACKED)
            begin += 4_096
    except zlib.error:
        pass  # what came before the damage counts
    return bytes(out)


def _pieces(path: Path) -> Iterator[bytes]:
    """A file's data in overlapping pieces, holes left out."""
    with path.open("rb", buffering=0) as file:
        at = 0
        for begin, end in _extents(file.fileno()):
            at = max(at, begin)
            while at < end:
                os.lseek(file.fileno(), at, os.SEEK_SET)
                piece = file.read(min(_PIECE, end - at))
                if not piece:
                    return
                yield piece
                at = end if at + len(piece) >= end else at + max(1, len(piece) - _OVERLAP)


def _extents(descriptor: int) -> Iterator[tuple[int, int]]:
    size, at = os.fstat(descriptor).st_size, 0
    while at < size:
        try:
            begin = os.lseek(descriptor, at, os.SEEK_DATA)
            end = os.lseek(descriptor, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # else nothing but a hole is left
                yield at, size  # a file system that knows no holes
            return
        yield begin, end
        at = end


def labels(leaks: Iterable[Leak]) -> set[str]:
    """Which marks were found at all."""
    return {leak.label for leak in leaks}
