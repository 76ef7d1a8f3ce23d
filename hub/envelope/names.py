"""Names that the envelope must read: `<namespace>.<dataset>` or `<namespace>.<tenant>.<dataset>`.

From the second generation of topics on they end in `.g<n>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ROUTER: Final = "router"
QUARANTINE: Final = "quarantine"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"

_TENANT: Final = re.compile(r"[0-9]{6}", re.ASCII)
_GENERATION: Final = re.compile(r"g([2-9]|[1-9][0-9]{1,2})", re.ASCII)


class Kind(StrEnum):
    """What an event is; fixed by its topic."""

    SUBMISSION = "submission"
    STATUS = "status"
    ACCEPTED = "accepted"


_KIND_OF_DATASET: Final = {
    "submissions": Kind.SUBMISSION,
    "status": Kind.STATUS,
    "accepted": Kind.ACCEPTED,
}


@dataclass(frozen=True, slots=True)
class TopicName:
    """A topic's parts; `tenant` is None for a topic of all tenants."""

    namespace: str
    tenant: str | None
    dataset: str
    generation: int = 1

    def of(self, dataset: str) -> str:
        """The name of another dataset of the same tenant (or of all) and generation."""
        parts = [self.namespace, *([] if self.tenant is None else [self.tenant]), dataset]
        return ".".join(parts if self.generation == 1 else [*parts, f"g{self.generation}"])


def is_tenant(text: str) -> bool:
    """Say whether `text` is a 6-digit municipality code."""
    return _TENANT.fullmatch(text) is not None


def parse_topic(topic: str) -> TopicName | None:
    """Split a topic's name; None if it has no such form."""
    parts = topic.split(".")
    if not all(parts):
        return None
    generation = 1
    if len(parts) > 2 and (found := _GENERATION.fullmatch(parts[-1])) is not None:
        generation = int(found[1])
        parts.pop()
        if len(parts) == 2 and is_tenant(parts[1]):
            return None  # a tenant's topic without a dataset
    if len(parts) == 2:
        return TopicName(parts[0], None, parts[1], generation)
    if len(parts) == 3 and is_tenant(parts[1]):
        return TopicName(parts[0], parts[1], parts[2], generation)
    return None


def kind_of_topic(topic: str) -> Kind | None:
    """Return the kind of event that is produced to a topic; None if none is."""
    name = parse_topic(topic)
    return None if name is None else _KIND_OF_DATASET.get(name.dataset)
