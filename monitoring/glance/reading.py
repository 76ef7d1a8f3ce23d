"""An endpoint's text as numbers: bounded, and whatever it says believed no further than that it is a number.

What is no sample line is left out and counted. Names of ours only; a label's value is text of somebody else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 16 * 2**20
MAX_SAMPLES: Final = 100_000
MAX_LABEL: Final = 120
_SAMPLE: Final = re.compile(
    r"(?P<name>(?:hub|process)_[a-z0-9_]{1,80})(?:\{(?P<labels>.{0,2000})\})? (?P<value>[0-9a-zA-Z+.\-]{1,32})",
    re.ASCII,
)
_LABEL: Final = re.compile(r'(?P<name>[a-z_]{1,40})="(?P<value>(?:[^"\\]|\\.){0,400})"(?:,|$)')
_ESCAPES: Final = {r"\n": "\n", r"\"": '"', r"\\": "\\"}

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Samples by name; each by its labels, sorted by name. `refused` lines were none."""

    samples: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)
    refused: int = 0

    def rows(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """Yield (labels, value) of a metric; NaN is what its process does not know."""
        for labels, value in self.samples.get(name, {}).items():
            yield dict(labels), value

    def total(self, name: str, **wanted: str) -> float:
        """Return the sum over all samples that have these labels; 0 if there is none."""
        chosen = wanted.items()
        return sum(value for labels, value in self.rows(name) if chosen <= labels.items() and not math.isnan(value))

    def has(self, name: str) -> bool:
        """Whether there is any sample of a metric."""
        return bool(self.samples.get(name))


def read(body: bytes) -> Numbers:
    """Read the text format 0.0.4. Never raises; what is too long or too much is left out and counted."""
    samples: dict[str, dict[Labels, float]] = {}
    refused = count = 0
    for line in body[:MAX_BYTES].decode("utf-8", "replace").split("\n"):
        if not line or line.startswith("#"):
            continue
        found = _SAMPLE.fullmatch(line)
        value = _number(found["value"]) if found else None
        labels = _labels(found["labels"] or "") if found else None
        if found is None or value is None or labels is None or count >= MAX_SAMPLES:
            if line.startswith(("hub_", "process_")):
                refused += 1
            continue
        samples.setdefault(found["name"], {})[labels] = value
        count += 1
    return Numbers(samples, refused)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isinf(value) else value


def _labels(text: str) -> Labels | None:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        part = _LABEL.match(text, at)
        if part is None:
            return None
        value = re.sub(r"\\.", lambda each: _ESCAPES.get(each[0], each[0]), part["value"])
        found.append((part["name"], value[:MAX_LABEL]))
        at = part.end()
    return tuple(sorted(found))
