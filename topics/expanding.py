"""Lays a declaration out: every tenant, topic, principal, right and quota by its full name. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from topics.declaration import Declaration, Generation, PrincipalTemplate, Tenant, TopicTemplate
from topics.layout import NOT_COPIED, Principal, Quota, Route, Topic, Topology
from topics.names import of_generation


class _Laid:
    """The topics that one template made, also by tenant: each principal asks, and there are many of both."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self.all = tuple(topics)
        self._by_tenant: defaultdict[str | None, list[Topic]] = defaultdict(list)
        for topic in topics:
            self._by_tenant[topic.tenant].append(topic)

    def of(self, tenant: str | None) -> Sequence[Topic]:
        """What a principal of a tenant may be concerned with: its own and everybody's; all for one without a tenant."""
        if tenant is None:
            return self.all
        return (*self._by_tenant.get(None, ()), *self._by_tenant.get(tenant, ()))

    def one(self, tenant: str | None) -> Topic:
        """The topic of a tenant, or everybody's; KeyError if there is none."""
        found = self._by_tenant.get(tenant)
        if not found:
            raise KeyError(tenant)
        return found[0]


def expand(declaration: Declaration, namespace: str, *, partitions: int | None = None) -> Topology:
    """Lay out a declaration under a namespace; `partitions` overrides the routes' number (trials, tests).

    It overrides that of the first generation only: a topic that has grown has the number that it was grown to.
    """
    shared = declaration.partitions if partitions is None or declaration.generation > 1 else partitions
    principals = [each for template in declaration.principals for each in _each(template, declaration, namespace)]
    by_key: dict[str, _Laid] = {}
    before: dict[str, _Laid] = {}
    for key, template in declaration.topics.items():
        present = Generation(declaration.generation if template.grows else 1, shared)
        by_key[key] = _Laid(_topics(template, declaration, namespace, principals, present))
        if template.grows:
            before[key] = _Laid(
                [t for each in declaration.earlier for t in _topics(template, declaration, namespace, principals, each)]
            )
    sources = frozenset(route.source for route in declaration.routes)
    resolved = [_resolve(principal, by_key, before, sources, declaration) for principal in principals]
    return Topology(
        namespace=namespace,
        partitions=shared,
        min_in_sync=declaration.min_in_sync,
        tenants=declaration.tenants,
        topics=tuple(topic for made in (*by_key.values(), *before.values()) for topic in made.all),
        principals=tuple(resolved),
        quotas=tuple(
            Quota(principal.name, template.produce_bytes_per_second)
            for template in declaration.principals
            if template.produce_bytes_per_second is not None
            for principal in _each(template, declaration, namespace)
        ),
        routes=tuple(
            Route(
                route.name,
                tenant.code,
                by_key[route.source].one(None).name,
                by_key[route.topic].one(tenant.code).name,
                None if route.keeps is None else _fill(route.keeps, namespace, tenant),
            )
            for tenant in declaration.tenants
            for route in declaration.routes
        ),
        generation=declaration.generation,
        earlier=declaration.earlier,
        growing=declaration.growing,
    )


def _topics(
    template: TopicTemplate,
    declaration: Declaration,
    namespace: str,
    principals: Sequence[Principal],
    generation: Generation,
) -> list[Topic]:
    """The topics of a template in one generation: one, one for each tenant, or one for each writer of dead letters."""
    configs = MappingProxyType(_configs(template, declaration))
    if "{principal}" in template.name:
        return [
            _topic(template, declaration, generation, each.dead_letters, None, configs)
            for each in principals
            if each.dead_letters
        ]
    tenants = declaration.tenants if template.per_tenant else (None,)
    return [
        _topic(template, declaration, generation, _fill(template.name, namespace, tenant), tenant, configs)
        for tenant in tenants
    ]


def _each(template: PrincipalTemplate, declaration: Declaration, namespace: str) -> list[Principal]:
    """The principals of a template: one, or one per tenant and tax item."""
    return [
        _principal(template, declaration, namespace, tenant, item)
        for tenant in (declaration.tenants if "{T}" in template.name else (None,))
        for item in (declaration.tax_items if "{tax_item}" in template.name else (None,))
    ]


def _fill(text: str, namespace: str, tenant: Tenant | None, item: str | None = None) -> str:
    return (
        text.replace("{ns}", namespace)
        .replace("{T}", tenant.code if tenant else "{T}")
        .replace("{tax_item}", item or "{tax_item}")
    )


def _configs(template: TopicTemplate, declaration: Declaration) -> dict[str, str]:
    configs = {
        "cleanup.policy": "compact" if template.compacted else "delete",
        "compression.type": "uncompressed",  # a small batch must not unpack to more than the limit
        "max.message.bytes": str(template.max_bytes),
        "min.insync.replicas": str(declaration.min_in_sync),
        "message.timestamp.type": "CreateTime",
    }
    if template.retention_hours is not None:
        configs["retention.ms"] = str(template.retention_hours * 3_600_000)
    return configs


def _topic(
    template: TopicTemplate,
    declaration: Declaration,
    generation: Generation,
    name: str | None,
    tenant: Tenant | None,
    configs: Mapping[str, str],
) -> Topic:
    assert name is not None
    return Topic(
        of_generation(name, generation.number),
        template.key,
        tenant.code if tenant else None,
        generation.partitions if template.partitions is None else template.partitions,
        declaration.replication_factor,
        configs,
        generation.number,
    )


def _principal(
    template: PrincipalTemplate,
    declaration: Declaration,
    namespace: str,
    tenant: Tenant | None,
    item: str | None,
) -> Principal:
    name = _fill(template.name, namespace, tenant, item)
    letters = declaration.topics["dead-letters"].name
    return Principal(
        name=name,
        tenant=tenant.code if tenant else None,
        audience=None if template.audience is None else _fill(template.audience, namespace, tenant, item),
        instances=tuple(_fill(each, namespace, tenant, item) for each in template.instances),
        reads=template.reads,
        writes=template.writes,
        produces=template.produces,
        group=None if template.group is None else _fill(template.group, namespace, tenant),
        transactional_ids=None
        if template.transactional_ids is None
        else _fill(template.transactional_ids, namespace, tenant),
        dead_letters=_fill(letters, namespace, tenant).replace("{principal}", name) if template.dead_letters else None,
        super_user=template.super_user,
        scrapes=template.scrapes,
        certificate_only=template.certificate_only,
        mirrors=template.mirrors,
    )


def _resolve(
    principal: Principal,
    by_key: Mapping[str, _Laid],
    before: Mapping[str, _Laid],
    sources: Collection[str],
    declaration: Declaration,
) -> Principal:
    """Replace topic keys by full names: those of its own tenant, or of all for a principal without one.

    Topics of earlier generations (`before`) are read as the present ones are and written by nobody; but who states what
    became of dead letters may send a record back to a desk of whichever generation. To the router he may not: it reads
    the present generation only, which began when all its letters had ended.
    """
    if principal.certificate_only:
        return principal
    if principal.mirrors:
        made = [each for laid in (by_key, before) for key, each in laid.items() if key not in NOT_COPIED]
        copied = dict.fromkeys(topic.name for each in made for topic in each.all)
        return replace(principal, reads=tuple(copied))

    def names(keys: tuple[str, ...], laid: Mapping[str, _Laid] = by_key) -> tuple[str, ...]:
        return tuple(topic.name for key in keys if key in laid for topic in laid[key].of(principal.tenant))

    def earlier(keys: tuple[str, ...]) -> tuple[str, ...]:
        return names(keys, before)

    everyone = ("audiences", "sessions", "control")
    keys = (*everyone, *principal.reads, "desk-sessions")
    reads = dict.fromkeys(names(keys) + earlier(keys))
    writes = dict.fromkeys(names(principal.writes) + names(("operations",)))
    if "resolutions" in principal.writes:
        writes |= dict.fromkeys(earlier(tuple(key for key in principal.writes if key not in sources)))
    letters = principal.dead_letters and of_generation(principal.dead_letters, declaration.generation)
    if letters:
        writes[letters] = None
    return Principal(
        name=principal.name,
        tenant=principal.tenant,
        audience=principal.audience,
        instances=principal.instances,
        reads=tuple(reads),
        writes=tuple(writes),
        produces=names(principal.produces),
        group=principal.group,
        transactional_ids=principal.transactional_ids,
        dead_letters=letters,
        super_user=principal.super_user,
        scrapes=principal.scrapes,
        earlier_dead_letters=tuple(
            of_generation(principal.dead_letters, each.number) for each in declaration.earlier if principal.dead_letters
        ),
    )
