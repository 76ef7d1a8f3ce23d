"""Whether a cluster is whole, and which broker may be stopped. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NOBODY: Final = -1
LATE_SECONDS: Final = 5.0
"""a voter that has not had everything for longer does not follow; Kafka's own writes come twice a second"""


class Lack(StrEnum):
    """What a cluster can lack."""

    AWAY = "broker-away"
    NO_CONTROLLER = "no-controller"
    VOTER = "voter-behind"
    NO_LEADER = "no-leader"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """A partition as a broker knows it: who leads it (-1: nobody), where its copies are, which of them are in sync."""

    topic: str
    number: int
    leader: int
    copies: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Voter:
    """A member of the controllers' quorum, and how long ago it had everything (seconds; infinite: never)."""

    node: int
    behind_seconds: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster says of itself. Where brokers say different things of a partition, each is there."""

    registered: frozenset[int]
    live: frozenset[int]
    """not fenced, and they answered"""
    controller: int
    """the leader of the quorum; -1: none is known"""
    voters: tuple[Voter, ...]
    partitions: frozenset[Partition]
    level: int = 0
    """`metadata.version`, of which the records on disk are"""
    possible: int = 0
    """the highest that all live brokers know"""

    @property
    def order(self) -> tuple[int, ...]:
        """The brokers in the order in which they are restarted: the active controller last."""
        return tuple(sorted(self.registered, key=lambda each: (each == self.controller, each)))


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    """One thing that a whole cluster would have; `brokers` are those whose return ends it."""

    lack: Lack
    about: str
    brokers: tuple[int, ...] = ()

    def __str__(self) -> str:
        """For people."""
        where = " ".join(str(each) for each in self.brokers)
        match self.lack:
            case Lack.AWAY:
                return f"broker {self.about} is away"
            case Lack.NO_CONTROLLER:
                return "the controllers' quorum has no leader"
            case Lack.VOTER:
                return f"controller {self.about} does not follow the quorum"
            case Lack.NO_LEADER:
                return f"{self.about} has no leader" + (f"; copies missing on {where}" if where else "")
            case Lack.BEHIND:
                return f"{self.about} is not in sync on {where}"


def missing(cluster: Cluster) -> tuple[Missing, ...]:
    """All that it lacks; nothing if it is whole."""
    return tuple(sorted(set(_missing(cluster))))


def _missing(cluster: Cluster) -> Iterable[Missing]:
    for broker in cluster.registered - cluster.live:
        yield Missing(Lack.AWAY, str(broker), (broker,))
    if cluster.controller == NOBODY:
        yield Missing(Lack.NO_CONTROLLER, "")
    for voter in cluster.voters:
        if not voter.behind_seconds <= LATE_SECONDS:
            yield Missing(Lack.VOTER, str(voter.node), (voter.node,))
    for each in cluster.partitions:
        name = f"{each.topic}/{each.number}"
        out = tuple(sorted(set(each.copies) - set(each.in_sync)))
        if each.leader == NOBODY:
            yield Missing(Lack.NO_LEADER, name, out)
        elif out:
            yield Missing(Lack.BEHIND, name, out)


def in_the_way(found: Collection[Missing], cluster: Cluster, broker: int) -> tuple[Missing, ...]:
    """What forbids to stop this broker: whatever is missing elsewhere. One that is away may always be started.

    So whoever is the last with a record is not stopped, and a majority of the quorum stays.
    """
    if broker in cluster.registered and broker not in cluster.live:
        return ()
    return tuple(each for each in found if set(each.brokers) != {broker} or each.lack is Lack.NO_LEADER)
