"""The store of findings."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring.analysis.findings import MAX_EVIDENCE, Finding, FindingStore, Severity, read_findings

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
ONE = Finding(
    "f1", "bulk-viewing", Severity.TICKET, NOW, NOW + timedelta(hours=1), "sato", "131041", 30, ("a-1", "a-2")
)


def test_what_was_kept_is_read_again_by_the_time_it_began(tmp_path: Path) -> None:
    path = tmp_path / "findings.sqlite3"
    later = replace(ONE, finding_id="f2", began_at=NOW + timedelta(days=1), ended_at=NOW + timedelta(days=1))
    with FindingStore(path) as store:
        assert store.unknown([later, ONE, ONE]) == [later, ONE]
        store.keep([later, ONE])
        assert store.unknown([later, ONE]) == []
        assert read_findings(path, NOW, NOW + timedelta(days=2)) == [ONE, later]
    assert read_findings(path, NOW, NOW + timedelta(days=1)) == [ONE]
    assert path.stat().st_mode & 0o077 == 0


def test_a_finding_that_grows_stays_one_and_never_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "findings.sqlite3"
    grown = replace(ONE, count=40, ended_at=NOW + timedelta(hours=2), evidence=("a-0", "a-1"))
    with FindingStore(path) as store:
        store.keep([ONE])
        store.keep([grown])
        store.keep([ONE])
    assert read_findings(path, NOW, NOW + timedelta(days=1)) == [grown]


def test_all_or_nothing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "findings.sqlite3"
    with FindingStore(path) as store:
        with pytest.raises(ValueError, match="zone"):
            store.keep([ONE, replace(ONE, finding_id="f2", began_at=datetime(2026, 1, 1))])
        assert read_findings(path, NOW, NOW + timedelta(days=1)) == []
        store.keep([ONE])
        assert read_findings(path, NOW, NOW + timedelta(days=1)) == [ONE]


def test_evidence_is_bounded_and_old_findings_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "findings.sqlite3"
    with FindingStore(path) as store:
        store.keep([replace(ONE, evidence=tuple(f"a-{n}" for n in range(100)))])
        (found,) = read_findings(path, NOW, NOW + timedelta(days=1))
        assert len(found.evidence) == MAX_EVIDENCE
        assert store.forget(NOW) == 0
        assert store.forget(NOW + timedelta(days=1)) == 1
    assert read_findings(path, NOW, NOW + timedelta(days=1)) == []


def test_a_store_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "findings.sqlite3"
    monkeypatch.setattr("monitoring.analysis.findings._SCHEMA", "create table findings (finding_id text); nonsense;")
    with pytest.raises(sqlite3.Error):
        FindingStore(path)
    assert read_findings(path, NOW, NOW + timedelta(days=1)) == []
    monkeypatch.undo()
    with FindingStore(path) as store:
        store.keep([ONE])
    assert read_findings(path, NOW, NOW + timedelta(days=1)) == [ONE]


def test_no_file_has_no_findings(tmp_path: Path) -> None:
    assert read_findings(tmp_path / "none", NOW, NOW + timedelta(days=1)) == []
