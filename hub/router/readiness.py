"""Which tenants can be delivered to: every output is there, has the route's number of partitions, takes our writes.

Asked of the broker before and not learned from a failed transaction, which would hold up all tenants of a
partition. A tenant that is not ready gets its events as dead letters, to be replayed (`tenant-not-ready`); so
does one that is not declared (`tenant-unknown`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
    """The declared routes by tenant, as far as they can be served now. What is declared may change at any time."""

    def __init__(self, topology: Callable[[], Topology], survey: TopicSurvey) -> None:
        """Nothing is ready before the first `refresh`. `topology` gives the one that holds now."""
        self._topology = topology
        self._survey = survey
        self._laid_out = topology()
        self._declared = _routes(self._laid_out)
        self._open: dict[str, tuple[Route, ...]] = {}
        self._ready: dict[str, tuple[Route, ...]] = {}
        self._surveyed: Topology | None = None

    @property
    def outdated(self) -> bool:
        """Whether the topology is another one than at the last `refresh`."""
        return self._topology() is not self._surveyed

    async def refresh(self) -> None:
        """Ask the broker. Raises BrokerUnavailable; what was known then stands."""
        self._follow()
        topology, declared = self._laid_out, self._declared
        found = await self._survey.survey([route.topic for routes in declared.values() for route in routes])
        usable = {
            tenant: tuple(route for route in routes if _usable(found.get(route.topic), topology.partitions))
            for tenant, routes in declared.items()
        }
        self._open = usable
        self._ready = {tenant: routes for tenant, routes in usable.items() if routes == declared[tenant]}
        self._surveyed = topology
        self._follow()

    def _follow(self) -> None:
        """Let go at once of what is declared no more; what is newly declared waits for the survey."""
        topology = self._topology()
        if topology is self._laid_out:
            return
        self._laid_out, self._declared = topology, _routes(topology)
        self._open = {
            tenant: tuple(route for route in routes if route in self._declared[tenant])
            for tenant, routes in self._open.items()
            if tenant in self._declared
        }
        self._ready = {tenant: routes for tenant, routes in self._ready.items() if routes == self._declared.get(tenant)}

    @property
    def declared(self) -> Collection[str]:
        """The tenants that are declared, ready or not."""
        self._follow()
        return self._declared.keys()

    @property
    def ready(self) -> Mapping[str, tuple[Route, ...]]:
        """All routes of each tenant that is ready."""
        self._follow()
        return self._ready

    def open(self, tenant: str) -> tuple[Route, ...]:
        """Return the outputs of a tenant that can be written to, ready or not: notices go there."""
        self._follow()
        return self._open.get(tenant, ())

    @property
    def waiting(self) -> tuple[str, ...]:
        """Tenants that are declared and not ready."""
        self._follow()
        return tuple(tenant for tenant in self._declared if tenant not in self._ready)

    async def close(self) -> None:
        """Disconnect."""
        await self._survey.close()


def _routes(topology: Topology) -> dict[str, tuple[Route, ...]]:
    return {tenant.code: topology.routes_of(tenant.code) for tenant in topology.tenants}


def _usable(topic: SurveyedTopic | None, partitions: int) -> bool:
    return topic is not None and topic.writable and topic.partitions == partitions
