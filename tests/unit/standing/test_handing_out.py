"""All role directories get the same list; who takes on a newer one changes nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.crypto.certificates import write_private
from hub.handing_out import hand_out

NAME = "trust.bin"


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"role-{number}" for number in range(5)]
    for each in made:
        each.mkdir()
    return made


def inodes(directories: list[Path]) -> set[int]:
    return {(each / NAME).stat().st_ino for each in directories}


def test_little_is_copied(directories: list[Path]) -> None:
    assert hand_out(directories, NAME, b"one") == 5
    assert len(inodes(directories)) == 5
    assert hand_out(directories, NAME, b"one") == 0


@pytest.mark.parametrize("copies_bytes", [0, 1_000_000])
def test_everybody_has_it_and_nobody_else_can_read_it(directories: list[Path], copies_bytes: int) -> None:
    write_private(directories[2] / NAME, b"an older one")
    assert hand_out(directories, NAME, b"newest", copies_bytes=copies_bytes) == 5
    for each in directories:
        assert (each / NAME).read_bytes() == b"newest"
        assert (each / NAME).stat().st_mode & 0o077 == 0
        assert [path.name for path in each.iterdir()] == [NAME]
    assert hand_out(directories, NAME, b"newest", copies_bytes=copies_bytes) == 0


def test_much_is_one_file_and_who_takes_on_a_newer_one_has_its_own(directories: list[Path]) -> None:
    hand_out(directories, NAME, b"first", copies_bytes=0)
    assert len(inodes(directories)) == 1
    write_private(directories[3] / NAME, b"newer")
    assert [(each / NAME).read_bytes() for each in directories].count(b"first") == 4
    assert hand_out(directories, NAME, b"first", copies_bytes=0) == 1
    assert hand_out(directories, NAME, b"third", copies_bytes=0) == 5
    assert {(each / NAME).read_bytes() for each in directories} == {b"third"}


def test_where_a_file_can_have_one_name_only_it_is_copied(
    directories: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuses)
    assert hand_out(directories, NAME, b"one", copies_bytes=0) == 5
    assert len(inodes(directories)) == 5
    assert {(each / NAME).read_bytes() for each in directories} == {b"one"}
