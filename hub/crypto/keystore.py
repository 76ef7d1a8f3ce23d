"""Where private keys are kept: a port, and key files in one directory.

A role is given its own store and no other. A store holds identities (Ed25519) and audience keys by
(audience, epoch, key id). Destroying an audience key is how what was sealed to it is erased.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hub.crypto import keyfile
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.durable import sync_directory
from hub.crypto.errors import KeyExists, KeyFileDamaged, KeyFileExposed, KeyMissing
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import Clear, PassphraseKeys, ScryptCost
from hub.crypto.random import Randomness, system_random

_SUITE_NUMBER: Final = {Suite.HYBRID: keyfile.MLKEM768_X25519, Suite.X25519: keyfile.X25519}
_SUITES: Final = {number: suite for suite, number in _SUITE_NUMBER.items()}
_AUDIENCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_FILE: Final = re.compile(
    r"(?:identity|audience\.(?P<audience>[a-z0-9-]+)\.(?P<epoch>\d+))\.(?P<key_id>[0-9a-f]{16})\.key"
)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key in a store; `audience` and `epoch` are None for an identity."""

    audience: str | None
    epoch: int | None
    key_id: bytes


class KeyStore(Protocol):
    """Keeps private keys. Nothing is ever overwritten."""

    def save_identity(self, key: IdentityKey) -> None:
        """Keep an identity. Raises KeyExists."""

    def load_identities(self) -> tuple[IdentityKey, ...]:
        """Return all identities, in order of key id."""

    def save_audience(self, audience: str, epoch: int, key: AudiencePrivateKey) -> None:
        """Keep an audience's key of an epoch (YYYYMM). Raises KeyExists."""

    def load_audience(self, audience: str, epoch: int, key_id: bytes | None = None) -> AudiencePrivateKey:
        """Return an audience's key; without `key_id` the only one of its epoch. Raises KeyMissing."""

    def list(self) -> Sequence[KeyEntry]:
        """Return what is there; opens nothing."""

    def destroy(self, audience: str, epoch: int, key_id: bytes) -> None:
        """Remove an audience's key for good, and make sure of it. Raises KeyMissing."""


class FileKeyStore:
    """Key files (see hub.crypto.keyfile) of mode 0600 in a directory of mode 0700.

    Written to a new file, synced, and linked under its name, so that a key is there whole or not at all.
    """

    def __init__(
        self,
        directory: Path,
        passphrase: bytes,
        *,
        cost: ScryptCost | None = None,
        allow_weak: bool = False,
        random: Randomness = system_random,
    ) -> None:
        """Use `directory`, made on the first save.

        New files cost what their passphrase needs; a `cost` below the standard needs `allow_weak` (tests).
        """
        self._directory = directory
        self._keys = PassphraseKeys(passphrase, allow_weak=allow_weak)
        self._cost = self._keys.cost if cost is None else cost
        self._random = random

    def __repr__(self) -> str:
        """Show where, not what."""
        return f"<FileKeyStore {self._directory}>"

    def save_identity(self, key: IdentityKey) -> None:
        """Keep an identity. Raises KeyExists."""
        self._save(_name(KeyEntry(None, None, key.key_id)), keyfile.ED25519, key.seed())

    def load_identities(self) -> tuple[IdentityKey, ...]:
        """Return all identities, in order of key id."""
        return tuple(IdentityKey.from_seed(self._load(entry)[1]) for entry in self.list() if entry.audience is None)

    def save_audience(self, audience: str, epoch: int, key: AudiencePrivateKey) -> None:
        """Keep an audience's key of an epoch. Raises KeyExists, ValueError for a name that is no audience."""
        if not _AUDIENCE.fullmatch(audience):
            raise ValueError("not an audience")
        name = _name(KeyEntry(audience, epoch, key.key_id))
        self._save(name, _SUITE_NUMBER[key.suite], key.seeds())

    def load_audience(self, audience: str, epoch: int, key_id: bytes | None = None) -> AudiencePrivateKey:
        """Return an audience's key; without `key_id` the only one of its epoch. Raises KeyMissing."""
        found = [
            entry
            for entry in self.list()
            if (entry.audience, entry.epoch) == (audience, epoch) and key_id in (None, entry.key_id)
        ]
        if len(found) != 1:
            raise KeyMissing(f"{audience}/{epoch}")
        clear, seeds = self._load(found[0])
        suite = _SUITES.get(clear.suite)
        if suite is None:
            raise KeyFileDamaged(f"{audience}/{epoch}")  # a witness's key under an audience's name
        key = AudiencePrivateKey.from_seeds(suite, seeds)
        if key.key_id != found[0].key_id:
            raise KeyFileDamaged(f"{audience}/{epoch}")
        return key

    def list(self) -> tuple[KeyEntry, ...]:
        """Return what is there, by name; opens nothing."""
        if not self._directory.is_dir():
            return ()
        entries = []
        for path in sorted(self._directory.iterdir()):
            match = _FILE.fullmatch(path.name)
            if match is not None:
                epoch = match["epoch"]
                key_id = bytes.fromhex(match["key_id"])
                entries.append(KeyEntry(match["audience"], None if epoch is None else int(epoch), key_id))
        return tuple(entries)

    def destroy(self, audience: str, epoch: int, key_id: bytes) -> None:
        """Overwrite, sync and remove a key file, then look that it is gone. Raises KeyMissing.

        A copying file system or an SSD may keep old blocks: what remains is encrypted under the passphrase.
        """
        path = self._directory / _name(KeyEntry(audience, epoch, key_id))
        try:
            with path.open("r+b") as file:
                size = os.fstat(file.fileno()).st_size
                file.write(self._random(size))
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError as problem:
            raise KeyMissing(f"{audience}/{epoch}") from problem
        path.unlink()
        sync_directory(self._directory)
        if path.exists():
            raise KeyExists(f"{audience}/{epoch}")

    def _load(self, entry: KeyEntry) -> tuple[Clear, bytes]:
        name = _name(entry)
        path = self._directory / name
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise KeyFileExposed(name)
                data = file.read(keyfile.MAX_FILE_BYTES)
        except FileNotFoundError as problem:
            raise KeyMissing(name) from problem
        clear, seeds = keyfile.open_file(data, self._keys)
        if clear.name != name or (clear.suite == keyfile.ED25519) != (entry.audience is None):
            raise KeyFileDamaged(name)  # a good file under another's name
        return clear, seeds

    def _salt(self) -> bytes:
        """Return the store's salt, so that one derivation opens all of its files; new for a new store."""
        for entry in self.list():
            clear, _ = keyfile.read_clear((self._directory / _name(entry)).read_bytes())
            if clear.cost == self._cost:
                return clear.salt
        return self._random(keyfile.SALT_BYTES)

    def _save(self, name: str, suite: int, seeds: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        clear = Clear(suite, name, self._cost, self._salt(), self._random(keyfile.NONCE_BYTES))
        data = keyfile.seal_file(clear, seeds, self._keys)
        new = self._directory / f"{name}.{os.getpid()}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(new, self._directory / name)
        except FileExistsError as problem:
            raise KeyExists(name) from problem
        finally:
            new.unlink()
        sync_directory(self._directory)


def _name(entry: KeyEntry) -> str:
    if entry.audience is None:
        return f"identity.{entry.key_id.hex()}.key"
    return f"audience.{entry.audience}.{entry.epoch}.{entry.key_id.hex()}.key"
