"""The services of a deployment: what each runs, sees, waits for and may use. Pure.

Below the deployment's directory (HUB_DEPLOYMENT, default `.deployment`) each service has a part of its own:

    home/               the administrator's HUB_HOME; a role is given home/roles/<principal> and nothing else of it
    kafka-<n>/          config/ (read only) and data/
    registry/, prometheus/, alertmanager/, grafana/    config/ (read only) and data/
    inbox/              what the portal shall submit (in/), and what became of it (done/)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final

from deploy.zones import (
    ALERTMANAGER_PORT,
    BOOTSTRAP,
    CONTROLLERS,
    GRAFANA_PORT,
    PLACES,
    PROMETHEUS_PORT,
    REGISTRY_PORT,
    BrokerPlace,
    RolePlace,
    Zone,
    roles,
)
from topics.layout import Topology

VERSION: Final = metadata.version("eltax-hub")
AT: Final = "${HUB_DEPLOYMENT:-./.deployment}"
STATE: Final = "/var/lib/eltax-hub"
HOME: Final = f"{STATE}/home"
LISTEN: Final = "HUB_METRICS_ADDRESS"
SWEPT: Final = "HUB_WATCH_PORTS"
CORE: Final = "core"
MONITORING: Final = "monitoring"
_ALL_ZONES: Final = (Zone.PORTAL, Zone.ASP, Zone.WARD)
_ASKS: Final = ("CMD", "python3", "-I", "/usr/local/lib/eltax-hub/asks.py")
"""the one program of every health check: a verified TLS 1.3 request by the standard library, without the hub's code"""


REGISTRY_URL: Final = f"https://registry:{REGISTRY_PORT}/apis/ccompat/v7"
_REGISTRY_FILES: Final = tuple(f"/etc/registry/{name}" for name in ("ca.crt", "registry.crt", "registry.key"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use at most: MiB, processes and threads, cores."""

    mib: int
    pids: int
    cpus: float


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `once` ends by itself; `after` names what must be healthy, or done, before it starts."""

    name: str
    image: str
    command: tuple[str, ...]
    zones: tuple[Zone, ...]
    limits: Limits
    profiles: tuple[str, ...] = (CORE,)
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    start_seconds: int = 60
    published: tuple[int, ...] = ()
    listens: str = ""
    """the variable that tells it its address, if it needs telling"""
    once: bool = False
    scratch_mib: int = 64
    hidden: tuple[str, ...] = ()
    """directories of its mounts that it sees empty"""


def _image(variable: str, default: str) -> str:
    return f"${{{variable}:-{default}}}"


HUB_IMAGE: Final = _image("HUB_IMAGE", f"eltax-hub:{VERSION}")
KAFKA_IMAGE: Final = _image("HUB_KAFKA_IMAGE", f"eltax-hub-kafka:{VERSION}")
REGISTRY_IMAGE: Final = _image("HUB_REGISTRY_IMAGE", f"eltax-hub-registry:{VERSION}")
PROMETHEUS_IMAGE: Final = _image("HUB_PROMETHEUS_IMAGE", f"eltax-hub-watch:{VERSION}")
ALERTMANAGER_IMAGE: Final = _image("HUB_ALERTMANAGER_IMAGE", f"eltax-hub-watch:{VERSION}")
GRAFANA_IMAGE: Final = _image("HUB_GRAFANA_IMAGE", "grafana/grafana:11.6.0")


def services(topology: Topology) -> tuple[Service, ...]:
    """All services of a hub that serves this topology."""
    places = roles(tuple(each.code for each in topology.tenants))
    return (
        _keys(),
        *(_broker(each) for each in PLACES),
        _registry(),
        _setup([each.name for each in topology.roles if not each.super_user]),
        *(_role(each) for each in places),
        _prometheus(),
        _alertmanager(),
        _grafana(),
    )


def _keys() -> Service:
    """Makes authority, keys, certificates and configurations; the only one that sees all keys, without a network."""
    owned = (*(each.service for each in PLACES), "registry", "prometheus", "alertmanager", "grafana")
    return Service(
        "keys",
        HUB_IMAGE,
        ("deploy", "keys", STATE),
        (),
        Limits(768, 128, 2.0),
        profiles=(CORE, MONITORING),
        environment={"HUB_HOME": HOME, "HUB_NAMESPACE": "${HUB_NAMESPACE:-rehearsal}"},
        mounts=(
            f"{AT}/home:{HOME}",
            *(f"{AT}/{name}/config:{STATE}/{name}/config" for name in owned),
        ),
        listens=LISTEN,
        once=True,
    )


def _broker(place: BrokerPlace) -> Service:
    return Service(
        place.service,
        KAFKA_IMAGE,
        (),
        _ALL_ZONES,
        Limits(1_280, 512, 2.0),
        mounts=(f"{AT}/{place.service}/config:/etc/kafka:ro", f"{AT}/{place.service}/data:/var/lib/kafka"),
        after=("keys",),
        health=(
            *_ASKS,
            "kafka",
            f"{place.service}:{place.client_port}",
            *("/etc/kafka/broker.crt", "/etc/kafka/broker.key", "/etc/kafka/ca.crt"),
        ),
        start_seconds=180,
    )


def _registry() -> Service:
    return Service(
        "registry",
        REGISTRY_IMAGE,
        (),
        (Zone.ASP,),
        Limits(1_024, 256, 1.0),
        environment={"HUB_REGISTRY_PORT": str(REGISTRY_PORT)},
        mounts=(f"{AT}/registry/config:/etc/registry:ro", f"{AT}/registry/data:/var/lib/registry"),
        after=("keys",),
        health=(*_ASKS, "page", f"{REGISTRY_URL}/subjects", *_REGISTRY_FILES),
        listens="HUB_REGISTRY_LISTEN",
        start_seconds=180,
    )


def _setup(others: Sequence[str]) -> Service:
    """Topics, rights, quotas, trust list and schemas. It is the administrator, and sees no key file of the `others`."""
    return Service(
        "setup",
        HUB_IMAGE,
        ("deploy", "setup", STATE),
        (Zone.ASP,),
        Limits(768, 128, 1.0),
        environment={
            "HUB_HOME": HOME,
            "HUB_NAMESPACE": "${HUB_NAMESPACE:-rehearsal}",
            "HUB_BOOTSTRAP": BOOTSTRAP,
            "HUB_REGISTRY_URL": REGISTRY_URL,
        },
        mounts=(f"{AT}/home:{HOME}",),
        hidden=tuple(f"{HOME}/roles/{name}/keys" for name in others),
        after=("keys", *(each.service for each in PLACES), "registry"),
        once=True,
    )


def _role(place: RolePlace) -> Service:
    directory = f"{STATE}/{place.principal}"
    environment = {
        "HUB_ROLE_DIR": directory,
        "HUB_BOOTSTRAP": BOOTSTRAP,
        "HUB_NAMESPACE": "${HUB_NAMESPACE:-rehearsal}",
        "HUB_METRICS_PORT": str(place.port),
    }
    mounts = [f"{AT}/home/roles/{place.principal}:{directory}"]
    if place.service != place.principal:
        environment["HUB_INSTANCE"] = place.service
    if place.principal == "portal":
        mounts.append(f"{AT}/inbox:{STATE}/inbox")
    if place.principal == "monitor":
        environment |= {
            "HUB_WATCH_TARGETS": "/etc/eltax-hub/targets.json",
            "HUB_WATCH_ALSO": CONTROLLERS,
            "HUB_BROKER_LOGS": ":".join(f"/var/log/{each.service}" for each in PLACES),
        }
        mounts.append(f"{AT}/prometheus/config/targets:/etc/eltax-hub:ro")
        mounts += [f"{AT}/{each.service}/data/logs:/var/log/{each.service}:ro" for each in PLACES]
    return Service(
        place.service,
        HUB_IMAGE,
        place.command,
        place.zones,
        Limits(512, 128, 1.0),
        environment=environment,
        mounts=tuple(mounts),
        after=("setup",),
        health=(*_ASKS, "role", f"https://{place.service}:{place.port}/readyz", directory),
        start_seconds=120,
        listens=LISTEN,
    )


def _prometheus() -> Service:
    return Service(
        "prometheus",
        PROMETHEUS_IMAGE,
        (
            "prometheus",
            "--config.file=/etc/prometheus/prometheus.yml",
            "--web.config.file=/etc/prometheus/web.yml",
            "--storage.tsdb.path=/var/lib/prometheus",
            "--storage.tsdb.retention.time=${HUB_PROMETHEUS_DAYS:-90}d",
        ),
        (*_ALL_ZONES, Zone.PEOPLE),
        Limits(1_024, 256, 1.0),
        profiles=(MONITORING,),
        mounts=(f"{AT}/prometheus/config:/etc/prometheus:ro", f"{AT}/prometheus/data:/var/lib/prometheus"),
        after=("keys",),
        health=(
            *_ASKS,
            "page",
            f"https://prometheus:{PROMETHEUS_PORT}/-/ready",
            *(f"/etc/prometheus/tls/{name}" for name in ("ca.crt", "prometheus.crt", "prometheus.key")),
        ),
        published=(PROMETHEUS_PORT,),
        listens=f"--web.listen-address={PROMETHEUS_PORT}",
    )


def _alertmanager() -> Service:
    return Service(
        "alertmanager",
        ALERTMANAGER_IMAGE,
        (
            "prometheus-alertmanager",
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--web.config.file=/etc/alertmanager/alertmanager-web.yml",
            "--storage.path=/var/lib/alertmanager",
            "--cluster.listen-address=",
            "--data.retention=240h",  # longer than what a notice waits until it is told again
        ),
        (Zone.PEOPLE, Zone.OUTSIDE),
        Limits(256, 128, 0.5),
        profiles=(MONITORING,),
        mounts=(f"{AT}/alertmanager/config:/etc/alertmanager:ro", f"{AT}/alertmanager/data:/var/lib/alertmanager"),
        after=("keys",),
        health=(
            *_ASKS,
            "page",
            f"https://alertmanager:{ALERTMANAGER_PORT}/-/ready",
            *(f"/etc/alertmanager/tls/{name}" for name in ("ca.crt", "viewer.crt", "viewer.key")),
        ),
        published=(ALERTMANAGER_PORT,),
        listens=f"--web.listen-address={ALERTMANAGER_PORT}",
    )


def _grafana() -> Service:
    """The maker's own image: it has no Python, so that its check is a request of its own tools."""
    return Service(
        "grafana",
        GRAFANA_IMAGE,
        (),
        (Zone.PEOPLE,),
        Limits(512, 256, 0.5),
        profiles=(MONITORING,),
        environment={
            "ELTAX_HUB_PROMETHEUS_URL": f"https://prometheus:{PROMETHEUS_PORT}",
            "GF_PATHS_PROVISIONING": "/etc/grafana/provisioning",
            "GF_SERVER_PROTOCOL": "https",
            "GF_SERVER_HTTP_PORT": str(GRAFANA_PORT),
            "GF_SERVER_CERT_FILE": "/etc/grafana/eltax-hub/server.crt",
            "GF_SERVER_CERT_KEY": "/etc/grafana/eltax-hub/server.key",
            "GF_SERVER_MIN_TLS_VERSION": "TLS1.3",
            "GF_SECURITY_ADMIN_PASSWORD__FILE": "/etc/grafana/eltax-hub/admin.password",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_NEWS_NEWS_FEED_ENABLED": "false",
            "GF_USERS_ALLOW_SIGN_UP": "false",
        },
        mounts=(
            f"{AT}/grafana/config/eltax-hub:/etc/grafana/eltax-hub:ro",
            f"{AT}/grafana/config/provisioning:/etc/grafana/provisioning:ro",
            f"{AT}/grafana/data:/var/lib/grafana",
        ),
        after=("prometheus",),
        health=(
            "CMD-SHELL",
            f"wget -q --no-check-certificate -O /dev/null https://127.0.0.1:{GRAFANA_PORT}/api/health",
        ),
        published=(GRAFANA_PORT,),
        listens="GF_SERVER_HTTP_ADDR",
    )
