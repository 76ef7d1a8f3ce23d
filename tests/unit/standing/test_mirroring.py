"""What a mirror is given: which topics, its certificate, and nothing that opens or signs anything of the hub."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub.crypto.certificates import CertificateAuthority
from hub.mirroring import Copied, Errand, NoErrand, NoMirror
from topics.declaration import parse, read
from topics.expanding import expand
from topics.layout import Topology

MIRRORED = read().replace("principals:\n", "principals:\n  mirror: {mirrors: true}\n")


@pytest.fixture(scope="module")
def topology() -> Topology:
    return expand(parse(MIRRORED), "rehearsal", partitions=2)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    authority = CertificateAuthority.create(tmp_path / "authority")
    for name in ("admin", "mirror", "portal"):
        authority.issue(name, tmp_path / "certificates")
    return tmp_path / "certificates"


def test_what_is_written_is_read_again(topology: Topology, certificates: Path, tmp_path: Path) -> None:
    errand = Errand.of(topology, "a.example:1", "b.example:2,c.example:2")
    for _ in range(2):  # it may be made anew
        errand.save(tmp_path / "mirror", certificates)
        assert Errand.load(tmp_path / "mirror") == errand
    found = {each.name: each for each in errand.topics}
    assert found["rehearsal.submissions"] == Copied("rehearsal.submissions", 2, 168 * 3_600_000)
    assert found["rehearsal.control"] == Copied("rehearsal.control", 1, None)
    assert "rehearsal.resolutions" not in found


def test_its_directory_holds_its_certificate_and_nobody_elses(
    topology: Topology, certificates: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "mirror"
    Errand.of(topology, "a:1", "b:2").save(directory, certificates)
    assert {path.name for path in directory.iterdir()} == {"tls.crt", "tls.key", "ca.crt", "mirror.json"}
    assert (directory / "tls.key").read_bytes() == (certificates / "mirror.key").read_bytes()
    for name in ("tls.key", "mirror.json"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2}', '{"version": 1, "topics": [{"name": "x"}]}'])
def test_another_directory_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(NoErrand):
        Errand.load(tmp_path)
    (tmp_path / "mirror.json").write_text(text)
    with pytest.raises(NoErrand):
        Errand.load(tmp_path)


def test_who_declared_no_mirror_has_none() -> None:
    with pytest.raises(NoMirror):
        Errand.of(expand(parse(read()), "rehearsal"), "a:1", "b:2")
