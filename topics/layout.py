"""What a declaration comes to in one namespace: topics, rights, quotas, audiences and routes by their full names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from topics.declaration import Generation, Tenant

NOT_COPIED: Final = frozenset({"resolutions", "analysis-marks", "analysis-state"})
"""Keys of topics that mean nothing beside other offsets: what became of a letter at a place, and the analysis's own
progress (docs/decisions/0264)."""


class Resource(StrEnum):
    """What a right is about."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Operation(StrEnum):
    """What a principal may do with it. Everything not allowed is denied."""

    READ = "read"
    WRITE = "write"
    DESCRIBE = "describe"


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One right: `principal` (as the certificate's CN) may do `operation`; `prefixed` if `name` is a prefix."""

    principal: str
    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it must be."""

    name: str
    key: str
    tenant: str | None
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]
    generation: int = 1
    """1 for topics that have no generations, too"""


@dataclass(frozen=True, slots=True)
class Principal:
    """A named peer: certificate CN, the section it opens, and which topics its sessions are valid on."""

    name: str
    tenant: str | None
    audience: str | None
    instances: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    produces: tuple[str, ...]
    group: str | None
    transactional_ids: str | None
    dead_letters: str | None
    super_user: bool
    scrapes: bool = False
    certificate_only: bool = False
    mirrors: bool = False
    """copies the topics to another site, by `topics.copying`"""
    earlier_dead_letters: tuple[str, ...] = ()
    """where its letters of earlier generations lie; `dead_letters` is the present one"""

    @property
    def keyless(self) -> bool:
        """Whether it has a certificate and nothing else: no key, no directory, no process of ours."""
        return self.certificate_only or self.mirrors

    @property
    def all_dead_letters(self) -> tuple[str, ...]:
        """Where its letters lie, of all generations."""
        return (
            self.earlier_dead_letters if self.dead_letters is None else (*self.earlier_dead_letters, self.dead_letters)
        )


@dataclass(frozen=True, slots=True, order=True)
class Quota:
    """A produce limit in bytes per second and broker for one principal."""

    principal: str
    produce_bytes_per_second: int


@dataclass(frozen=True, slots=True)
class Route:
    """One output of the router for one tenant: which topic, and whose ciphertext stays (None: nobody's)."""

    name: str
    tenant: str
    source: str
    topic: str
    audience: str | None


@dataclass(frozen=True, slots=True)
class Topology:
    """The whole layout of one namespace."""

    namespace: str
    partitions: int
    min_in_sync: int
    tenants: tuple[Tenant, ...]
    topics: tuple[Topic, ...]
    principals: tuple[Principal, ...]
    quotas: tuple[Quota, ...]
    routes: tuple[Route, ...]
    only_acls: frozenset[Acl] | None = None
    """other rights than those of the principals, for trials of what happens then"""
    generation: int = 1
    """of the topics that are written now"""
    earlier: tuple[Generation, ...] = ()
    """whose topics are only read, ascending; all that was in them had arrived before the next one began"""
    growing: bool = False
    """nobody who seals begins anything new"""
    _by_name: Mapping[str, Principal] = field(init=False, repr=False, compare=False)
    _by_tenant: Mapping[str, tuple[Route, ...]] = field(init=False, repr=False, compare=False)
    codes: frozenset[str] = field(init=False, repr=False, compare=False)
    """of all tenants; asked for each submission"""
    _acls: frozenset[Acl] | None = field(init=False, repr=False, compare=False, default=None)
    partitions_of: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """of each topic by its name; asked for each event"""

    def __post_init__(self) -> None:
        """Index what is looked up: with 1,788 tenants there are 12,500 principals."""
        routes: defaultdict[str, list[Route]] = defaultdict(list)
        for route in self.routes:
            routes[route.tenant].append(route)
        object.__setattr__(self, "partitions_of", {topic.name: topic.partitions for topic in self.topics})
        object.__setattr__(self, "codes", frozenset(tenant.code for tenant in self.tenants))
        object.__setattr__(self, "_by_name", {each.name: each for each in reversed(self.principals)})
        object.__setattr__(self, "_by_tenant", {tenant: tuple(some) for tenant, some in routes.items()})

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Those that can be read, ascending: in this order their topics were written, one after the other."""
        return (*self.earlier, Generation(self.generation, self.partitions))

    def every(self, name: Callable[[int], str]) -> tuple[str, ...]:
        """The names of a topic in all generations that can be read, the present one last; `name` gives them."""
        return tuple(name(each.number) for each in self.generations)

    @property
    def acls(self) -> frozenset[Acl]:
        """Every right. Laid out when first asked for: no role asks, and with 1,788 tenants there are 295,000."""
        if self.only_acls is not None:
            return self.only_acls
        if self._acls is None:
            made = frozenset(acl for principal in self.principals for acl in _rights(principal))
            object.__setattr__(self, "_acls", made)
            return made
        return self._acls

    def acls_of(self, principal: str) -> Collection[Acl]:
        """The rights of one principal; none for one that is not declared."""
        if self.only_acls is not None:
            return [acl for acl in self.only_acls if acl.principal == principal]
        known = self._by_name.get(principal)
        return [] if known is None else _rights(known)

    @property
    def audiences(self) -> tuple[str, ...]:
        """All audiences, ascending bytewise."""
        return tuple(sorted({p.audience for p in self.principals if p.audience}, key=str.encode))

    @property
    def roles(self) -> tuple[Principal, ...]:
        """The principals that hold keys and have a directory: all but those with nothing but a certificate."""
        return tuple(each for each in self.principals if not each.keyless)

    @property
    def scrapers(self) -> frozenset[str]:
        """Whom the processes show their metrics and their health."""
        return frozenset(each.name for each in self.principals if each.scrapes or each.super_user)

    def principal(self, name: str) -> Principal:
        """The principal of that name; KeyError if it is not declared."""
        return self._by_name[name]

    def routes_of(self, tenant: str) -> tuple[Route, ...]:
        """The outputs of one tenant; empty for an unknown tenant."""
        return self._by_tenant.get(tenant, ())


def _rights(principal: Principal) -> list[Acl]:
    if principal.super_user:
        return []
    rights = []
    for topic in principal.reads:
        rights += [Acl(principal.name, Resource.TOPIC, topic, each) for each in (Operation.READ, Operation.DESCRIBE)]
    for topic in principal.writes:
        rights += [Acl(principal.name, Resource.TOPIC, topic, each) for each in (Operation.WRITE, Operation.DESCRIBE)]
    if principal.group:
        rights.append(Acl(principal.name, Resource.GROUP, principal.group, Operation.READ))
    if principal.transactional_ids:
        rights += [
            Acl(principal.name, Resource.TRANSACTIONAL_ID, principal.transactional_ids, each, prefixed=True)
            for each in (Operation.WRITE, Operation.DESCRIBE)
        ]
    return rights
