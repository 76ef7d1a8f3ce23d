"""Roles report what is their own; a role that does not, fails, or takes too long is named."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import cli.reports
from assurance.reconcile import Kind
from assurance.reports import read_report
from cli.forked import TOO_LONG
from cli.home import Home
from cli.reports import NothingToReport, ReportFailed, collect, kinds_of
from hub.crypto.certificates import CertificateAuthority
from hub.enrolment import enrol, listed_at
from topics import declaration
from topics.expanding import expand


@pytest.mark.parametrize("principal", ["router", "operator", "monitor", "admin", "taxes", "", "-131041"])
def test_who_holds_nothing_has_nothing_to_report(principal: str) -> None:
    with pytest.raises(NothingToReport):
        kinds_of(principal)


def test_a_role_does_not_speak_for_the_place_of_another(tmp_path: Path) -> None:
    """An empty report of a place that is not one's own would look like a loss, or hide one."""
    role = SimpleNamespace(principal="portal", state_directory=tmp_path)
    with pytest.raises(NothingToReport, match="portal taken"):
        cli.reports._write(role, Kind.TAKEN, tmp_path / "report")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


WANTED = {"portal": [Kind.PORTAL], "operator": [Kind.TAKEN]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Enrolled at the full cost of opening a key: the processes of the roles take no cheap one."""
    made = Home(tmp_path_factory.mktemp("reports") / "home")
    made.prepare()
    topology = expand(declaration.load(), "rehearsal", partitions=1)
    few = tuple(each for each in topology.principals if each.name in {"admin", "portal", "operator"})
    authority = CertificateAuthority.create(made.path / "authority")
    enrol(made.path, replace(topology, principals=few), authority, now=datetime.now(UTC))
    return made


def gather(home: Home, wanted: dict[str, list[Kind]]) -> list[Path]:
    return collect(home, bootstrap="127.0.0.1:1", namespace="rehearsal", partitions=1, wanted=wanted)


def test_the_files_of_a_role_are_signed_by_its_own_process(home: Home) -> None:
    (file,) = gather(home, {"portal": [Kind.PORTAL]})
    assert file.name == "portal.portal.report"
    trust = listed_at(home.path)
    assert trust is not None
    report = read_report(file.read_bytes(), trust=trust, now=datetime.now(UTC))
    assert (report.principal, report.kind, report.entries) == ("portal", Kind.PORTAL, ())


def test_a_role_that_fails_is_named_with_its_status_and_does_not_hinder_the_next_run(home: Home) -> None:
    with pytest.raises(ReportFailed, match="operator, status 1"):
        gather(home, WANTED)
    assert len(gather(home, {"portal": [Kind.PORTAL]})) == 1


def test_a_role_that_takes_too_long_is_named_and_no_process_is_left(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.reports, "_SECONDS", 2)
    keys = home.role("portal") / "keys"
    (key,) = keys.glob("identity.*")
    kept = key.rename(key.with_name("kept"))
    os.mkfifo(key, 0o600)  # whoever opens it waits for a writer that never comes
    try:
        with pytest.raises(ReportFailed, match=f"portal, status {TOO_LONG}"):
            gather(home, {"portal": [Kind.PORTAL]})
        with pytest.raises(OSError, match="No such device or address"):
            os.open(key, os.O_WRONLY | os.O_NONBLOCK)  # nobody reads it any more
    finally:
        key.unlink()
        kept.rename(key)
