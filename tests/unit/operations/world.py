"""A role with a log on disk, and its lines as a reader of the topic judges them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.crypto.identity import IdentityKey
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent, line_hash
from hub.operations.spool import FILE, Spool
from hub.settings import SpoolSettings
from tests.unit.envelope.support import NOW, NS, REVIEW, T, identity, trust

TOPIC = f"{NS}.operations"


@dataclass(frozen=True)
class Desk:
    """A review desk, as far as its log is concerned."""

    state_directory: Path
    principal: str = REVIEW
    instance: str = "review-1"
    namespace: str = NS

    @property
    def identity(self) -> IdentityKey:
        return identity(self.principal)

    @property
    def file(self) -> Path:
        return self.state_directory / FILE


def spool(directory: Path, **settings: Any) -> Spool:
    return Spool(Desk(directory), SpoolSettings(**settings), now=lambda: NOW, wall=lambda: 1_000_000.0)


def viewed(number: int = 0) -> Operation:
    return Operation(Kind.VIEWED, NOW, actor=f"officer-{number}", tenant=T, receipt=f"{number:032x}")


def alarm(number: int = 0) -> Operation:
    return Operation(Kind.ALARM, NOW, about=f"part-{number}", code="kafka.unavailable")


def waiting(log: Spool) -> list[OperationEvent]:
    """Every line that waits, in order, whole and believed; asserts that they are a chain."""
    batch = log.batch(lines=1_000_000, size=1 << 40)
    found, previous = [], None
    for sequence, value in batch.lines:
        line = OperationEvent.read(value, trust())
        assert isinstance(line, OperationEvent), line
        assert (line.sequence, line.log) == (sequence, batch.log)
        assert previous is None or line.previous == previous
        assert sequence or line.previous == FIRST
        previous = line_hash(value)
        found.append(line)
    return found


def said(lines: Iterable[OperationEvent]) -> list[str]:
    """What lines are about, in a word."""
    return [each.operation.actor or each.operation.about for each in lines]
