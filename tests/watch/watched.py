"""A whole hub with a Prometheus that scrapes it, as a site would have them, and a portal that keeps filing.

Everything is real: the scrape configuration and rules of `monitoring.prometheus`, client certificates, the portal a
process of its own that reads filings from its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from broker.ports import choose
from cli.people import open_role
from hub.transport import BatchWriter, Outgoing
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.plain_yaml import dump
from monitoring.prometheus.rules import files, write
from monitoring.prometheus.scrape import Scraping, processes, scrape_configs, targets
from schemas.generator import generate
from tests.broker.hub import ENTRY, Hub, eventually, running
from tests.watch.servers import Prometheus, prometheus
from topics import names

PORTAL: Final = "portal"
_AT_ONCE: Final = 16
"""filings that are handed to the portal together"""


class Portal:
    """`submit -` as one long-lived process, as a portal's own integration would be."""

    def __init__(self, hub: Hub, port: int, log: Path) -> None:
        """Start it; it answers Prometheus on `port`."""
        self._killed = False
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [*ENTRY, "submit", "-", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=hub.environment(HUB_METRICS_PORT=str(port)),
        )

    def file(self, documents: Iterable[dict[str, Any]]) -> None:
        """Hand it filings; those that are malformed it refuses."""
        assert self._process.stdin is not None
        try:
            for document in documents:
                self._process.stdin.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            if not self._killed:
                raise

    @property
    def lives(self) -> bool:
        """Whether it still takes filings: after minutes without brokers it ends, and says so."""
        return self._process.poll() is None

    def kill(self) -> None:
        """kill -9: what it had to say is never said by this process."""
        self._killed = True
        self._process.kill()

    def end(self) -> None:
        """No more filings: it ends when all are acknowledged."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._log.close()


class Watched:
    """What the tests of the watch hold in their hands."""

    def __init__(self, hub: Hub, server: Prometheus, portal: Portal) -> None:
        """All three run."""
        self.hub = hub
        self.prometheus = server
        self.portal = portal
        self._stop = threading.Event()
        self._load: threading.Thread | None = None

    def file(self, count: int, seed: int) -> list[str]:
        """File artificial submissions of all procedures and tenants; return their receipt numbers."""
        tenants = [tenant.code for tenant in self.hub.stack.topology.tenants]
        documents = list(generate(seed, count, tenants, rehearsal=True))
        self.portal.file(documents)
        return [document["receipt_number"] for document in documents]

    def keep_filing(self, seed: int, *, every_seconds: float) -> None:
        """File 16 again and again in the background, until `rest`."""
        tenants = [tenant.code for tenant in self.hub.stack.topology.tenants]
        documents = generate(seed, 100_000, tenants, rehearsal=True)

        def work() -> None:
            while not self._stop.wait(every_seconds):
                self.portal.file(islice(documents, _AT_ONCE))

        self._load = threading.Thread(target=work, name="load")
        self._load.start()

    def rest(self) -> None:
        """End the load."""
        self._stop.set()
        if self._load is not None:
            self._load.join()

    def garbage(self, value: bytes) -> None:
        """Write a record on the submissions topic as a portal that has lost its mind: a dead letter."""

        async def written() -> None:
            role = open_role(self.hub.home, PORTAL)
            async with BatchWriter(role.endpoint) as writer:
                await writer.write(names.submissions(role.namespace), 1, [Outgoing(b"k", value)])

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HUB_HOME", str(self.hub.home.path))
            asyncio.run(written())


@contextmanager
def watched(directory: Path, *, interval_seconds: int = 1) -> Iterator[Watched]:
    """Start everything; Prometheus scrapes each second and has all rules."""
    with running(directory / "hub", broker_metrics=True) as hub:
        port = choose()
        # as a site runs it beside the roles of `up`
        analysis = hub.stack.roles.start("analysis", "analysis", "monitor", "analyse")
        eventually(analysis.find_metrics, 60)
        about = hub.stack.describe()
        endpoints = {**about.metrics, **about.broker_metrics}
        aims = directory / "targets.json"
        aims.write_text(targets({**endpoints, PORTAL: f"https://127.0.0.1:{port}/metrics"}), encoding="utf-8")
        certificates = hub.home.certificates
        scraping = Scraping(
            principals=processes(hub.stack.topology),
            targets=aims,
            certificate=certificates / "prometheus.crt",
            private_key=certificates / "prometheus.key",
            ca=certificates / "ca.crt",
            broker_password=hub.home.broker_password,
            interval_seconds=interval_seconds,
        )
        write(directory / "rules", files(Limits.packaged(), every=f"{interval_seconds}s"))
        configuration = dump(
            {
                "global": {"scrape_interval": f"{interval_seconds}s"},
                "rule_files": [str(directory / "rules" / "*.yaml")],
                "scrape_configs": scrape_configs(scraping),
            }
        )
        with prometheus(directory / "prometheus", configuration) as server:
            portal = Portal(hub, port, directory / "portal.stderr")
            found = Watched(hub, server, portal)
            try:
                yield found
            finally:
                found.rest()
                portal.end()
