"""What is wrong with a declaration, and where."""

from __future__ import annotations

from schemas.errors import HubError

_LONGEST = 120


def _short(text: str) -> str:
    """Cut what a file's author has made long; a key may be as long as the file."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


class DeclarationInvalid(HubError):
    """The declaration of topics is not valid."""

    code = "topics.invalid"
    hint = "The path names the place in the YAML file."

    def __init__(self, path: str, problem: str) -> None:
        """Name the place (`tenants[1].code`) and the problem."""
        path = _short(path)
        super().__init__(f"{path}: {_short(problem)}")
        self.path = path


class PartitionsChanged(HubError):
    """The number of partitions of a topic never changes: order per receipt would be lost."""

    code = "topics.partitions-changed"
    hint = "`eltax-hub topics grow --partitions N` drains into a bigger generation (docs/runbooks/growing.md)."


class GenerationChanged(HubError):
    """Another generation of topics is declared than was applied."""

    code = "topics.generation"
    hint = "Only `eltax-hub topics grow` begins one, when the present one is drained (docs/runbooks/growing.md)."


class GrowthRefused(HubError):
    """The topics cannot grow in this way."""

    code = "topics.growth"
    hint = "See docs/runbooks/growing.md."
