"""A hub of artificial tenants to measure on: home, keys, an embedded Kafka, topics and rights; no process yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.artificial import declared
from benchmarks.tenants import NAMESPACE, now
from broker.embedded import EmbeddedKafka
from cli.home import Home
from hub.applying import Wanted, admin_endpoint, apply
from hub.crypto.certificates import CertificateAuthority
from hub.enrolment import enrol
from hub.loop import loop_run
from hub.role import Role, load_role
from hub.settings import RoleSettings

_INSTANCES: Final = "instances: [router-1, router-2]"


class Ground:
    """`with Ground(…) as ground`: everything is made in a directory of its own and removed at the end."""

    def __init__(self, tenants: int, partitions: int, directory: Path | None, *, heap: str = "1g") -> None:
        """Nothing is made before entering."""
        self.tenants = tenants
        self.partitions = partitions
        self.path = Path(tempfile.mkdtemp(prefix="eltax-hub-bench-", dir=directory))
        self.home = Home(self.path / "home")
        self._heap = heap
        self._node: EmbeddedKafka | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Make it."""
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        return self

    def _make(self) -> None:
        self.home.prepare()
        text = declared(self.tenants).replace(_INSTANCES, "instances: [router-1, router-2, router-3]")
        wanted = Wanted.of(text, NAMESPACE, self.partitions)
        authority = CertificateAuthority.create(self.home.path / "authority")
        enrol(self.home.path, wanted.topology, authority, now=now())
        self._node = EmbeddedKafka(self.home.path / "kafka", authority, heap=self._heap)
        self._node.start()
        done = loop_run(apply(self.home.path, wanted, authority, admin_endpoint(self.home.path, self.bootstrap), now))
        if not done.left.empty:
            raise RuntimeError(f"{len(done.left.steps)} steps are left")

    @property
    def bootstrap(self) -> str:
        """Where the broker is."""
        assert self._node is not None
        return self._node.bootstrap

    def role(self, principal: str) -> Role:
        """A principal of this hub, for this process."""
        return load_role(
            RoleSettings(
                role_dir=self.home.role(principal),
                bootstrap=self.bootstrap,
                namespace=NAMESPACE,
                partitions=self.partitions,
            )
        )

    def router(self, number: int) -> subprocess.Popen[bytes]:
        """Start a router as a process, with a copy of the role directory as on another host."""
        directory = self.path / f"host-{number}-{len(self._workers)}" / "router"
        shutil.copytree(self.home.role("router"), directory)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | {
            "HUB_ROLE_DIR": str(directory),
            "HUB_BOOTSTRAP": self.bootstrap,
            "HUB_NAMESPACE": NAMESPACE,
            "HUB_PARTITIONS": str(self.partitions),
            "HUB_INSTANCE": f"router-{number}",
            "HUB_PARENT_PID": str(os.getpid()),
            "HUB_WATCH_SECONDS": "0",
            "HUB_LOG_FILE": str(directory / "log.jsonl"),
        }
        started = subprocess.Popen(
            [sys.executable, "-m", "cli", "route"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._workers.append(started)
        return started

    def close(self) -> None:
        """Stop what was started; remove all of it."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.terminate()
                try:
                    worker.wait(20)
                except subprocess.TimeoutExpired:
                    worker.kill()
                    worker.wait()
        if self._node is not None:
            self._node.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
