"""What somebody tries beyond his rights, each without effect should it be let in; a few per round, in turn.

A denied deed is a line in every broker's authorizer log, so a round tries one of each kind and not one on each topic.
What somebody is shown (`seen`) covers every topic and group in one silent request: in Kafka, whoever may read, write,
alter or delete may describe, and what he may describe he is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from hub.transport import TlsIdentity
from monitoring.network import kafka
from monitoring.network.addresses import Address
from monitoring.network.judgement import Verdict, judged_codes
from monitoring.network.kafka import CLUSTER_DENIED, GROUP_DENIED, TOPIC_DENIED, TRANSACTION_DENIED
from monitoring.network.line import Deadline, Ended, Line
from monitoring.network.reach import verified
from topics.access import Rights
from topics.layout import Operation, Resource, Topology

_NODE: Final = "1"


@dataclass(frozen=True, slots=True)
class Beyond:
    """What lies beyond somebody's rights: for each kind of deed what it is tried on; and all that he may be shown."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    groups: tuple[str, ...]
    transactional_ids: tuple[str, ...]
    shown: frozenset[str]
    shown_groups: frozenset[str]
    produces: bool
    """whether he may write anything at all"""
    made_up: str
    """a topic that is not there"""


def beyond(topology: Topology, principal: str) -> Beyond:
    """Lay out what a principal may not do; for one that is not declared, that is everything. Pure."""

    rights = Rights(topology, principal)

    def may_topic(name: str, operation: Operation) -> bool:
        return rights.may(Resource.TOPIC, name, operation)

    all_topics = tuple(topic.name for topic in topology.topics)
    all_groups = tuple(each.group for each in topology.principals if each.group)
    mine = frozenset(group for group in all_groups if rights.may(Resource.GROUP, group, Operation.READ))
    prefixes = tuple(each.transactional_ids for each in topology.principals if each.transactional_ids)
    return Beyond(
        reads=tuple(name for name in all_topics if not may_topic(name, Operation.READ)),
        writes=tuple(name for name in all_topics if not may_topic(name, Operation.WRITE)),
        groups=tuple(group for group in all_groups if group not in mine),
        transactional_ids=tuple(
            f"{each}watch"
            for each in prefixes
            if not rights.may(Resource.TRANSACTIONAL_ID, f"{each}watch", Operation.WRITE)
        ),
        shown=frozenset(name for name in all_topics if may_topic(name, Operation.DESCRIBE)),
        shown_groups=mine,
        produces=any(may_topic(name, Operation.WRITE) for name in all_topics),
        made_up=f"{topology.namespace}.nobody",
    )


def excess(shown: Collection[str], declared: Collection[str]) -> tuple[str, ...]:
    """What somebody is shown and was not declared to see. Pure."""
    return tuple(sorted(set(shown) - set(declared)))


def tried(address: Address, tls: TlsIdentity, limits: Beyond, turn: int, *, seconds: float) -> tuple[Verdict, str]:
    """Try one deed of each kind as somebody, at one broker, and judge. Never raises."""
    deadline = Deadline.after(seconds)
    try:
        with Line(address, deadline) as line:
            line.secure(verified(tls), address.host)
            if excess(kafka.cluster(line).topics, limits.shown):
                return Verdict.ACCEPTED, "sees-topics"
            if excess(kafka.groups(line), limits.shown_groups):
                return Verdict.ACCEPTED, "sees-groups"
            codes = [(name, denied, deed(line)) for name, denied, deed in deeds_of(limits, turn)]
    except Ended as end:
        return Verdict.UNKNOWN, f"{end.came.value}-{end.code}" if end.code else end.came.value
    return judged_codes(codes)


Deed = tuple[str, int, Callable[[Line], int]]


def deeds_of(limits: Beyond, turn: int) -> list[Deed]:
    """Name what is tried in a turn, with the code that denies it and the request that returns the broker's code."""
    read, write = _in_turn(limits.reads, turn, limits.made_up), _in_turn(limits.writes, turn, limits.made_up)
    group = _in_turn(limits.groups, turn, limits.made_up)
    transactional = _in_turn(limits.transactional_ids, turn, limits.made_up)
    deeds: list[Deed] = [
        ("reads", TOPIC_DENIED, lambda line: kafka.fetch(line, read)),
        ("writes", TOPIC_DENIED, lambda line: kafka.produce(line, write)),
        ("creates", TOPIC_DENIED, lambda line: kafka.create_topic(line, limits.made_up)),
        ("sees-settings", TOPIC_DENIED, lambda line: kafka.describe_configs(line, kafka.TOPIC, read)),
        ("sees-broker-settings", CLUSTER_DENIED, lambda line: kafka.describe_configs(line, kafka.BROKER, _NODE)),
        ("alters-settings", TOPIC_DENIED, lambda line: kafka.alter_configs(line, read)),
        ("sees-rights", CLUSTER_DENIED, kafka.describe_acls),
        ("joins", GROUP_DENIED, lambda line: kafka.heartbeat(line, group)),
        ("transacts", TRANSACTION_DENIED, lambda line: kafka.end_transaction(line, transactional)),
    ]
    if not limits.produces:
        deeds.append(("produces", CLUSTER_DENIED, kafka.idempotent))
    return deeds


def _in_turn(names: Sequence[str], turn: int, otherwise: str) -> str:
    return names[turn % len(names)] if names else otherwise
