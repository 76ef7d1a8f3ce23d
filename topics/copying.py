"""What a disaster copy has: the topics that are copied, and what the mirror may do there. Pure.

At its source the mirror reads (`Principal.mirrors`); all that it writes is at the copy, where nobody else has a right
until a hub goes on there. Topics and their configurations come from the declaration on both sides, so the mirror may
create and configure nothing.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from topics.layout import NOT_COPIED, Acl, Operation, Principal, Resource, Topic, Topology

OFFSETS: Final = "mirror-offsets"
"""how far each partition is copied, written in one transaction with what was copied"""
STATUS: Final = "mirror-status"
"""whether its tasks run"""
CONFIGS: Final = "mirror-configs"
GROUP: Final = "mirror"
_CONNECT: Final = "connect-cluster-"
"""Kafka Connect's own prefix of the transactional id with which its leader writes"""


def mirror_of(topology: Topology) -> Principal | None:
    """The principal that copies; None if none is declared."""
    return next((each for each in topology.principals if each.mirrors), None)


def copied(topology: Topology) -> tuple[Topic, ...]:
    """The topics that a mirror copies."""
    return tuple(topic for topic in topology.topics if topic.key not in NOT_COPIED)


def own_topic(topology: Topology, dataset: str) -> str:
    """The full name of one of the mirror's own topics at the copy."""
    return f"{topology.namespace}.{dataset}"


def at_copy(topology: Topology, mirror: Principal) -> Topology:
    """The whole layout of a copy that nobody works with yet: its topics, the mirror's own ones, its rights."""
    configs = MappingProxyType(
        {"cleanup.policy": "compact", "min.insync.replicas": str(topology.min_in_sync), "compression.type": "producer"}
    )
    factor = max(topic.replication_factor for topic in topology.topics)
    own = tuple(
        Topic(own_topic(topology, dataset), dataset, None, 1, factor, configs) for dataset in (OFFSETS, STATUS, CONFIGS)
    )
    topics = (*copied(topology), *own)
    return replace(
        topology,
        topics=topics,
        principals=(replace(mirror, reads=tuple(t.name for t in topics), writes=tuple(t.name for t in topics)),),
        quotas=(),
        routes=(),
        only_acls=frozenset(_rights(mirror.name, topics, f"{topology.namespace}.{GROUP}")),
    )


def leader_rights(topology: Topology, mirror: str) -> tuple[Acl, ...]:
    """What it may do besides: the one transactional id whose name Connect chooses, outside the namespace."""
    name = f"{_CONNECT}{topology.namespace}.{GROUP}"
    return tuple(Acl(mirror, Resource.TRANSACTIONAL_ID, name, each) for each in (Operation.WRITE, Operation.DESCRIBE))


def _rights(mirror: str, topics: tuple[Topic, ...], group: str) -> list[Acl]:
    every = (Operation.READ, Operation.WRITE, Operation.DESCRIBE)
    made = [Acl(mirror, Resource.TOPIC, topic.name, each) for topic in topics for each in every]
    made.append(Acl(mirror, Resource.GROUP, group, Operation.READ))
    made += [
        Acl(mirror, Resource.TRANSACTIONAL_ID, group, each, prefixed=True)
        for each in (Operation.WRITE, Operation.DESCRIBE)
    ]
    return made
