"""Queries that several panels share. `$tenant`, `$procedure` and `$instance` are the boards' variables."""

from __future__ import annotations

from typing import Final

from schemas.parts import ATTACHMENT_PART

TENANT: Final = 'tenant=~"$tenant"'
INSTANCE: Final = 'instance=~"$instance"'
WHAT: Final = f'tenant=~"$tenant",procedure=~"$procedure",procedure!="{ATTACHMENT_PART}"'
"""submissions of the chosen tenants and procedures; parts of attachments are no submissions"""
MOST: Final = 12
"""series in one chart at most; beyond it the largest are shown"""


def rate(selector: str, by: str = "") -> str:
    """Return the sum per second of a counter, in the window that suits the chart."""
    return f"sum{_by(by)}(rate({selector}[$__rate_interval]))"


def quantile(share: float, histogram: str, labels: str = "", by: str = "") -> str:
    """Return the quantile of a histogram of seconds over the window that suits the chart."""
    groups = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({groups})(rate({histogram}_bucket{_in(labels)}[$__rate_interval])))"


def grown(selector: str, by: str = "") -> str:
    """Return how much a counter grew in the board's time range, exact where no process was started again.

    `increase` alone misses what a series begins with and extrapolates to the edges, so that equal flows would not
    look equal. Here a series that was there before the range counts its difference, one that began within it counts
    whole, and one that fell (a restart) counts what `increase` says. A series that ended counts with its last value.
    """
    last = f"last_over_time({selector}[$__range])"
    fell = f"(increase({selector}[$__range]) and resets({selector}[$__range]) > 0)"
    return f"round(sum{_by(by)}({fell} or ({last} - ({selector} offset $__range)) or {last}))"


def largest(expr: str) -> str:
    """Return the largest series only: a chart of a thousand tenants would show nobody anything."""
    return f"topk({MOST}, {expr})"


def or_none(expr: str) -> str:
    """Return 0 where nothing at all is there to be counted: for what a healthy hub has none of."""
    return f"{expr} or on() vector(0)"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""


def _in(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""
