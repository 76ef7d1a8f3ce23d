"""Where a line stands in its log: next, late, known, forked. Pure: what is known of the log comes as a value.

A log is one chain with one owner. What is signed by its owner counts even if it breaks the chain: it is kept, and
rings. A second line of the same place is no line of the log; it is the evidence of a fork.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hub.envelope.operations import Kind, OperationEvent


class Verdict(StrEnum):
    """What a line is to its log."""

    NEW = "new"
    KNOWN = "known"
    """the same line again: read twice, or written twice"""
    FORK = "fork"
    """another line of the same place, signed by the same owner"""
    FOREIGN = "foreign-log"
    """the log is another principal's, or another instance's"""


class Trouble(StrEnum):
    """What a person must look at; the values are the codes of alarms after `operations.`."""

    GAP = "gap"
    """lines before this one have not come"""
    BROKEN = "broken-link"
    """it names another line before it, or the line after it does"""
    NOT_ENDED = "not-ended"
    """the role began another log although the one before does not end in `stopped`: its last lines may be gone"""
    FORK = "fork"
    FOREIGN = "foreign-log"


@dataclass(frozen=True, slots=True)
class Log:
    """What is known of one log. `missing` counts the places below `head` that have not come."""

    principal: str
    instance: str
    head: int
    head_hash: bytes
    last_kind: Kind
    """of the line at `head`"""
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Around:
    """The neighbours of a line: hashes of the lines at its own place and before, and what the one after names."""

    here: bytes | None = None
    before: bytes | None = None
    named_after: bytes | None = None
    """None where there is none, or its body was deleted"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a line: the log as it is with it, if it is new."""

    verdict: Verdict
    log: Log | None = None
    troubles: tuple[Trouble, ...] = ()


_NOBODY: Final = Around()


def judge(event: OperationEvent, line: bytes, log: Log | None, around: Around = _NOBODY) -> Judged:
    """Judge a line whose signature holds; `line` is its `line_hash`. `around` matters only up to the log's head."""
    kind = event.operation.kind
    if log is None:
        troubles = (Trouble.GAP,) if event.sequence else ()
        begun = Log(event.principal, event.instance, event.sequence, line, kind, event.sequence)
        return Judged(Verdict.NEW, begun, troubles)
    if (event.principal, event.instance) != (log.principal, log.instance):
        return Judged(Verdict.FOREIGN, None, (Trouble.FOREIGN,))
    if event.sequence > log.head:
        return _beyond(event, line, log)
    if around.here is not None:
        if around.here == line:
            return Judged(Verdict.KNOWN)
        return Judged(Verdict.FORK, None, (Trouble.FORK,))
    broken = (around.before is not None and around.before != event.previous) or (
        around.named_after is not None and around.named_after != line
    )
    late = replace(log, missing=log.missing - 1)
    return Judged(Verdict.NEW, late, (Trouble.BROKEN,) if broken else ())


def _beyond(event: OperationEvent, line: bytes, log: Log) -> Judged:
    skipped = event.sequence - log.head - 1
    troubles: tuple[Trouble, ...] = ()
    if skipped:
        troubles = (Trouble.GAP,)
    elif event.previous != log.head_hash:
        troubles = (Trouble.BROKEN,)
    kind = event.operation.kind
    grown = replace(log, head=event.sequence, head_hash=line, last_kind=kind, missing=log.missing + skipped)
    return Judged(Verdict.NEW, grown, troubles)


def not_ended(before: Log | None) -> bool:
    """Say whether the log before a new one breaks off. A role has one log for all its processes, and goes on with it.

    `before` is the newest other log of the principal and instance.
    """
    return before is not None and before.last_kind is not Kind.STOPPED
