"""Compares what a cluster has with what it must have, and plans the way there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from topics.errors import GenerationChanged, PartitionsChanged
from topics.layout import Acl, Quota, Topic, Topology


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as a cluster has it: partitions, the configurations that were set on it, and copies."""

    name: str
    partitions: int
    configs: Mapping[str, str]
    copies: int = 1
    """of the partition that has the fewest"""


@dataclass(frozen=True, slots=True, order=True)
class ForeignAcl:
    """A right or denial that no declaration can have made, in Kafka's own words; `principal` as `User:CN=…`."""

    principal: str
    host: str
    resource: str
    name: str
    pattern: str
    operation: str
    permission: str


@dataclass(frozen=True, slots=True, order=True)
class ForeignQuota:
    """A limit that no declaration can have set: for whom (`user=CN=portal`, `user=<default>`), which, how much."""

    entity: tuple[tuple[str, str], ...]
    """(kind, name) pairs, name empty for the default"""
    key: str
    value: float


@dataclass(frozen=True, slots=True)
class Current:
    """What a cluster has in one namespace, and how many brokers are registered in it, away or not."""

    brokers: int
    topics: tuple[FoundTopic, ...] = ()
    acls: frozenset[Acl] = frozenset()
    quotas: tuple[Quota, ...] = ()
    foreign_acls: tuple[ForeignAcl, ...] = ()
    foreign_quotas: tuple[ForeignQuota, ...] = ()
    denied: frozenset[str] = frozenset()
    """the principals that are denied everything"""


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `deletes` steps are carried out only when pruning was asked for."""

    @property
    def deletes(self) -> bool:
        """Whether it takes something away."""
        return False

    def describe(self) -> dict[str, Any]:
        """The step as plain data, for people and for JSON."""
        return {"step": type(self).__name__, **{key: _plain(value) for key, value in asdict(self).items()}}


@dataclass(frozen=True, slots=True)
class CreateTopic(Step):
    """Create a topic."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlterTopic(Step):
    """Set configurations, all that the topic is to have; `was` names what differed, and its value."""

    name: str
    configs: Mapping[str, str]
    was: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class DeleteTopic(Step):
    """Delete a topic that is not declared."""

    name: str

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class AllowAcl(Step):
    """Add a right."""

    acl: Acl


@dataclass(frozen=True, slots=True)
class RemoveAcl(Step):
    """Remove a right that is not declared."""

    acl: Acl

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class RemoveForeignAcl(Step):
    """Remove a right or denial that was set by hand."""

    acl: ForeignAcl

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class ResetConfig(Step):
    """Let a topic's configuration that was set by hand fall back to the broker's default."""

    name: str
    key: str
    value: str

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class AddCopies(Step):
    """Copy a topic to more brokers; it was made when there were fewer. No plan does it: a broker's tool does."""

    name: str
    copies: int
    wanted: int


@dataclass(frozen=True, slots=True)
class SetQuota(Step):
    """Set a produce quota."""

    quota: Quota


@dataclass(frozen=True, slots=True)
class RemoveQuota(Step):
    """Remove a produce quota that is not declared."""

    quota: Quota

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class RemoveForeignQuota(Step):
    """Remove a limit that was set by hand."""

    quota: ForeignQuota

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class AddTenant(Step):
    """Serve a tenant from now on: enrol its principals, publish trust list and declaration."""

    code: str
    principals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveTenant(Step):
    """Serve a tenant no more: revoke its principals' keys, publish trust list and declaration."""

    code: str
    principals: tuple[str, ...]

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class ShutOut(Step):
    """Deny a principal everything, whatever rights are declared."""

    principal: str


@dataclass(frozen=True, slots=True)
class LetIn(Step):
    """Take the denial of everything away. No plan does it: only the command that says so."""

    principal: str

    @property
    def deletes(self) -> bool:
        """It does."""
        return True


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps to take, and what is there beyond the declaration and left alone (drift)."""

    steps: tuple[Step, ...]
    drift: tuple[Step, ...]
    shut_out: tuple[str, ...] = ()
    """who is denied everything now, and is meant to be"""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps


def plan(
    current: Current,
    wanted: Topology,
    *,
    applied: Topology | None = None,
    prune: bool = False,
    delete_data: bool = False,
    shut_out: Collection[str] = (),
) -> Plan:
    """Plan from `current` to `wanted`. `applied` is what was carried out last, if that is known.

    Who is to be `shut_out` is denied everything, and stays so: not even `prune` takes a denial of everything away.

    What was applied and is wanted no more is taken away, but for topics: those hold data, and go only with
    `delete_data`. What nobody ever declared is shown as drift, and taken away only with `prune`.
    Raises PartitionsChanged if a topic exists with another number of partitions.
    """
    found = {topic.name: topic for topic in current.topics}
    steps: list[Step] = [ShutOut(name) for name in sorted(set(shut_out) - current.denied)]
    steps += tenants_added(applied, wanted)
    drift: list[Step] = [LetIn(name) for name in sorted(current.denied - set(shut_out))]
    for topic in wanted.topics:
        changes, surplus = _topic_steps(topic, found.get(topic.name), current.brokers, prune)
        steps += changes
        drift += surplus
    steps += [AllowAcl(acl) for acl in sorted(wanted.acls - current.acls, key=_in_order)]
    have = {quota.principal: quota for quota in current.quotas}
    steps += [SetQuota(quota) for quota in sorted(wanted.quotas) if have.get(quota.principal) != quota]
    steps += tenants_removed(applied, wanted)

    acls = frozenset[Acl]() if applied is None else applied.acls
    quotas = set[str]() if applied is None else {quota.principal for quota in applied.quotas}
    for acl in sorted(current.acls - wanted.acls, key=_in_order):
        (steps if acl in acls or prune else drift).append(RemoveAcl(acl))
    declared = {quota.principal for quota in wanted.quotas}
    for quota in sorted(current.quotas):
        if quota.principal not in declared:
            (steps if quota.principal in quotas or prune else drift).append(RemoveQuota(quota))
    by_hand: list[Step] = [RemoveForeignAcl(each) for each in sorted(current.foreign_acls)]
    by_hand += [RemoveForeignQuota(each) for each in sorted(current.foreign_quotas)]
    (steps if prune else drift).extend(by_hand)
    for name in sorted(found.keys() - {topic.name for topic in wanted.topics}):
        (steps if delete_data else drift).append(DeleteTopic(name))
    return Plan(tuple(steps), tuple(drift), tuple(sorted(current.denied & set(shut_out))))


def check_generation(applied: Topology | None, wanted: Topology) -> None:
    """Raise GenerationChanged if `wanted` begins another generation than was applied: a plan alone cannot do it."""
    if applied is not None and applied.generation != wanted.generation:
        raise GenerationChanged(f"({applied.generation} is applied, {wanted.generation} is declared)")


def _in_order(acl: Acl) -> tuple[str, str, str, str, bool]:
    """The order of rights; as a key it is made once per right and not per comparison."""
    return acl.principal, acl.resource, acl.name, acl.operation, acl.prefixed


def tenants_added(applied: Topology | None, wanted: Topology) -> tuple[AddTenant, ...]:
    """The tenants that are wanted and were not applied."""
    if applied is None:
        return ()
    known = {tenant.code for tenant in applied.tenants}
    names = _principals(wanted)
    return tuple(
        AddTenant(tenant.code, names.get(tenant.code, ())) for tenant in wanted.tenants if tenant.code not in known
    )


def tenants_removed(applied: Topology | None, wanted: Topology) -> tuple[RemoveTenant, ...]:
    """The tenants that were applied and are wanted no more."""
    if applied is None:
        return ()
    kept = {tenant.code for tenant in wanted.tenants}
    names = _principals(applied)
    return tuple(
        RemoveTenant(tenant.code, names.get(tenant.code, ())) for tenant in applied.tenants if tenant.code not in kept
    )


def _principals(topology: Topology) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for tenant, each in groupby(sorted(_of_tenants(topology), key=itemgetter(0)), key=itemgetter(0)):
        found[tenant] = tuple(name for _, name in each)
    return found


def _of_tenants(topology: Topology) -> list[tuple[str, str]]:
    return [(each.tenant, each.name) for each in topology.principals if each.tenant is not None]


def _topic_steps(topic: Topic, found: FoundTopic | None, brokers: int, prune: bool) -> tuple[list[Step], list[Step]]:
    wanted = min(topic.replication_factor, brokers)
    copies = wanted if found is None else found.copies
    configs = dict(topic.configs)
    # as many in-sync copies as can be asked for without stopping at the first restart of a broker; by the copies that
    # there are, never by the brokers that answer now, or a bad day would have a record acknowledged by one
    configs["min.insync.replicas"] = str(max(1, min(int(configs["min.insync.replicas"]), copies - (copies > 1))))
    if found is None:
        return [CreateTopic(topic.name, topic.partitions, copies, configs)], []
    if found.partitions != topic.partitions:
        raise PartitionsChanged(f"({topic.name}: {found.partitions}, declared {topic.partitions})")
    changed: dict[str, str | None] = {
        key: found.configs.get(key) for key, value in configs.items() if found.configs.get(key) != value
    }
    by_hand = {key: value for key, value in sorted(found.configs.items()) if key not in configs}
    if prune:
        changed |= by_hand
        by_hand = {}
    # altering sets all there is: what was set by hand must be said again, or it would go in silence
    steps: list[Step] = [AlterTopic(topic.name, {**by_hand, **configs}, changed)] if changed else []
    drift: list[Step] = [ResetConfig(topic.name, key, value) for key, value in by_hand.items()]
    if copies < wanted:
        drift.append(AddCopies(topic.name, copies, wanted))
    return steps, drift


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value


def additions(planned: Plan, known: Collection[str]) -> Plan:
    """What of a plan only adds: topics, rights, and limits of principals that are not `known` yet."""
    return Plan(
        tuple(
            step
            for step in planned.steps
            if isinstance(step, CreateTopic | AllowAcl)
            or (isinstance(step, SetQuota) and step.quota.principal not in known)
        ),
        (),
    )
