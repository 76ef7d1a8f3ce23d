"""The zones of the source document as networks, and every address of a deployment. Pure.

A service is in as many zones as it has peers, and in no more: what shares no network cannot speak to one another.
Names and ports are the same wherever the hub runs. Between networks of their own the engine resolves a name; on the
host's network every name is 127.0.0.1 there, which is why no two services share a port.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Zone(StrEnum):
    """A network. All but `people` and `outside` lead nowhere else."""

    PORTAL = "portal-side"
    """where the eLTAX portal hands over"""
    ASP = "lgwan-asp"
    """brokers, router, registry and the watch"""
    WARD = "ward-side"
    """the desks of the ward"""
    PEOPLE = "people"
    """what operators look at in a browser"""
    OUTSIDE = "outside"
    """where Alertmanager tells somebody"""


OPEN: Final = frozenset({Zone.PEOPLE, Zone.OUTSIDE})
"""networks with a way out of the machine"""
ABOUT: Final = {
    Zone.PORTAL: "the eLTAX portal's end",
    Zone.ASP: "LGWAN/ASP: brokers, router, registry, watch",
    Zone.WARD: "the ward's desks",
    Zone.PEOPLE: "operators, by a browser on this machine",
    Zone.OUTSIDE: "whom Alertmanager tells",
}
BROKERS: Final = 3


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """One broker: its name, and its ports for clients, controllers and Prometheus."""

    node: int

    @property
    def service(self) -> str:
        """The name that clients use."""
        return f"kafka-{self.node}"

    @property
    def principal(self) -> str:
        """The common name of its certificate."""
        return f"broker-{self.node}"

    @property
    def client_port(self) -> int:
        """Of the mTLS listener."""
        return self.node * 10_000 + 9_092

    @property
    def controller_port(self) -> int:
        """Of the controllers' quorum."""
        return self.client_port + 1

    @property
    def exporter_port(self) -> int:
        """Of the JMX exporter."""
        return self.node * 10_000 + 9_404

    @property
    def client(self) -> str:
        """`<name>:<port>`."""
        return f"{self.service}:{self.client_port}"


PLACES: Final = tuple(BrokerPlace(node) for node in range(1, BROKERS + 1))
BOOTSTRAP: Final = ",".join(each.client for each in PLACES)
CONTROLLERS: Final = ",".join(f"{each.service}:{each.controller_port}" for each in PLACES)
REGISTRY_PORT: Final = 8_443
PROMETHEUS_PORT: Final = 9_490
ALERTMANAGER_PORT: Final = 9_493
GRAFANA_PORT: Final = 9_480
_FIRST_ROLE_PORT: Final = 9_500
ROUTERS: Final = ("router-1", "router-2")


@dataclass(frozen=True, slots=True)
class RolePlace:
    """One process of a principal: the name of its service, and the port of its endpoint."""

    service: str
    principal: str
    command: tuple[str, ...]
    zones: tuple[Zone, ...]
    port: int

    @property
    def endpoint(self) -> str:
        """`https://<name>:<port>`."""
        return f"https://{self.service}:{self.port}"


def roles(tenants: tuple[str, ...]) -> tuple[RolePlace, ...]:
    """The processes of a hub that serves `tenants` (codes), in a fixed order; ports follow the order."""
    watching = (Zone.PORTAL, Zone.ASP, Zone.WARD)
    wanted: list[tuple[str, str, tuple[str, ...], tuple[Zone, ...]]] = [
        ("portal", "portal", ("portal", "serve", "/var/lib/eltax-hub/inbox"), (Zone.PORTAL,)),
        *((name, "router", ("route",), (Zone.ASP,)) for name in ROUTERS),
        ("monitor", "monitor", ("monitor",), watching),
        ("analysis", "analysis", ("monitor", "analyse"), (Zone.ASP,)),
    ]
    for code in tenants:
        for kind in ("review", "helpdesk", "audit"):
            name = f"{kind}-{code}"
            wanted.append((name, name, ("consume", kind), (Zone.WARD,)))
    return tuple(RolePlace(*each, _FIRST_ROLE_PORT + at) for at, each in enumerate(wanted))
