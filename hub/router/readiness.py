"""Which tenants can be delivered to: every output is there, has the route's number of partitions, takes our writes.

Asked of the broker before and not learned from a failed transaction, which would hold up all tenants of a
partition. A tenant that is not ready gets its events as dead letters, to be replayed (`tenant-not-ready`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from hub.transport.survey import SurveyedTopic
from topics.layout import Route, Topology


class TopicSurvey(Protocol):
    """What is needed of `hub.transport.survey.Surveyor`."""

    async def survey(self, topics: Collection[str]) -> Mapping[str, SurveyedTopic]:
        """Return what is there of `topics`. Raises a retriable TransportError."""

    async def close(self) -> None:
        """Disconnect."""


class Outputs:
    """The declared routes by tenant, as far as they can be served now."""

    def __init__(self, topology: Topology, survey: TopicSurvey) -> None:
        """Nothing is ready before the first `refresh`."""
        self._partitions = topology.partitions
        self._declared = {tenant.code: topology.routes_of(tenant.code) for tenant in topology.tenants}
        self._survey = survey
        self._open: dict[str, tuple[Route, ...]] = {}
        self._ready: dict[str, tuple[Route, ...]] = {}

    async def refresh(self) -> None:
        """Ask the broker. Raises BrokerUnavailable; what was known then stands."""
        found = await self._survey.survey([route.topic for routes in self._declared.values() for route in routes])
        self._open = {
            tenant: tuple(route for route in routes if self._usable(found.get(route.topic)))
            for tenant, routes in self._declared.items()
        }
        self._ready = {tenant: routes for tenant, routes in self._open.items() if routes == self._declared[tenant]}

    def _usable(self, topic: SurveyedTopic | None) -> bool:
        return topic is not None and topic.writable and topic.partitions == self._partitions

    @property
    def ready(self) -> Mapping[str, tuple[Route, ...]]:
        """All routes of each tenant that is ready."""
        return self._ready

    def open(self, tenant: str) -> tuple[Route, ...]:
        """Return the outputs of a tenant that can be written to, ready or not: notices go there."""
        return self._open.get(tenant, ())

    @property
    def waiting(self) -> tuple[str, ...]:
        """Tenants that are declared and not ready."""
        return tuple(tenant for tenant in self._declared if tenant not in self._ready)

    async def close(self) -> None:
        """Disconnect."""
        await self._survey.close()
