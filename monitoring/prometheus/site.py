"""All files that a site's Prometheus and Alertmanager read, as texts.

    prometheus.yml, rules/*.yaml     what to scrape, and when to alert
    alertmanager.yml                 whom to tell
    web.yml, alertmanager-web.yml    TLS 1.3 and client certificates for both servers themselves (`--web.config.file`)

Both servers are entered with certificates of an authority of their own (`tls/`). None of the hub's own opens either:
who can reach Alertmanager can silence it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from monitoring.prometheus.contacts import Contacts
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.plain_yaml import Plain, dump
from monitoring.prometheus.routes import configuration
from monitoring.prometheus.rules import HEADING, all_alerts, files
from monitoring.prometheus.scrape import Scraping, scrape_configs

PROMETHEUS: Final = "prometheus"
ALERTMANAGER: Final = "alertmanager"
VIEWER: Final = "viewer"
"""whose certificate a browser, Grafana or amtool shows"""
TLS: Final = "tls"
_HEADING: Final = "Written by `eltax-hub monitor prometheus`; do not edit."


@dataclass(frozen=True, slots=True)
class Site:
    """Where the files will be read from, what is scraped, where both servers listen, and whom they tell."""

    directory: Path
    scraping: Scraping
    limits: Limits
    contacts: Contacts = field(default_factory=Contacts)
    prometheus: str = "127.0.0.1:9090"
    alertmanager: str = "127.0.0.1:9093"
    runbooks: str = ""
    """what stands before the path of a runbook, a URL that ends in a slash"""


def site_files(site: Site, *, factor: float = 1.0, every: str = "") -> dict[str, str]:
    """Return the texts by path in the directory; `factor` and `every` make all faster, for tests."""
    alerts = all_alerts(site.limits)
    rules = files(site.limits, runbooks=site.runbooks, factor=factor, every=every)
    texts = {f"rules/{name}": text.replace(HEADING, _HEADING) for name, text in rules.items()}
    texts["prometheus.yml"] = dump(_prometheus(site), heading=_HEADING)
    texts["alertmanager.yml"] = dump(configuration(alerts, site.contacts, factor=factor), heading=_HEADING)
    for name, server in (("web.yml", PROMETHEUS), ("alertmanager-web.yml", ALERTMANAGER)):
        texts[name] = dump(_web(site.directory / TLS, server), heading=_HEADING)
    return texts


def _prometheus(site: Site) -> dict[str, Plain]:
    seconds = f"{site.scraping.interval_seconds}s"
    servers: list[Plain] = [
        {
            "job_name": name,
            "scheme": "https",
            "scrape_interval": seconds,
            "scrape_timeout": seconds,
            "tls_config": _client(site.directory / TLS),
            "static_configs": [{"targets": [address]}],
        }
        for name, address in ((f"{PROMETHEUS}-itself", site.prometheus), (ALERTMANAGER, site.alertmanager))
    ]
    roles = cast(list[Plain], scrape_configs(site.scraping))  # its values are plain ones
    return {
        "global": {"scrape_interval": seconds, "evaluation_interval": seconds},
        "rule_files": [str(site.directory / "rules" / "*.yaml")],
        "alerting": {
            "alertmanagers": [
                {
                    "scheme": "https",
                    "tls_config": _client(site.directory / TLS),
                    "static_configs": [{"targets": [site.alertmanager]}],
                }
            ]
        },
        "scrape_configs": [*roles, *servers],
    }


def _client(tls: Path) -> dict[str, Plain]:
    return {
        "ca_file": str(tls / "ca.crt"),
        "cert_file": str(tls / f"{PROMETHEUS}.crt"),
        "key_file": str(tls / f"{PROMETHEUS}.key"),
        "min_version": "TLS13",
    }


def _web(tls: Path, name: str) -> dict[str, Plain]:
    return {
        "tls_server_config": {
            "cert_file": str(tls / f"{name}.crt"),
            "key_file": str(tls / f"{name}.key"),
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": str(tls / "ca.crt"),
            "min_version": "TLS13",
        }
    }
