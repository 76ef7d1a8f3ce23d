"""The index key depends on a secret of this role, and is the same for the same input."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub.producing.errors import JournalForeign
from portal.index import index_key, load_or_make_key


def test_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert load_or_make_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_damaged_key_is_refused_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    path.write_bytes(b"short")
    with pytest.raises(JournalForeign):
        load_or_make_key(path)
    assert path.read_bytes() == b"short"


def test_same_input_has_the_same_key_only_under_the_same_secret() -> None:
    assert index_key(bytes(32), b"input") == index_key(bytes(32), b"input")
    assert index_key(bytes(32), b"input") != index_key(b"\x01" * 32, b"input")
    assert index_key(bytes(32), b"input") != index_key(bytes(32), b"inpuT")
