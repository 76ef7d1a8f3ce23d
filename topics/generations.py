"""How the text of a declaration changes when its topics grow. Comments and order stay as they are. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from topics.declaration import parse
from topics.errors import GrowthRefused
from topics.templates import Declaration, Generation

_PARTITIONS: Final = re.compile(r"^partitions:[ ]*[0-9]+", re.MULTILINE)
_GENERATION: Final = re.compile(r"^(generation|earlier):.*\n", re.MULTILINE)
_FORM: Final = "Give `partitions`, `generation` and `earlier` a line of their own each, at its beginning."
_UNUSUAL: Final = "(its text is not of the usual form)"
_GROWING: Final = "growing: true   # nobody seals anything new: `eltax-hub topics grow` is at work\n"


def grown(text: str, present: int, partitions: int) -> str:
    """Return the text of the next generation, with `partitions`; `present` partitions are in use, declared or not.

    Raises GrowthRefused if they are not more, DeclarationInvalid.
    """
    declared = parse(text)
    if declared.growing:
        raise GrowthRefused("(it is growing already)")
    if partitions <= present:
        raise GrowthRefused(f"({partitions} partitions are not more than {present})")
    earlier = (*declared.earlier, Generation(declared.generation, present))
    listed = ", ".join(f"{{generation: {each.number}, partitions: {each.partitions}}}" for each in earlier)
    stripped = _GENERATION.sub("", text)
    found = _PARTITIONS.search(stripped)
    if found is None:
        raise GrowthRefused(_UNUSUAL, hint=_FORM)
    behind, _, after = stripped[found.end() :].partition("\n")
    made = (
        f"{stripped[: found.start()]}partitions: {partitions}{behind}\n"
        f"generation: {declared.generation + 1}\nearlier: [{listed}]\n{after}"
    )
    wanted = replace(declared, partitions=partitions, generation=declared.generation + 1, earlier=earlier)
    return _checked(made, wanted)


def paused(text: str) -> str:
    """Return the text that has everybody who seals begin nothing new. Raises GrowthRefused, DeclarationInvalid."""
    declared = parse(text)
    return text if declared.growing else _checked(f"{text.rstrip()}\n{_GROWING}", replace(declared, growing=True))


def resumed(text: str) -> str:
    """Return the text without what `paused` added."""
    declared = parse(text)
    return _checked(text.replace(_GROWING, ""), replace(declared, growing=False)) if declared.growing else text


def _checked(text: str, wanted: Declaration) -> str:
    """What was written must be read as what was meant; a text of unusual form is left to people."""
    if parse(text) != wanted:
        raise GrowthRefused(_UNUSUAL, hint=_FORM)
    return text
