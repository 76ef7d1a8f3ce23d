"""What a rule from a fact to a number or a line is, and the rules that many facts share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.facts import Fact
from monitoring.metrics import Metrics

ToMetrics = Callable[[Metrics, Any], None]
"""`Any` is the fact's own class, fixed by the key it is registered under"""
LogLine = tuple[str, dict[str, object]]
"""level and fields"""
ToLog = Callable[[Any], LogLine | None]


def flag(value: bool) -> str:
    """A truth value as a label."""
    return "true" if value else "false"


def quiet(_: Fact) -> None:
    """Say nothing: this fact is a number, a line for each would bury the others."""


def line(level: str, event: str, *fields: str) -> ToLog:
    """Return a rule that writes the named fields of every such fact."""

    def tell(fact: Fact) -> LogLine:
        return level, {"event": event, **{name: getattr(fact, name) for name in fields}}

    return tell
