"""Who was shut out is let in with no word about its certificate only under an authority that is newer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.topics import _authority_is_newer
from hub.crypto.certificates import CertificateAuthority
from hub.shut_out_book import Done, note

OUT = datetime(2026, 4, 1, 3, 0, 30, tzinfo=UTC)
"""when it was shut out"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUB_HOME", str(tmp_path))
    note(tmp_path, Done.SHUT_OUT, "portal", OUT)
    return tmp_path


def authority(home: Path, made: datetime, replaced: datetime | None = None) -> None:
    """An authority of ours, put in place of another one at a time."""
    CertificateAuthority.create(home / "authority", now=made)
    if replaced is not None:
        (home / f"authority-retired-{replaced:%Y%m%dT%H%M%S}").mkdir()


@pytest.mark.parametrize("minutes", [0, 1, 4, 5, 6, 60 * 24])
def test_one_that_was_made_after_it_is_newer_however_soon_after(home: Path, minutes: int) -> None:
    at = OUT + timedelta(minutes=minutes)
    authority(home, at, replaced=at)
    assert _authority_is_newer("portal")


@pytest.mark.parametrize("minutes", [1, 4, 6, 60 * 24])
def test_one_that_was_there_before_is_not(home: Path, minutes: int) -> None:
    at = OUT - timedelta(minutes=minutes)
    authority(home, at, replaced=at)
    assert not _authority_is_newer("portal")


def test_the_first_authority_is_not_newer_although_it_was_made_a_minute_before(home: Path) -> None:
    authority(home, OUT - timedelta(minutes=1))
    assert not _authority_is_newer("portal")


def test_one_that_was_made_before_and_put_in_place_after_is_not(home: Path) -> None:
    authority(home, OUT - timedelta(minutes=1), replaced=OUT + timedelta(minutes=1))
    assert not _authority_is_newer("portal")


def test_who_is_not_shut_out_is_nobodys_question(home: Path) -> None:
    authority(home, OUT + timedelta(days=1))
    assert not _authority_is_newer("router")
