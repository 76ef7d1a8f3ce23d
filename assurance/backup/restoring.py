"""Puts a home together again from its archives, looks whether it works, and only then gives it its name."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, Final

from assurance.backup.contents import JOURNALS, items
from assurance.backup.databases import check, join_data_keys
from assurance.backup.errors import HomeTaken, NotTheseArchives, RestoreBroken
from assurance.backup.escrow import fingerprint, private_escrow, registered
from assurance.backup.making import DATA_KEYS, MANIFEST, VERSION
from hub.crypto.archive import ArchiveDamaged, ArchiveReader, read_head
from hub.crypto.audience import AudiencePrivateKey
from hub.crypto.durable import sync_directory
from hub.crypto.errors import CryptoError
from hub.enrolment import listed_at
from hub.envelope.trust import TrustRefused
from hub.role import load_role
from hub.settings import RoleSettings
from schemas.errors import HubError

_ASIDE: Final = "set-aside"


@dataclass(frozen=True, slots=True)
class Restored:
    """What is there again. `missing` epochs stay unreadable; `aside` are journals that producers begin anew."""

    made_at: str
    final: bool
    files: int
    roles: tuple[str, ...]
    databases: int
    epochs: tuple[int, ...]
    missing: tuple[int, ...]
    aside: tuple[str, ...]


@dataclass(slots=True)
class _Heads:
    backup: Path | None = None
    escrows: dict[int, Path] = field(default_factory=dict)
    key_id: str = ""


def restore(
    home: Path,
    archives: Sequence[Path],
    escrow: Path,
    passphrase: bytes,
    *,
    keep: bool = True,
    allow_weak: bool = False,
) -> Restored:
    """Restore into `home`, which must not exist or be empty; without `keep` only look whether it could be done.

    `escrow` is the directory of the private key. Raises HomeTaken, NotTheseArchives, ArchiveDamaged, NoEscrow,
    KeyStoreError, RestoreBroken; then nothing is in place.
    """
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise HomeTaken(f"({home})")
    heads = _heads(archives)
    assert heads.backup is not None
    key = private_escrow(escrow, passphrase, bytes.fromhex(heads.key_id), allow_weak=allow_weak)
    home.parent.mkdir(parents=True, exist_ok=True)
    fresh = home.with_name(f".{home.name}.{secrets.token_hex(4)}")
    fresh.mkdir(mode=0o700)
    try:
        done = _restore(fresh, heads.backup, heads.escrows, key, allow_weak=allow_weak)
        if keep:
            if home.exists():
                home.rmdir()
            os.sync()  # hundreds of small files: once for all of them
            fresh.rename(home)
            sync_directory(home.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return done


def _restore(
    fresh: Path, backup: Path, escrows: dict[int, Path], key: AudiencePrivateKey, *, allow_weak: bool
) -> Restored:
    manifest = _unpack(backup, key, fresh)
    wanted = {each["epoch"]: (each["file"], each["sha256"]) for each in manifest.get("escrows", [])}
    for epoch, path in escrows.items():
        if epoch not in wanted or fingerprint(path) != wanted[epoch][1]:
            raise NotTheseArchives(f"({path.name})")
    for epoch, path in sorted(escrows.items()):
        _unpack(path, key, fresh)
        for keys in sorted((fresh / DATA_KEYS).rglob("*")) if (fresh / DATA_KEYS).exists() else ():
            if keys.is_file():
                join_data_keys(fresh / keys.relative_to(fresh / DATA_KEYS), keys, epoch)
        shutil.rmtree(fresh / DATA_KEYS, ignore_errors=True)
    there = {each.name for each in items(fresh)}
    if lost := sorted(set(manifest["files"]) - there):
        raise RestoreBroken(f"({lost[0]} is not in the archive)")
    aside = () if manifest["final"] else set_aside(fresh)
    databases, roles = _checked(fresh, allow_weak=allow_weak)
    return Restored(
        str(manifest["made_at"]),
        bool(manifest["final"]),
        len(manifest["files"]),
        roles,
        databases,
        tuple(sorted(escrows)),
        tuple(sorted(set(wanted) - set(escrows))),
        aside,
    )


def _heads(archives: Sequence[Path]) -> _Heads:
    """What the archives say that they are; the seal tells later whether it is so."""
    heads = _Heads()
    for path in archives:
        with path.open("rb") as file:
            try:
                said = json.loads(read_head(file))
                kind, key_id, version = said["kind"], str(said["key_id"]), said["version"]
                epoch = int(said["epoch"]) if kind == "escrow" else 0
            except (ValueError, KeyError, TypeError):
                raise ArchiveDamaged(f"({path.name})") from None
        if version != VERSION or heads.key_id not in ("", key_id):
            raise NotTheseArchives(f"({path.name})")
        heads.key_id = key_id
        if kind == "backup" and heads.backup is None:
            heads.backup = path
        elif kind == "escrow" and epoch not in heads.escrows:
            heads.escrows[epoch] = path
        else:
            raise NotTheseArchives(f"({path.name})")
    if heads.backup is None:
        raise NotTheseArchives("(there is no backup among them)")
    return heads


def _unpack(archive: Path, key: AudiencePrivateKey, into: Path) -> dict[str, Any]:
    """Unpack to the end, which is authentic; return the manifest, if there is one."""
    manifest: dict[str, Any] = {}
    with archive.open("rb") as file:
        try:
            reader = ArchiveReader(file, key)
            with tarfile.open(fileobj=reader, mode="r|") as packed:
                for member in packed:
                    source = packed.extractfile(member)
                    if source is None or not _plain(member.name):
                        raise NotTheseArchives(f"({archive.name} holds what is no file of ours)")
                    if member.name == MANIFEST:
                        manifest = json.loads(source.read())
                        continue
                    _put(into / member.name, source, member)
            while reader.read(65_536):  # what follows the tar's end, up to the mark of the last chunk
                pass
        except tarfile.TarError:
            raise ArchiveDamaged(f"({archive.name})") from None
        except CryptoError as problem:
            raise type(problem)(f"({archive.name})") from None
    return manifest


def _put(path: Path, source: Any, member: tarfile.TarInfo) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 | (member.mode & 0o044))
    with os.fdopen(descriptor, "wb") as out:
        shutil.copyfileobj(source, out)


def _plain(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and bool(path.parts) and "\\" not in name


def set_aside(home: Path, names: Collection[str] = JOURNALS) -> tuple[str, ...]:
    """Rename state files that must not be gone on with; return what they were called, from the home on.

    Journals of producers that went on elsewhere would give used numbers to other things. What is set aside already
    stays, under its own name.
    """
    moved = []
    for path in sorted(home.glob("roles/*/state/*")):
        if path.name in names:
            aside = path.with_name(f"{path.name}.{_ASIDE}")
            for number in count(2):
                if not aside.exists():
                    break
                aside = path.with_name(f"{path.name}.{_ASIDE}-{number}")
            for ending in ("-wal", "-shm"):  # what SQLite has not put into the file yet belongs to it
                if (beside := path.with_name(path.name + ending)).exists():
                    beside.rename(aside.with_name(aside.name + ending))
            path.rename(aside)
            moved.append(path.relative_to(home).as_posix())
    return tuple(moved)


def _checked(fresh: Path, *, allow_weak: bool) -> tuple[int, tuple[str, ...]]:
    """Look through every database, and load every role as its process will. Raises RestoreBroken."""
    databases = [each for each in items(fresh) if each.database]
    for each in databases:
        check(each.path)
    registered(fresh)
    try:
        trust = listed_at(fresh)
    except (TrustRefused, OSError, ValueError):
        trust = None
    if trust is None:
        raise RestoreBroken("(no trust list that the administrator signed)")
    roles = []
    for directory in sorted((fresh / "roles").iterdir()):
        (directory / "state").mkdir(exist_ok=True, mode=0o700)
        try:
            settings = RoleSettings(role_dir=directory, bootstrap="127.0.0.1:1", namespace=trust.namespace)
            load_role(settings, allow_weak=allow_weak)
        except HubError as problem:
            known = trust.principals.get(directory.name)
            if known is None or all(each.revoked_at is not None for each in known.identities):
                continue  # withdrawn or shut out: its directory is kept, and it may not start
            raise RestoreBroken(f"({directory.name}: {problem.code})") from None
        roles.append(directory.name)
    return len(databases), tuple(roles)
