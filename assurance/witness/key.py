"""A witness's own key: one key file (`hub.crypto.keyfile`) under its name, its passphrase in a file beside it."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from hub.crypto import keyfile
from hub.crypto.errors import KeyExists, KeyFileDamaged, KeyFileExposed, KeyMissing
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import (
    ED25519,
    MAX_FILE_BYTES,
    ML_DSA_44,
    NONCE_BYTES,
    SALT_BYTES,
    Clear,
    PassphraseKeys,
    ScryptCost,
    fresh_passphrase,
    open_file,
    seal_file,
)
from hub.crypto.lattice import LatticeKey
from hub.crypto.notes import NoteSigner, name_allowed
from hub.crypto.random import system_random
from schemas.errors import HubError


class WitnessNameRefused(HubError):
    """A witness's name is an address without its scheme: ASCII, no spaces, no plus, 200 characters at most."""

    code: ClassVar[str] = "witness.name"


def passphrase_path(path: Path) -> Path:
    """Where the passphrase of a key file is, unless it is elsewhere."""
    return path.with_name(path.name + ".passphrase")


class Algorithm(StrEnum):
    """What a witness signs with; the specification prefers the first."""

    ML_DSA_44 = "ml-dsa-44"
    ED25519 = "ed25519"


def create(
    path: Path,
    name: str,
    passphrase: Path | None = None,
    algorithm: Algorithm = Algorithm.ML_DSA_44,
    cost: ScryptCost | None = None,
) -> NoteSigner:
    """Make a key file, and its passphrase if none is given. Raises KeyExists, WitnessNameRefused."""
    if not name.isascii() or not name.isprintable() or len(name) > 200 or not name_allowed(name):
        raise WitnessNameRefused
    key, suite = (
        (IdentityKey.generate(), ED25519) if algorithm is Algorithm.ED25519 else (LatticeKey.generate(), ML_DSA_44)
    )
    signer = NoteSigner(name, key)
    if path.exists():
        raise KeyExists(path.name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if passphrase is None:
        passphrase = passphrase_path(path)
        _write(passphrase, fresh_passphrase() + b"\n")
    keys = PassphraseKeys(passphrase.read_bytes().strip(), allow_weak=cost is not None)
    clear = Clear(
        suite, name, keys.cost if cost is None else cost, system_random(SALT_BYTES), system_random(NONCE_BYTES)
    )
    _write(path, seal_file(clear, key.seed(), keys))
    return signer


def load(path: Path, passphrase: Path | None = None, *, allow_weak: bool = False) -> NoteSigner:
    """Open a key file. Raises KeyMissing, KeyFileExposed, KeyFileDamaged, WeakKeyFile."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise KeyFileExposed(path.name)
            data = file.read(MAX_FILE_BYTES + 1)
        words = (passphrase or passphrase_path(path)).read_bytes().strip()
    except FileNotFoundError as problem:
        raise KeyMissing(path.name) from problem
    clear, seed = open_file(data, PassphraseKeys(words, allow_weak=allow_weak))
    match clear.suite:
        case keyfile.ED25519:
            return NoteSigner(clear.name, IdentityKey.from_seed(seed))
        case keyfile.ML_DSA_44:
            return NoteSigner(clear.name, LatticeKey(seed))
        case _:
            raise KeyFileDamaged(path.name)


def _write(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as problem:
        raise KeyExists(path.name) from problem
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
