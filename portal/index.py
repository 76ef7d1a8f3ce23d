"""The key of the idempotence index: the same input again is the same event.

index key = HMAC-SHA256(journal key, canonical input), 32 bytes. The journal key is 32 random bytes in the
role's state directory, mode 0600: without it the index does not let anybody test guesses of an input.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Final

from hub.crypto.durable import sync_directory
from hub.producing.errors import JournalForeign

KEY_BYTES: Final = 32


def load_or_make_key(path: Path) -> bytes:
    """Return the journal key, made on first use; a damaged one is refused, never replaced."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return _make(path)
    if len(key) != KEY_BYTES:
        raise JournalForeign("its key file is damaged")
    return key


def _make(path: Path) -> bytes:
    key = os.urandom(KEY_BYTES)
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(key)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)
    sync_directory(path.parent)
    return key


def index_key(journal_key: bytes, canonical: bytes) -> bytes:
    """Return the index key of an input in its canonical form."""
    return hmac.digest(journal_key, canonical, "sha256")
