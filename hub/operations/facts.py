"""What the operations log says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from hub.envelope.operations import OperationEvent
from hub.facts import Fact


@dataclass(frozen=True, slots=True)
class OperationSent(Fact):
    """Kafka has acknowledged a line of this role's log, whichever of its processes wrote it."""

    line: OperationEvent


@dataclass(frozen=True, slots=True)
class OperationsWaiting(Fact):
    """So many lines are not on Kafka yet; `stopped` while views and exports are, because they could not be logged."""

    lines: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class BrokersReached(Fact):
    """This process reached the brokers with its log, or (`reached` False, with a code) cannot reach them any more."""

    reached: bool
    code: str = ""
