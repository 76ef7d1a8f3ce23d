"""Service hours by configuration, and what settings refuse."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.envelope.operations import fingerprint
from hub.envelope.times import JST, to_ms
from monitoring.analysis.hours import ServiceHours, parse_hours
from monitoring.analysis.settings import AnalysisSettings, ErasedUnreadable, read_erased

ONE, TWO = fingerprint("R8-1"), fingerprint("R8-2")


def within(hours: ServiceHours, text: str) -> bool:
    return hours.within(to_ms(datetime.fromisoformat(text).replace(tzinfo=JST)))


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-01-14T08:29:59", False),
        ("2026-01-14T08:30:00", True),
        ("2026-01-14T17:14:59", True),
        ("2026-01-14T17:15:00", False),
        ("2026-01-17T10:00:00", False),  # a Saturday
        ("2026-01-12T10:00:00", False),  # 成人の日
        ("2025-12-29T10:00:00", False),
        ("2025-12-26T10:00:00", True),
        ("2026-01-02T10:00:00", False),
        ("2026-01-05T10:00:00", True),
        ("2026-09-22T10:00:00", False),  # between two holidays
    ],
)
def test_service_hours_are_those_of_a_ward_office(moment: str, inside: bool) -> None:
    assert within(ServiceHours(), moment) is inside


def test_the_calendar_is_by_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_ANALYSIS_SERVICE_HOURS", "07:00-24:00")
    monkeypatch.setenv("HUB_ANALYSIS_OPEN_DAYS", '["2026-03-15"]')
    monkeypatch.setenv("HUB_ANALYSIS_CLOSED_DAYS", '["2026-03-16"]')
    hours = AnalysisSettings.from_environment().conditions().hours
    assert within(hours, "2026-03-15T07:00:00")  # a Sunday in the filing season
    assert within(hours, "2026-03-17T23:59:59")
    assert not within(hours, "2026-03-16T10:00:00")
    assert not within(hours, "2026-03-14T10:00:00")


def test_a_day_of_which_nobody_knows_the_holidays_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: date) -> bool:
        raise NotImplementedError

    monkeypatch.setattr("monitoring.analysis.hours.is_open", unknown)
    assert not within(ServiceHours(), "2026-01-14T10:00:00")
    assert within(ServiceHours(also=frozenset({date(2026, 1, 14)})), "2026-01-14T10:00:00")


@pytest.mark.parametrize(
    "text", ["", "8:30-17:15", "17:15-08:30", "08:30-08:30", "25:00-26:00", "08:30 - 17:15", "08:60-17:00"]
)
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hours|HH:MM"):
        parse_hours(text)
    with pytest.raises(ValidationError):
        AnalysisSettings(service_hours=text)


def test_hours_are_read() -> None:
    assert parse_hours("08:30-17:15") == (time(8, 30), time(17, 15))


@pytest.mark.parametrize(
    "thresholds",
    [{"no-such-rule": 3}, {"outside-hours": 2}, {"bulk-viewing": 0}, {"bulk-viewing": 1_001}, {"bulk-export": -1}],
)
def test_thresholds_that_could_not_hold_are_refused(thresholds: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        AnalysisSettings(thresholds=thresholds)


def test_thresholds_are_taken() -> None:
    taken = AnalysisSettings(thresholds={"bulk-viewing": 1_000, "bulk-export": 1_000_000}).conditions()
    assert taken.thresholds == {"bulk-viewing": 1_000, "bulk-export": 1_000_000}


def test_erased_submissions_are_read_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "erased"
    path.write_text(
        f"{ONE} 2026-01-14T10:00:00+09:00\n\n{TWO.upper()} 2026-01-14T01:00:00+00:00\n{ONE} 2026-01-13T00:00:00Z\n"
    )
    at = to_ms(datetime(2026, 1, 14, 10, tzinfo=JST))
    assert read_erased(path) == {ONE: to_ms(datetime(2026, 1, 13, 9, tzinfo=JST)), TWO: at}
    assert AnalysisSettings(erased_file=path).conditions().erased[TWO] == at
    assert AnalysisSettings().conditions().erased == {}


@pytest.mark.parametrize(
    "text",
    [
        "R8-13104-000000000101 2026-01-14T10:00:00+09:00",
        f"{ONE}",
        f"{ONE} 2026-01-14T10:00:00",
        f"{ONE[:-1]}g 2026-01-14T10:00:00Z",
        "é",
    ],
)
def test_a_list_that_is_not_whole_counts_as_none_and_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "erased"
    path.write_text(f"{TWO} 2026-01-14T10:00:00Z\n{text}\n", encoding="utf-8")
    with pytest.raises(ErasedUnreadable) as refused:
        read_erased(path)
    assert text not in str(refused.value)
    with pytest.raises(ErasedUnreadable):
        read_erased(tmp_path / "gone")
