"""Which facts of a process are lines of its operations log: one pure table, and a bound on how many lines they make.

    fact ─> operation, or nothing ─> the first of its kind at once, then one a minute with their count

What is counted elsewhere (events, batches, letters) is no line: the log is for what a person must be able to look up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from hub.crypto.hkdf import sha256
from hub.envelope.operations import Kind, Operation
from hub.facts import Alarm, Fact, HandedOver, Lifecycle, Paused, StandingTaken, Unconfirmed
from hub.operations.facts import BrokersReached
from monitoring.network.facts import ControlJudged, ListenerUndeclared, PathProbed, RoundEnded

WINDOW_SECONDS: Final = 60.0
MAX_KEYS: Final = 64
"""different lines in a window; further ones are one line together"""
FLOOD: Final = "operations.flood"
_HEX: Final = 16


def configuration_hash(settings: str, trust: int, declaration: int) -> str:
    """Return what a CONFIGURED line says: 16 hex digits over settings without secrets and the two serials."""
    return sha256(f"{settings}\n{trust}\n{declaration}\n".encode()).hex()[:_HEX]


def _lifecycle(fact: Lifecycle, at: datetime, _: str) -> Operation | None:
    kinds = {"started": Kind.STARTED, "stopped": Kind.STOPPED, "failed": Kind.FAILED}
    if fact.event not in kinds:
        return None
    outcome = fact.details.get("code", "failed") if fact.event == "failed" else "ok"
    return Operation(kinds[fact.event], at, outcome, about=fact.details.get("command", ""))


def _alarm(fact: Alarm, at: datetime, _: str) -> Operation:
    return Operation(Kind.ALARM, at, about=fact.about, code=fact.code)


def _paused(fact: Paused, at: datetime, _: str) -> Operation:
    return Operation(Kind.PAUSED if fact.paused else Kind.RESUMED, at, about=fact.stage, code=fact.code)


def _reached(fact: BrokersReached, at: datetime, _: str) -> Operation:
    kind = Kind.CONNECTED if fact.reached else Kind.DISCONNECTED
    return Operation(kind, at, "ok" if fact.reached else fact.code, about="brokers")


def _standing(fact: StandingTaken, at: datetime, settings: str) -> Operation:
    about = f"trust {fact.trust} declaration {fact.declaration}"
    code = configuration_hash(settings, fact.trust, fact.declaration)
    return Operation(Kind.CONFIGURED, at, about=about, code=code)


def _handed_over(fact: HandedOver, at: datetime, _: str) -> Operation | None:
    return Operation(Kind.EXPORTED, at, about=fact.team, code=fact.decision, count=fact.count) if fact.count else None


def _unconfirmed(fact: Unconfirmed, at: datetime, _: str) -> Operation | None:
    """What waits beyond its time for a checkpoint, or for the event that a checkpoint has named (the graver one)."""
    if not fact.count and not fact.missing:
        return None
    return Operation(
        Kind.ALARM, at, about=fact.consumer, code="event-missing" if fact.missing else "checkpoint-missing"
    )


def _control(fact: ControlJudged, at: datetime, _: str) -> Operation | None:
    return Operation(Kind.PROBED, at, fact.verdict.value, about=fact.control, code=fact.code) if fact.changed else None


def _path(fact: PathProbed, at: datetime, _: str) -> Operation | None:
    return Operation(Kind.PROBED, at, fact.code or "ok", about=fact.listener) if fact.changed else None


def _round(fact: RoundEnded, at: datetime, _: str) -> Operation | None:
    """One line for each round of controls; a role's look at its own path is a line only when it changes."""
    if fact.refused is None:
        return None
    outcome = "ok" if fact.refused else "failed"
    return Operation(Kind.PROBED, at, outcome, about="round", count=max(1, fact.attempts))


def _undeclared(fact: ListenerUndeclared, at: datetime, _: str) -> Operation:
    return Operation(Kind.PEER_UNEXPECTED, at, "failed", about=fact.listener, code=fact.speaks)


TABLE: Final[dict[type[Fact], Callable[[Any, datetime, str], Operation | None]]] = {
    Lifecycle: _lifecycle,
    Alarm: _alarm,
    Paused: _paused,
    BrokersReached: _reached,
    StandingTaken: _standing,
    HandedOver: _handed_over,
    Unconfirmed: _unconfirmed,
    ControlJudged: _control,
    PathProbed: _path,
    RoundEnded: _round,
    ListenerUndeclared: _undeclared,
}
"""`Any` is the fact's own class; the text is the settings' digest"""


def operation_of(fact: Fact, at: datetime, settings: str = "") -> Operation | None:
    """Return the line that stands for a fact seen at `at`, or None. `settings` identifies the process's settings."""
    rule = TABLE.get(type(fact))
    return None if rule is None else rule(fact, at, settings)


_Key = tuple[Kind, str, str, str]


class Bounded:
    """Twice `MAX_KEYS` lines and one a minute at most, however many facts: repeats are counted into one."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._begun = float("-inf")
        self._held: dict[_Key, Operation | None] = {}
        self._flood: Operation | None = None

    def take(self, operation: Operation, clock: float) -> list[Operation]:
        """Return what to write now, `clock` seconds after some fixed moment."""
        written = self.flush(clock)
        key = (operation.kind, operation.outcome, operation.about, operation.code)
        if key not in self._held:
            if len(self._held) < MAX_KEYS:
                self._held[key] = None
                return [*written, operation]
            count = 0 if self._flood is None else self._flood.count
            at = operation.occurred_at
            self._flood = Operation(Kind.ALARM, at, about="operations", code=FLOOD, count=count + operation.count)
            return written
        held = self._held[key]
        self._held[key] = operation if held is None else replace(held, count=held.count + operation.count)
        return written

    def flush(self, clock: float, *, end: bool = False) -> list[Operation]:
        """Return what was held back, if its minute is over or the process is about to end."""
        if not end and clock - self._begun < WINDOW_SECONDS:
            return []
        found = list(self._waiting())
        self._begun = clock
        self._held = {}
        self._flood = None
        return found

    def _waiting(self) -> Iterator[Operation]:
        yield from (each for each in self._held.values() if each is not None)
        if self._flood is not None:
            yield self._flood
