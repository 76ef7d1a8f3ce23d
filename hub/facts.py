"""What the core says about itself: frozen facts, handed to an observer.

The core knows nothing of metrics or logs; `monitoring` turns facts into both. Facts carry ids,
counts, codes and durations in seconds. They never carry an item, a name or an attachment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fact:
    """The base of all facts."""


@dataclass(frozen=True, slots=True)
class SubmissionJudged(Fact):
    """The portal end answered one submission: accepted, duplicate or refused (then with rule ids)."""

    outcome: str
    tenant: str = ""
    procedure: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventsAcknowledged(Fact):
    """All in-sync replicas hold `count` events of one partition, `seconds` after they were journaled."""

    topic: str
    partition: int
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class JournalDepth(Fact):
    """How many journaled events the desk has not confirmed, and how many that were taken Kafka has not acknowledged."""

    unconfirmed: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class SessionStarted(Fact):
    """A producer announced a session."""

    topic: str
    tenant: str
    session: str


@dataclass(frozen=True, slots=True)
class SessionEnded(Fact):
    """A producer closed a session; `resumed` if that happened after a crash."""

    topic: str
    tenant: str
    session: str
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class CheckpointWritten(Fact):
    """A signed checkpoint of `entries` leaves was acknowledged."""

    topic: str
    partition: int
    entries: int


@dataclass(frozen=True, slots=True)
class BatchRouted(Fact):
    """One router transaction was committed: counts by (tenant, procedure), letters by reason code."""

    partition: int
    events: Mapping[tuple[str, str], int]
    checkpoints: int
    dead_letters: Mapping[str, int]
    seconds: float
    delays: tuple[float, ...] = ()
    """seconds from produced_at to commit, one per event; below 0 where two machines' clocks disagree"""


@dataclass(frozen=True, slots=True)
class TransactionAborted(Fact):
    """A router transaction failed and was rolled back; the records will be read again."""

    partition: int
    code: str
    cause: str = ""
    """what the broker said, as a code of hub.transport"""


@dataclass(frozen=True, slots=True)
class PartitionFenced(Fact):
    """This process initialised the transactional id of a partition and owns it now."""

    partition: int


@dataclass(frozen=True, slots=True)
class PartitionLost(Fact):
    """This process gave a partition up, or was fenced out of it."""

    partition: int
    fenced: bool


@dataclass(frozen=True, slots=True)
class EventsStored(Fact):
    """A consumer committed rows and offset: new rows by (tenant, procedure), replays, conflicts."""

    consumer: str
    partition: int
    stored: Mapping[tuple[str, str], int]
    replays: int = 0
    conflicts: int = 0
    seconds: float = 0.0
    delays: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EventsConfirmed(Fact):
    """Stored events were found in the producer's signed checkpoints: how many by (tenant, procedure)."""

    consumer: str
    events: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Unconfirmed(Fact):
    """How many stored events have waited longer than the limit for their checkpoint.

    `missing`: how many a signed checkpoint has named for as long and the desk has not got. `oldest_seconds`: how long
    the first of all that wait has waited.
    """

    consumer: str
    count: int
    missing: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReceiptsSent(Fact):
    """The outbox got signed `stored` receipts acknowledged."""

    consumer: str
    count: int
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class DecisionsTold(Fact):
    """A review desk's decisions reached its topics: `decision` is accept, return, hold or revoke."""

    desk: str
    decision: str
    count: int
    procedure: str = ""


@dataclass(frozen=True, slots=True)
class HandedOver(Fact):
    """A tax team took over accepted submissions, or revocations of them; `count` are new ones."""

    team: str
    decision: str
    count: int
    procedure: str = ""


@dataclass(frozen=True, slots=True)
class RowsExported(Fact):
    """Somebody took a file of accepted rows out of a desk; `again` if that run had been handed over before."""

    desk: str
    run: int
    rows: int
    withdrawn: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class DeadLettered(Fact):
    """A record became a dead letter, with its reason code, at a stage."""

    stage: str
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class LettersOpen(Fact):
    """Open dead letters by (tenant, reason): how many, and the age of the oldest in seconds; (0, 0) once none is."""

    letters: Mapping[tuple[str, str], tuple[int, float]]


@dataclass(frozen=True, slots=True)
class LetterEnded(Fact):
    """The operator replayed or discarded dead letters that were refused for `reason`."""

    tenant: str
    reason: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class LogExtended(Fact):
    """The audit log grew to `size` leaves."""

    tenant: str
    size: int


@dataclass(frozen=True, slots=True)
class LogPublished(Fact):
    """The published audit log has `size` leaves, and its checkpoint as many cosignatures."""

    tenant: str
    size: int
    cosignatures: int


@dataclass(frozen=True, slots=True)
class WitnessAnswered(Fact):
    """A witness was asked for a cosignature.

    `code` is cosigned, unreachable, refused, invalid (its answer is none) or contradicts (it saw another log).
    """

    tenant: str
    code: str


@dataclass(frozen=True, slots=True)
class Alarm(Fact):
    """Something that a person must look at. `code` is from a closed list, `about` names declared things only."""

    code: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Lag(Fact):
    """How far a reader is behind the end of a topic partition, in records."""

    topic: str
    partition: int
    records: int


@dataclass(frozen=True, slots=True)
class BacklogAge(Fact):
    """How long the oldest record of a topic that this reader has not read has been waiting; 0 if all is read."""

    topic: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Paused(Fact):
    """Work on a stage stands still because `code`; `False` says it goes on."""

    stage: str
    code: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Ready(Fact):
    """A condition of readiness became true or false (fenced, sessions, audiences, store)."""

    condition: str
    fulfilled: bool


@dataclass(frozen=True, slots=True)
class StandingTaken(Fact):
    """A trust list or declaration holds from now on: their serials (0: none yet), and the tenants' codes."""

    trust: int
    declaration: int
    tenants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lifecycle(Fact):
    """A process started or stopped."""

    event: str
    details: Mapping[str, str] = field(default_factory=dict)


class Observer(Protocol):
    """Whoever wants to know. Must not raise, must not wait."""

    def __call__(self, fact: Fact) -> None:
        """Take one fact."""


def ignore(fact: Fact) -> None:
    """Observe nothing."""
