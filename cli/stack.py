"""The whole hub on one machine, as `up` and `demo` run it: broker, topology, keys, and a process per role."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from broker.embedded import Kafka
from cli.brokers import here
from cli.home import Home, NoHub, Running
from cli.processes import RoleDied, Roles
from hub.applying import Applied, Wanted, admin_endpoint, apply, last_applied, last_published
from hub.crypto.certificates import CertificateAuthority
from hub.enrolment import enrol
from hub.shut_out_book import shut_out_at
from hub.standing import DECLARATION
from hub.transport import Endpoint
from schemas.errors import HubError
from topics.declaration import read
from topics.errors import GenerationChanged
from topics.layout import Topology
from topics.plan import tenants_removed

READY_SECONDS: Final = 90.0


class AlreadyUp(HubError):
    """A hub is running in this home already."""

    code = "cli.already-up"
    hint = "Use it, or stop it with Ctrl-C where it runs; another one needs another HUB_HOME."


class TopologyDiffers(HubError):
    """The broker did not take on the declared topology."""

    code = "cli.topology"
    hint = "`eltax-hub topics plan` shows what is left."


class NoSuchBroker(HubError):
    """This hub has no broker of that name."""

    code = "cli.no-such-broker"


Tell = Callable[[str], None]


class Stack:
    """`with Stack(home, ...) as stack`: everything started and ready; on leaving, everything stopped by pid."""

    def __init__(
        self,
        home: Home,
        *,
        namespace: str,
        partitions: int | None = None,
        topics_file: Path | None = None,
        brokers: int | None = None,
        kafka: Callable[[CertificateAuthority], Kafka] | None = None,
        broker_metrics: bool = True,
        analysis: bool = False,
        tell: Tell = lambda _: None,
    ) -> None:
        """Nothing is started before entering; `tell` hears of each step.

        `brokers` is the number of Kafka nodes, by default as many as the home has, one in a new home; `kafka` makes,
        with the home's authority, another Kafka than one of this home. `broker_metrics` has the home's brokers show
        their numbers to Prometheus, which costs the start of each half a second;
        `analysis` runs the periodic analysis of the operations log beside the rest.
        """
        self.home = home
        self._wanted = Wanted.of(read(home.declared_in(topics_file)), namespace, partitions)
        self._tell = tell
        self._analysis = analysis
        self._made_by = kafka or (lambda authority: here(home, authority, brokers, metrics=broker_metrics))
        self._kafka: Kafka | None = None
        self._roles: Roles | None = None
        self._published = b""
        self._starting: list[str] = []
        self._out: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Start. Raises AlreadyUp, ForeignHome, JarsUnavailable, BrokerFailed, RoleDied, RoleNotReady and others."""
        try:
            self.home.running()
        except NoHub:
            pass
        else:
            raise AlreadyUp(str(self.home.path))
        self.home.prepare()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self.stop()

    @property
    def topology(self) -> Topology:
        """What this hub serves now."""
        return self._wanted.topology

    @property
    def kafka(self) -> Kafka:
        """The brokers."""
        assert self._kafka is not None
        return self._kafka

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses."""
        return self.kafka.bootstrap

    @property
    def roles(self) -> Roles:
        """The running role processes."""
        assert self._roles is not None
        return self._roles

    def admin(self) -> Endpoint:
        """The administrator's endpoint."""
        return admin_endpoint(self.home.path, self.bootstrap)

    def _start(self) -> None:
        directory = self.home.path / "authority"
        authority = (
            CertificateAuthority.load(directory)
            if (directory / "ca.crt").exists()
            else CertificateAuthority.create(directory)
        )
        self._tell("keys and certificates")
        self._begin_with()
        enrol(self.home.path, self.topology, authority, now=datetime.now(UTC))
        self._tell("Apache Kafka")
        self._kafka = self._made_by(authority)
        self._kafka.start()
        self._tell("topics and rights")
        try:
            done = self._apply(authority)
        except GenerationChanged:
            published = asyncio.run(last_published(self.home.path, self.admin(), self.topology.namespace))
            if published is None or published.topology.generation < self.topology.generation:
                raise
            self._tell("the topics have grown: `eltax-hub topics grow` once more writes it where it is declared")
            self._wanted = published
            done = self._apply(authority)
        if not done.left.empty:
            raise TopologyDiffers(f"{len(done.left.steps)} steps")
        self._published = self._declaration()
        self._tell("roles")
        self._start_roles()

    def _apply(self, authority: CertificateAuthority) -> Applied:
        return asyncio.run(apply(self.home.path, self._wanted, authority, self.admin(), lambda: datetime.now(UTC)))

    def _begin_with(self) -> None:
        """Take what is declared, unless it takes a tenant away: that only `topics apply` does, while we run."""
        applied = last_applied(self.home.path)
        if applied is None:
            return
        removed = tenants_removed(applied.topology, self.topology)
        if removed:
            codes = ", ".join(each.code for each in removed)
            self._tell(f"{codes} declared no more, still served: `eltax-hub topics plan` shows what `apply` would do")
            self._wanted = applied

    def _declaration(self) -> bytes:
        path = self.home.path / DECLARATION
        return path.read_bytes() if path.exists() else b""

    def follow(self) -> None:
        """See whether a declaration was applied or a role shut out; start the roles that came, stop those that left.

        Nobody else waits until the new ones are ready. Raises DeclarationRefused.
        """
        ready = [name for name in self._starting if self.roles.running[name].ready()]
        if ready:
            self._starting = [name for name in self._starting if name not in ready]
            self._tell(f"ready: {', '.join(ready)}")
            self.home.announce(self.describe())
        self._follow_shut_out()
        published = self._declaration()
        if published == self._published:
            return
        self._published = published
        found = last_applied(self.home.path, DECLARATION)
        if found is None:
            return
        before, generations = _desks(self.topology), self.topology.generations
        self._wanted = found
        if found.topology.generations != generations:  # the roles begin anew by themselves, and tell new addresses
            self._tell(f"generation {found.topology.generation} of the topics")
            self._starting += [name for name in self.roles.running if name not in self._starting]
        after = _desks(self.topology)
        gone = [name for name in before if name not in after]
        if gone:
            self.roles.stop(gone)
            self._tell(f"stopped: {', '.join(gone)}")
        new = [name for name in after if name not in before and name not in self._out]
        for name in new:
            self._start_role(name)
        self._starting = [name for name in self._starting if name in after] + new
        self.home.announce(self.describe())

    def _follow_shut_out(self) -> None:
        """A role that is shut out would end anyway, as one that failed; who is let in begins again."""
        if self._roles is None:
            return
        out = frozenset(shut_out_at(self.home.path))
        gone = [name for name in self.roles.running if name in out]
        back = [name for name in self._of_ours() if name in self._out - out]
        self._out = out
        if gone:
            self.roles.stop(gone)
            self._tell(f"stopped, for they are shut out: {', '.join(gone)}")
        for name in back:
            self._start_role(name)
        self._starting = [name for name in self._starting if name not in out] + back
        if gone or back:
            self.home.announce(self.describe())

    def check(self) -> None:
        """Raise RoleDied if a role has ended that nobody asked to, and that was not shut out."""
        try:
            self.roles.check()
        except RoleDied:
            self._follow_shut_out()
            self.roles.check()

    def restart_broker(self, name: str) -> None:
        """Stop a node in order, so that others lead what it led, and start it; or start it, if it has ended.

        It reads what there is now: jars, certificates, authorities. Blocks meanwhile. Raises NoSuchBroker, and what
        `Node.start` does: before anything is stopped if its jars cannot be had.
        """
        node = next((each for each in self.kafka.nodes if each.name == name), None)
        if node is None:
            raise NoSuchBroker(f"({name})")
        node.jars()
        node.certify_by(CertificateAuthority.load(self.home.path / "authority"))
        self._tell(f"{name} is restarted")
        node.stop()
        try:
            node.start()
        finally:
            self.home.announce(self.describe())
        self._tell(f"{name} is back")

    def _of_ours(self) -> list[str]:
        return ["router", *_desks(self.topology), "monitor", *(["analysis"] if self._analysis else [])]

    def _start_role(self, name: str) -> None:
        commands = {"router": ("route",), "monitor": ("monitor",), "analysis": ("monitor", "analyse")}
        command = commands.get(name, ("consume", name.partition("-")[0]))
        if name == "monitor":
            where = {"HUB_WATCH_TARGETS": str(self.home.targets), "HUB_WATCH_ALSO": self.kafka.controllers}
            self.roles.start(name, name, *command, extra=where)
        else:
            self.roles.start(name, name, *command)

    def _start_roles(self) -> None:
        self._roles = Roles(
            self.home,
            bootstrap=self.bootstrap,
            namespace=self.topology.namespace,
            partitions=self.topology.partitions,
        )
        self._out = frozenset(shut_out_at(self.home.path))
        for name in self._of_ours():
            if name not in self._out:
                self._start_role(name)
        self._roles.wait_ready(READY_SECONDS, lambda name, _: self._tell(f"{name} is ready"))
        self.home.announce(self.describe())

    def describe(self) -> Running:
        """What `up --json` says."""
        return Running(
            bootstrap=self.bootstrap,
            home=str(self.home.path),
            certificates=str(self.home.certificates),
            namespace=self.topology.namespace,
            partitions=self.topology.partitions,
            topics=[topic.name for topic in self.topology.topics],
            metrics={name: f"{role.metrics}/metrics" for name, role in self.roles.running.items() if role.metrics},
            broker_metrics={node.name: node.metrics for node in self.kafka.nodes if node.metrics},
            pids={
                "up": os.getpid(),
                **{node.name: node.pid for node in self.kafka.nodes},
                **{name: role.process.pid for name, role in self.roles.running.items()},
            },
            controller=self.kafka.controllers,
        )

    def stop_roles(self) -> dict[str, int]:
        """Stop the role processes and return their exit statuses; the broker stays up."""
        return self._roles.stop() if self._roles is not None else {}

    def stop(self) -> None:
        """Stop everything that was started; may be called again."""
        self.home.withdraw()
        if self._roles is not None:
            self._roles.stop()
        if self._kafka is not None:
            self._kafka.stop()


def _desks(topology: Topology) -> list[str]:
    return [f"{kind}-{tenant.code}" for tenant in topology.tenants for kind in ("review", "helpdesk", "audit")]
