"""A whole hub, watched and paged: a Prometheus and an Alertmanager on the files that `monitor prometheus` writes.

The rules are the very ones that production has, with every duration a hundredth and small limits; both servers speak
TLS 1.3 and ask for certificates; what Alertmanager tells comes to a real mailbox.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from broker.ports import choose
from monitoring.prometheus.contacts import RECEIVERS, read
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.plain_yaml import dump
from monitoring.prometheus.routes import configuration
from monitoring.prometheus.rules import all_alerts, files, write
from monitoring.prometheus.scrape import targets
from monitoring.prometheus.site import TLS, VIEWER
from tests.broker.hub import Hub, eventually, running
from tests.watch import receiving
from tests.watch.servers import (
    AMTOOL,
    PROMTOOL,
    Alertmanager,
    Prometheus,
    alertmanager,
    prometheus,
    tool,
)
from tests.watch.watched import PORTAL, Portal

FACTOR: Final = 1 / 100


@dataclass
class Paged:
    """What the tests of the alerts hold in their hands."""

    hub: Hub
    directory: Path
    mail: receiving.Receiver
    prometheus: Prometheus
    portal: Portal
    limits: Limits
    pager: Alertmanager
    again: Callable[[], AbstractContextManager[Alertmanager]]
    """starts another Alertmanager in the place of one that died"""
    extra: dict[str, str] = field(default_factory=dict)
    """further targets by principal"""

    def told(self, name: str, status: str = "firing", seconds: float = 60) -> receiving.Notification:
        """Wait until somebody is told of an alert."""
        return self.mail.until(lambda each: each.says(name, status), seconds)

    def fires(self, name: str, seconds: float = 60) -> None:
        """Wait until an alert fires in Prometheus, whether or not another one explains it."""
        self.prometheus.until(f'ALERTS{{alertname="{name}",alertstate="firing"}}', seconds)

    def fired(self, name: str, seconds: float = 60) -> None:
        """Wait until an alert has fired, now or some time before."""
        self.prometheus.until(f'count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[1h])', seconds)

    def over(self, name: str, seconds: float = 60) -> None:
        """Wait until it fires no more."""
        self.prometheus.until_empty(f'ALERTS{{alertname="{name}",alertstate="firing"}}', seconds)

    def set_limits(self, limits: Limits) -> None:
        """Put rules with other limits in the place of those that run."""
        write(self.directory / "rules", files(limits, factor=FACTOR, every="1s"))
        self.prometheus.reload()

    def start_analysis(self, **environment: str) -> None:
        """Start the analysis as a site would beside `up`, or anew with other settings."""
        roles = self.hub.stack.roles
        if "analysis" in roles.running:
            roles.stop(["analysis"])
        role = roles.start("analysis", "analysis", "monitor", "analyse", extra=environment)
        eventually(role.ready, 60)
        self.aim()

    def new_portal(self) -> None:
        """Start a portal in the place of one that died; it finishes what that left."""
        self.portal.end()
        port = choose()
        self.portal = Portal(self.hub, port, self.directory / "portal.stderr")
        self.extra[PORTAL] = f"https://127.0.0.1:{port}/metrics"
        self.aim()

    def aim(self) -> None:
        """Tell Prometheus where everything is now."""
        about = self.hub.stack.describe()
        self.hub.home.targets.write_text(targets({**about.metrics, **about.broker_metrics, **self.extra}))


@contextmanager
def paged(directory: Path, limits: Limits, environment: Mapping[str, str], *, broker: bool = False) -> Iterator[Paged]:
    """Start everything, with `broker` its exporter too. `environment` are settings of the roles (HUB_…)."""
    with _set(environment), running(directory / "hub", broker_metrics=broker) as hub, receiving.receiver() as mail:
        site, ports = directory / "site", (choose(), choose())
        contacts = directory / "contacts.json"
        mailboxes = {each: {"webhooks": [f"{mail.url}/{each}"]} for each in RECEIVERS}
        contacts.write_text(json.dumps({"receivers": mailboxes}))
        done = hub.run(
            *("monitor", "prometheus", "--into", str(site), "--contacts", str(contacts)),
            *("--listen", f"127.0.0.1:{ports[0]}", "--alertmanager", f"127.0.0.1:{ports[1]}"),
        )
        assert done.returncode == 0, done.stderr.decode()[-2_000:]
        for check in ((PROMTOOL, "check", "config"), (PROMTOOL, "check", "web-config")):
            said = tool(*check, site / ("prometheus.yml" if check[2] == "config" else "web.yml"))
            assert said.returncode == 0, said.stdout + said.stderr
        said = tool(AMTOOL, "check-config", site / "alertmanager.yml")
        assert said.returncode == 0, said.stdout + said.stderr
        scrapes = site / "prometheus.yml"
        scrapes.write_text(scrapes.read_text().replace("15s", "2s").replace("10s", "2s"))
        write(site / "rules", files(limits, factor=FACTOR, every="1s"))
        routes = dump(configuration(all_alerts(limits), read(contacts), factor=FACTOR))
        tls = ssl.create_default_context(cafile=str(site / TLS / "ca.crt"))
        tls.load_cert_chain(site / TLS / f"{VIEWER}.crt", site / TLS / f"{VIEWER}.key")
        webs = (site / "web.yml", site / "alertmanager-web.yml")
        again = partial(alertmanager, directory / "pager", routes, port=ports[1], web_config=webs[1], tls=tls)
        with (
            again() as pager,
            prometheus(directory / "prometheus", scrapes, port=ports[0], web_config=webs[0], tls=tls) as server,
        ):
            port = choose()
            portal = Portal(hub, port, directory / "portal.stderr")
            extra = {PORTAL: f"https://127.0.0.1:{port}/metrics"}
            found = Paged(hub, site, mail, server, portal, limits, pager, again, extra)
            try:
                found.aim()
                yield found
            finally:
                found.portal.end()


@contextlib.contextmanager
def _set(environment: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
