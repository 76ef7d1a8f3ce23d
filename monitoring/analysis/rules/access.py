"""Rules on what people do with submissions."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.envelope.operations import Kind
from monitoring.analysis.findings import Severity
from monitoring.analysis.marks import Family, Mark
from monitoring.analysis.rules.base import DAY, HOUR, Conditions, Group, Measure, Rule
from monitoring.declared.base import DEFENCE, IDENTITY, REGISTER, WATCH

_SEEING: Final = frozenset({Kind.VIEWED, Kind.LOOKED_UP})
_USING: Final = frozenset(
    {Kind.VIEWED, Kind.LISTED, Kind.LOOKED_UP, Kind.EXPORTED, Kind.DECIDED, Kind.KEY_USED, Kind.PROVED}
)
_ORDERING: Final = frozenset({Kind.COMMANDED, Kind.LETTER_ENDED})


def outside_hours(mark: Mark, subject: str, conditions: Conditions) -> bool:
    """Look at what was not done in service hours, unless a job did it that may."""
    return subject not in conditions.automatic and not conditions.hours.within(mark.at)


def bad(mark: Mark, subject: str, conditions: Conditions) -> bool:
    """Look at what did not succeed."""
    return not mark.good


def by_person(mark: Mark, subject: str, conditions: Conditions) -> bool:
    """Look at what no automatic job did."""
    return subject not in conditions.automatic


def erased(mark: Mark, subject: str, conditions: Conditions) -> bool:
    """Look at what was asked for after it had been erased."""
    since = conditions.erased.get(mark.receipt)
    return since is not None and mark.at >= since


RULES: Final = (
    Rule(
        "outside-hours", Severity.TICKET, Family.ACCESS, _USING, Measure.EACH, 1, DAY, DAY,
        "業務時間外の利用",
        "An account used submissions outside service hours.",
        "Ask the account's owner and the head of the section whether work was ordered; if not, treat the account as "
        "taken: lock it, and list what it saw with `monitor operations list`.",
        (WATCH, IDENTITY), concerns=outside_hours,
    ),
    Rule(
        "bulk-viewing", Severity.TICKET, Family.ACCESS, _SEEING, Measure.RECEIPTS, 60, HOUR, HOUR,
        "大量閲覧",
        "One account opened many different submissions within an hour.",
        "Compare with the work given to the account that day. More than a person can read is copying: lock it.",
        (WATCH, IDENTITY), concerns=by_person,
    ),
    Rule(
        "bulk-export", Severity.PAGE, Family.ACCESS, frozenset({Kind.EXPORTED}), Measure.WEIGHT, 10_000, HOUR, HOUR,
        "大量出力",
        "One account exported many rows within an hour.",
        "Find the media and the register entry of the export. Without an entry it is a leak: an incident.",
        (WATCH, REGISTER), concerns=by_person,
    ),
    Rule(
        "repeated-look-up", Severity.TICKET, Family.ACCESS, _SEEING, Measure.EVENTS, 10, DAY, DAY,
        "同一申告の反復閲覧",
        "One account opened the same submission again and again within a day.",
        "Ask for the reason: a case that drags on, or curiosity about a person.",
        (WATCH, IDENTITY), group=Group.RECEIPT, concerns=by_person,
    ),
    Rule(
        "two-addresses", Severity.TICKET, Family.ACCESS, _USING, Measure.ADDRESSES, 2, timedelta(minutes=15), HOUR,
        "複数端末からの同時利用",
        "One account was used from two addresses within fifteen minutes.",
        "Ask the owner about both terminals. A shared password or certificate is replaced the same day.",
        (WATCH, IDENTITY), concerns=by_person,
    ),
    Rule(
        "failed-access", Severity.TICKET, Family.ACCESS, _USING, Measure.EVENTS, 10, timedelta(minutes=10), HOUR,
        "利用失敗の多発",
        "One account failed at many requests within ten minutes.",
        "Somebody guesses receipt numbers, or a program does. See which ones with `monitor operations list`.",
        (WATCH, IDENTITY), concerns=bad,
    ),
    Rule(
        "erased-look-up", Severity.PAGE, Family.ACCESS, _USING, Measure.EACH, 1, DAY, DAY,
        "消去済み申告の照会",
        "An account asked for a submission after it had been erased.",
        "Find out where the number came from: a copy outside the hub must be erased too, and reported.",
        (WATCH, "data-erasure-and-report"), group=Group.RECEIPT, concerns=erased,
    ),
    Rule(
        "administration-outside-hours", Severity.NOTICE, Family.ADMINISTRATION, _ORDERING, Measure.EACH, 1, DAY, DAY,
        "業務時間外の管理操作",
        "An operator or administrator gave commands outside service hours.",
        "Compare with the maintenance that was announced.",
        (WATCH, "network-device-control"), concerns=outside_hours,
    ),
    Rule(
        "bulk-discard", Severity.TICKET, Family.ADMINISTRATION, frozenset({Kind.LETTER_ENDED}), Measure.WEIGHT, 50,
        HOUR, HOUR,
        "配信不能電文の大量処理",
        "One operator replayed or discarded many dead letters within an hour.",
        "Read the reasons given (`dead-letters list`); a discard excuses a missing event in the proofs.",
        (WATCH, DEFENCE),
    ),
)  # fmt: skip
