"""Which fault, when, and to whom: drawn from a seed, so that a day can be had again. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What is done to a running hub. Each is healed before the next."""

    PORTAL_KILLED = "portal-killed"
    PORTAL_FROZEN = "portal-frozen"
    ROUTER_KILLED = "router-killed"
    ROUTERS_KILLED = "routers-killed"
    ROUTER_ZOMBIE = "router-zombie"
    REBALANCE_STORM = "rebalance-storm"
    REVIEW_KILLED = "review-killed"
    HELPDESK_KILLED = "helpdesk-killed"
    AUDIT_KILLED = "audit-killed"
    DESK_FROZEN = "desk-frozen"
    DESK_SLOW = "desk-slow"
    BROKER_KILLED = "broker-killed"
    BROKER_FROZEN = "broker-frozen"
    CONTROLLER_KILLED = "controller-killed"
    QUORUM_LOST = "quorum-lost"
    BROKER_STUTTERS = "broker-stutters"
    BROKER_ISOLATED = "broker-isolated"
    BROKER_DISK_FULL = "broker-disk-full"
    STORE_DISK_FULL = "store-disk-full"
    SEGMENT_CORRUPTED = "segment-corrupted"
    CLOCK_SKEWED = "clock-skewed"
    OVERLOAD = "overload"


MEANING: Final = {
    Fault.PORTAL_KILLED: "kill -9 of the portal's process, filings on their way; a new one takes its journal over",
    Fault.PORTAL_FROZEN: "SIGSTOP of the portal for longer than brokers wait for it",
    Fault.ROUTER_KILLED: "kill -9 of one of two routers; the other takes its partitions",
    Fault.ROUTERS_KILLED: "kill -9 of both routers",
    Fault.ROUTER_ZOMBIE: "SIGSTOP of a router until the other has its partitions, then SIGCONT",
    Fault.REBALANCE_STORM: "a router goes and comes back five times",
    Fault.REVIEW_KILLED: "kill -9 of a review desk",
    Fault.HELPDESK_KILLED: "kill -9 of a helpdesk's consumer",
    Fault.AUDIT_KILLED: "kill -9 of an audit consumer",
    Fault.DESK_FROZEN: "SIGSTOP of a desk",
    Fault.DESK_SLOW: "a desk that runs one tenth of the time",
    Fault.BROKER_KILLED: "kill -9 of a broker that is not the active controller",
    Fault.BROKER_FROZEN: "SIGSTOP of a broker for longer than the others wait for it",
    Fault.CONTROLLER_KILLED: "kill -9 of the active controller",
    Fault.QUORUM_LOST: "kill -9 of two of three brokers: nothing may be acknowledged",
    Fault.BROKER_STUTTERS: "a broker that answers half of the time, a fifth of a second late",
    Fault.BROKER_ISOLATED: "a firewall drops everything that comes to one broker; it reaches the others still",
    Fault.BROKER_DISK_FULL: "no byte is free where a broker keeps its records",
    Fault.STORE_DISK_FULL: "no byte is free where a review desk keeps its store",
    Fault.SEGMENT_CORRUPTED: "kill -9 of a broker, and bytes in the middle of its newest segment are turned",
    Fault.CLOCK_SKEWED: "a router whose clock is four minutes ahead",
    Fault.OVERLOAD: "filings come ten times as fast",
}
SMOKE: Final = (
    *(Fault.PORTAL_KILLED, Fault.ROUTER_ZOMBIE, Fault.CONTROLLER_KILLED, Fault.REVIEW_KILLED, Fault.QUORUM_LOST),
)
"""one of each kind, for every change"""
NEEDS_ROOT: Final = frozenset({Fault.BROKER_ISOLATED, Fault.BROKER_DISK_FULL, Fault.STORE_DISK_FULL})
NEEDS_FAKETIME: Final = frozenset({Fault.CLOCK_SKEWED})


@dataclass(frozen=True, slots=True)
class Moment:
    """One fault: after how many filings it comes, and a number from which its victim is chosen."""

    after: int
    fault: Fault
    draw: int


def plan(seed: int, events: int, faults: Collection[Fault]) -> tuple[Moment, ...]:
    """Spread the faults over a day of `events` filings, in an order of the seed; the last twentieth is left in peace.

    Raises ValueError if there are more faults than filings between them.
    """
    rng = random.Random(seed)
    order = sorted(faults)
    rng.shuffle(order)
    step = events * 19 // 20 // (len(order) + 1)
    if order and not step:
        raise ValueError(f"{events} filings are too few for {len(order)} faults")
    return tuple(
        Moment(step * (number + 1) - rng.randrange(max(1, step // 4)), fault, rng.randrange(2**32))
        for number, fault in enumerate(order)
    )


def kept_back(events: int, faults: int, left: int) -> tuple[int, int]:
    """How many may be filed until the next fault is healed, and until it is over; `left` faults are to come with it.

    Nothing is kept back before three quarters of the day are filed; then each fault to come has its share before it is
    healed and after, or a day whose faults last long would end with a hub that has nothing to do.
    """
    share = max(1, events // (8 * faults))
    return events - (2 * left - 1) * share, events - (2 * left - 2) * share


def chosen(draw: int, victims: Sequence[str]) -> str:
    """The victim that a draw means."""
    return victims[draw % len(victims)]
