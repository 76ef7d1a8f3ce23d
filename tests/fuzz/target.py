"""What a fuzz target is: a function that raises where a promise is broken, and inputs to begin with."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
REGRESSIONS = HERE / "regressions"

Change = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """One family of decoders. `run` takes any bytes and raises nothing unless something is wrong."""

    name: str
    decoders: str
    """what it reaches, for the report"""
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    max_bytes: int = 4_096
    change: Change | None = None
    """a mutation that knows the structure; used every other time"""
    words: tuple[bytes, ...] = ()
    """tokens worth inserting"""
    max_kept: int = 24_576
    """bytes of the committed corpus, seeds included"""


def inputs(target: Target) -> list[tuple[str, bytes]]:
    """The committed inputs of a target, regressions first: (where, bytes)."""
    found = []
    for directory in (REGRESSIONS / target.name, CORPUS / target.name):
        if directory.is_dir():
            found += [
                (f"{directory.parent.name}/{target.name}/{path.name}", path) for path in sorted(directory.iterdir())
            ]
    return [(name, path.read_bytes()) for name, path in found]
