"""Follows a log that rolls over: every line once, however often the file is renamed between two looks.

A family is `<name>.log` and what it was renamed to, `<name>.<n>.log`. How far each of its files was read goes by the
file's inode and its first bytes, so that a name or an inode that is used again is not mistaken for the old one. A half
line waits for its end. What went away unread, or was cut off, is told.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

MAX_READ_BYTES: Final = 2 * 2**20
"""at one look, of one family; a line that is longer is passed over"""
MAX_FILES: Final = 64
_START_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read."""

    family: str
    inode: int
    offset: int
    start: bytes
    """hash of its first bytes, as far as they were read, 64 at most"""
    done: bool = False
    """it was renamed, and read to its end: it grows no more"""
    inside: bool = False
    """the offset lies inside a line that is too long"""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: whole lines without their ends, and where the next one goes on."""

    lines: Sequence[bytes]
    places: Sequence[Place]
    more: bool = False
    """the bound was reached: look again at once"""
    lost: bool = False
    """bytes went away, or were changed, before they were read to their end"""
    readable: bool = True


class Follower:
    """One family in one directory. A look counts only once `taken` was called with it."""

    def __init__(self, directory: Path, family: str, kept: Iterable[Place] = (), *, of: str = "") -> None:
        """Go on where an earlier process stopped; a file that nobody has read is read from its beginning.

        `of` says whose the family is, where several directories have one of its name.
        """
        self._directory, self.family = directory, family
        self._known_as = f"{of}:{family}" if of else family
        self._places: dict[int, Place] = {}
        self._take(kept)

    @property
    def places(self) -> tuple[Place, ...]:
        """How far each file was read."""
        return tuple(self._places.values())

    def taken(self, look: Look) -> None:
        """What the look found is dealt with."""
        self._take(look.places)

    def _take(self, places: Iterable[Place]) -> None:
        self._places = {place.inode: place for place in places if place.family == self._known_as}

    def look(self) -> Look:
        """Read on, oldest file first. Never raises: what cannot be read now is not readable."""
        try:
            return self._look()
        except OSError:  # no such directory, no right, or renamed while we looked: the next look tells
            return Look((), self.places, readable=False)

    def _look(self) -> Look:
        lines: list[bytes] = []
        places: list[Place] = []
        room, more, gone = MAX_READ_BYTES, False, dict(self._places)
        files = self._files()
        for path, active in files:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                inode = os.fstat(descriptor).st_ino
                before = gone.get(inode)
                if before is not None and self._is(descriptor, before):
                    del gone[inode]
                else:
                    before = Place(self._known_as, inode, 0, _start(descriptor, 0))
                if more:  # what comes after an unfinished file waits for its turn
                    places.append(before)
                    continue
                data = os.pread(descriptor, room + 1, before.offset)
                whole = len(data) <= room
                more = not whole
                found, used, inside = _split(data[:room], before.inside, final=whole and not active)
                lines += found
                room -= used
                end = before.offset + used
                done = whole and not active and used == len(data)
                places.append(Place(self._known_as, inode, end, _start(descriptor, end), done, inside))
            finally:
                os.close(descriptor)
        lost = any(not place.done for place in gone.values())
        return Look(lines, places, more, lost, readable=bool(files))

    def _is(self, descriptor: int, before: Place) -> bool:
        """Say whether this is the file that was read: as long at least, and with the same beginning."""
        size = os.fstat(descriptor).st_size
        return size >= before.offset and _start(descriptor, before.offset) == before.start

    def _files(self) -> list[tuple[Path, bool]]:
        """The family's files, oldest first, and whether each is the one that is written to."""
        found = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                number = entry.name.removeprefix(f"{self.family}.").removesuffix(".log")
                active = entry.name == f"{self.family}.log"
                if active or (
                    entry.name == f"{self.family}.{number}.log"
                    and len(number) < 10
                    and number.isascii()
                    and number.isdecimal()
                ):
                    order = (active, entry.stat(follow_symlinks=False).st_mtime_ns, 0 if active else int(number))
                    found.append((order, Path(entry.path), active))
        return [(path, active) for _, path, active in sorted(found)[-MAX_FILES:]]


def _start(descriptor: int, offset: int) -> bytes:
    return sha256(os.pread(descriptor, min(offset, _START_BYTES), 0)).digest()[:16]


def _split(data: bytes, inside: bool, *, final: bool) -> tuple[list[bytes], int, bool]:
    """Return the whole lines, how many bytes they took, and whether that ends inside a line that is too long.

    `final`: the file grows no more, and what follows its last line end is a line too.
    """
    lines = data.split(b"\n")
    rest = lines.pop()
    used = len(data) - len(rest)
    if inside and lines:
        lines, inside = lines[1:], False
    if final and rest:
        used = len(data)
        return (lines if inside else [*lines, rest]), used, False
    if not lines and len(rest) >= MAX_READ_BYTES:
        return ([] if inside else [rest]), len(data), True
    if inside and rest:
        return lines, len(data), True
    return lines, used, inside
