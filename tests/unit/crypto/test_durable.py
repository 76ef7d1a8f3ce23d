"""A name is durable when its directory was synced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.crypto import durable
from hub.crypto.durable import sync_directory


class Watched:
    """What is synced and closed, in order; the file system is asked for nothing else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, full: bool = False) -> None:
        self.steps: list[tuple[str, int]] = []
        self.full = full
        self._close = os.close
        monkeypatch.setattr(durable.os, "fsync", self.fsync)
        monkeypatch.setattr(durable.os, "close", self.close)

    def fsync(self, descriptor: int) -> None:
        self.steps.append(("sync", os.fstat(descriptor).st_ino))
        if self.full:
            raise OSError(28, "No space left on device")

    def close(self, descriptor: int) -> None:
        self.steps.append(("close", os.fstat(descriptor).st_ino))
        self._close(descriptor)


def test_directory_is_synced_and_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    sync_directory(tmp_path)
    inode = tmp_path.stat().st_ino
    assert watched.steps == [("sync", inode), ("close", inode)]


def test_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        sync_directory(tmp_path / "file")


def test_directory_that_cannot_be_synced_is_told_and_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, full=True)
    with pytest.raises(OSError, match="No space left"):
        sync_directory(tmp_path)
    assert [step for step, _ in watched.steps] == ["sync", "close"]
