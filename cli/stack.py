"""The whole hub on one machine, as `up` and `demo` run it: broker, topology, keys, and a process per role."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from broker.node import EmbeddedKafka
from cli.home import Home, NoHub, Running
from cli.processes import Roles
from hub.crypto.certificates import CertificateAuthority
from hub.enrolment import Enrolled, enrol, publish_audience_keys
from hub.transport import Endpoint, TlsIdentity
from hub.transport.admin import Admin
from schemas.errors import HubError
from topics.declaration import load
from topics.layout import Topology, expand
from topics.plan import plan

READY_SECONDS: Final = 90.0


class AlreadyUp(HubError):
    """A hub is running in this home already."""

    code = "cli.already-up"
    hint = "Use it, or stop it with Ctrl-C where it runs; another one needs another HUB_HOME."


class TopologyDiffers(HubError):
    """The broker did not take on the declared topology."""

    code = "cli.topology"
    hint = "`eltax-hub topics plan` shows what is left."


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
        tell: Tell = lambda _: None,
    ) -> None:
        """Nothing is started before entering; `tell` hears of each step."""
        self.home = home
        self.topology: Topology = expand(load(topics_file), namespace, partitions=partitions)
        self._tell = tell
        self._node: EmbeddedKafka | None = None
        self._roles: Roles | None = None

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
    def bootstrap(self) -> str:
        """The brokers' address."""
        assert self._node is not None
        return self._node.bootstrap

    @property
    def roles(self) -> Roles:
        """The running role processes."""
        assert self._roles is not None
        return self._roles

    def admin(self) -> Endpoint:
        """The administrator's endpoint."""
        directory = self.home.role("admin")
        tls = TlsIdentity(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")
        return Endpoint(self.bootstrap, tls, "admin")

    def _start(self) -> None:
        directory = self.home.path / "authority"
        authority = (
            CertificateAuthority.load(directory)
            if (directory / "ca.crt").exists()
            else CertificateAuthority.create(directory)
        )
        self._tell("keys and certificates")
        enrolled = enrol(self.home.path, self.topology, authority, now=datetime.now(UTC))
        self._tell("Apache Kafka")
        self._node = EmbeddedKafka(self.home.broker, authority)
        self._node.start()
        self._tell("topics and rights")
        asyncio.run(self._apply(enrolled))
        self._tell("roles")
        self._start_roles()

    async def _apply(self, enrolled: Enrolled) -> None:
        async with Admin(self.admin()) as admin:
            await admin.execute(plan(await admin.current(self.topology), self.topology))
            left = await admin.settle(self.topology)
            if not left.empty:
                raise TopologyDiffers(f"{len(left.steps)} steps")
        await publish_audience_keys(self.bootstrap, self.home.path, self.topology, enrolled)

    def _start_roles(self) -> None:
        self._roles = Roles(
            self.home,
            bootstrap=self.bootstrap,
            namespace=self.topology.namespace,
            partitions=self.topology.partitions,
        )
        self._roles.start("router", "router", "route")
        for tenant in self.topology.tenants:
            for kind in ("review", "helpdesk", "audit"):
                self._roles.start(f"{kind}-{tenant.code}", f"{kind}-{tenant.code}", "consume", kind)
        self._roles.start("monitor", "monitor", "watch")
        self._roles.wait_ready(READY_SECONDS, lambda name, _: self._tell(f"{name} is ready"))
        self.home.announce(self.describe())

    def describe(self) -> Running:
        """What `up --json` says."""
        assert self._node is not None
        return Running(
            bootstrap=self.bootstrap,
            home=str(self.home.path),
            certificates=str(self.home.certificates),
            namespace=self.topology.namespace,
            partitions=self.topology.partitions,
            topics=[topic.name for topic in self.topology.topics],
            metrics={name: f"{role.metrics}/metrics" for name, role in self.roles.running.items()},
            pids={
                "up": os.getpid(),
                "broker": self._node.pid,
                **{name: role.process.pid for name, role in self.roles.running.items()},
            },
        )

    def stop_roles(self) -> dict[str, int]:
        """Stop the role processes and return their exit statuses; the broker stays up."""
        return self._roles.stop() if self._roles is not None else {}

    def stop(self) -> None:
        """Stop everything that was started; may be called again."""
        self.home.withdraw()
        if self._roles is not None:
            self._roles.stop()
        if self._node is not None:
            self._node.stop()
