"""Lines for the rules, and a trust list of one namespace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.crypto.identity import IdentityKey
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent, fingerprint, line_hash
from hub.envelope.times import JST, to_ms
from hub.envelope.trust import Identity, Principal, Trust
from monitoring.analysis.detector import Detector
from monitoring.analysis.findings import Finding
from monitoring.analysis.rules.base import Conditions

NS = "rehearsal"
T = "131041"
DESK = f"review-{T}"
OPEN = datetime(2026, 1, 14, 10, 0, tzinfo=JST)
"""a Wednesday morning"""
ERASED = fingerprint("R8-erased")
CONDITIONS = Conditions(erased={ERASED: to_ms(OPEN)}, automatic=frozenset({"nightly"}))


def receipt(number: int) -> str:
    return fingerprint(f"R8-{number}")


def line(kind: Kind, seconds: float = 0, *, principal: str = DESK, sequence: int = 0, log: int = 1, **said: Any) -> Any:
    """A line `seconds` after OPEN."""
    operation = Operation(kind, OPEN + timedelta(seconds=seconds), **said)
    previous = FIRST if not sequence else bytes([1]) * 32
    return OperationEvent(principal, f"{principal}-1", NS, bytes([log]) * 16, sequence, previous, operation)


def in_order(lines: Iterable[OperationEvent]) -> list[OperationEvent]:
    """The same lines as one log each per principal, in order."""
    numbers: dict[str, int] = {}
    result = []
    for each in lines:
        number = numbers[each.principal] = numbers.get(each.principal, -1) + 1
        log = (each.principal.encode() * 16)[:16]
        result.append(replace(each, log=log, sequence=number, previous=FIRST if not number else bytes([1]) * 32))
    return result


def found(lines: Iterable[OperationEvent], conditions: Conditions = CONDITIONS, **minutes: int) -> list[Finding]:
    """What the rules find in lines, which get their places here."""
    return looked_at(in_order(lines), conditions, **minutes)


def looked_at(lines: Iterable[OperationEvent], conditions: Conditions = CONDITIONS, **minutes: int) -> list[Finding]:
    """What the rules find in lines as they are."""
    detector = Detector(conditions, minutes)
    for each in lines:
        detector.take(each)
    return detector.finish(to_ms(OPEN + timedelta(days=1)))


def names(findings: Iterable[Finding]) -> set[str]:
    return {each.rule for each in findings}


def trust(keys: dict[str, IdentityKey], **revoked: datetime) -> Trust:
    """A list in which each principal speaks for a year."""
    begins = datetime(2025, 12, 1, tzinfo=UTC)
    principals = {
        name: Principal(
            name,
            (Identity(name, key.public, begins, begins + timedelta(days=365), revoked.get(name.replace("-", "_"))),),
            (),
            frozenset({f"{name}-1"}),
        )
        for name, key in keys.items()
    }
    return Trust(NS, 1, begins, principals, {})


def chained(lines: Sequence[OperationEvent], key: IdentityKey) -> list[bytes]:
    """Sign lines of one log, each with the hash of the one before."""
    values: list[bytes] = []
    for each in lines:
        previous = line_hash(values[-1]) if values else FIRST
        values.append(replace(each, sequence=len(values), previous=previous).sign(key))
    return values
