"""The service objective of storage, as recording rules and burn-rate alerts.

99.9 % of filings stored at the review desk within 30 s of acknowledgement. What is measured is
`hub_consumer_delay_seconds`, from production (the portal seals and journals) to storage. A filing is produced
before it is acknowledged, so that the time measured is never shorter than the promised one: what is counted as
good is good. A filing that never comes is in no histogram: `HubEventsMissing` and the age of the backlog tell.
"""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import FLOW, READINESS, WATCH
from monitoring.prometheus.base import Alert, Explained, Recording, Severity, Team

OBJECTIVE: Final = 0.999
LIMIT_SECONDS: Final = 30.0
"""a bucket's edge"""
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
BURNS: Final = (
    ("1h", "5m", 14.4, Severity.PAGE, "HubStorageBurnsIn2Days"),
    ("6h", "30m", 6.0, Severity.PAGE, "HubStorageBurnsIn5Days"),
    ("1d", "2h", 3.0, Severity.TICKET, "HubStorageBurnsIn10Days"),
    ("3d", "6h", 1.0, Severity.TICKET, "HubStorageBurnsIn30Days"),
)
"""long window, short window, multiple of the rate that uses up the budget of 30 days in 30 days (Site Reliability
Workbook, chapter 5); the short one ends the alert soon after its cause"""


def late(window: str) -> str:
    """The name of the recorded share of filings that were stored late."""
    return f"hub:stored_late:ratio_rate{window}"


def recordings() -> tuple[Recording, ...]:
    """One share per window; no series while nothing is stored at all."""
    name = "hub_consumer_delay_seconds"
    return tuple(
        Recording(
            late(window),
            f'1 - sum(rate({name}_bucket{{consumer="review",le="{LIMIT_SECONDS}"}}[{window}]))'
            f' / (sum(rate({name}_count{{consumer="review"}}[{window}])) > 0)',
            f"Share of filings that the desks stored later than {LIMIT_SECONDS:g} s after production, over {window}.",
        )
        for window in WINDOWS
    )


def alerts() -> tuple[Alert, ...]:
    """One per pair of windows; while the fastest fires nobody is told of the slower ones."""
    budget = 1 - OBJECTIVE
    made: list[Alert] = []
    for long, short, times, severity, name in BURNS:
        days = round(30 / times)
        above = f"{times * budget:.5g}"
        made.append(
            Alert(
                name,
                f"{late(long)} > {above} and {late(short)} > {above}",
                "0s",
                severity,
                Team.OPERATOR,
                f"{{{{ $value | humanizePercentage }}}} of filings were stored late over {long}:"
                f" the budget of 30 days is used up in {days}.",
                f"直近{long}の保存遅延が {{{{ $value | humanizePercentage }}}}（{days}日で30日分の許容量を消費）。",
                (WATCH, FLOW, READINESS),
                silenced_by=tuple(Explained(each.name) for each in made),
            )
        )  # fmt: skip
    return tuple(made)
