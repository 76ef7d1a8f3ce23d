"""A published log on a disk: C2SP tlog-tiles as files below one directory, which any web server may serve.

    <directory>/checkpoint          the newest signed checkpoint; replaced whole
    <directory>/tile/...            immutable: written once, never changed (`hub.crypto.tiles`)
    <directory>/.lock               one publisher at a time

Every file is written under another name, synced, renamed and its directory synced, so that after a power cut
it is there whole or not at all. What is there and is not what the rows of the log give is LogContradicted:
nothing of it is ever overwritten.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hub import crashpoints
from hub.crypto.durable import sync_directory
from hub.crypto.notes import MAX_NOTE_BYTES
from hub.crypto.tiles import Tile, TileName
from schemas.errors import HubError

CHECKPOINT: Final = "checkpoint"
_LOCK: Final = ".lock"
_NEW: Final = ".new"
_LOOK_SECONDS: Final = 0.05


class PublishingError(HubError):
    """The audit log could not be published."""

    code = "publishing"


class PublishingUnavailable(PublishingError):
    """The directory of the published log cannot be written or read at the moment."""

    code = "publishing.unavailable"
    retriable = True
    hint = "Free space on its disk, or give the desk the right to write there; it goes on by itself."


class LogContradicted(PublishingError):
    """The published log and the database disagree; nothing was overwritten."""

    code = "publishing.contradicted"
    hint = (
        "Keep both as they are. Either the database was rolled back or changed (`audit verify`, and ask the"
        " witnesses for their checkpoint), or somebody altered the published files; publish elsewhere with --to"
        " only when it is known which."
    )


class PublishingBusy(PublishingError):
    """Another process publishes to this directory."""

    code = "publishing.busy"
    retriable = True
    hint = "A running audit desk publishes by itself; ask again when it is done."


class NotPublished(PublishingError):
    """Nothing is published here, or not yet that far."""

    code = "publishing.missing"
    hint = "Publish with `eltax-hub audit publish`; a running audit desk does so by itself."
    retriable = True


class LogDirectory:
    """Reads and writes the files; knows what they are called and nothing of what they must hold."""

    def __init__(self, path: Path) -> None:
        """Nothing is touched before it is used."""
        self.path = path
        self._settled: set[Path] = set()

    @contextmanager
    def locked(self, patience_seconds: float = 0.0) -> Iterator[None]:
        """Be the only publisher; removes what a killed one left half written. Blocks for `patience_seconds` at most.

        Raises PublishingBusy when another process still publishes then.
        """
        try:
            self._make(self.path)
            descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise PublishingUnavailable from problem
        try:
            _lock(descriptor, patience_seconds)
            self._settle(self.path)
            yield
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """Remove files that were never finished; only their writer's own names are touched."""
        try:
            for left in self.path.rglob(f".*{_NEW}"):
                left.unlink()
        except OSError as problem:
            raise PublishingUnavailable from problem

    def read(self, name: TileName) -> bytes | None:
        """Return a tile's bytes, None if there is no such file. Raises PublishingUnavailable."""
        return self._read(self.path / name.path, 1 << 31)

    def read_checkpoint(self) -> bytes | None:
        """Return the published checkpoint, None if there is none."""
        return self._read(self.path / CHECKPOINT, MAX_NOTE_BYTES + 1)

    def _read(self, path: Path, limit: int) -> bytes | None:
        try:
            with path.open("rb") as file:
                return file.read(limit)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise PublishingUnavailable from problem

    def put(self, tile: Tile) -> bool:
        """Write a tile unless it is there already; True if it was written. Raises LogContradicted."""
        found = self.read(tile.name)
        if found is not None:
            if found != tile.data:
                raise LogContradicted(tile.name.path)
            self._settle((self.path / tile.name.path).parent)
            return False
        self._write(self.path / tile.name.path, tile.data)
        crashpoints.reached("audit.between-tiles")
        return True

    def put_checkpoint(self, data: bytes) -> None:
        """Replace the checkpoint; every tile of it must be there before."""
        crashpoints.reached("audit.before-checkpoint")
        self._write(self.path / CHECKPOINT, data)
        crashpoints.reached("audit.after-checkpoint")

    def tiles(self) -> Iterator[TileName]:
        """Yield every tile that is there. Raises LogContradicted for a file that no log has."""
        for directory, _, files in os.walk(self.path / "tile"):
            for file in files:
                path = (Path(directory) / file).relative_to(self.path).as_posix()
                name = TileName.parse(path)
                if name is None:
                    raise LogContradicted(f"({path!r} is no tile)")
                yield name

    def drop_partial(self, name: TileName) -> None:
        """Remove the partial forms of a tile that is full now (tlog-tiles, "Partial Tiles")."""
        directory = (self.path / name.full.path).with_suffix(".p")
        try:
            for partial in directory.glob("*"):
                partial.unlink()
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError as problem:
            raise PublishingUnavailable from problem

    def _write(self, path: Path, data: bytes) -> None:
        new = path.with_name(f".{path.name}{_NEW}")
        try:
            self._make(path.parent)
            self._settle(path.parent)
            with new.open("wb") as file:
                file.write(data[: len(data) // 2])
                file.flush()
                crashpoints.reached("audit.in-tile")
                file.write(data[len(data) // 2 :])
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            sync_directory(path.parent)
        except OSError as problem:
            raise PublishingUnavailable from problem

    def _settle(self, directory: Path) -> None:
        """Sync a directory and those above it once in this process.

        Whoever wrote what is found in it may have been killed after the rename and before the sync.
        """
        while directory not in self._settled:
            try:
                sync_directory(directory)
            except OSError as problem:
                raise PublishingUnavailable from problem
            self._settled.add(directory)
            if directory == self.path.parent:
                return
            directory = directory.parent

    def _make(self, directory: Path) -> None:
        if directory.is_dir():
            return
        self._make(directory.parent)
        directory.mkdir(exist_ok=True, mode=stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        sync_directory(directory.parent)


def _lock(descriptor: int, patience_seconds: float) -> None:
    """Looks again and again: the kernel's own waiting for a lock knows no end."""
    ends = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise PublishingBusy from None
            time.sleep(_LOOK_SECONDS)
        else:
            return
