"""Writes a generated page: what every `python -m ….document [FILE]` does in the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_page(page: str, arguments: Sequence[str], default: Path) -> int:
    """Write a page to the file that the first argument names, or to `default`; return the exit status, 0."""
    target = Path(arguments[0]) if arguments else default
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return 0
