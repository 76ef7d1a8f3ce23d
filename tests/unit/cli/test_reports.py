"""Roles report what is their own; a role that does not, fails, or takes too long is named."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import cli.reports
from assurance.reconcile import Kind
from cli.home import Home
from cli.reports import NothingToReport, ReportFailed, collect, kinds_of


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


def gather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> list[Path]:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    home = Home(tmp_path / "home")
    home.path.mkdir()
    wanted = {"review-131041": [Kind.DECIDED], "helpdesk-131041": [Kind.TOLD]}
    return collect(home, bootstrap="127.0.0.1:1", namespace="rehearsal", partitions=1, wanted=wanted)


WRITES = 'for last; do :; done; echo x > "$5/$(basename "$HUB_ROLE_DIR").$last.report"'


def test_the_files_of_all_roles_are_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = gather(tmp_path, monkeypatch, WRITES)
    assert [path.name for path in files] == ["review-131041.decided.report", "helpdesk-131041.told.report"]


@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param("exit 3", "status 3", id="fails"),
        pytest.param("exit 0", "status 0", id="writes nothing"),
        pytest.param("echo $$ >> $5/pids; exec sleep 600", "status None", id="takes too long"),
    ],
)
def test_a_role_without_a_report_is_named_and_no_process_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, status: str
) -> None:
    monkeypatch.setattr(cli.reports, "_SECONDS", 2)
    with pytest.raises(ReportFailed) as problem:
        gather(tmp_path, monkeypatch, script)
    assert f"review-131041, {status}" in str(problem.value)
    pids = tmp_path / "home" / "reports" / "pids"
    for pid in pids.read_text().split() if pids.exists() else ():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
