"""A Kafka as a hub has it, and the one of a single node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from broker import ports, storage
from broker.configuration import Member, NodeConfiguration
from broker.errors import BrokerPortTaken
from broker.exporter import Exporter
from broker.node import Node
from hub.crypto.certificates import CertificateAuthority


class Kafka(Protocol):
    """What one node and several have in common: where they are, and that they start and end together."""

    @property
    def bootstrap(self) -> str:
        """`<host>:<port>[,<host>:<port>…]` of the mTLS listeners."""

    @property
    def controllers(self) -> str:
        """`<host>:<port>[,<host>:<port>…]` of the controllers' listeners."""

    @property
    def nodes(self) -> Sequence[Node]:
        """Every node."""

    def start(self) -> None:
        """Start what does not run."""

    def stop(self) -> None:
        """Stop in order."""

    def kill(self) -> None:
        """kill -9."""

    def freeze(self) -> None:
        """SIGSTOP."""

    def thaw(self) -> None:
        """SIGCONT."""


class EmbeddedKafka(Node):
    """A cluster of one node, for trials."""

    def __init__(
        self,
        directory: Path,
        authority: CertificateAuthority,
        *,
        super_users: Sequence[str] = ("admin",),
        client_port: int = 0,
        heap: str = "512m",
        exporter: Exporter | None = None,
        lock: Path | None = None,
    ) -> None:
        """Prepare a node in `directory` whose certificate `authority` signs; nothing runs yet.

        `super_users` are principals beside the node itself; `client_port` 0 takes that of last time or a free one;
        `heap` is Java's `-Xmx`; `exporter` shows the node's numbers to Prometheus; `lock` is as of `Node`.
        """
        super().__init__(directory, authority, name="broker", heap=heap, exporter=exporter, lock=lock)
        self._super_users = (*super_users, self.name)
        self._wanted_port = client_port

    @property
    def nodes(self) -> tuple[Node, ...]:
        """This one."""
        return (self,)

    @property
    def controllers(self) -> str:
        """`127.0.0.1:<port>` of the controller's listener."""
        return self.controller

    def _choose_ports(self) -> None:
        """The ports of last time if they are free, so that clients find the node again; else new ones."""
        known = self._known()
        client, controller = self._wanted_port or known.get("client_port", 0), known.get("controller_port", 0)
        if self._wanted_port and not ports.is_free(self._wanted_port):
            raise BrokerPortTaken(f"({self._wanted_port})")
        if not client or not ports.is_free(client):
            client = ports.choose()
        if not controller or not ports.is_free(controller) or controller == client:
            controller = ports.choose(client)
        self._take(client, controller)

    def _configuration(self) -> NodeConfiguration:
        return NodeConfiguration(Member(self._ports[0], self._ports[1]), self._super_users)

    def _new_cluster_id(self) -> str:
        return storage.new_cluster_id()
