"""Asks every broker how the cluster is, and raises the level of its metadata: what upgrades and restarts need."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from hub.transport.admin.protocol import DescribeRegistered
from topics.brokers import NOBODY, Cluster, Partition, Voter

METADATA_VERSION: Final = "metadata.version"
_METADATA_LOG: Final = "__cluster_metadata"
_ANSWER_SECONDS: Final = 5.0
_UPGRADE: Final = 1
_RAISE_MS: Final = 30_000
_TEXT: Final = CompactString("utf-8")
_VOTERS: Final = CompactArray(
    ("replica_id", Int32),
    ("log_end_offset", Int64),
    ("last_fetch_timestamp", Int64),
    ("last_caught_up_timestamp", Int64),
    ("tags", TaggedFields),
)
_SUPPORTED, _FINAL = 0, 2
"""tags of an ApiVersions answer: name, least, most; and name, most, least"""
_FEATURES: Final = CompactArray(("name", _TEXT), ("first", Int16), ("second", Int16), ("tags", TaggedFields))


class DescribeQuorumResponse_v1(Response):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Who leads the controllers, and how far the others are (KIP-595, KIP-836)."""

    API_KEY = 55
    API_VERSION = 1
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("topic_name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("current_voters", _VOTERS),
                        ("observers", _VOTERS),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorumRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Ask for it."""

    FLEXIBLE_VERSION = True
    API_KEY = 55
    API_VERSION = 1
    RESPONSE_TYPE = DescribeQuorumResponse_v1
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_name", _TEXT),
                ("partitions", CompactArray(("partition_index", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorum(Request[DescribeQuorumRequest_v1]):  # type: ignore[misc]
    """The quorum of the metadata log."""

    API_KEY = 55

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class([(_METADATA_LOG, [(0, {})], {})], {})


class ApiVersionsResponse_v3(Response):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """What a broker can speak; its features are among the tags."""

    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "api_versions",
            CompactArray(("api_key", Int16), ("min_version", Int16), ("max_version", Int16), ("tags", TaggedFields)),
        ),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )


class ApiVersionsRequest_v3(RequestStruct):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Ask for it. Its answer has the old header, so that any broker can refuse it."""

    FLEXIBLE_VERSION = True
    API_KEY = 18
    API_VERSION = 3
    RESPONSE_TYPE = ApiVersionsResponse_v3
    SCHEMA = Schema(("client_software_name", _TEXT), ("client_software_version", _TEXT), ("tags", TaggedFields))

    def parse_response_header(self, read_buffer: Any) -> Any:
        """Without tags."""
        return ResponseHeader_v0.decode(read_buffer)


class DescribeFeatures(Request[ApiVersionsRequest_v3]):  # type: ignore[misc]
    """The features that a broker knows, and those that the cluster uses."""

    API_KEY = 18

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class("eltax-hub", "1", {})


class UpdateFeaturesResponse_v1(Response):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """What came of it."""

    API_KEY = 57
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", _TEXT),
        (
            "results",
            CompactArray(("feature", _TEXT), ("error_code", Int16), ("error_message", _TEXT), ("tags", TaggedFields)),
        ),
        ("tags", TaggedFields),
    )


class UpdateFeaturesRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Levels to take (KIP-584, KIP-778)."""

    FLEXIBLE_VERSION = True
    API_KEY = 57
    API_VERSION = 1
    RESPONSE_TYPE = UpdateFeaturesResponse_v1
    SCHEMA = Schema(
        ("timeout_ms", Int32),
        (
            "feature_updates",
            CompactArray(
                ("feature", _TEXT), ("max_version_level", Int16), ("upgrade_type", Int8), ("tags", TaggedFields)
            ),
        ),
        ("validate_only", Boolean),
        ("tags", TaggedFields),
    )


class RaiseLevel(Request[UpdateFeaturesRequest_v1]):  # type: ignore[misc]
    """Raise `metadata.version`; never lower it."""

    API_KEY = 57

    def __init__(self, level: int) -> None:
        """To this level."""
        self._level = level

    def build(self, request_struct_class: Any) -> Any:
        """Fill the struct."""
        return request_struct_class(_RAISE_MS, [(METADATA_VERSION, self._level, _UPGRADE, {})], False, {})


async def describe(client: AIOKafkaAdminClient) -> Cluster:
    """Ask each broker. One that is live and does not answer in time counts as away."""
    registered, live = await _registered(client)
    partitions: set[Partition] = set()
    answered, levels = set(), []
    level = 0
    for broker in sorted(live):
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                seen = await client._send_request_to_node(broker, MetadataRequest(None, False))
                said = await client._send_request_to_node(broker, DescribeFeatures())
        except (KafkaError, OSError, TimeoutError):
            continue
        answered.add(broker)
        partitions.update(_partitions(seen))
        used, known = _level(said.tags)
        level = max(level, used)
        levels.append(known)
    controller, voters = await _quorum(client, answered)
    return Cluster(
        registered, frozenset(answered), controller, voters, frozenset(partitions), level, min(levels, default=0)
    )


async def raise_level(client: AIOKafkaAdminClient, level: int) -> None:
    """Have records of this level written from now on. Raises the client's error if the controller refuses."""
    answer = await client._send_to_controller(RaiseLevel(level))
    for code in (answer.error_code, *(row[1] for row in answer.results or ())):
        if code:
            raise for_code(code)(METADATA_VERSION)


async def _registered(client: AIOKafkaAdminClient) -> tuple[frozenset[int], set[int]]:
    answer = await client._send_to_controller(DescribeRegistered())
    if answer.error_code:
        raise for_code(answer.error_code)("cluster")
    fenced = {row[0]: row[4] for row in answer.brokers}
    return frozenset(fenced), {broker for broker, out in fenced.items() if not out}


def _partitions(answer: Any) -> set[Partition]:
    found = set()
    for topic in answer.to_object()["topics"]:
        for each in topic["partitions"]:
            copies, in_sync = tuple(sorted(each["replicas"])), tuple(sorted(each["isr"]))
            found.add(Partition(topic["topic"], each["partition"], each["leader"], copies, in_sync))
    return found


async def _quorum(client: AIOKafkaAdminClient, brokers: set[int]) -> tuple[int, tuple[Voter, ...]]:
    """Ask any broker, which asks the active controller; none that answers in time knows of a leader."""
    for broker in sorted(brokers):
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await client._send_request_to_node(broker, DescribeQuorum())
        except (KafkaError, OSError, TimeoutError):
            continue
        for _, partitions, _ in answer.topics or ():
            for _, code, leader, _, _, rows, _, _ in partitions:
                if answer.error_code or code or leader < 0:
                    continue
                caught_up = {row[0]: row[3] for row in rows}
                now = caught_up.get(leader, 0)
                voters = (
                    Voter(node, max(0.0, (now - at) / 1_000) if at >= 0 else math.inf) for node, at in caught_up.items()
                )
                return leader, tuple(sorted(voters))
    return NOBODY, ()


def _level(tags: Mapping[int, bytes]) -> tuple[int, int]:
    """The level of metadata.version that is used, and the highest that this broker knows; 0 if it does not say."""
    try:
        known = {row[0]: row[2] for row in _FEATURES.decode(BytesIO(tags.get(_SUPPORTED, b"\x01")))}
        used = {row[0]: row[1] for row in _FEATURES.decode(BytesIO(tags.get(_FINAL, b"\x01")))}
    except (ValueError, struct.error):
        return 0, 0
    return used.get(METADATA_VERSION, 0), known.get(METADATA_VERSION, 0)
