"""Several Kafka nodes on one machine: a cluster as a city runs it, on one disk and one processor.

Each node is a Java process of its own that is broker and controller, from the same jars, with a certificate of its own
(`broker-1` and so on) for clients, for the other brokers and for the controllers' quorum. To kill the active
controller is therefore to kill one of the brokers; to kill another broker takes a follower of the quorum away. Three
nodes go on with two: with one there is neither a quorum nor `min.insync.replicas`.

    <directory>/cluster.json     the cluster's id, and the ports of last time
    <directory>/broker-<n>/      a node's directory, as of one alone
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeVar

from broker import ports, storage
from broker.configuration import Member, NodeConfiguration
from broker.errors import BrokerPortTaken, NotSettled
from broker.exporter import Exporter
from broker.jars import jars_of
from broker.node import Node
from broker.probe import leads_quorum, look
from hub.crypto.certificates import CertificateAuthority, write_private

T = TypeVar("T")

SETTLE_SECONDS: Final = 60.0


class ClusterNode(Node):
    """One of several nodes; its ports are the cluster's affair."""

    def __init__(
        self,
        cluster: LocalCluster,
        node_id: int,
        authority: CertificateAuthority,
        *,
        heap: str,
        exporter: Exporter | None = None,
        lock: Path | None = None,
    ) -> None:
        """See `LocalCluster`, which makes them."""
        name = f"broker-{node_id}"
        super().__init__(cluster.directory / name, authority, name=name, heap=heap, exporter=exporter, lock=lock)
        self._cluster = cluster
        self._node_id = node_id

    @property
    def node_id(self) -> int:
        """Its number in the cluster, from 1."""
        return self._node_id

    def _choose_ports(self) -> None:
        own = self._cluster.member(self._node_id)
        for port in (own.client_port, own.controller_port):
            if not ports.is_free(port):
                raise BrokerPortTaken(f"({port})")
        self._take(own.client_port, own.controller_port)

    def _configuration(self) -> NodeConfiguration:
        return NodeConfiguration(
            self._cluster.member(self._node_id), self._cluster.super_users, members=self._cluster.members
        )

    def _new_cluster_id(self) -> str:
        return self._cluster.cluster_id


class LocalCluster:
    """`start` before use; `stop` flushes and keeps the data. Blocking, and for one thread at a time."""

    node_class: ClassVar[type[ClusterNode]] = ClusterNode

    def __init__(
        self,
        directory: Path,
        authority: CertificateAuthority,
        nodes: int = 3,
        *,
        super_users: Sequence[str] = ("admin",),
        heap: str = "384m",
        exporter: Callable[[str], Exporter] | None = None,
        lock: Path | None = None,
    ) -> None:
        """Prepare `nodes` nodes below `directory` whose certificates `authority` signs; nothing runs yet.

        `super_users` are principals beside the nodes; `heap` is Java's `-Xmx` of each; `exporter` makes, for a node's
        name, what shows its numbers to Prometheus; `lock` is as of `Node`, for each at its own start.
        """
        self.directory: Final = directory.resolve()
        self._jars_lock = lock
        self.nodes: Final = tuple(
            self.node_class(
                self,
                number,
                authority,
                heap=heap,
                exporter=None if exporter is None else exporter(f"broker-{number}"),
                lock=lock,
            )
            for number in range(1, nodes + 1)
        )
        self.super_users: Final = (*super_users, *(node.name for node in self.nodes))
        self._members: tuple[Member, ...] = ()

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>` of every node's mTLS listener, with commas."""
        return ",".join(member.client for member in self.members)

    @property
    def controllers(self) -> str:
        """`127.0.0.1:<port>` of every node's controller's listener, with commas."""
        return ",".join(member.controller for member in self.members)

    @property
    def members(self) -> tuple[Member, ...]:
        """The nodes as clients and the others reach them; they stay where they are while one of them runs."""
        if not self._members:
            known = self._known().get("ports", [])
            if len(known) == len(self.nodes):
                self._members = tuple(
                    Member(int(client), int(controller), node.node_id)
                    for node, (client, controller) in zip(self.nodes, known, strict=True)
                )
        return self._members

    @property
    def cluster_id(self) -> str:
        """Its id, made when first asked for."""
        known = self._known()
        if "cluster_id" not in known:
            self._remember(cluster_id=storage.new_cluster_id())
        return str(self._known()["cluster_id"])

    def member(self, node_id: int) -> Member:
        """One node as others reach it."""
        return self.members[node_id - 1]

    def start(self) -> None:
        """Start all nodes that do not run, together, and wait until each serves.

        Raises what `Node.start` does; then none runs that did not before.
        """
        waiting = [node for node in self.nodes if not node.running()]
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(node.needs_jars for node in waiting):
            jars_of(self._jars_lock)  # once, not by each at the same time
        if len(waiting) == len(self.nodes):
            self._choose_ports()
        assert self.cluster_id
        try:
            _together(waiting, ClusterNode.start)
        except BaseException:
            for node in waiting:
                node.kill()
            raise

    def stop(self) -> None:
        """Stop all in order, at once: one that stops alone hands over what it leads, the last cannot."""
        running = [node for node in self.nodes if node.running()]
        _together(running, ClusterNode.stop)

    def kill(self) -> None:
        """kill -9 of all, as a power cut would."""
        for node in self.nodes:
            node.kill()

    def freeze(self) -> None:
        """SIGSTOP of all: no broker answers anybody."""
        for node in self.nodes:
            node.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        for node in self.nodes:
            node.thaw()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def running(self) -> bool:
        """Whether every node's process lives."""
        return all(node.running() for node in self.nodes)

    def controller(self, seconds: float = SETTLE_SECONDS) -> ClusterNode:
        """The node that is the active controller, among those that answer. Raises NotSettled if there is none."""

        def found() -> ClusterNode | None:
            leading = [
                (epoch, node.node_id)
                for node in self._asked()
                if (epoch := leads_quorum(self.member(node.node_id).controller_port, node.identity)) is not None
            ]
            # one that was frozen may believe for a moment that it leads still
            return self.nodes[max(leading)[1] - 1] if leading else None

        return _until(found, seconds, "no active controller")

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until every node that runs is live for the others and, if all run, every copy is in sync.

        Raises NotSettled.
        """
        wanted = {node.node_id for node in self._asked()}

        def whole() -> bool:
            for node in self._asked():
                seen = look(self.member(node.node_id).client_port, node.identity)
                if seen is None or seen.live != wanted or (seen.behind and len(wanted) == len(self.nodes)):
                    return False
            return True

        _until(whole, seconds, "nodes or copies are missing")

    def _asked(self) -> list[ClusterNode]:
        return [node for node in self.nodes if node.running() and not node.frozen]

    def _choose_ports(self) -> None:
        """The ports of last time if all are free; else new ones for all. Nobody runs who could know the old ones."""
        taken = [port for each in self.members for port in (each.client_port, each.controller_port)]
        if not taken or not all(ports.is_free(port) for port in taken):
            taken = []
            for _ in range(2 * len(self.nodes)):
                taken.append(ports.choose(*taken))
            self._remember(ports=[taken[at : at + 2] for at in range(0, len(taken), 2)])
            self._members = ()

    def _known(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            said = json.loads((self.directory / "cluster.json").read_text())
            if isinstance(said, dict):
                return said
        return {}

    def _remember(self, **facts: object) -> None:
        write_private(self.directory / "cluster.json", json.dumps({**self._known(), **facts}).encode())


def _together(nodes: Sequence[ClusterNode], do: Callable[[ClusterNode], None]) -> None:
    """Do it to all at once; the first error counts, when all are done."""
    if nodes:
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(do, nodes))


def _until(found: Callable[[], T | None], seconds: float, what: str) -> T:
    deadline = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise NotSettled(f"({what} for {seconds:.0f} s)")
        time.sleep(0.1)
