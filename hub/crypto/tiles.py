"""A Merkle tree as tiles of 256 hashes, and proofs made from them (C2SP tlog-tiles). Pure: bytes and paths.

    tile/<L>/<N>[.p/<W>]        W consecutive hashes of 32 bytes; full: 256 ("Merkle Tree")
                                MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l]) for i from 0
    tile/entries/<N>[.p/<W>]    W times u16 length ‖ entry ("Log entries")
    tile/long-entries/<N>[.p/<W>]   W times u32 length ‖ entry: where one is longer than 65,535 bytes, which the
                                bundle above cannot hold; a different encoding has a different address (same)
    <N>                         three digits an element, all but the last with `x`: 1234067 = x001/x234/067

A tile of level L + 1 holds the tree hashes of full tiles of level L only; partial ones are hashed nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import ClassVar, Final, TypeAlias

from hub.crypto.errors import CryptoError
from hub.crypto.merkle import EMPTY_ROOT, HASH_BYTES, node_hash, root

WIDTH: Final = 256
_HEIGHT: Final = 8
MAX_LEVEL: Final = 63
ENTRIES: Final = "entries"
LONG_ENTRIES: Final = "long-entries"
_MAX_SHORT: Final = 2**16 - 1
_PATH: Final = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?|entries|long-entries)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class TilesDamaged(CryptoError):
    """A tile is missing, has not its length, or does not give the tree it should."""

    code: ClassVar[str] = "tiles.damaged"


@dataclass(frozen=True, slots=True, order=True)
class TileName:
    """Which tile: `level` is 0 to 63 in decimal, or `entries`, or `long-entries`; `width` 256 is a full one."""

    level: str
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The address below the log's prefix."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        elements = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        whole = "/".join([*(f"x{each}" for each in elements[:-1]), elements[-1]])
        return f"tile/{self.level}/{whole}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @classmethod
    def parse(cls, path: str) -> TileName | None:
        """Read an address; None if it is not one in its one form."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        name = cls(found["level"], int(found["index"].replace("x", "").replace("/", "")), int(found["width"] or WIDTH))
        if name.width > WIDTH or (found["level"].isdecimal() and int(name.level) > MAX_LEVEL):
            return None
        return name if name.path == path else None  # 256 wide is a full tile's, which does not say so

    @property
    def is_full(self) -> bool:
        """Whether it is 256 wide, and therefore never changes."""
        return self.width == WIDTH

    @property
    def full(self) -> TileName:
        """The full tile that this one becomes."""
        return TileName(self.level, self.index)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's name and bytes."""

    name: TileName
    data: bytes


def widths(size: int) -> tuple[tuple[int, int], ...]:
    """Return per level of a tree how many full tiles it has and how wide the partial one is (0: none).

    The partial tile at level l has floor(size / 256**l) mod 256 hashes ("Partial Tiles").
    """
    found = []
    while size:
        found.append(divmod(size, WIDTH))
        size //= WIDTH
    return tuple(found)


def tiles_of(size: int) -> Iterator[TileName]:
    """Yield the hash tiles that represent a tree of `size` leaves, level by level."""
    for level, (full, partial) in enumerate(widths(size)):
        for index in range(full):
            yield TileName(str(level), index)
        if partial:
            yield TileName(str(level), full, partial)


class TileEdge:
    """The right edge of a tree in tiles: grows by leaf hashes, gives each tile when it is full."""

    __slots__ = ("_full", "_levels")

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self._levels: list[list[bytes]] = []
        self._full: list[int] = []

    def add(self, leaf: bytes) -> tuple[Tile, ...]:
        """Take the next leaf hash; return the tiles that are full now, lowest first."""
        done = []
        node = leaf
        for level in count():
            if level == len(self._levels):
                self._levels.append([])
                self._full.append(0)
            hashes = self._levels[level]
            hashes.append(node)
            if len(hashes) < WIDTH:
                break
            done.append(Tile(TileName(str(level), self._full[level]), b"".join(hashes)))
            node = root(hashes)
            self._levels[level] = []
            self._full[level] += 1
        return tuple(done)

    def partial(self) -> tuple[Tile, ...]:
        """Return the partial tiles of the tree as it is now, lowest first."""
        return tuple(
            Tile(TileName(str(level), self._full[level], len(hashes)), b"".join(hashes))
            for level, hashes in enumerate(self._levels)
            if hashes
        )


def bundle(index: int, entries: Sequence[bytes]) -> Tile:
    """Write up to 256 entries as a bundle; with wide lengths where one is too long for a narrow one."""
    long = any(len(entry) > _MAX_SHORT for entry in entries)
    bytes_of_length = 4 if long else 2
    data = b"".join(len(entry).to_bytes(bytes_of_length, "big") + entry for entry in entries)
    return Tile(TileName(LONG_ENTRIES if long else ENTRIES, index, len(entries)), data)


def unbundle(tile: Tile) -> tuple[bytes, ...]:
    """Read a bundle's entries. Raises TilesDamaged unless it holds exactly as many as it is wide."""
    bytes_of_length = {ENTRIES: 2, LONG_ENTRIES: 4}[tile.name.level]
    entries, at = [], 0
    while at < len(tile.data):
        start = at + bytes_of_length
        at = start + int.from_bytes(tile.data[at:start], "big")
        entries.append(tile.data[start:at])
        if at > len(tile.data):
            raise TilesDamaged(tile.name.path)
    if len(entries) != tile.name.width:
        raise TilesDamaged(tile.name.path)
    return tuple(entries)


ReadTile: TypeAlias = Callable[[TileName], bytes | None]
"""Returns a tile's bytes, or None if there is none"""


class TiledTree:
    """A tree of a known size, read through its tiles; each tile is read once.

    Hashes are those of RFC 6962: a proof made here is only as good as the tiles, so compare `root()` with a
    signed checkpoint first.
    """

    def __init__(self, size: int, read: ReadTile) -> None:
        """`read` is asked for the partial tile of this size first, then for the full one."""
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], bytes] = {}

    def again(self) -> TiledTree:
        """Return a tree of the same tiles that shares nothing with this one, for another thread."""
        return TiledTree(self.size, self._read)

    def root(self) -> bytes:
        """Return the tree hash. Raises TilesDamaged."""
        return self._hash(0, self.size) if self.size else EMPTY_ROOT

    def leaf(self, index: int) -> bytes:
        """Return a leaf hash. Raises TilesDamaged."""
        return self._hash(index, index + 1)

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Return the audit path of a leaf, from its sibling upwards (RFC 6962, 2.1.1). Raises TilesDamaged."""
        if not 0 <= index < self.size:
            raise ValueError("no such leaf")
        path = []
        low, high = 0, self.size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low = middle
        return tuple(reversed(path))

    def consistency(self, old_size: int) -> tuple[bytes, ...]:
        """Return the proof that the first `old_size` leaves are a prefix (RFC 6962, 2.1.2). Raises TilesDamaged."""
        if not 0 < old_size <= self.size:
            raise ValueError("no such older tree")
        path = []
        low, high = 0, self.size
        while old_size != high:
            middle = low + _split(high - low)
            if old_size <= middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low = middle
        if low:
            path.append(self._hash(low, high))
        return tuple(reversed(path))

    def _hash(self, low: int, high: int) -> bytes:
        """The tree hash of leaves low to high; only ranges that RFC 6962 splits into are asked for."""
        leaves = high - low
        if leaves & (leaves - 1):
            middle = low + _split(leaves)
            return node_hash(self._hash(low, middle), self._hash(middle, high))
        level, rest = divmod(leaves.bit_length() - 1, _HEIGHT)
        first = (low >> (level * _HEIGHT)) % WIDTH
        hashes = self._tile(level, low >> ((level + 1) * _HEIGHT))
        width = 1 << rest
        return root(hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES] for at in range(first, first + width))

    def _tile(self, level: int, index: int) -> bytes:
        found = self._tiles.get((level, index))
        if found is not None:
            return found
        full, partial = widths(self.size)[level]
        whole = TileName(str(level), index)
        name = whole if index < full else TileName(str(level), index, partial)
        data = self._read(name)
        if data is None and not name.is_full:
            data = self._read(whole)  # a log may drop a partial tile once the full one is there
            data = None if data is None or len(data) != WIDTH * HASH_BYTES else data[: name.width * HASH_BYTES]
        if data is None or len(data) != name.width * HASH_BYTES:
            raise TilesDamaged(name.path)
        self._tiles[level, index] = data
        return data


def _split(count: int) -> int:
    """The largest power of two below `count` (at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)
