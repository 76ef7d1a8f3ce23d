"""A file that is there whole or not at all: written beside its place, synced, renamed.

The part lies in the same directory as `.<name>.part`, mode 0600. One that a killed process left is written anew by
the next export of the run.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from consumers.review.export.errors import (
    ExportBusy,
    ExportDiskFull,
    ExportError,
    ExportNotWritable,
    ExportUnsettled,
)
from hub.crypto.durable import sync_directory

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def part_of(final: Path) -> Path:
    """Return where a file lies until it is whole."""
    return final.with_name(f".{final.name}.part")


@contextmanager
def new_part(final: Path) -> Iterator[IO[bytes]]:
    """Open the part of a file; it is synced at the end, and removed after an error.

    Raises ExportDiskFull, ExportNotWritable.
    """
    path = part_of(final)
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _refusal(error) from None
    file = os.fdopen(descriptor, "wb")
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        file.close()
    except BaseException as error:
        with suppress(OSError):
            file.close()
        remove(path)
        if isinstance(error, OSError):
            raise _refusal(error) from None
        raise


def place(final: Path) -> None:
    """Rename the part to its name. Raises ExportNotWritable before, ExportUnsettled after it has its name."""
    try:
        part_of(final).rename(final)
    except OSError as error:
        remove(part_of(final))
        raise _refusal(error) from None
    try:
        sync_directory(final.parent)
    except OSError:
        raise ExportUnsettled from None


def remove(path: Path) -> None:
    """Remove a part, if it is there and can be removed."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep other exports of the same desk away; the lock goes with the process. Raises ExportBusy."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _refusal(error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ExportBusy from None
        yield
    finally:
        os.close(descriptor)


def _refusal(error: OSError) -> ExportError:
    code = errno.errorcode.get(error.errno or 0, "")
    return ExportDiskFull(code) if error.errno in _FULL else ExportNotWritable(code)
