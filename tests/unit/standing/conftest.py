"""One home is made once and copied: making keys is slow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hub.crypto.certificates import CertificateAuthority
from tests.unit.standing.world import Office


@pytest.fixture(scope="session")
def enrolled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    office = Office(tmp_path_factory.mktemp("office"))
    office.enrol()
    return office.home


@pytest.fixture
def office(enrolled_home: Path, tmp_path: Path) -> Office:
    shutil.copytree(enrolled_home, tmp_path / "home")
    made = Office.__new__(Office)
    made.home = tmp_path / "home"
    made.authority = CertificateAuthority.load(made.home / "authority")
    return made
