"""Requests that the client library lacks or sends one at a time: rights in bulk, and client quotas.

Kafka protocol: CreateAcls (30) v1, DeleteAcls (31) v1, DescribeAcls (29) v1, AlterClientQuotas (49) v0,
DescribeCluster (60) v2 (KIP-1073, Kafka 4.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
    DescribeAclsRequest_v1,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Float64,
    Int8,
    Int16,
    Int32,
    Schema,
    String,
    TaggedFields,
)

from topics.layout import Acl, Operation, Resource
from topics.plan import ForeignAcl, ForeignQuota

RESOURCES: Final = {Resource.TOPIC: 2, Resource.GROUP: 3, Resource.TRANSACTIONAL_ID: 5}
OPERATIONS: Final = {Operation.READ: 3, Operation.WRITE: 4, Operation.DESCRIBE: 8}
_LITERAL, _PREFIXED, _ANY_PATTERN = 3, 4, 1
_ALLOW, _ANY = 3, 1
_ANY_HOST: Final = "*"


def principal_name(principal: str) -> str:
    """How the broker names the holder of a certificate with this CN."""
    return f"User:CN={principal}"


def _row(acl: Acl) -> tuple[int, str, int, str, str, int, int]:
    """A right as CreateAcls names it, and as DeleteAcls finds it."""
    pattern = _PREFIXED if acl.prefixed else _LITERAL
    holder, operation = principal_name(acl.principal), OPERATIONS[acl.operation]
    return RESOURCES[acl.resource], acl.name, pattern, holder, _ANY_HOST, operation, _ALLOW


RESOURCE_NAMES: Final = {
    2: "topic", 3: "group", 4: "cluster", 5: "transactional-id", 6: "delegation-token", 7: "user",
}  # fmt: skip
OPERATION_NAMES: Final = {
    2: "all", 3: "read", 4: "write", 5: "create", 6: "delete", 7: "alter", 8: "describe", 9: "cluster-action",
    10: "describe-configs", 11: "alter-configs", 12: "idempotent-write", 13: "create-tokens", 14: "describe-tokens",
}  # fmt: skip
PERMISSION_NAMES: Final = {2: "deny", 3: "allow"}
PATTERN_NAMES: Final = {3: "literal", 4: "prefixed"}


def _foreign_row(acl: ForeignAcl) -> tuple[int, str, int, str, str, int, int]:
    def code(names: Mapping[int, str], name: str) -> int:
        return next((number for number, known in names.items() if known == name), 0) or int(name)

    return (
        code(RESOURCE_NAMES, acl.resource),
        acl.name,
        code(PATTERN_NAMES, acl.pattern),
        acl.principal,
        acl.host,
        code(OPERATION_NAMES, acl.operation),
        code(PERMISSION_NAMES, acl.permission),
    )


_EVERYTHING: Final = (
    ("topic", "*"),
    ("group", "*"),
    ("transactional-id", "*"),
    ("delegation-token", "*"),
    ("cluster", "kafka-cluster"),
)


def denials(principal: str) -> tuple[ForeignAcl, ...]:
    """What denies a principal everything: a denial goes before every right, whoever gave it."""
    holder = principal_name(principal)
    return tuple(ForeignAcl(holder, _ANY_HOST, kind, name, "literal", "all", "deny") for kind, name in _EVERYTHING)


def _any_row(acl: Acl | ForeignAcl) -> tuple[int, str, int, str, str, int, int]:
    return _foreign_row(acl) if isinstance(acl, ForeignAcl) else _row(acl)


class DescribeAllAcls(Request[DescribeAclsRequest_v1]):  # type: ignore[misc]
    """Every right there is."""

    API_KEY = 29

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class(_ANY, None, _ANY_PATTERN, None, None, _ANY, _ANY)


class CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """Add rights and denials."""

    API_KEY = 30

    def __init__(self, acls: Sequence[Acl | ForeignAcl]) -> None:
        """Of all these."""
        self._acls = acls

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class([_any_row(acl) for acl in self._acls])


class DeleteAcls(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    """Remove rights."""

    API_KEY = 31

    def __init__(self, acls: Sequence[Acl | ForeignAcl]) -> None:
        """Of exactly these."""
        self._acls = acls

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class([_any_row(acl) for acl in self._acls])


class AlterClientQuotasResponse_v0(Response):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """One outcome per entity."""

    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "entries",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))),
            ),
        ),
    )


class AlterClientQuotasRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Quota changes per entity."""

    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = AlterClientQuotasResponse_v0
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))),
                ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class RemoveQuotas(Request[AlterClientQuotasRequest_v0]):  # type: ignore[misc]
    """Remove limits of any entity."""

    API_KEY = 49

    def __init__(self, quotas: Sequence[ForeignQuota]) -> None:
        """Of exactly these."""
        self._quotas = quotas

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct; a name that is null stands for the default."""
        return request_struct_class(
            [
                ([(kind, name or None) for kind, name in quota.entity], [(quota.key, 0.0, True)])
                for quota in self._quotas
            ],
            False,
        )


class AlterUserQuotas(Request[AlterClientQuotasRequest_v0]):  # type: ignore[misc]
    """Set produce quotas of users, or remove them."""

    API_KEY = 49

    def __init__(self, quotas: Sequence[tuple[str, float]], *, remove: bool = False) -> None:
        """Pairs of (user name as the broker knows it, bytes per second)."""
        self._quotas = quotas
        self._remove = remove

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class(
            [([("user", user)], [("producer_byte_rate", float(rate), self._remove)]) for user, rate in self._quotas],
            False,
        )


class DescribeClusterResponse_v2(Response):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Every broker that is registered."""

    API_KEY = 60
    API_VERSION = 2
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", CompactString("utf-8")),
        ("endpoint_type", Int8),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "brokers",
            CompactArray(
                ("broker_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("is_fenced", Boolean),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class DescribeClusterRequest_v2(RequestStruct):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Ask for them."""

    FLEXIBLE_VERSION = True
    API_KEY = 60
    API_VERSION = 2
    RESPONSE_TYPE = DescribeClusterResponse_v2
    SCHEMA = Schema(
        ("include_cluster_authorized_operations", Boolean),
        ("endpoint_type", Int8),
        ("include_fenced_brokers", Boolean),
        ("tags", TaggedFields),
    )


class DescribeRegistered(Request[DescribeClusterRequest_v2]):  # type: ignore[misc]
    """The brokers that belong to the cluster, those that are away now too."""

    API_KEY = 60

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class(False, 1, True, {})
