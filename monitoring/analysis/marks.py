"""What the rules keep of a line: who it is about, when, and the few words that are counted.

A mark goes to the windows of one subject: an account, an address or a principal, within one family of rules.
Lines that no rule looks at leave no mark; a line of the analysis itself never does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.envelope.operations import CLASS_OF, Class, Kind, OperationEvent
from hub.envelope.times import to_ms

_PORT: Final = re.compile(r"(?P<host>[0-9.]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")
_LETS_IN: Final = "accepted"
"""what a probe says of a control that no longer refuses; `unknown` is no news"""
UNKNOWN: Final = "unknown"
"""the subject of a line that names nobody"""


class Family(StrEnum):
    """Which rules look at a mark, and what its subject is."""

    ACCESS = "access"
    """subject: an account"""
    ADMINISTRATION = "administration"
    """subject: an account"""
    HANDSHAKE = "handshake"
    """subject: an address"""
    PEER = "peer"
    """subject: who was denied, or came unexpected"""
    PROCESS = "process"
    """subject: the principal that wrote the line"""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose windows: the same account at two tenants is two subjects."""

    family: Family
    tenant: str
    name: str

    @property
    def key(self) -> str:
        """What state is kept under and distributed by; names hold no `|`."""
        return f"{self.family}|{self.tenant}|{self.name}"

    @classmethod
    def of_key(cls, key: str) -> Subject:
        """Read a key again."""
        family, tenant, name = key.split("|", 2)
        return cls(Family(family), tenant, name)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """One line as the rules see it; `at` in milliseconds. The order is by time, then by place in the logs."""

    at: int
    log: str
    """32 hex digits"""
    sequence: int
    kind: str
    receipt: str
    address: str
    about: str
    code: str
    weight: int
    good: bool

    @property
    def event_id(self) -> str:
        """As OperationEvent.event_id."""
        return f"{self.log}-{self.sequence}"

    def row(self) -> list[str | int | bool]:
        """As a JSON array; `Mark(*row)` reads it."""
        return [
            self.at,
            self.log,
            self.sequence,
            self.kind,
            self.receipt,
            self.address,
            self.about,
            self.code,
            self.weight,
            self.good,
        ]


def subject_of(event: OperationEvent) -> Subject | None:
    """Return whose windows a line belongs to; None if no rule looks at it."""
    said = event.operation
    kind = said.kind
    if kind is Kind.HANDSHAKE_REFUSED:
        return Subject(Family.HANDSHAKE, "", host(said.address) or UNKNOWN)
    if kind in (Kind.DENIED, Kind.PEER_UNEXPECTED):
        return Subject(Family.PEER, "", said.actor or host(said.address) or UNKNOWN)
    if kind in (Kind.FAILED, Kind.ALARM) or (kind is Kind.PROBED and said.outcome == _LETS_IN):
        return Subject(Family.PROCESS, said.tenant, event.principal)
    if not said.actor or kind is Kind.FINDING:
        return None
    if CLASS_OF[kind] is Class.ACCESS:
        return Subject(Family.ACCESS, said.tenant, said.actor)
    if CLASS_OF[kind] is Class.ADMINISTRATION:
        return Subject(Family.ADMINISTRATION, said.tenant, said.actor)
    return None


def mark_of(event: OperationEvent) -> Mark:
    """Return the mark that a line leaves."""
    said = event.operation
    return Mark(
        to_ms(said.occurred_at),
        event.log.hex(),
        event.sequence,
        said.kind.value,
        said.receipt,
        host(said.address),
        said.about,
        said.code,
        said.count,
        said.outcome == "ok",
    )


def host(address: str) -> str:
    """Return an address without its port: each connection has another."""
    found = _PORT.fullmatch(address)
    return found["host"] if found else address
