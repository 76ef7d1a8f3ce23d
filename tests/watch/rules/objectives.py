"""The burn-rate alerts over their whole windows, up to three days: nothing else can try these."""

from __future__ import annotations

from typing import Final

from monitoring.prometheus.slo import BURNS, LIMIT_SECONDS, OBJECTIVE
from tests.watch.rules.case import Case, Series

_PER_STEP: Final = 100_000
_MINUTES: Final = {"5m": 5, "30m": 30, "1h": 60, "2h": 120, "6h": 360, "1d": 1440, "3d": 4320}


def _stored(late: float, steps: int, after: int = 0) -> Series:
    """100,000 filings a step (so that shares are exact), `late` of them over 30 s; then `after` steps without."""
    name = 'hub_consumer_delay_seconds_{}{{job="hub",instance="review-131041",consumer="review"{}}}'
    punctual = round(_PER_STEP * (1 - late))
    in_time = f"0+{punctual}x{steps}"
    if after:
        in_time += f" {punctual * steps + _PER_STEP}+{_PER_STEP}x{after - 1}"
    return {
        name.format("bucket", f',le="{LIMIT_SECONDS}"'): in_time,
        name.format("count", ""): f"0+{_PER_STEP}x{steps + after}",
    }


def _cases() -> tuple[Case, ...]:
    made = []
    for long, short, times, _, name in BURNS:
        step = 5 if _MINUTES[long] > 360 else 1
        end = _MINUTES[long] + 10
        well_again = _MINUTES[short] // step + 2
        limit = times * (1 - OBJECTIVE)
        made.append(
            Case(
                name,
                (_stored(limit * 1.01, end // step),),
                (
                    _stored(limit * 0.99, end // step),
                    # over the long window far too many, and none for the length of the short one
                    _stored(limit * 1.2, end // step - well_again, well_again),
                ),
                f"{end}m",
                f"{end}m",
                interval=f"{step}m",
            )
        )
    return tuple(made)


CASES: Final = _cases()
