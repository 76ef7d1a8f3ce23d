"""A real Kafka for tests: one embedded node per test process, its authority, and identities on demand."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from broker.node import EmbeddedKafka
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate


@dataclass(slots=True)
class TestKafka:
    """The node and the authority that its clients' certificates come from."""

    __test__ = False

    directory: Path
    node: EmbeddedKafka
    authority: CertificateAuthority
    _identities: dict[str, IssuedCertificate] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>`."""
        return self.node.bootstrap

    def identity(self, principal: str) -> IssuedCertificate:
        """The client certificate of a principal, issued when first asked for."""
        if principal not in self._identities:
            self._identities[principal] = self.authority.issue(principal, self.directory / "certificates")
        return self._identities[principal]


def start(directory: Path) -> TestKafka:
    """Start a node in `directory`."""
    authority = CertificateAuthority.create(directory / "authority")
    node = EmbeddedKafka(directory / "broker", authority)
    node.start()
    return TestKafka(directory, node, authority)


def fresh_namespace() -> str:
    """A namespace of its own for a test that shares the node with others."""
    return f"rehearsal-{secrets.token_hex(4)}"
