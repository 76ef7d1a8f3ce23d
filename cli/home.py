"""Where a hub of this machine lives: the layout under HUB_HOME, and what runs there now."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import HubError

if TYPE_CHECKING:
    from monitoring.scraping import Scraper

LAYOUT = "1"


class NoHub(HubError):
    """No hub is running here."""

    code = "cli.no-hub"
    hint = "Start one with `eltax-hub up`, or point HUB_HOME to where one runs."


class ForeignHome(HubError):
    """This directory was not made by this version of eltax-hub."""

    code = "cli.foreign-home"
    hint = "Choose another HUB_HOME; nothing here was touched."


@dataclass(frozen=True, slots=True)
class Running:
    """What `up` says of the hub it started, as one JSON object; kept in run/hub.json while it is up."""

    bootstrap: str
    home: str
    certificates: str
    namespace: str
    partitions: int
    topics: list[str]
    metrics: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)
    broker_metrics: Mapping[str, str] = field(default_factory=dict)
    controller: str = ""
    elsewhere: bool = False
    """brokers and roles are run by somebody else, as by containers: no process here says whether they are up"""


@dataclass(frozen=True, slots=True)
class Home:
    """The directory HUB_HOME and the names inside it."""

    path: Path

    @property
    def layout(self) -> Path:
        """The file that says which layout this is."""
        return self.path / "layout"

    @property
    def certificates(self) -> Path:
        """`<principal>.crt`, `<principal>.key`, `ca.crt`: for people and other Kafka clients."""
        return self.path / "certificates"

    @property
    def logs(self) -> Path:
        """One file of JSON lines per process."""
        return self.path / "logs"

    @property
    def broker(self) -> Path:
        """The embedded node's data, kept between starts."""
        return self.path / "broker"

    @property
    def brokers(self) -> Path:
        """The same of several nodes, below it one directory for each."""
        return self.path / "brokers"

    @property
    def broker_nodes(self) -> list[Path]:
        """The directories of the nodes that were started here: one alone, or several."""
        return [self.broker] if self.broker.is_dir() else sorted(self.brokers.glob("broker-*"))

    @property
    def kafka_jars(self) -> Path:
        """Pins the jars of another Kafka for the nodes of this home, if the file is there when one is started."""
        return self.path / "kafka-jars.json"

    @property
    def broker_password(self) -> Path:
        """The file with the password of the brokers' exporters, for the user `prometheus`."""
        return (self.broker_nodes or [self.broker])[0] / "config" / "scrape.password"

    @property
    def declaration(self) -> Path:
        """The operator's own declaration, if `topics init` has put one here."""
        return self.path / "declaration.yaml"

    def declared_in(self, topics_file: Path | None) -> Path | None:
        """The declaration that is wanted: HUB_TOPICS_FILE, else the home's own, else (None) the packaged one."""
        return topics_file or (self.declaration if self.declaration.exists() else None)

    def role(self, principal: str) -> Path:
        """The only directory that the process of this principal is given."""
        return self.path / "roles" / principal

    def roles(self, prefix: str) -> list[str]:
        """The principals of one kind that are enrolled here, such as all `review-<tenant>`."""
        return sorted(entry.name for entry in (self.path / "roles").glob(f"{prefix}*") if entry.is_dir())

    def scraper(self, principal: str = "admin") -> Scraper:
        """Asks the endpoints of this home's processes, with the certificate of one whom they admit.

        Raises OSError where nobody is enrolled.
        """
        from monitoring.scraping import Scraper

        where = self.certificates
        return Scraper(where / f"{principal}.crt", where / f"{principal}.key", where / "ca.crt")

    @property
    def targets(self) -> Path:
        """The file that tells Prometheus where the processes are; it stays when the hub stops, which is then down."""
        return self.path / "run" / "targets.json"

    @property
    def run(self) -> Path:
        """What is told of the hub that runs here."""
        return self.path / "run"

    @property
    def _run_file(self) -> Path:
        return self.run / "hub.json"

    def prepare(self) -> None:
        """Make the directory, or refuse one that holds something else."""
        if self.layout.exists():
            found = self.layout.read_text().strip()
            if found != LAYOUT:
                raise ForeignHome(f"layout {found}, this version writes {LAYOUT}")
        elif self.path.exists() and any(self.path.iterdir()):
            raise ForeignHome(str(self.path))
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.layout.write_text(LAYOUT + "\n")
        for directory in (self.logs, self._run_file.parent):
            directory.mkdir(exist_ok=True)

    def announce(self, running: Running) -> None:
        """Write down what runs here, whole or not at all; the targets of Prometheus too."""
        from monitoring.prometheus.scrape import targets

        for file, text in (
            (self._run_file, json.dumps(asdict(running), indent=1)),
            (self.targets, targets({**running.metrics, **running.broker_metrics})),
        ):
            new = file.with_suffix(".new")
            new.write_text(text)
            new.replace(file)

    def withdraw(self) -> None:
        """Nothing runs here any more."""
        self._run_file.unlink(missing_ok=True)

    def running(self) -> Running:
        """What runs here; raises NoHub when nothing does, or when it ended without saying so."""
        try:
            found = Running(**json.loads(self._run_file.read_text()))
        except FileNotFoundError:
            raise NoHub(f"({self.path})") from None
        if not found.elsewhere and not _alive(found.pids.get("up", 0)):
            raise NoHub(f"({self.path}; the last one ended without stopping)")
        return found


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
