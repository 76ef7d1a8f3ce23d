"""What a witness remembers: per log the last checkpoint that it cosigned, one file each.

    <directory>/<SHA-256(origin), hex>.checkpoint     note with the log's signatures and the witness's own
    <directory>/evidence/<SHA-256(note), hex>.note    signed by the log and not consistent; 100 at most
    <directory>/.lock                                 one process at a time

A file is replaced whole and synced before anybody is answered. One that is not what this witness wrote stops
the witness: to forget would be to cosign a second history.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final

from hub.crypto.checkpoints import CheckpointMalformed, TreeCheckpoint, open_checkpoint
from hub.crypto.durable import sync_directory
from hub.crypto.hkdf import sha256
from hub.crypto.notes import MAX_NOTE_BYTES, Note, NoteMalformed, NoteNotSigned, VerifierKey
from schemas.errors import HubError

MAX_EVIDENCE: Final = 100


class WitnessMemoryDamaged(HubError):
    """What this witness remembers of a log is not what it wrote."""

    code: ClassVar[str] = "witness.memory-damaged"
    hint: ClassVar[str] = "Restore the newest copy of the file; without it this key must not cosign that log again."


class WitnessMemoryUnavailable(HubError):
    """The witness cannot write what it has to remember."""

    code: ClassVar[str] = "witness.memory-unavailable"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "Free space on the disk, or make the directory writable; nothing was cosigned."


class WitnessBusy(HubError):
    """Another witness process uses this directory."""

    code: ClassVar[str] = "witness.busy"
    hint: ClassVar[str] = "A witness key and its memory belong to one process."


def origin_hash(origin: str) -> str:
    """Return what stands for an origin in addresses (tlog-witness, "Monitor Retrieval Mechanism")."""
    return sha256(origin.encode()).hex()


class Memory:
    """One directory, held by one process."""

    def __init__(self, directory: Path) -> None:
        """Make the directory if it is not there, and lock it. Raises WitnessBusy, WitnessMemoryUnavailable."""
        self._directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_directory(directory.parent)
            self._lock = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise WitnessMemoryUnavailable from problem
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise WitnessBusy from None

    def __enter__(self) -> Memory:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def read(self, origin: str, own: VerifierKey, log: Sequence[VerifierKey]) -> tuple[TreeCheckpoint, Note] | None:
        """Return what was cosigned last for an origin. Raises WitnessMemoryDamaged, WitnessMemoryUnavailable.

        The log's keys may have changed since; the witness's own mark is what counts here.
        """
        path = self._path(origin)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_NOTE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise WitnessMemoryUnavailable from problem
        try:
            note = Note.parse(data)
            checkpoint = TreeCheckpoint.parse(note.text)
            if checkpoint.origin != origin or own not in [key for key, _ in note.signed_by([own])]:
                raise WitnessMemoryDamaged(path.name)
            if any(each.names(key) for key in log for each in note.signatures):
                open_checkpoint(note, log)
        except (NoteMalformed, NoteNotSigned, CheckpointMalformed) as problem:
            raise WitnessMemoryDamaged(path.name) from problem
        return checkpoint, note

    def write(self, origin: str, note: Note) -> None:
        """Remember a cosigned checkpoint; on return it is on the disk. Raises WitnessMemoryUnavailable."""
        self._replace(self._path(origin), note.encode())

    def keep_evidence(self, note: Note) -> None:
        """Keep a signed checkpoint that contradicts an earlier one; the same one once. Never raises."""
        directory = self._directory / "evidence"
        path = directory / f"{sha256(note.encode()).hex()}.note"
        try:
            directory.mkdir(exist_ok=True, mode=0o700)
            if not path.exists() and sum(1 for _ in directory.iterdir()) < MAX_EVIDENCE:
                self._replace(path, note.encode())
        except (OSError, WitnessMemoryUnavailable):
            return

    def _path(self, origin: str) -> Path:
        return self._directory / f"{origin_hash(origin)}.checkpoint"

    def _replace(self, path: Path, data: bytes) -> None:
        new = path.with_name(f".{path.name}.new")
        try:
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            sync_directory(path.parent)
        except OSError as problem:
            raise WitnessMemoryUnavailable from problem
