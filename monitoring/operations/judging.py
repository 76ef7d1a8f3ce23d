"""Which records of `<ns>.operations` count. Pure: a record and a trust list in, a line or a reason out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.envelope.declared import StandingReport
from hub.envelope.operations import OperationEvent, line_hash
from hub.envelope.reasons import Reason
from hub.envelope.trust import Trust
from hub.operations.sender import partition_of
from hub.transport import KafkaRecord

_STANDING: Final = b"standing/"
MAY_BE_NEWS: Final = frozenset({Reason.UNTRUSTED, Reason.NOT_PERMITTED})
"""reasons that a newer trust list may lift: who was enrolled a moment ago"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose signer is who it says and may write it; whether it fits its log is for `chains.judge`."""

    event: OperationEvent
    digest: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """A good report of standing: it lies on the same topic and is no line."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What does not count, and why: one of `hub.envelope.reasons`, or of `chains.Verdict`."""

    reason: str
    news_may_help: bool = False


def judged(record: KafkaRecord, trust: Trust, partitions: int) -> Line | Report | Refused:
    """Judge one record of a topic of so many partitions, by the list that holds now; never raises.

    A line counts on its log's own partition only: there its order is the log's, whoever copies it elsewhere.
    """
    value = record.value
    if value is None:
        return Refused(Reason.MALFORMED.value)
    if record.key is not None and record.key.startswith(_STANDING):
        said = StandingReport.read(value, trust)
        if isinstance(said, Reason):
            return _refused(said)
        return Report() if said.key.encode() == record.key else _refused(Reason.WRONG_KEY)
    event = OperationEvent.read(value, trust)
    if isinstance(event, Reason):
        return _refused(event)
    if event.key.encode() != record.key:
        return _refused(Reason.WRONG_KEY)
    if record.partition != partition_of(event.log, partitions):
        return _refused(Reason.WRONG_PARTITION)
    return Line(event, line_hash(value), value)


def _refused(reason: Reason) -> Refused:
    return Refused(reason.value, reason in MAY_BE_NEWS)
