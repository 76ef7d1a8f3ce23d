"""What the reading side of the operations log says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.facts import Fact


@dataclass(frozen=True, slots=True)
class OperationsCollected(Fact):
    """A batch was kept: new lines by class, how many lines are missing now, and how many leaves the tree has."""

    lines: Mapping[str, int]
    missing: int
    leaves: int


@dataclass(frozen=True, slots=True)
class OperationsRefused(Fact):
    """Records of the operations topic that do not count, by reason code; kept whole or counted."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class OperationsDeleted(Fact):
    """Bodies whose time had come were deleted, by class."""

    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OperationsPublished(Fact):
    """The published tree has `size` leaves, and its checkpoint as many cosignatures."""

    size: int
    cosignatures: int


@dataclass(frozen=True, slots=True)
class BrokerSeen(Fact):
    """What the brokers' logs said in one interval.

    `denials` by principal, `handshakes` that were refused by reason, `unexpected` connections of peers that are not
    declared or came from an address of nobody's, `unread` lines that are none of the known forms.
    """

    denials: Mapping[str, int] = field(default_factory=dict)
    handshakes: Mapping[str, int] = field(default_factory=dict)
    unexpected: int = 0
    unread: int = 0
