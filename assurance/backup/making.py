"""Makes a backup of a home while it works: databases by SQLite's backup, keys as they lie, all of it sealed."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from assurance.backup.contents import Item, items
from assurance.backup.databases import copy, part_data_keys
from assurance.backup.errors import BackupExists, BackupFailed
from assurance.backup.escrow import REGISTER, EscrowPublic, Registered, escrow_of, fingerprint, register
from hub.crypto.archive import ArchiveWriter
from hub.crypto.durable import sync_directory

MANIFEST: Final = "MANIFEST.json"
DATA_KEYS: Final = "data-keys"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Made:
    """The backup, the escrow archives by epoch, and how much went into the backup."""

    backup: Path
    escrows: Mapping[int, Path]
    files: int
    databases: int


def make_backup(home: Path, out: Path, *, now: datetime, final: bool) -> Made:
    """Write the archives into the directory `out`, each whole or not there; nothing is written over.

    `final` says that nothing of this home runs, so that what producers wrote ends here. Raises NoEscrow,
    BackupExists, StoreUnreadable, BackupFailed.
    """
    key = escrow_of(home)
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=home, prefix=".backup-") as scratch:
            return _make(home, out, key, Path(scratch), stamp, now, final=final)
    except OSError as problem:
        raise BackupFailed(f"({type(problem).__name__}: {problem.strerror})") from None


def _make(home: Path, out: Path, key: EscrowPublic, scratch: Path, stamp: str, now: datetime, *, final: bool) -> Made:
    ordinary: list[tuple[str, Path]] = []
    by_epoch: defaultdict[int, list[tuple[str, Path]]] = defaultdict(list)
    databases = 0
    for number, item in enumerate(items(home)):
        if item.epoch is not None:
            by_epoch[item.epoch].append((item.name, item.path))
        elif item.database:
            databases += 1
            copied = scratch / str(number)
            for epoch, keys in _copied(item, copied, scratch / f"{number}.keys").items():
                by_epoch[epoch].append((f"{DATA_KEYS}/{item.name}", keys))
            ordinary.append((item.name, copied))
        else:
            ordinary.append((item.name, item.path))
    said = {"version": VERSION, "made_at": now.isoformat(), "key_id": key.key_id.hex()}
    partial: list[Path] = []
    try:
        escrows = {}
        for epoch, members in sorted(by_epoch.items()):
            escrows[epoch] = out / f"escrow-{epoch}-{stamp}.eltax"
            partial.append(_write(escrows[epoch], key, {**said, "kind": "escrow", "epoch": epoch}, {}, members))
        new = [
            Registered(now.isoformat(), epoch, escrows[epoch].name, fingerprint(path))
            for epoch, path in zip(escrows, partial, strict=True)
        ]
        register(home, *new)  # before they have their names: what is not registered could be forgotten
        if new and REGISTER not in dict(ordinary):
            ordinary.append((REGISTER, home / REGISTER))
        manifest = {
            **said,
            "final": final,
            "escrows": [{"epoch": each.epoch, "file": each.file, "sha256": each.sha256} for each in new],
            "files": [name for name, _ in ordinary],
        }
        backup = out / f"backup-{stamp}.eltax"
        partial.append(_write(backup, key, {**said, "kind": "backup"}, manifest, ordinary))
        for path, wanted in zip(partial, [*escrows.values(), backup], strict=True):
            _name(path, wanted)
    finally:
        for path in partial:
            path.unlink(missing_ok=True)
    sync_directory(out)
    return Made(backup, escrows, len(ordinary), databases)


def _copied(item: Item, copied: Path, keys: Path) -> Mapping[int, Path]:
    copy(item.path, copied)
    return part_data_keys(copied, keys)


def _write(
    wanted: Path,
    key: EscrowPublic,
    head: Mapping[str, object],
    manifest: Mapping[str, object],
    members: Sequence[tuple[str, Path]],
) -> Path:
    """Write an archive under a name that nobody takes for one, durably."""
    if wanted.exists():
        raise BackupExists(f"({wanted})")
    path = wanted.with_suffix(".partial")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            with (
                ArchiveWriter(out, key.suite, key.public, json.dumps(head).encode()) as sealed,
                tarfile.open(fileobj=sealed, mode="w|", format=tarfile.PAX_FORMAT) as packed,
            ):
                if manifest:
                    _add(packed, MANIFEST, json.dumps(manifest).encode())
                for name, source in members:
                    _add_file(packed, name, source)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    import io

    about = tarfile.TarInfo(name)
    about.size, about.mode = len(content), 0o600
    packed.addfile(about, io.BytesIO(content))


def _add_file(packed: tarfile.TarFile, name: str, source: Path) -> None:
    """Add a file at the length that it has when it is opened; one that grows meanwhile is taken up to there."""
    with source.open("rb") as file:
        found = os.fstat(file.fileno())
        about = tarfile.TarInfo(name)
        about.size, about.mode, about.mtime = found.st_size, 0o600 | (found.st_mode & 0o044), int(found.st_mtime)
        packed.addfile(about, file)


def _name(path: Path, wanted: Path) -> None:
    try:
        os.link(path, wanted)
    except FileExistsError:
        raise BackupExists(f"({wanted})") from None
