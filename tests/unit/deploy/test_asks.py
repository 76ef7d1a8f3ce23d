"""The health check that every image has: good only over TLS 1.3, from the right peer, with the right answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.write import TOP
from hub.crypto.certificates import CertificateAuthority, Usage
from hub.facts import Ready
from monitoring.endpoint import Endpoint, EndpointTls
from monitoring.health import Health
from monitoring.metrics import Metrics
from topics.names import endpoint_host

ASKS = TOP / "deploy" / "images" / "asks.py"


@dataclass
class Place:
    """A role's directory, its running endpoint and the authority of both."""

    directory: Path
    endpoint: Endpoint
    health: Health
    authority: CertificateAuthority


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    authority = CertificateAuthority.create(tmp_path / "ca")
    directory = tmp_path / "router"
    _role(authority, directory)
    server = authority.issue("router", tmp_path / "server", usage=Usage.SERVER, hosts=(endpoint_host("router"),))
    health = Health({"sessions"})
    tls = EndpointTls(server.certificate, server.private_key, server.ca, lambda: ("monitor",), own="router")
    registry = Metrics(tenants=("131041",), procedures=(), sources=()).registry
    with Endpoint(registry, health, tls=tls) as endpoint:
        yield Place(directory, endpoint, health, authority)


def _role(authority: CertificateAuthority, directory: Path) -> None:
    made = authority.issue(directory.name, directory)
    made.certificate.rename(directory / "tls.crt")
    made.private_key.rename(directory / "tls.key")


def asked(*arguments: object) -> int:
    return subprocess.run(
        [sys.executable, "-I", ASKS, *map(str, arguments)], check=False, capture_output=True
    ).returncode


def test_a_role_is_healthy_when_it_is_ready_and_says_so_to_itself(place: Place) -> None:
    page = f"{place.endpoint.url}/readyz"
    assert asked("role", page, place.directory) == 1, "not ready yet"
    place.health.observe(Ready("sessions", True))
    assert asked("role", page, place.directory) == 0
    assert asked("role", f"{place.endpoint.url}/metrics", place.directory) == 1, "its metrics are not its own to read"


def test_another_role_is_told_nothing(place: Place) -> None:
    place.health.observe(Ready("sessions", True))
    other = place.directory.parent / "portal"
    _role(place.authority, other)
    files = (other / "ca.crt", other / "tls.crt", other / "tls.key")
    assert asked("page", f"{place.endpoint.url}/readyz", *files) == 1
    assert asked("role", f"{place.endpoint.url}/readyz", other) == 1, "and it is not who it should be"


def test_a_peer_of_another_authority_is_not_healthy(place: Place, tmp_path: Path) -> None:
    place.health.observe(Ready("sessions", True))
    foreign = CertificateAuthority.create(tmp_path / "foreign")
    (place.directory / "ca.crt").write_bytes(foreign.certificate_path.read_bytes())
    assert asked("role", f"{place.endpoint.url}/readyz", place.directory) == 1


def test_nobody_there_and_wrong_usage(place: Place) -> None:
    place.endpoint.stop()
    assert asked("role", f"{place.endpoint.url}/readyz", place.directory) == 1
    assert asked("no", "such") == 2
