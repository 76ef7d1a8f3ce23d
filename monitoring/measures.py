"""The measures of the municipality's security checklist, word for word: data beside this file, see its `source`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).parent / "measures.json"


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of one of the four lists: its number there, whether it is done (○) or not needed (ー), its words."""

    list_id: str
    actor: str
    number: int
    mark: str
    ja: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure under its slug. `relevance`: `direct` (software can carry it out), `partial`, `organisational`."""

    slug: str
    en: str
    kind: str
    relevance: str
    lines: tuple[Listed, ...]

    @property
    def ja(self) -> str:
        """As the first list that has it says it."""
        return self.lines[0].ja


@dataclass(frozen=True, slots=True)
class Drawn:
    """A caption of the flow diagram (資料16-1): the box it stands in, its words, and the measure that it is."""

    box: str
    ja: str
    measure: str


@cache
def measures() -> Mapping[str, Measure]:
    """Return all measures by slug, in the order of the lists."""
    data = json.loads(_DATA.read_text(encoding="utf-8"))
    actors = {name: said["actor"] for name, said in data["lists"].items()}
    return {
        slug: Measure(
            slug,
            said["en"],
            said["kind"],
            said["relevance"],
            tuple(
                Listed(line["list"], actors[line["list"]], line["number"], line["mark"], line["ja"])
                for line in said["texts"]
            ),
        )
        for slug, said in data["measures"].items()
    }


@cache
def lists() -> Mapping[str, str]:
    """Return list id → its title and whose measures it holds."""
    data = json.loads(_DATA.read_text(encoding="utf-8"))
    return {name: f"{said['title']}（{said['group']}）" for name, said in data["lists"].items()}


@cache
def diagram() -> tuple[Drawn, ...]:
    """Return the captions of the flow diagram, box by box."""
    data = json.loads(_DATA.read_text(encoding="utf-8"))
    return tuple(Drawn(each["box"], each["ja"], each["measure"]) for each in data["diagram"])
