"""What this principal finds of some topics: are they there, with how many partitions, and may it write to them.

Kafka protocol: Metadata (3) v8, which says what the asker may do with each topic (KIP-430); the client
library ends at v5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from hub.transport.endpoint import Endpoint
from hub.transport.errors import translate

_WRITE: Final = 1 << 4
_ABSENT: Final = frozenset({3, 29})
"""UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED (it may not even be named)"""


@dataclass(frozen=True, slots=True)
class SurveyedTopic:
    """A topic as this principal sees it."""

    partitions: int
    writable: bool


class MetadataResponse_v8(Response):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Brokers and topics."""

    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class MetadataRequest_v8(RequestStruct):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Ask for topics by name, and for what the asker may do with them."""

    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = MetadataResponse_v8
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Metadata(Request[MetadataRequest_v8]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(self._topics, False, False, True)


class Surveyor:
    """One connection that asks about topics; made anew after a failure."""

    def __init__(self, endpoint: Endpoint, *, timeout_seconds: float = 10.0) -> None:
        """Nothing is connected before `survey`."""
        self._endpoint = endpoint
        self._timeout = timeout_seconds
        self._client: AIOKafkaClient | None = None

    async def survey(self, topics: Collection[str]) -> dict[str, SurveyedTopic]:
        """Return what is there of `topics`; those that are absent or hidden from us are left out.

        Raises BrokerUnavailable.
        """
        try:
            async with asyncio.timeout(self._timeout):
                if self._client is None:
                    self._client = AIOKafkaClient(**self._endpoint.client_options())
                    await self._client.bootstrap()
                answer = await self._client.send(self._client.get_random_node(), _Metadata(topics))
            return {found[1]: _seen(found) for found in answer.topics if found[0] not in _ABSENT}
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise translate(error) from error

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


def _seen(found: Any) -> SurveyedTopic:
    code, name, _, partitions, operations = found
    if code:
        raise for_code(code)(name)
    return SurveyedTopic(len(partitions), bool(operations & _WRITE))
