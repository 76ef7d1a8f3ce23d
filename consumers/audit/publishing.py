"""Publishes the audit log: tiles and a signed checkpoint, derived from the rows and from nothing else.

    rows ─> tiles (each file whole, synced) ─> checkpoint signed ─> witnesses cosign ─> checkpoint (last)

A publisher begins by deriving everything again and comparing it with what is published: a tile that differs,
a checkpoint that is larger than the log or has another root, an entry that the rows do not have are
LogContradicted. So a log that signed one history never signs another (tlog-checkpoint, "Signatures"). From
then on it adds what the log has grown by. What was written before a crash is found identical and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from consumers.audit.log_directory import LogContradicted, LogDirectory
from consumers.audit.tree import read_head
from consumers.store.errors import StoreDamaged
from consumers.store.model import LogHead
from hub.crypto.checkpoints import CheckpointMalformed, TreeCheckpoint, open_checkpoint, sign_checkpoint
from hub.crypto.merkle import Frontier, leaf_hash
from hub.crypto.notes import Note, NoteMalformed, NoteNotSigned, NoteSignature, NoteSigner, VerifierKey
from hub.crypto.tiles import (
    ENTRIES,
    LONG_ENTRIES,
    WIDTH,
    Tile,
    TiledTree,
    TileEdge,
    TileName,
    TilesDamaged,
    bundle,
    unbundle,
)
from hub.envelope.reasons import EnvelopeError
from hub.envelope.signed import Signed
from schemas.codec import CodecError

_BUNDLES: Final = (ENTRIES, LONG_ENTRIES)


class LogRows(Protocol):
    """The rows of a log, whoever keeps them: a `consumers.store.port.Store`, or the operations log's."""

    def log_head(self) -> LogHead | None:
        """Return where the log stands, with its signed tree head; None before its first entry."""

    def log_entries(self, start: int = 0) -> Iterator[tuple[int, str, bytes]]:
        """Yield (index, kind, entry) in order from an index on."""


class Cosigners(Protocol):
    """Whoever is asked to cosign a checkpoint before it is published. Never raises, never waits long."""

    def missing(self, note: Note) -> bool:
        """Say whether a configured witness has not cosigned this note."""

    def cosign(self, note: Note, tree: TiledTree) -> Sequence[NoteSignature]:
        """Return the cosignatures that could be had, each verified."""


class _Nobody:
    """A log without witnesses."""

    def missing(self, note: Note) -> bool:
        return False

    def cosign(self, note: Note, tree: TiledTree) -> Sequence[NoteSignature]:
        return ()


NOBODY: Final[Cosigners] = _Nobody()


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Who signs now, and with which keys what is published may have been signed, revoked ones too.

    What was published is compared with the rows in any case; the next checkpoint is signed with the newest key.
    """

    signer: NoteSigner
    keys: tuple[VerifierKey, ...]

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.signer.name


@dataclass(frozen=True, slots=True)
class Published:
    """What is published now; `tiles` were written by this call."""

    size: int
    root: bytes
    tiles: int
    cosignatures: int


class Publisher:
    """Publishes one store's log to one directory. Blocks; one call at a time."""

    def __init__(
        self,
        store: LogRows,
        directory: LogDirectory,
        identity: LogIdentity,
        head_holds: Callable[[Signed, int], bool],
        cosigners: Cosigners = NOBODY,
    ) -> None:
        """`head_holds` says whether a tree head of that time (ms) is signed by this desk."""
        self._store = store
        self._directory = directory
        self._identity = identity
        self._head_holds = head_holds
        self._cosigners = cosigners
        self._work: _Derived | None = None

    def publish(self, *, patience_seconds: float = 0.0) -> Published:
        """Bring the directory to the size of the log; wait so long for another publisher of this directory.

        Raises LogContradicted, StoreDamaged, PublishingUnavailable or PublishingBusy.
        """
        with self._directory.locked(patience_seconds):
            work, self._work = self._work, None  # after any error everything is derived again
            said = self._said()
            head = self._head()
            size, root = (0, Frontier().root()) if head is None else (head.size, head.root)
            if said is not None and said[0].size > size:
                raise LogContradicted(f"(published {said[0].size} entries, the database has {size})")
            first = work is None or said is None or (said[0].size, said[0].root) != (work.size, work.root())
            if first or work is None:
                self._directory.sweep()
                work = _Derived(self._directory)
            work.grow(self._store, size, None if said is None else said[0])
            if work.root() != root:
                raise StoreDamaged("the audit log's rows do not give its tree head")
            work.finish(sweeping=first)
            note = self._checkpoint(said, TreeCheckpoint(self._identity.origin, size, root))
            for name in work.completed:
                self._directory.drop_partial(name)
            work.completed.clear()
            self._work = work
            return Published(size, root, work.take_written(), len(note.signatures) - 1)

    def _said(self) -> tuple[TreeCheckpoint, Note] | None:
        data = self._directory.read_checkpoint()
        if data is None:
            return None
        try:
            note = Note.parse(data)
            checkpoint = open_checkpoint(note, self._identity.keys)
        except (NoteMalformed, NoteNotSigned, CheckpointMalformed) as problem:
            raise LogContradicted(f"(checkpoint: {problem.code})") from problem
        return checkpoint, note

    def _head(self) -> LogHead | None:
        head = self._store.log_head()
        if head is None:
            return None
        try:
            said, signed = read_head(head.head)
            holds = (said.size, said.root) == (head.size, head.root) and self._head_holds(signed, said.made_at_ms)
        except (CodecError, EnvelopeError):
            holds = False
        if not holds:
            raise StoreDamaged("the audit log's tree head is not signed")
        return head

    def _checkpoint(self, said: tuple[TreeCheckpoint, Note] | None, now: TreeCheckpoint) -> Note:
        """Sign and publish if the log grew or has another key; ask again for cosignatures that are missing."""
        key = self._identity.signer.verifier()
        new = said is None or said[0] != now or not any(mark.names(key) for mark in said[1].signatures)
        note = sign_checkpoint(now, self._identity.signer) if said is None or new else said[1]
        if self._cosigners.missing(note):
            tree = TiledTree(now.size, self._directory.read)
            more = self._cosigners.cosign(note, tree)
            note = note.with_signatures(more)
            new = new or bool(more)
        if new:
            self._directory.put_checkpoint(note.encode())
        return note


class _Derived:
    """The tree as the rows give it, and which of its tiles are known to be on the disk."""

    def __init__(self, directory: LogDirectory) -> None:
        self._directory = directory
        self._edge = TileEdge()
        self._frontier = Frontier()
        self._entries: list[bytes] = []
        self._written = 0
        self.completed: list[TileName] = []
        """full tiles whose partial forms are not needed any more"""

    @property
    def size(self) -> int:
        return self._frontier.size

    def root(self) -> bytes:
        return self._frontier.root()

    def take_written(self) -> int:
        written, self._written = self._written, 0
        return written

    def grow(self, store: LogRows, size: int, said: TreeCheckpoint | None) -> None:
        """Take the rows up to `size`; on the way the root must be the one that was published."""
        rows = store.log_entries(self.size)
        if said is not None and said.size == 0:
            self._compare(said)
        while self.size < size:
            row = next(rows, None)
            if row is None or row[0] != self.size:
                raise StoreDamaged(f"the audit log has no row {self.size}")
            self._take(row[2])
            if said is not None and said.size == self.size:
                self._compare(said)

    def _compare(self, said: TreeCheckpoint) -> None:
        if said.root != self.root():
            raise LogContradicted(f"(another root at size {said.size} was published)")

    def _take(self, entry: bytes) -> None:
        leaf = leaf_hash(entry)
        index = self._frontier.append(leaf)
        self._entries.append(entry)
        full = self._edge.add(leaf)
        if len(self._entries) == WIDTH:
            self._put(bundle(index // WIDTH, self._entries))
            self._entries = []
            # Its beginning may have been narrow where the whole is long.
            self.completed += [TileName(level, index // WIDTH) for level in _BUNDLES]
        for tile in full:
            self._put(tile)
            self.completed.append(tile.name)

    def _put(self, tile: Tile) -> None:
        self._written += self._directory.put(tile)

    def finish(self, *, sweeping: bool) -> None:
        """Write the partial tiles; when `sweeping`, compare every file that is there."""
        if self._entries:
            self._put(bundle(self.size // WIDTH, self._entries))
        for tile in self._edge.partial():
            self._put(tile)
        if sweeping:
            self._look_at_all()

    def _look_at_all(self) -> None:
        """Each file must be a tile of this tree, or the beginning of one."""
        for name in sorted(self._directory.tiles()):
            if name.level in _BUNDLES:
                self._look_at_bundle(name)
            else:
                self._look_at_tile(name)

    def _look_at_tile(self, name: TileName) -> None:
        reach = 256 ** int(name.level)
        if (name.index * WIDTH + name.width) * reach > self.size:
            raise LogContradicted(f"{name.path} (the database has not so many entries)")
        whole = self._whole(name)
        if name.is_full or whole is None:
            return  # compared when it was put
        if self._directory.read(name) != whole[: name.width * 32]:
            raise LogContradicted(name.path)

    def _whole(self, name: TileName) -> bytes | None:
        """The bytes of the widest form of a tile in this tree; they were compared already."""
        for tile in self._edge.partial():
            if (tile.name.level, tile.name.index) == (name.level, name.index):
                return tile.data
        return self._directory.read(name.full)

    def _look_at_bundle(self, name: TileName) -> None:
        if name.index * WIDTH + name.width > self.size:
            raise LogContradicted(f"{name.path} (the database has not so many entries)")
        expected = bundle(name.index, self._entries_of(name.index)[: name.width])
        if expected.name != name or self._directory.read(name) != expected.data:
            raise LogContradicted(name.path)

    def _entries_of(self, index: int) -> Sequence[bytes]:
        if index == self.size // WIDTH:
            return self._entries
        for level in _BUNDLES:
            data = self._directory.read(TileName(level, index))
            if data is not None:
                try:
                    return unbundle(Tile(TileName(level, index), data))
                except TilesDamaged as problem:
                    raise LogContradicted(problem.detail) from problem
        raise LogContradicted(f"(bundle {index})")
