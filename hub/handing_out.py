"""Gives every role directory of a home the same file: the trust list, the declaration.

A file for each, as long as that is little. Of 1,788 tenants the list alone would be 12,523 × 1.8 MB, 22 GB at every
change: then all directories have one file under many names. Roles replace what they take on and never write into
it, so nobody's newer list becomes another's.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Final

from hub.crypto.certificates import write_private

COPIES_BYTES: Final = 256 * 2**20
"""so much is copied; more is one file under many names"""


def hand_out(directories: Collection[Path], name: str, value: bytes, *, copies_bytes: int = COPIES_BYTES) -> int:
    """Put `value` as `name` into the directories that lack it, whole or not at all; return into how many.

    Raises OSError.
    """
    if len(directories) * len(value) <= copies_bytes:
        lacking = [each for each in directories if not _holds(each / name, value)]
        for each in lacking:
            write_private(each / name, value)
        return len(lacking)
    return _link(directories, name, value)


def _link(directories: Collection[Path], name: str, value: bytes) -> int:
    model: os.stat_result | None = None
    source, done = Path(), 0
    for each in directories:
        path = each / name
        if model is not None and path.exists() and os.path.samestat(model, path.stat()):
            continue
        if model is None:  # the first has a file of its own; the others share it
            if not _holds(path, value):
                write_private(path, value)
                done += 1
            source, model = path, path.stat()
        elif not _holds(path, value):
            _name(source, path, value)
            done += 1
    return done


def _name(source: Path, path: Path, value: bytes) -> None:
    """Let `path` be another name of `source`; where the file system has no such names, or no more, a copy."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.link(source, new)
    except OSError:
        write_private(path, value)
        return
    try:
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _holds(path: Path, value: bytes) -> bool:
    try:
        return path.stat().st_size == len(value) and path.read_bytes() == value
    except FileNotFoundError:
        return False
