"""What is wrong with a declaration, and where."""

from __future__ import annotations

from schemas.errors import HubError


class DeclarationInvalid(HubError):
    """The declaration of topics is not valid."""

    code = "topics.invalid"
    hint = "The path names the place in the YAML file."

    def __init__(self, path: str, problem: str) -> None:
        """Name the place (`tenants[1].code`) and the problem."""
        super().__init__(f"{path}: {problem}")
        self.path = path


class PartitionsChanged(HubError):
    """The number of partitions of a topic never changes: order per receipt would be lost."""

    code = "topics.partitions-changed"
    hint = "Declare a new topic with the other number and drain into it."
