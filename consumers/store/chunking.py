"""Lists cut so that they fit into one SQL statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
_CHUNK: Final = 400
"""values in one IN list; SQLite allows 32,766 parameters, older builds 999"""


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that fit into an IN list."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
