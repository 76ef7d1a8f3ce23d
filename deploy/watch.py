"""What Prometheus and Alertmanager of a deployment read: who is scraped under which name, and where from. Pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from deploy.zones import ALERTMANAGER_PORT, PLACES, PROMETHEUS_PORT, roles
from monitoring.labels import role
from monitoring.prometheus.contacts import Contacts
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.scrape import BROKER, SCRAPER, WORKER, Scraping, processes
from monitoring.prometheus.site import Site, site_files
from topics.layout import Topology

ETC: Final = Path("/etc/prometheus")
ALERTMANAGER_ETC: Final = Path("/etc/alertmanager")


def prometheus_files(topology: Topology, limits: Limits, contacts: Contacts) -> dict[str, str]:
    """Return the texts by path in the server's directory; those of Alertmanager begin with its name."""

    def site(directory: Path) -> Site:
        return Site(
            directory=directory,
            scraping=Scraping(
                principals=processes(topology),
                targets=ETC / "targets" / "targets.json",
                certificate=ETC / "hub" / f"{SCRAPER}.crt",
                private_key=ETC / "hub" / f"{SCRAPER}.key",
                ca=ETC / "hub" / "ca.crt",
                broker_password=ETC / "hub" / "scrape.password",
            ),
            limits=limits,
            contacts=contacts,
            prometheus=f"prometheus:{PROMETHEUS_PORT}",
            alertmanager=f"alertmanager:{ALERTMANAGER_PORT}",
        )

    ours = {name: text for name, text in site_files(site(ETC)).items() if not name.startswith("alertmanager")}
    theirs = site_files(site(ALERTMANAGER_ETC))
    return ours | {name: text for name, text in theirs.items() if name.startswith("alertmanager")}


def targets_text(topology: Topology) -> str:
    """Return the file of targets; `worker` tells two workers of one principal, and three brokers, apart."""
    places = roles(tuple(each.code for each in topology.tenants))
    groups = [_group(f"{each.service}:{each.port}", each.principal, role(each.principal), each.service)
              for each in places]  # fmt: skip
    groups += [_group(f"{each.service}:{each.exporter_port}", BROKER, BROKER, each.service) for each in PLACES]
    return json.dumps(groups, indent=1) + "\n"


def _group(target: str, principal: str, kind: str, service: str) -> dict[str, object]:
    worker = {} if service == principal else {WORKER: service}
    return {"targets": [target], "labels": {"instance": principal, "role": kind, **worker}}
