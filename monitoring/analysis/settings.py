"""What the analysis is told from outside: settings `HUB_ANALYSIS_…`, and the list of erased submissions."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.envelope.times import to_ms
from monitoring.analysis.hours import ServiceHours, parse_hours
from monitoring.analysis.rules import BY_NAME
from monitoring.analysis.rules.base import Conditions, Measure
from monitoring.analysis.windows import MAX_MARKS
from schemas.errors import HubError

_FINGERPRINT_DIGITS: Final = 32
MAX_ERASED: Final = 2_000_000


class ErasedUnreadable(HubError):
    """The list of erased submissions cannot be read."""

    code: ClassVar[str] = "analysis.erased-unreadable"
    hint: ClassVar[str] = "A line is 32 hex digits, a space, and the time of the erasure (2026-11-26T10:00:00+09:00)."


def _hours(text: str) -> str:
    parse_hours(text)
    return text


class AnalysisSettings(BaseSettings):
    """The environment names them HUB_ANALYSIS_SERVICE_HOURS and so on; mappings and lists are written as JSON."""

    model_config = SettingsConfigDict(env_prefix="HUB_ANALYSIS_", extra="ignore", frozen=True)

    service_hours: Annotated[str, AfterValidator(_hours)] = Field(
        default="08:30-17:15", description="JST, on weekdays that are no holidays and not 12-29 to 01-03"
    )
    open_days: frozenset[date] = Field(default=frozenset(), description="days that are open all the same")
    closed_days: frozenset[date] = Field(default=frozenset(), description="days that are not open")
    automatic: frozenset[str] = Field(default=frozenset(), description="accounts of jobs that may run at any hour")
    probing: frozenset[str] = Field(
        default=frozenset({"monitor", "canary", "127.0.0.1", "::1"}),
        description="principals and addresses from which the network watch tries what must be refused",
    )
    thresholds: dict[str, int] = Field(default_factory=dict, description="rule → threshold, instead of the table's")
    silent_minutes: dict[str, Annotated[int, Field(ge=1, le=10_080)]] = Field(
        default_factory=lambda: {"monitor": 30},
        description="principal or role → minutes without a line after which it is silent",
    )
    erased_file: Path | None = Field(default=None, description="fingerprints of erased submissions, with times")
    lateness_seconds: int = Field(
        default=300, ge=0, le=86_400, description="how long after its time a line may come and not be late"
    )
    retention_days: int = Field(default=1_830, ge=1, le=36_500, description="how long findings are kept")

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, threshold in self.thresholds.items():
            rule = BY_NAME.get(name)
            if rule is None:
                raise ValueError(f"no rule is called {name}")
            if rule.measure is Measure.EACH and threshold != 1:
                raise ValueError(f"{name} looks at each line, it has no threshold")
            if threshold < 1 or (rule.measure is not Measure.WEIGHT and threshold > MAX_MARKS // 2):
                raise ValueError(f"the threshold of {name} lies between 1 and {MAX_MARKS // 2}")
        return self

    @classmethod
    def from_environment(cls) -> AnalysisSettings:
        """Read HUB_ANALYSIS_…; raises pydantic's ValidationError, which names what is wrong."""
        return cls()

    def conditions(self) -> Conditions:
        """Return what the rules know besides the lines. Raises ErasedUnreadable."""
        begins, ends = parse_hours(self.service_hours)
        return Conditions(
            ServiceHours(begins, ends, self.open_days, self.closed_days),
            read_erased(self.erased_file) if self.erased_file is not None else {},
            self.automatic,
            self.probing,
            self.thresholds,
        )


def read_erased(path: Path) -> dict[str, int]:
    """Read `<fingerprint> <time>` lines: fingerprint → milliseconds, the earliest time counts.

    A list that was declared and is not there, or is not whole, raises ErasedUnreadable: a watch that lost its list
    must not look as if nobody asked.
    """
    found: dict[str, int] = {}
    try:
        with path.open(encoding="ascii") as lines:
            for number, line in enumerate(lines, 1):
                digits, _, time = line.strip().partition(" ")
                if not digits:
                    continue
                if len(digits) != _FINGERPRINT_DIGITS or number > MAX_ERASED:
                    raise ErasedUnreadable(f"line {number}")
                int(digits, 16)
                at = to_ms(datetime.fromisoformat(time))
                found[digits.lower()] = min(at, found.get(digits.lower(), at))
    except (OSError, ValueError) as problem:
        raise ErasedUnreadable(type(problem).__name__) from problem
    return found
