"""Services as the document that Docker Compose reads: version 2 of it, and 1.29, which Debian has. Pure.

Both variants are made of the same services. They differ in what a network is: networks of their own and published
ports, or the host's, on which every name is 127.0.0.1 and services listen there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from deploy.services import SWEPT, Service
from deploy.zones import ABOUT, OPEN, Zone
from monitoring.prometheus.plain_yaml import Plain, dump

_UID: Final = "${HUB_USER:-10001:10001}"
HEADING: Final = """Written by `make docs` from deploy/services.py; do not edit. `make up`, or:
    deploy/prepare && docker compose --profile core --profile monitoring up --detach
docs/containers.md says what runs where, docs/air-gapped.md how the images are built without pulling any."""


class Variant(StrEnum):
    """How services reach one another; the value is the file's name."""

    BRIDGED = "docker-compose.yml"
    HOST = "docker-compose.host.yml"


def document(services: Sequence[Service], variant: Variant) -> str:
    """Return the file's text."""
    about = "Networks of its own for each zone." if variant is Variant.BRIDGED else "All on the host's network."
    return dump(compose(services, variant), heading=f"{about} {HEADING}")


def compose(services: Sequence[Service], variant: Variant) -> dict[str, Plain]:
    """Return the document as plain values."""
    found: dict[str, Plain] = {"services": {each.name: _service(each, services, variant) for each in services}}
    if variant is Variant.BRIDGED:
        used = {zone for each in services for zone in each.zones}
        found["networks"] = {zone.value: {"internal": zone not in OPEN} for zone in Zone if zone in used}
    return found


def _service(service: Service, all_of_them: Sequence[Service], variant: Variant) -> Plain:
    known = {each.name: each for each in all_of_them}
    said: dict[str, Plain] = {"image": service.image, "profiles": list(service.profiles)}
    command, environment = list(service.command), dict(service.environment)
    _tell_address(service, variant, command, environment)
    if command:
        said["command"] = list(command)
    said |= {
        "user": _UID,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "init": True,
        "mem_limit": f"{service.limits.mib}m",
        "pids_limit": service.limits.pids,
        "cpus": service.limits.cpus,
        "ulimits": {"core": 0},
        "tmpfs": [
            f"/tmp:size={service.scratch_mib}m,mode=1777,noexec,nosuid,nodev",  # noqa: S108 - the container's own
            *(f"{each}:size=1m,mode=0500,noexec,nosuid,nodev" for each in service.hidden),
        ],
        "restart": "no" if service.once else "unless-stopped",
        "stop_grace_period": "40s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }
    if environment:
        said["environment"] = dict(environment)
    if service.mounts:
        said["volumes"] = list(service.mounts)
    if service.after:
        said["depends_on"] = {
            name: {"condition": "service_completed_successfully" if known[name].once else "service_healthy"}
            for name in service.after
        }
    if service.health:
        said["healthcheck"] = {
            "test": list(service.health),
            "interval": "15s",
            "timeout": "10s",
            "retries": 4,
            "start_period": f"{service.start_seconds}s",
        }
    said |= _network(service, all_of_them, variant)
    return said


def _tell_address(service: Service, variant: Variant, command: list[str], environment: dict[str, str]) -> None:
    """Tell a service where to listen: in its container everywhere, on the host's network on loopback alone."""
    address = "0.0.0.0" if variant is Variant.BRIDGED else "127.0.0.1"  # noqa: S104 - in a container
    if service.listens.startswith("--"):
        option, _, port = service.listens.partition("=")
        command.append(f"{option}={address}:{port}")
    elif service.listens:
        environment[service.listens] = address
    if service.name == "monitor" and variant is Variant.HOST:
        environment[SWEPT] = ""  # all brokers are one host there, and each would be found beside the others


def _network(service: Service, all_of_them: Sequence[Service], variant: Variant) -> dict[str, Plain]:
    if not service.zones:
        return {"network_mode": "none"}
    if variant is Variant.HOST:
        names = sorted(each.name for each in all_of_them if each.zones)
        return {"network_mode": "host", "extra_hosts": [f"{name}:127.0.0.1" for name in names]}
    said: dict[str, Plain] = {"networks": [zone.value for zone in service.zones]}
    if service.published:
        said["ports"] = [f"127.0.0.1:{port}:{port}" for port in service.published]
    return said


def zones_table() -> str:
    """The networks in words, as rows of a table in Markdown."""
    rows = (f"| `{zone.value}` | {about} | {'yes' if zone in OPEN else 'no'} |" for zone, about in ABOUT.items())
    return "\n".join(["| network | who | leads out of the machine |", "|---|---|---|", *rows]) + "\n"
