"""A finding is told once, durably before it is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.crypto.identity import IdentityKey
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent
from hub.facts import Fact
from hub.operations.errors import Unlogged
from monitoring.analysis.facts import FindingMade
from monitoring.analysis.findings import Finding, FindingStore, Severity, read_findings
from monitoring.analysis.rules import RULES
from monitoring.analysis.silence import RULE as SILENT
from monitoring.analysis.telling import Teller, line_of
from tests.unit.monitoring.analysis.support import T, found, receipt
from tests.unit.monitoring.analysis.test_rules import views
from tests.unit.monitoring.analysis.test_silence import heard

NOW = datetime(2026, 2, 1, tzinfo=UTC)
(ONE,) = found(views(60))


def read(path: Path) -> list[Finding]:
    return read_findings(path, NOW - timedelta(days=365), NOW)


def test_a_finding_is_one_line_and_one_row_and_grows_in_silence(tmp_path: Path) -> None:
    lines: list[Operation] = []
    facts: list[Fact] = []
    path = tmp_path / "findings"
    with FindingStore(path) as store:
        tell = Teller(store, lines.append, lambda fact: facts.append(fact), lambda: NOW)
        tell([ONE])
        tell([ONE, replace(ONE, count=61)])
        tell([])
    with FindingStore(path) as store:  # another process after it
        Teller(store, lines.append, lambda fact: facts.append(fact), lambda: NOW)([ONE])
    assert lines == [line_of(ONE, NOW)]
    assert facts == [FindingMade(ONE)]
    assert [each.count for each in read(path)] == [61]


def test_what_cannot_be_logged_is_not_kept_and_is_told_when_it_can(tmp_path: Path) -> None:
    path = tmp_path / "findings"
    lines: list[Operation] = []

    def full(_: Operation) -> None:
        raise Unlogged

    with FindingStore(path) as store:
        with pytest.raises(Unlogged):
            Teller(store, full, lambda _: None, lambda: NOW)([ONE])
        assert read(path) == []
        Teller(store, lines.append, lambda _: None, lambda: NOW)([ONE])
    assert [each.code for each in lines] == [ONE.finding_id]


@pytest.mark.parametrize("rule", [*(rule.name for rule in RULES), SILENT])
def test_every_finding_can_stand_in_the_log_as_it_is(rule: str) -> None:
    subject = {"repeated-look-up": f"sato {receipt(1)}", "refused-handshakes": "192.0.2.1"}.get(rule, "sato")
    said = line_of(replace(ONE, rule=rule, subject=subject, severity=Severity.PAGE), NOW)
    key = IdentityKey.generate()
    value = OperationEvent("analysis", "analysis-1", "rehearsal", bytes(16), 0, FIRST, said).sign(key)
    again = OperationEvent.parse(value)[0].operation
    assert again == said
    assert (again.kind, again.about, again.code, again.tenant) == (Kind.FINDING, rule, ONE.finding_id, T)
    assert (again.address, again.actor) == (("192.0.2.1", "") if rule == "refused-handshakes" else ("", "sato"))
    assert again.receipt == (receipt(1) if rule == "repeated-look-up" else "")


def test_a_silent_peer_is_a_line_too() -> None:
    (silent,) = found(heard(0, 300), monitor=30)[:1]
    assert line_of(silent, NOW).actor == "monitor"
