"""A real Prometheus and a real Alertmanager for tests: Debian's packages, on free ports, killed by pid.

`with prometheus(directory, configuration) as server:` and `with alertmanager(directory, configuration) as server:`.
What a server said is kept in `<directory>/<name>.log` and shown when it does not start. Both end with the test
process at the latest: they stay in its process group, which tests/run.py kills as a whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from broker.ports import choose

PROMETHEUS: Final = "prometheus"
PROMTOOL: Final = "promtool"
ALERTMANAGER: Final = "prometheus-alertmanager"
AMTOOL: Final = "amtool"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0


def need(*tools: str) -> None:
    """Skip the test (or, called at a module's top, the module) where a tool is missing; in CI that is a failure."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if not missing:
        return
    said = f"there is no {' and no '.join(missing)} here (Debian: apt install prometheus prometheus-alertmanager)"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said, allow_module_level=True)


def tool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool or amtool to its end; what it said stands in stdout and stderr."""
    need(str(command[0]))
    return subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=170, check=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a range query: (Unix time, value) in order."""

    labels: Mapping[str, str]
    values: tuple[tuple[float, float], ...]


class QueryRefused(Exception):
    """The server answered a request with an error; its words are the message."""


class Server:
    """A started server: its address, process and log."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path, tls: ssl.SSLContext | None) -> None:
        """Wrap what runs."""
        self.url = url
        self.process = process
        self.log = log
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=tls)] if tls else [])
        )

    @property
    def address(self) -> str:
        """`127.0.0.1:<port>`, as a configuration names a target."""
        return self.url.partition("//")[2]

    def ask(self, path: str, parameters: Mapping[str, str | float] | None = None, *, post: bytes | None = None) -> Any:
        """Return what the server answers: JSON read, anything else as text. QueryRefused if it is an error."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        request = urllib.request.Request(f"{self.url}{path}{query}", data=post)
        if post:
            request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=20) as answer:
                body = answer.read()
                kind = answer.headers.get("Content-Type", "")
        except urllib.error.HTTPError as refused:
            with refused:
                raise QueryRefused(f"{refused.code} {path}{query}: {refused.read().decode()}") from None
        return json.loads(body) if "json" in kind else body.decode()

    def ready(self) -> bool:
        """Whether it says that it is; it answers 503 while it reads its data."""
        with contextlib.suppress(QueryRefused):
            return bool(self.ask("/-/ready"))
        return False

    def said(self, characters: int = 4_000) -> str:
        """The end of its log, for a failure's message."""
        return self.log.read_text(errors="replace")[-characters:]

    def stop(self) -> None:
        """End it, politely first."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def eventually(self, probe: Callable[[], Any], seconds: float, what: str, seen: Callable[[], object] = str) -> Any:
        """Return the first truthy answer of a probe; fail with what was `seen` last and the end of the log.

        A refused query fails at once.
        """
        deadline = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, f"it ended: {self.said()}"
            found = None
            with contextlib.suppress(OSError):
                found = probe()
            if found:
                return found
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds:g} s: {what} {seen()}\n{self.said()}")
            time.sleep(0.2)


class Prometheus(Server):
    """A running Prometheus and what tests ask of it."""

    def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """Execute an instant query; a scalar is one sample without labels. QueryRefused for a bad expression."""
        data = self.ask("/api/v1/query", {"query": expression, **({} if at is None else {"time": at})})["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(each["metric"], float(each["value"][1])) for each in data["result"]]

    def range(self, expression: str, start: float, end: float, step: float = 1.0) -> list[Series]:
        """Execute a range query; times are Unix times, the step in seconds."""
        said = self.ask("/api/v1/query_range", {"query": expression, "start": start, "end": end, "step": step})
        return [
            Series(each["metric"], tuple((float(at), float(value)) for at, value in each["values"]))
            for each in said["data"]["result"]
        ]

    def until(
        self,
        expression: str,
        seconds: float = 60,
        *,
        holds: Callable[[list[Sample]], bool] = bool,
    ) -> list[Sample]:
        """Wait until an expression returns data (or data that `holds`), and return it."""
        found: list[Sample] = []

        def there() -> bool:
            nonlocal found
            found = self.query(expression)
            return holds(found)

        self.eventually(there, seconds, expression, lambda: f"; the last answer was {found}")
        return found

    def until_empty(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression returns nothing."""
        self.until(expression, seconds, holds=lambda found: not found)

    def targets(self) -> dict[str, str]:
        """Health (`up`, `down`, `unknown`) of each active target by its scrape URL."""
        active = self.ask("/api/v1/targets", {"state": "active"})["data"]["activeTargets"]
        return {each["scrapeUrl"]: each["health"] for each in active}

    def alerts(self, name: str = "") -> list[dict[str, Any]]:
        """Pending and firing alerts as the API shows them, all or those of one name."""
        found = self.ask("/api/v1/alerts")["data"]["alerts"]
        return [each for each in found if not name or each["labels"]["alertname"] == name]

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        return {each["labels"]["alertname"] for each in self.alerts() if each["state"] == "firing"}

    def rules(self) -> list[dict[str, Any]]:
        """All rules that are loaded, with `health` and `lastError`."""
        return [rule for group in self.ask("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    def reload(self) -> None:
        """Take the configuration anew; QueryRefused with Prometheus' reason if it cannot."""
        self.ask("/-/reload", post=b"")


class Alertmanager(Server):
    """A running Alertmanager and what tests ask of it."""

    def alerts(self, **parameters: str) -> list[dict[str, Any]]:
        """Alerts as API v2 shows them: labels, annotations, status.state, status.inhibitedBy, receivers."""
        found: list[dict[str, Any]] = self.ask("/api/v2/alerts", dict(parameters))
        return found

    def post(self, *alerts: Mapping[str, Any]) -> None:
        """Hand it alerts as Prometheus does."""
        self.ask("/api/v2/alerts", post=json.dumps(list(alerts)).encode())

    def reload(self) -> None:
        """Take the configuration anew; QueryRefused with its reason if it cannot."""
        self.ask("/-/reload", post=b"")


@contextmanager
def prometheus(
    directory: Path,
    configuration: str | Path,
    *,
    port: int | None = None,
    web_config: Path | None = None,
    tls: ssl.SSLContext | None = None,
    arguments: tuple[str, ...] = (),
) -> Iterator[Prometheus]:
    """A Prometheus with its data in `directory`.

    `configuration` is the text of prometheus.yml or the path of one (relative names in it are relative to the file).
    `web_config` is its own TLS configuration; `tls` is then what our queries connect with.
    """
    need(PROMETHEUS)
    directory.mkdir(parents=True, exist_ok=True)
    port = port or choose()
    command = (
        *(PROMETHEUS, f"--config.file={_written(directory / 'prometheus.yml', configuration)}"),
        *(f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
        # what fires before the Alertmanager is discovered (5 s) is told again soon, not after a minute
        *("--web.enable-lifecycle", "--rules.alert.resend-delay=1s", *arguments),
        *([f"--web.config.file={web_config}"] if web_config else []),
    )
    with _started(directory / "prometheus.log", command) as (process, log):
        server = Prometheus(f"{'https' if web_config else 'http'}://127.0.0.1:{port}", process, log, tls)
        server.eventually(server.ready, _START_SECONDS, "ready")
        yield server


@contextmanager
def alertmanager(
    directory: Path,
    configuration: str | Path,
    *,
    port: int | None = None,
    web_config: Path | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Alertmanager]:
    """An Alertmanager of its own, no cluster; arguments as for `prometheus`."""
    need(ALERTMANAGER)
    directory.mkdir(parents=True, exist_ok=True)
    port = port or choose()
    command = (
        *(ALERTMANAGER, f"--config.file={_written(directory / 'alertmanager.yml', configuration)}"),
        *(f"--storage.path={directory / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
        *("--cluster.listen-address=", *([f"--web.config.file={web_config}"] if web_config else [])),
    )
    with _started(directory / "alertmanager.log", command) as (process, log):
        server = Alertmanager(f"{'https' if web_config else 'http'}://127.0.0.1:{port}", process, log, tls)
        server.eventually(server.ready, _START_SECONDS, "ready")
        yield server


def _written(into: Path, configuration: str | Path) -> Path:
    if isinstance(configuration, Path):
        return configuration
    into.write_text(configuration)
    return into


@contextmanager
def _started(log: Path, command: tuple[str, ...]) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    with log.open("ab") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
