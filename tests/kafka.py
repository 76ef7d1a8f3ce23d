"""A real Kafka for tests: one per test process, its authority, and identities on demand.

HUB_TEST_KAFKA says which (docs/testing.md): `embedded`, one node; `cluster`, three on this machine; `containers`, the
image HUB_TEST_KAFKA_IMAGE under a Docker engine; `external`, whatever answers at HUB_TEST_KAFKA_BOOTSTRAP.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker.cluster import LocalCluster
from broker.embedded import EmbeddedKafka, Kafka
from broker.node import Node
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate

KINDS = ("embedded", "cluster", "containers", "external")
BROKERS = 3


def kind() -> str:
    """Which Kafka the tests run on."""
    said = os.environ.get("HUB_TEST_KAFKA", "embedded")
    if said not in KINDS:
        raise pytest.UsageError(f"HUB_TEST_KAFKA={said}: one of {', '.join(KINDS)}")
    return said


def _told(name: str) -> str:
    said = os.environ.get(name, "")
    if not said:
        raise pytest.UsageError(f"HUB_TEST_KAFKA=external needs {name}")
    return said


class External:
    """A Kafka that is not ours: it is used, and neither started nor stopped."""

    def __init__(self) -> None:
        self.bootstrap = _told("HUB_TEST_KAFKA_BOOTSTRAP")

    @property
    def controllers(self) -> str:
        return ""

    @property
    def nodes(self) -> Sequence[Node]:
        return ()

    def start(self) -> None:
        """It runs."""

    def stop(self) -> None:
        """It stays."""

    def kill(self) -> None:
        pytest.skip("an external Kafka is not ours to kill")

    def freeze(self) -> None:
        pytest.skip("an external Kafka is not ours to stop")

    def thaw(self) -> None:
        """It was not frozen."""


@dataclass(slots=True)
class TestKafka:
    """The brokers and the authority that their clients' certificates come from."""

    __test__ = False

    directory: Path
    kafka: Kafka
    authority: CertificateAuthority
    _identities: dict[str, IssuedCertificate] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>`, or several with commas."""
        return self.kafka.bootstrap

    @property
    def nodes(self) -> Sequence[Node]:
        """The brokers' processes; a test that looks at them is left out where they are not ours."""
        if not self.kafka.nodes:
            pytest.skip("looks at the broker's own files and ports")
        return self.kafka.nodes

    @property
    def node(self) -> Node:
        """One of them."""
        return self.nodes[0]

    @property
    def logs(self) -> str:
        """The brokers' log directories, as HUB_BROKER_LOGS takes them."""
        return os.pathsep.join(str(node.logs) for node in self.nodes)

    def logged(self, file: str) -> str:
        """What all brokers wrote into this file."""
        return "".join((node.logs / file).read_text("utf-8") for node in self.nodes)

    def identity(self, principal: str) -> IssuedCertificate:
        """The client certificate of a principal, issued when first asked for."""
        if principal not in self._identities:
            self._identities[principal] = self.authority.issue(principal, self.directory / "certificates")
        return self._identities[principal]

    def start(self) -> None:
        """Start what does not run."""
        self.kafka.start()

    def stop(self) -> None:
        """Stop all brokers in order."""
        if isinstance(self.kafka, External):
            pytest.skip("an external Kafka is not ours to stop")
        self.kafka.stop()

    def kill(self) -> None:
        """kill -9 of all brokers."""
        self.kafka.kill()

    def freeze(self) -> None:
        """SIGSTOP of all brokers."""
        self.kafka.freeze()

    def thaw(self) -> None:
        """SIGCONT of all brokers."""
        self.kafka.thaw()


def brokers(directory: Path, authority: CertificateAuthority) -> Kafka:
    """The Kafka that HUB_TEST_KAFKA names, not started yet."""
    match kind():
        case "embedded":
            return EmbeddedKafka(directory / "broker", authority)
        case "cluster":
            return LocalCluster(directory / "brokers", authority, BROKERS)
        case "containers":
            from tests.containers import Containers

            return Containers(directory / "containers", authority)
        case _:
            return External()


def brokers_here() -> int:
    """How many nodes a hub of the tests starts itself."""
    return BROKERS if kind() == "cluster" else 1


def own_node() -> None:
    """Leave the test out where its hub cannot be told which Kafka to use: it is started by command."""
    if kind() in ("containers", "external"):
        pytest.skip("`eltax-hub up` starts a Kafka of its own")


def own_exporter() -> None:
    """Leave the test out where the brokers show no numbers: only those that a hub starts itself do."""
    if kind() in ("containers", "external"):
        pytest.skip("looks at the exporter of a hub's own brokers")


def authority_for(directory: Path) -> CertificateAuthority:
    """An authority in `directory`: a new one, or a copy of the one that the external Kafka trusts."""
    if kind() == "external":
        shutil.copytree(_told("HUB_TEST_KAFKA_AUTHORITY"), directory)
        return CertificateAuthority.load(directory)
    return CertificateAuthority.create(directory)


def start(directory: Path, make: Callable[[Path, CertificateAuthority], Kafka] = brokers) -> TestKafka:
    """Start one in `directory`."""
    authority = authority_for(directory / "authority")
    made = make(directory, authority)
    made.start()
    return TestKafka(directory, made, authority)


def fresh_namespace() -> str:
    """A namespace of its own for a test that shares the brokers with others."""
    return f"rehearsal-{secrets.token_hex(4)}"
