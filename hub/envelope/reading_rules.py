"""Rules that several records share when their bodies are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.times import from_ms

_T = TypeVar("_T", int, bytes, tuple[int, bytes])


def ascending(values: Sequence[_T]) -> bool:
    """Say whether every value is greater than the one before."""
    return all(one < other for one, other in pairwise(values))


def moment(milliseconds: int) -> datetime:
    """Return a record's time. Raises MALFORMED outside 1970 to 9999."""
    try:
        return from_ms(milliseconds)
    except ValueError as problem:
        raise EnvelopeError(Reason.MALFORMED) from problem
