"""The escrow: one key pair for all archives, the register of what was put into it.

    <home>/escrow.pub     {"suite", "key_id", "public"}: to whom archives are sealed
    <home>/escrow.jsonl   {"at", "epoch", "file", "sha256"}: each escrow archive that was made, whatever became of it

The private key lives in a directory of its own, under a passphrase, on another machine than the home.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from assurance.backup.errors import NoEscrow
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.certificates import write_private
from hub.crypto.errors import KeyExists
from hub.crypto.identity import key_id
from hub.crypto.keyfile import STANDARD, ScryptCost
from hub.crypto.keystore import FileKeyStore
from hub.envelope.times import epoch_of

PUBLIC: Final = "escrow.pub"
REGISTER: Final = "escrow.jsonl"
_AUDIENCE: Final = "escrow"


@dataclass(frozen=True, slots=True)
class EscrowPublic:
    """To whom archives are sealed."""

    suite: Suite
    key_id: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Registered:
    """One line of the register; `file` is the name alone, `sha256` in hex."""

    at: str
    epoch: int
    file: str
    sha256: str


def new_escrow(
    home: Path, directory: Path, passphrase: bytes, *, now: datetime, cost: ScryptCost = STANDARD
) -> EscrowPublic:
    """Make the key pair: private half into `directory`, public half into the home.

    Raises KeyExists if the home has one: what was sealed to it needs the other's private half.
    """
    if (home / PUBLIC).exists():
        raise KeyExists(f"({PUBLIC})")
    key = AudiencePrivateKey.generate(Suite.HYBRID)
    store = FileKeyStore(directory, passphrase, cost=cost, allow_weak=cost != STANDARD)
    store.save_audience(_AUDIENCE, epoch_of(now), key)
    said = {"suite": key.suite.value, "key_id": key.key_id.hex(), "public": key.public.hex()}
    write_private(home / PUBLIC, json.dumps(said).encode())
    return EscrowPublic(key.suite, key.key_id, key.public)


def escrow_of(home: Path) -> EscrowPublic:
    """Read the public half. Raises NoEscrow."""
    try:
        said = json.loads((home / PUBLIC).read_bytes())
        found = EscrowPublic(Suite(said["suite"]), bytes.fromhex(said["key_id"]), bytes.fromhex(said["public"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise NoEscrow(f"({home / PUBLIC})") from None
    if key_id(found.public) != found.key_id:
        raise NoEscrow(f"({PUBLIC} is damaged)")
    return found


def private_escrow(
    directory: Path, passphrase: bytes, wanted: bytes, *, allow_weak: bool = False
) -> AudiencePrivateKey:
    """Open the private half of a key id. Raises NoEscrow, KeyStoreError."""
    store = FileKeyStore(directory, passphrase, allow_weak=allow_weak)
    for entry in store.list():
        if (entry.audience, entry.key_id) == (_AUDIENCE, wanted) and entry.epoch is not None:
            return store.load_audience(_AUDIENCE, entry.epoch, wanted)
    raise NoEscrow(f"(key {wanted.hex()} in {directory})")


def registered(home: Path) -> tuple[Registered, ...]:
    """Every escrow archive that was made. Raises NoEscrow if the register cannot be read."""
    path = home / REGISTER
    try:
        return tuple(Registered(**json.loads(line)) for line in path.read_text("utf-8").splitlines())
    except FileNotFoundError:
        return ()
    except (ValueError, TypeError):
        raise NoEscrow(f"({path} is damaged)") from None


def register(home: Path, *new: Registered) -> None:
    """Add lines, durably, before an archive gets its name."""
    lines = [json.dumps(asdict(each)) + "\n" for each in (*registered(home), *new)]
    write_private(home / REGISTER, "".join(lines).encode())


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
