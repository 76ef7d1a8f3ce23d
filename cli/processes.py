"""Starts each role as a process of its own, waits until all are ready, and stops them by pid.

A role process is given its own role directory, the brokers and the namespace; no other key is in reach
of its settings.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cli.home import Home
from monitoring.scraping import Answer, Scraper
from schemas.errors import HubError

_STOP_SECONDS = 20.0


class RoleDied(HubError):
    """A role process ended although nobody asked it to."""

    code = "cli.role-died"
    hint = "Its log is in the logs directory under HUB_HOME."


class RoleNotReady(HubError):
    """A role process did not become ready in time."""

    code = "cli.role-not-ready"
    hint = "Its /readyz names the condition that is missing; its log is in the logs directory under HUB_HOME."


@dataclass(slots=True)
class RoleProcess:
    """One running role."""

    name: str
    principal: str
    """whose certificate its endpoint shows"""
    process: subprocess.Popen[bytes]
    run_file: Path
    stderr: IO[bytes]
    scraper: Scraper
    metrics: str = ""

    def find_metrics(self) -> str:
        """The base URL of its endpoint, once it has said so; empty before. It has another one when it began anew."""
        try:
            said = json.loads(self.run_file.read_text())
        except (FileNotFoundError, ValueError):
            return self.metrics
        if said.get("pid") == self.process.pid:
            self.metrics = said["metrics"]
        return self.metrics

    def ready(self) -> bool:
        """Ask its /readyz."""
        url = self.find_metrics()
        return bool(url) and self.scraper.ok(f"{url}/readyz", self.principal)

    def scrape(self, page: str = "metrics", *, seconds: float = 5.0) -> Answer:
        """Ask its endpoint for a page, as the administrator. Raises OSError."""
        return self.scraper.get(f"{self.find_metrics()}/{page}", self.principal, seconds=seconds)


_OF_THE_WATCH = (
    *("HUB_PEERS", "HUB_BROKER_LOGS", "HUB_BROKER_LOGS_SECONDS", "HUB_TLOG_ADDRESS"),
    *("HUB_WATCH_BROKERS", "HUB_WATCH_PORTS", "HUB_WATCH_HERE", "HUB_WATCH_EXPECTED"),
)
_OF_THE_LOG = ("HUB_TLOG_ADDRESS", "HUB_TLOG_DIRECTORY", "HUB_TLOG_WITNESSES", "HUB_TLOG_SECONDS")


def role_environment(home: Home, principal: str, *, bootstrap: str, namespace: str, partitions: int) -> dict[str, str]:
    """The whole HUB_ environment of one role process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    own = _OF_THE_LOG if principal.startswith("audit-") else _OF_THE_WATCH if principal == "monitor" else ()
    names = ("HUB_TOPICS_FILE", "HUB_SERVICE_DAYS", "HUB_WATCH_SECONDS", *own)
    passed = {name: os.environ[name] for name in names if name in os.environ}
    if principal == "monitor" and home.broker_nodes:
        passed.setdefault("HUB_BROKER_LOGS", os.pathsep.join(str(node / "logs") for node in home.broker_nodes))
    families = ("HUB_OPERATIONS_", "HUB_ANALYSIS_") if principal == "analysis" else ("HUB_OPERATIONS_",)
    passed |= {name: value for name, value in os.environ.items() if name.startswith(families)}
    return {
        **kept,
        **passed,
        "HUB_ROLE_DIR": str(home.role(principal)),
        "HUB_BOOTSTRAP": bootstrap,
        "HUB_NAMESPACE": namespace,
        "HUB_PARTITIONS": str(partitions),
    }


class Roles:
    """The role processes of one hub."""

    def __init__(self, home: Home, *, bootstrap: str, namespace: str, partitions: int) -> None:
        """Remember where they belong; starts nothing."""
        self._home = home
        self._bootstrap = bootstrap
        self._namespace = namespace
        self._partitions = partitions
        self._scraper = home.scraper()
        self.running: dict[str, RoleProcess] = {}

    def start(
        self,
        name: str,
        principal: str,
        *command: str,
        directory: Path | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> RoleProcess:
        """Start `eltax-hub <command>` for one principal, in its role directory or in a `directory` like it.

        What it says on standard error is added to what those before it have said.
        """
        place = directory or self._home.role(principal)
        run_file = place / "state" / "run.json"
        run_file.unlink(missing_ok=True)
        stderr = (self._home.logs / f"{name}.stderr").open("ab")
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "cli", *command],
            env={
                **role_environment(
                    self._home,
                    principal,
                    bootstrap=self._bootstrap,
                    namespace=self._namespace,
                    partitions=self._partitions,
                ),
                "HUB_ROLE_DIR": str(place),
                "HUB_LOG_FILE": str(self._home.logs / f"{name}.jsonl"),
                "HUB_PARENT_PID": str(os.getpid()),
                **(extra or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C reaches only us; we stop them in order
        )
        started = RoleProcess(name, principal, process, run_file, stderr, self._scraper)
        self.running[name] = started
        return started

    def check(self) -> None:
        """Raise RoleDied if one has ended."""
        for role in self.running.values():
            status = role.process.poll()
            if status is not None:
                raise RoleDied(f"{role.name}, status {status}")

    def wait_ready(self, seconds: float, tell: Callable[[str, bool], None]) -> None:
        """Wait until all are ready; `tell(name, ready)` is called as each becomes so."""
        waiting = dict(self.running)
        deadline = time.monotonic() + seconds
        while waiting:
            self.check()
            for name in [name for name, role in waiting.items() if role.ready()]:
                del waiting[name]
                tell(name, True)
            if waiting and time.monotonic() > deadline:
                raise RoleNotReady(", ".join(waiting))
            if waiting:
                time.sleep(0.1)

    def stop(self, names: Collection[str] | None = None) -> dict[str, int]:
        """End them (all, or those named), politely first; returns each one's exit status."""
        ending = {name: role for name, role in self.running.items() if names is None or name in names}
        for role in ending.values():
            if role.process.poll() is None:
                role.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        statuses: dict[str, int] = {}
        for name, role in ending.items():
            try:
                statuses[name] = role.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                role.process.kill()
                statuses[name] = role.process.wait()
            role.stderr.close()
            del self.running[name]
        return statuses
