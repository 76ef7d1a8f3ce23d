"""The whole hub for tests, as `up` runs it: a broker of its own and every role a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.home import Home
from cli.processes import RoleProcess
from cli.stack import Stack
from tests.kafka import authority_for, brokers, brokers_here, fresh_namespace, kind

ENTRY = [sys.executable, "-m", "cli"]


class Hub:
    """A running hub and the commands that people use on it."""

    def __init__(self, stack: Stack) -> None:
        """Wrap a started stack."""
        self.stack = stack
        self.home = stack.home

    def environment(self, **more: str) -> dict[str, str]:
        """What a person's shell would have; no Java on the PATH."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "JAVA"))}
        of_hub = {"HUB_HOME": str(self.home.path), "HUB_NAMESPACE": self.stack.topology.namespace}
        return {**kept, "PATH": "/usr/bin:/bin", **of_hub, **more}

    def run(
        self, *arguments: str, stdin: bytes = b"", seconds: float = 120, **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        return subprocess.run(
            [*ENTRY, *arguments],
            input=stdin,
            capture_output=True,
            timeout=seconds,
            env=self.environment(**more),
            check=False,
        )

    def json(self, *arguments: str, stdin: bytes = b"", good: int = 0) -> list[dict[str, Any]]:
        """Run a command with --json and return its objects; its exit status must be `good`."""
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.returncode == good, (done.returncode, done.stdout[-2_000:], done.stderr[-2_000:])
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def submit(self, *documents: dict[str, Any]) -> list[dict[str, Any]]:
        """Submit documents as JSON Lines; all must be accepted or known."""
        lines = b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in documents)
        return self.json("submit", "-", stdin=lines)

    def stored(self, receipt: str) -> dict[str, Any]:
        """Wait until a submission is stored and confirmed at the review desk, and show it."""

        def there() -> dict[str, Any] | None:
            done = self.run("review", "show", receipt, "--json")
            if done.returncode:
                return None
            shown = json.loads(done.stdout.splitlines()[0])
            return shown if shown["confirmed"] else None

        return eventually(there, pause=1)

    def quiet(self, seconds: float = 90) -> None:
        """Wait until no desk has anything to send or to confirm and nothing has moved for a moment.

        Asks the processes for their numbers, which costs next to nothing; a reconciliation starts a process per role.
        """
        before: dict[str, float] = {}

        def still() -> bool:
            nonlocal before
            last, before = before, self.moving()
            waiting = sum(value for name, value in before.items() if "waiting" in name or "lag" in name)
            return last == before and not waiting

        eventually(still, seconds, pause=0.5)

    def moving(self) -> dict[str, float]:
        """Counters and gauges of what moves through the roles, by role and sample."""
        wanted = ("hub_router_events_total", "hub_consumer_", "hub_lag_records", "hub_review_decisions_told_total")
        found: dict[str, float] = {}
        for name, role in self.stack.roles.running.items():
            for line in metrics_of(role).splitlines():
                sample, _, value = line.rpartition(" ")
                if sample.startswith(wanted) and "_seconds" not in sample and "_created" not in sample:
                    found[f"{name} {sample}"] = float(value)
        return found

    def agreed(self, seconds: float = 90) -> dict[str, Any]:
        """Reconcile when all is quiet; again if something was still under way. It must agree in the end."""

        def whole() -> dict[str, Any] | None:
            self.quiet(seconds)
            done = self.run("reconcile", "--json", seconds=250)
            assert done.stdout, done.stderr[-3_000:].decode()
            said: dict[str, Any] = json.loads(done.stdout)
            if done.returncode == 0 and said["agreed"] and not said["unconfirmed"]:
                return said
            print(said)  # shown if the test fails in the end
            return None

        found: dict[str, Any] = eventually(whole, seconds, pause=1)
        return found


def metrics_of(role: RoleProcess) -> str:
    """What a role's process says on /metrics; nothing while it does not answer."""
    try:
        return role.scrape().body.decode()
    except OSError:
        return ""


def eventually(probe: Callable[[], Any], seconds: float = 60, *, pause: float = 0.2) -> Any:
    """Return the first truthy answer of a probe; fail after a while. A probe that starts a process wants a pause."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)


@contextmanager
def running(directory: Path, *, partitions: int = 3, broker_metrics: bool = False) -> Iterator[Hub]:
    """A hub in a fresh home, on the Kafka of HUB_TEST_KAFKA; with `broker_metrics`, the brokers are watched too."""
    home, foreign, namespace = Home(directory / "home"), kind() in ("containers", "external"), "rehearsal"
    if kind() == "external":
        home.prepare()
        authority_for(home.path / "authority")
        namespace = fresh_namespace()
    with Stack(
        home,
        namespace=namespace,
        partitions=partitions,
        brokers=brokers_here(),
        kafka=(lambda authority: brokers(home.path, authority)) if foreign else None,
        broker_metrics=broker_metrics,
    ) as stack:
        yield Hub(stack)
