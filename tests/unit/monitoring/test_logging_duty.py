"""The logging duty: each measure of the checklist is carried by something that exists, or it is said what does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hub.envelope.operations import CLASS_OF, Class, Kind
from monitoring import logging_duty
from monitoring.declared import BY_NAME, MEASURES
from monitoring.duties import DUTIES, ELSEWHERE, Duty
from monitoring.logging_duty import main, page, retention_days, rows
from monitoring.measures import diagram, lists, measures
from monitoring.operations.settings import OperationsSettings
from monitoring.prometheus.rules import all_alerts

ROOT = Path(__file__).parents[3]
each = pytest.mark.parametrize("duty", DUTIES, ids=lambda duty: duty.measure)


def test_the_committed_page_is_what_code_says(tmp_path: Path) -> None:
    assert (ROOT / "docs" / "logging-duty.md").read_text(encoding="utf-8") == page(), "run `make docs`"
    main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page()


def test_the_measures_are_those_of_the_four_lists_and_of_the_declared_slugs() -> None:
    assert measures().keys() == MEASURES
    counted = dict.fromkeys(lists(), 0)
    for measure in measures().values():
        for line in measure.lines:
            counted[line.list_id] += 1
            assert line.mark in ("○", "ー")
            assert line.ja.endswith("。")
    assert sorted(counted.values()) == [16, 16, 24, 24]
    assert len(diagram()) == 21
    assert {drawn.measure for drawn in diagram()} <= MEASURES


def test_each_measure_is_a_duty_or_it_is_said_what_carries_it() -> None:
    duties = [duty.measure for duty in DUTIES]
    assert len(set(duties)) == len(duties)
    assert not set(duties) & ELSEWHERE.keys()
    assert set(duties) | ELSEWHERE.keys() == MEASURES


@each
def test_what_a_duty_promises_exists(duty: Duty) -> None:
    assert all((duty.metrics, duty.kinds, duty.rows, duty.alerts))
    for metric in duty.metrics:
        assert metric in BY_NAME, f"metric {metric} is no more"
    for kind in duty.kinds:
        assert kind in Kind
        assert retention_days()[CLASS_OF[kind]] > 0
    for row in duty.rows:
        assert row in rows(), f"panels {row} are no more"
    for alert in duty.alerts:
        assert alert in all_alerts(), f"alert {alert} is no more"
        assert (ROOT / all_alerts()[alert].runbook).is_file() or not (ROOT / "docs/runbooks/alerts").exists()


def test_each_class_has_a_retention_setting_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, kind in enumerate(Class, 400):
        setting = f"HUB_OPERATIONS_RETENTION_{kind.name}"
        assert f"`{setting}`" in page()
        monkeypatch.setenv(setting, str(number))
        assert OperationsSettings().retention_days[kind] == number
        assert retention_days()[kind] != number, "the page shows what nobody has set"


@pytest.mark.parametrize(
    "broken",
    [
        {"metrics": ("hub_no_such_total",)},
        {"alerts": ("HubNoSuch",)},
        {"rows": (("overview", "No such row"),)},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_what_is_no_more_is_noticed(broken: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging_duty, "DUTIES", (replace(DUTIES[0], **broken),))  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        page()
