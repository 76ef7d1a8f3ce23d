"""Reads what a cluster has in one namespace and carries out a plan's steps, in an order that fails closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DescribeClientQuotasRequest

from hub.transport.admin import cluster
from hub.transport.admin.protocol import (
    OPERATION_NAMES,
    OPERATIONS,
    PATTERN_NAMES,
    PERMISSION_NAMES,
    RESOURCE_NAMES,
    RESOURCES,
    AlterUserQuotas,
    CreateAcls,
    DeleteAcls,
    DescribeAllAcls,
    DescribeRegistered,
    RemoveQuotas,
    denials,
)
from hub.transport.endpoint import Endpoint
from hub.transport.errors import BrokerUnavailable, translate
from topics.brokers import Cluster
from topics.layout import Acl, Quota, Topology
from topics.plan import (
    AddTenant,
    AllowAcl,
    AlterTopic,
    CreateTopic,
    Current,
    DeleteTopic,
    ForeignAcl,
    ForeignQuota,
    FoundTopic,
    LetIn,
    Plan,
    RemoveAcl,
    RemoveForeignAcl,
    RemoveForeignQuota,
    RemoveQuota,
    RemoveTenant,
    SetQuota,
    ShutOut,
)
from topics.plan import plan as plan_for

T = TypeVar("T")

_ALREADY_THERE: Final = 36
_CN: Final = "CN="
_USER: Final = "User:CN="
_BULK: Final = 500
"""topics, rights or quotas of one request"""
_RECORDS: Final = 5_000
"""half of what the controller lets one request write: a topic makes one, and one per partition and configuration"""
_SET_ON_TOPIC: Final = 1
"""config source DYNAMIC_TOPIC_CONFIG"""
_RESOURCE_OF: Final = {code: resource for resource, code in RESOURCES.items()}
_OPERATION_OF: Final = {code: operation for operation, code in OPERATIONS.items()}
_ALLOW: Final = 3
_DENY: Final = 2
_PREFIXED: Final = 4


class Admin:
    """The administrator's connection; needs the super user's certificate."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Nothing is connected before `start`."""
        self._endpoint = endpoint
        self._made: AIOKafkaAdminClient | None = None

    async def start(self) -> None:
        """Connect. Raises BrokerUnavailable."""
        client = AIOKafkaAdminClient(**self._endpoint.client_options())
        try:
            await client.start()
        except (KafkaError, OSError) as error:
            await client.close()
            raise translate(error) from error
        self._made = client

    async def close(self) -> None:
        """Disconnect."""
        if self._made is not None:
            await self._made.close()
            self._made = None

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.close()

    async def current(self, topology: Topology, applied: Topology | None = None) -> Current:
        """What the cluster has that bears the namespace of `topology`: topics, rights, and its principals' quotas.

        Principals are those of `topology` and of the one that was `applied` before.
        """
        ours = {each.name for known in (topology, applied) if known for each in known.principals}
        try:
            acls, foreign_acls, denied = await self._acls(topology.namespace, ours)
            quotas, foreign_quotas = await self._quotas(ours)
            return Current(
                brokers=await self._registered(),
                topics=await self._topics(topology),
                acls=acls,
                quotas=quotas,
                foreign_acls=foreign_acls,
                foreign_quotas=foreign_quotas,
                denied=denied,
            )
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The offsets that a group has committed, by topic and partition."""
        try:
            found = await self._client().list_consumer_group_offsets(group)
        except (KafkaError, OSError) as error:
            raise translate(error, group) from error
        return {(place.topic, place.partition): each.offset for place, each in found.items() if each.offset >= 0}

    async def members(self, group: str) -> frozenset[str]:
        """The client ids of a group's members now."""
        try:
            answers = await self._client().describe_consumer_groups([group])
        except (KafkaError, OSError) as error:
            raise translate(error, group) from error
        return frozenset(member[1] for answer in answers for found in answer.groups for member in found[5])

    async def cluster(self) -> Cluster:
        """How the brokers are, as each of them says. Raises TransportError."""
        try:
            return await cluster.describe(self._client())
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    async def raise_level(self, level: int) -> None:
        """Have Kafka's metadata written in this version; older brokers cannot come back. Raises TransportError."""
        try:
            await cluster.raise_level(self._client(), level)
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    async def execute(self, plan: Plan) -> None:
        """Carry out the steps: denials and the removal of rights first, topics before rights, deletions last.

        Raises NotAuthorized or another TransportError at the first step that is refused; a second run goes on there.
        """
        try:
            shut = [acl for step in plan.steps if isinstance(step, ShutOut) for acl in denials(step.principal)]
            await self._rights(CreateAcls, shut)
            taken = [step.acl for step in plan.steps if isinstance(step, RemoveAcl | RemoveForeignAcl)]
            await self._rights(DeleteAcls, taken)
            await self._create([step for step in plan.steps if isinstance(step, CreateTopic)])
            await self._alter([step for step in plan.steps if isinstance(step, AlterTopic)])
            await self._set([step.quota for step in plan.steps if isinstance(step, SetQuota)])
            await self._rights(CreateAcls, [step.acl for step in plan.steps if isinstance(step, AllowAcl)])
            await self._set([step.quota for step in plan.steps if isinstance(step, RemoveQuota)], remove=True)
            await self._lift([step.quota for step in plan.steps if isinstance(step, RemoveForeignQuota)])
            let_in = [acl for step in plan.steps if isinstance(step, LetIn) for acl in denials(step.principal)]
            await self._rights(DeleteAcls, let_in)
            doomed = [step.name for step in plan.steps if isinstance(step, DeleteTopic)]
            for some in _in_bulk(doomed):
                answer = await self._client().delete_topics(list(some))
                for name, code in answer.topic_error_codes:
                    _check(code, name)
        except (KafkaError, OSError) as error:
            raise translate(error, str(error.args[0]) if error.args else "") from error

    async def until_withdrawn(self, acls: Collection[Acl], seconds: float = 20.0) -> None:
        """Wait until every broker for itself has heard that these rights are gone: each judges by what it has heard.

        Raises BrokerUnavailable if one has not within `seconds`.
        """
        gone, deadline = frozenset(acls), time.monotonic() + seconds
        try:
            await self._client()._client.force_metadata_update()
            waiting = {each.nodeId for each in self._client()._client.cluster.brokers()}
            while waiting:
                for node in sorted(waiting):
                    answer = await self._client()._send_request_to_node(node, DescribeAllAcls())
                    _check(answer.error_code, "rights")
                    if not gone.intersection(_plain_rights(answer)):
                        waiting.discard(node)
                if waiting and time.monotonic() > deadline:
                    raise BrokerUnavailable(f"({len(waiting)} have not heard of the rights)")
                await asyncio.sleep(0.1)
        except (KafkaError, OSError, TimeoutError) as error:
            raise translate(error) from error

    async def settle(
        self,
        topology: Topology,
        *,
        applied: Topology | None = None,
        prune: bool = False,
        shut_out: Collection[str] = (),
        seconds: float = 20.0,
    ) -> Plan:
        """Wait until the broker answers as if the plan were carried out; return what still differs after `seconds`.

        The controller says yes before the brokers have heard of it. The options are those of `topics.plan`;
        tenants that come and go are none of the broker's business and not waited for.
        """
        deadline = time.monotonic() + seconds
        while True:
            current = await self.current(topology, applied)
            left = plan_for(current, topology, applied=applied, prune=prune, shut_out=shut_out)
            left = replace(left, steps=tuple(s for s in left.steps if not isinstance(s, AddTenant | RemoveTenant)))
            if left.empty or time.monotonic() > deadline:
                return left
            await asyncio.sleep(0.1)

    async def _registered(self) -> int:
        """How many brokers the cluster has; one that is away belongs to it all the same."""
        answer = await self._send(DescribeRegistered())
        _check(answer.error_code, "cluster")
        return len(answer.brokers)

    async def _topics(self, topology: Topology) -> tuple[FoundTopic, ...]:
        prefix = f"{topology.namespace}."
        found = [each for each in await self._client().describe_topics() if each["topic"].startswith(prefix)]
        if not found:
            return ()
        resources = [ConfigResource(ConfigResourceType.TOPIC, each["topic"]) for each in found]
        configs: dict[str, dict[str, str]] = {}
        for some in _in_bulk(resources):
            for answer in await self._client().describe_configs(list(some)):
                for code, _, _, name, entries in answer.resources:
                    _check(code, name)
                    configs[name] = {entry[0]: entry[1] for entry in entries if entry[3] == _SET_ON_TOPIC}
        return tuple(
            FoundTopic(
                each["topic"],
                len(each["partitions"]),
                configs.get(each["topic"], {}),
                min(len(partition["replicas"]) for partition in each["partitions"]),
            )
            for each in sorted(found, key=lambda each: each["topic"])
        )

    async def denied(self) -> frozenset[str]:
        """The principals that are denied everything. Raises TransportError."""
        try:
            return (await self._acls("", ()))[2]
        except (KafkaError, OSError) as error:
            raise translate(error) from error

    async def _acls(
        self, namespace: str, ours: Collection[str]
    ) -> tuple[frozenset[Acl], tuple[ForeignAcl, ...], frozenset[str]]:
        """Rights as declarations make them, all else that reaches our topics or principals, and who is denied all."""
        answer = await self._send(DescribeAllAcls())
        _check(answer.error_code, "rights")
        prefix = f"{namespace}."
        holders = {_USER + name for name in ours}
        found, foreign = set(), set()
        denying = set()
        for kind, name, pattern, entries in answer.resources:
            reaches = name.startswith(prefix) or name == "*" or (pattern == _PREFIXED and prefix.startswith(name))
            for principal, host, operation, permission in entries:
                plain = (permission, host) == (_ALLOW, "*") and principal.startswith(_USER) and name.startswith(prefix)
                if plain and kind in _RESOURCE_OF and operation in _OPERATION_OF:
                    holder = principal.removeprefix(_USER)
                    acl = Acl(holder, _RESOURCE_OF[kind], name, _OPERATION_OF[operation], pattern == _PREFIXED)
                    found.add(acl)
                    continue
                other = _foreign(principal, host, (kind, name, pattern), operation, permission)
                if permission == _DENY:
                    denying.add(other)
                if reaches or principal in holders:
                    foreign.add(other)
        names = {each.principal.removeprefix(_USER) for each in denying if each.principal.startswith(_USER)}
        denied = frozenset(name for name in names if denying.issuperset(denials(name)))
        return frozenset(found), tuple(sorted(foreign - {acl for name in denied for acl in denials(name)})), denied

    async def _quotas(self, ours: Collection[str]) -> tuple[tuple[Quota, ...], tuple[ForeignQuota, ...]]:
        """Produce quotas of our principals, and every other limit of theirs, or of all users by default."""
        answer = await self._send(DescribeClientQuotasRequest([("user", 2, None)], False))
        _check(answer.error_code, "quotas")
        found, foreign = [], []
        for entity, values in answer.entries or ():
            names = dict(entity)
            user = names.get("user")
            holder = (user or "").removeprefix(_CN)
            if user is not None and holder not in ours:
                continue
            for key, value in values:
                if user is not None and len(names) == 1 and key == "producer_byte_rate":
                    found.append(Quota(holder, int(value)))
                else:
                    whose = tuple(sorted((kind, name or "") for kind, name in names.items()))
                    foreign.append(ForeignQuota(whose, key, float(value)))
        return tuple(sorted(found)), tuple(sorted(foreign))

    async def _create(self, steps: Sequence[CreateTopic]) -> None:
        wanted = [
            NewTopic(step.name, step.partitions, step.replication_factor, topic_configs=dict(step.configs))
            for step in steps
        ]
        heaviest = max((1 + step.partitions + len(step.configs) for step in steps), default=1)
        for some in _in_bulk(wanted, max(1, min(_BULK, _RECORDS // heaviest))):
            answer = await self._client().create_topics(list(some))
            for name, code, *_ in answer.topic_errors:
                if code != _ALREADY_THERE:
                    _check(code, name)

    async def _alter(self, steps: Sequence[AlterTopic]) -> None:
        resources = [ConfigResource(ConfigResourceType.TOPIC, step.name, configs=dict(step.configs)) for step in steps]
        for some in _in_bulk(resources):
            for answer in await self._client().alter_configs(list(some)):
                for code, _, _, name in answer.resources:
                    _check(code, name)

    async def _set(self, quotas: Sequence[Quota], *, remove: bool = False) -> None:
        for some in _in_bulk(quotas):
            rows = [(_CN + quota.principal, quota.produce_bytes_per_second) for quota in some]
            answer = await self._send(AlterUserQuotas(rows, remove=remove))
            for code, _, _ in answer.entries:
                _check(code, "quotas")

    async def _lift(self, quotas: Sequence[ForeignQuota]) -> None:
        if quotas:
            answer = await self._send(RemoveQuotas(quotas))
            for code, _, _ in answer.entries:
                _check(code, "quotas")

    async def _rights(self, kind: type[CreateAcls] | type[DeleteAcls], acls: Sequence[Any]) -> None:
        for some in _in_bulk(acls):
            answer = await self._send(kind(some))
            outcomes = answer.creation_responses if kind is CreateAcls else answer.filter_responses
            for code, *_ in outcomes:
                _check(code, "rights")

    async def _send(self, request: Any) -> Any:
        return await self._client()._send_to_controller(request)

    def _client(self) -> AIOKafkaAdminClient:
        if self._made is None:
            raise RuntimeError("the administrator is not connected")
        return self._made


def _plain_rights(answer: Any) -> Iterator[Acl]:
    """The rights in an answer that a declaration can have made, of whichever namespace."""
    for kind, name, pattern, entries in answer.resources:
        for principal, host, operation, permission in entries:
            plain = (permission, host) == (_ALLOW, "*") and principal.startswith(_USER)
            if plain and kind in _RESOURCE_OF and operation in _OPERATION_OF:
                holder = principal.removeprefix(_USER)
                yield Acl(holder, _RESOURCE_OF[kind], name, _OPERATION_OF[operation], pattern == _PREFIXED)


def _foreign(principal: str, host: str, what: tuple[int, str, int], operation: int, permission: int) -> ForeignAcl:
    kind, name, pattern = what
    return ForeignAcl(
        principal,
        host,
        RESOURCE_NAMES.get(kind, str(kind)),
        name,
        PATTERN_NAMES.get(pattern, str(pattern)),
        OPERATION_NAMES.get(operation, str(operation)),
        PERMISSION_NAMES.get(permission, str(permission)),
    )


def _check(code: int, about: str) -> None:
    if code:
        raise for_code(code)(about)


def _in_bulk(items: Sequence[T], most: int = _BULK) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
