"""Until when a desk should have decided: days in Japan, never on a day on which the ward office is closed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from consumers.review.deadlines import SERVICE_DAYS, day_in_japan, due_on, is_open

CLOSED = {
    "2026-01-01": "New Year",
    "2026-01-02": "after New Year",
    "2026-01-03": "a Saturday, too",
    "2026-01-12": "成人の日",
    "2026-02-11": "建国記念の日",
    "2026-02-23": "天皇誕生日",
    "2026-03-20": "春分の日",
    "2026-04-29": "昭和の日",
    "2026-05-04": "みどりの日",
    "2026-05-05": "こどもの日",
    "2026-05-06": "a substitute for the 3rd, a Sunday",
    "2026-09-21": "敬老の日",
    "2026-09-22": "between two holidays, so one itself",
    "2026-09-23": "秋分の日",
    "2026-11-03": "文化の日",
    "2026-12-29": "year end",
    "2026-12-30": "year end",
    "2026-12-31": "year end",
    "2027-01-01": "New Year",
    "2028-01-03": "a Monday after New Year, no holiday",
    "2030-01-02": "a Wednesday after New Year, no holiday",
    "2027-03-22": "a substitute for the 21st, a Sunday",
    "2026-11-28": "a Saturday",
    "2026-11-29": "a Sunday",
}


@pytest.mark.parametrize("day", CLOSED)
def test_the_office_is_closed(day: str) -> None:
    assert not is_open(date.fromisoformat(day)), CLOSED[day]


@pytest.mark.parametrize("day", ["2026-01-05", "2026-05-07", "2026-09-24", "2026-11-02", "2026-12-28", "2027-01-04"])
def test_the_office_is_open(day: str) -> None:
    assert is_open(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("accepted", "days", "due"),
    [
        ("2026-11-24", 2, "2026-11-26"),
        ("2026-11-24", 4, "2026-11-30"),  # Saturday → Monday
        ("2026-11-24", 5, "2026-11-30"),  # Sunday → Monday
        ("2026-11-28", 30, "2026-12-28"),  # the last open day of the year
        ("2026-11-29", 30, "2027-01-04"),  # year end, New Year, a weekend: six days on
        ("2026-12-01", 30, "2027-01-04"),
        ("2026-12-04", 30, "2027-01-04"),
        ("2026-12-05", 30, "2027-01-04"),
        ("2026-12-06", 30, "2027-01-05"),
        ("2026-04-02", 30, "2026-05-07"),  # Golden Week
        ("2026-08-20", 30, "2026-09-24"),  # a Saturday before five days
        ("2026-03-21", 1, "2026-03-23"),
        ("2024-02-28", 1, "2024-02-29"),  # a leap day
        ("2024-01-30", 30, "2024-02-29"),
    ],
)
def test_a_period_that_ends_on_a_closed_day_ends_on_the_next_open_one(accepted: str, days: int, due: str) -> None:
    assert due_on(date.fromisoformat(accepted), days) == date.fromisoformat(due)


def test_every_due_day_is_open_and_the_first_one_after_the_period() -> None:
    day = date(2025, 1, 1)
    while day < date(2028, 1, 1):
        due = due_on(day)
        last = day + timedelta(days=SERVICE_DAYS)
        assert is_open(due)
        assert due >= last
        assert not any(is_open(last + timedelta(days=n)) for n in range((due - last).days))
        assert due - last <= timedelta(days=9)  # 29 December to 3 January, and both weekends
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 12, 31, 14, 59, 59, 999_999, tzinfo=UTC), "2026-12-31"),
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), "2027-01-01"),
        (datetime(2027, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=9))), "2027-01-01"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=9))), "2026-12-31"),
        (datetime(2026, 12, 31, 5, 0, tzinfo=timezone(timedelta(hours=-10))), "2027-01-01"),
        (datetime(9999, 12, 31, 15, 0, tzinfo=UTC), "9999-12-31"),
    ],
)
def test_a_day_begins_at_midnight_in_japan(moment: datetime, day: str) -> None:
    assert day_in_japan(moment) == date.fromisoformat(day)


def test_the_end_of_the_calendar_is_no_error() -> None:
    assert due_on(date.max) == date.max
    assert due_on(date(9999, 12, 20)) == date(9999, 12, 20)
    assert is_open(date(2150, 2, 11))  # no holidays are known so far ahead
    assert not is_open(date(2150, 1, 2))
