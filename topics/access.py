"""Who may do what, to the last combination: every principal, every resource, every operation. Pure.

The rules are Kafka's: what is not allowed is denied, reading or writing implies seeing, a super user may do all.
`docs/access-matrix.md` is written from here, and tests/attacks tries each combination against a real broker.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from topics.layout import Operation, Resource, Topology


class Deed(StrEnum):
    """What somebody may try on a topic."""

    READ = "read"
    WRITE = "write"
    DESCRIBE = "describe"
    CREATE = "create"
    DELETE = "delete"
    DELETE_RECORDS = "delete records"
    DESCRIBE_CONFIGS = "describe configs"
    ALTER_CONFIGS = "alter configs"
    ADD_PARTITIONS = "add partitions"


class GroupDeed(StrEnum):
    """What somebody may try on a consumer group."""

    JOIN = "join"
    COMMIT = "commit"
    DESCRIBE = "describe"
    DELETE = "delete"


class ClusterDeed(StrEnum):
    """What somebody may try on the cluster itself."""

    PRODUCE_IDEMPOTENTLY = "produce idempotently"
    DESCRIBE_ACLS = "describe rights"
    ALTER_ACLS = "alter rights"
    DESCRIBE_CONFIGS = "describe configs"
    ALTER_CONFIGS = "alter configs"
    DESCRIBE_QUOTAS = "describe quotas"
    ALTER_QUOTAS = "alter quotas"
    DESCRIBE = "describe"
    MOVE_PARTITIONS = "move partitions"
    WRITE_MARKERS = "end another's transaction"
    UNREGISTER = "unregister a broker"


IMPLIED: Final = {Operation.DESCRIBE: (Operation.DESCRIBE, Operation.READ, Operation.WRITE)}
_BY_RIGHT: Final = {Deed.READ: Operation.READ, Deed.WRITE: Operation.WRITE, Deed.DESCRIBE: Operation.DESCRIBE}
_IN_GROUP: Final = {
    GroupDeed.JOIN: Operation.READ,
    GroupDeed.COMMIT: Operation.READ,
    GroupDeed.DESCRIBE: Operation.DESCRIBE,
}


class Rights:
    """What one principal may do, for who asks about many resources: each answer costs a look-up."""

    def __init__(self, topology: Topology, principal: str) -> None:
        """Lay out its rights; one that is not declared has none."""
        self._everything = principal in _super_users(topology)
        held = topology.acls_of(principal)
        self._exact = frozenset((acl.resource, acl.name, acl.operation) for acl in held if not acl.prefixed)
        self._prefixed = tuple(acl for acl in held if acl.prefixed)

    def may(self, resource: Resource, name: str, operation: Operation) -> bool:
        """Say whether they reach an operation."""
        if self._everything:
            return True
        wanted = IMPLIED.get(operation, (operation,))
        return any((resource, name, each) in self._exact for each in wanted) or any(
            acl.resource is resource and acl.operation in wanted and name.startswith(acl.name) for acl in self._prefixed
        )


def may(topology: Topology, principal: str, resource: Resource, name: str, operation: Operation) -> bool:
    """Say whether the declared rights of a principal reach an operation; nobody is known who is not declared."""
    return Rights(topology, principal).may(resource, name, operation)


def may_topic(topology: Topology, principal: str, topic: str, deed: Deed) -> bool:
    """Say whether a principal may do something to a topic. What is no record's business is the super user's."""
    right = _BY_RIGHT.get(deed)
    if right is None:
        return principal in _super_users(topology)
    return may(topology, principal, Resource.TOPIC, topic, right)


def may_group(topology: Topology, principal: str, group: str, deed: GroupDeed) -> bool:
    """Say whether a principal may do something to a consumer group."""
    right = _IN_GROUP.get(deed)
    if right is None:
        return principal in _super_users(topology)
    return may(topology, principal, Resource.GROUP, group, right)


def may_transact(topology: Topology, principal: str, transactional_id: str) -> bool:
    """Say whether a principal may use a transactional id, and with it fence whoever uses it now."""
    return may(topology, principal, Resource.TRANSACTIONAL_ID, transactional_id, Operation.WRITE)


def may_cluster(topology: Topology, principal: str, deed: ClusterDeed) -> bool:
    """Say whether a principal may do something to the cluster. Who may write anything may do so idempotently."""
    if deed is ClusterDeed.PRODUCE_IDEMPOTENTLY:
        return principal in _super_users(topology) or any(
            acl.resource is Resource.TOPIC and acl.operation is Operation.WRITE for acl in topology.acls_of(principal)
        )
    return principal in _super_users(topology)


def _super_users(topology: Topology) -> frozenset[str]:
    return frozenset(each.name for each in topology.principals if each.super_user)
