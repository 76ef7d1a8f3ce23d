"""What the network watch tells: facts of its own, as numbers and lines in monitoring.adapter.network."""

from __future__ import annotations

from dataclasses import dataclass

from hub.facts import Fact
from monitoring.network.judgement import Verdict


@dataclass(frozen=True, slots=True)
class PathProbed(Fact):
    """A principal tried its way to a listener.

    `code` is empty when all is well. Times are seconds, 0 where it did not come so far; `not_after` is Unix time of the
    peer's certificate, 0 if none was seen. `changed` says that `code` is another one than last time.
    """

    principal: str
    listener: str
    up: bool
    code: str
    connect_seconds: float = 0.0
    handshake_seconds: float = 0.0
    not_after: float = 0.0
    changed: bool = False


@dataclass(frozen=True, slots=True)
class TlsSeen(Fact):
    """A listener speaks this protocol and cipher; or, `present` being false, does so no more."""

    listener: str
    protocol: str
    cipher: str
    present: bool


@dataclass(frozen=True, slots=True)
class ControlJudged(Fact):
    """What a round found of one control, over all listeners; `about` is the first listener that says so."""

    control: str
    verdict: Verdict
    code: str
    about: str
    changed: bool


@dataclass(frozen=True, slots=True)
class PathHeard(Fact):
    """Whether a principal that is declared to run has told of its path lately; `changed` if that is new."""

    principal: str
    heard: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class RoundEnded(Fact):
    """A round of the watch has ended `at` (Unix time), with so many attempts and so many of them unknown.

    `refused` says of a round of controls whether all were refused; it is None for a role that tried its own path.
    """

    at: float
    attempts: int
    unknown: int
    refused: bool | None = None


@dataclass(frozen=True, slots=True)
class ListenerUndeclared(Fact):
    """Somebody listens where nobody was declared, or a broker sends clients there; told when it is new."""

    listener: str
    speaks: str
