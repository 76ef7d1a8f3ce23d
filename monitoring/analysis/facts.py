"""What the analysis says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.facts import Fact
from monitoring.analysis.findings import Finding


@dataclass(frozen=True, slots=True)
class LinesAnalysed(Fact):
    """Lines of the operations log were taken, by class; `late` of them behind the watermark, `refused` by reason."""

    by_class: Mapping[str, int]
    late: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FindingMade(Fact):
    """Something was found for the first time, and its line is on the operations log."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class AnalysedUntil(Fact):
    """All lines up to this time, in milliseconds since 1970, have been analysed, as far as anybody can know."""

    watermark: int
