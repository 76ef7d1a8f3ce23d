"""Scrape configuration: one job for each principal that has a process, one for the broker, one for strangers.

A process's endpoint proves by its certificate whose it is, and `server_name` belongs to a job; so each principal has
one. All read the same file of targets, which `eltax-hub up` writes whenever a process comes or goes, and keep theirs.
A target that no job knows (a tenant declared after the configuration was written) is not lost in silence: the last
job takes it and cannot verify it, so that it shows as down.

Every series has `job` (`hub` or `broker`), `instance` (the principal) and `role` (`review` of `review-131041`). Where a
principal has several workers, or there are several brokers, the file of targets names each as `worker`, and that
becomes its `instance`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from monitoring.labels import role
from topics.layout import Topology
from topics.names import endpoint_host

SCRAPER: Final = "prometheus"
BROKER: Final = "broker"
_BROKERS: Final = f"{BROKER}(-[0-9]+)?"
"""one alone, or the members of a cluster, which have one name for this and one password"""
_BROKER: Final = re.compile(_BROKERS)
STRANGER: Final = "unknown"
WORKER: Final = "worker"
INTERVAL_SECONDS: Final = 15
_SAMPLES: Final = 100_000
"""of one scrape; beyond it the target counts as down, and labels that explode do not take Prometheus along"""

Job = dict[str, object]


@dataclass(frozen=True, slots=True)
class Scraping:
    """What is scraped, and with which files (PEM; `targets` and `broker_password` as `up` writes them)."""

    principals: Sequence[str]
    targets: Path
    certificate: Path
    private_key: Path
    ca: Path
    broker_password: Path | None = None
    interval_seconds: int = INTERVAL_SECONDS


def processes(topology: Topology) -> tuple[str, ...]:
    """The principals that can have a process with an endpoint."""
    return tuple(each.name for each in topology.roles if not each.super_user)


def scrape_configs(what: Scraping) -> list[Job]:
    """Return the value of `scrape_configs`, plain dictionaries and lists in a fixed order."""
    known = [*what.principals, *([BROKER] if what.broker_password is not None else [])]
    kept = {name: _BROKERS if name == BROKER else name for name in known}
    jobs = [_job(name, what, "keep", pattern) for name, pattern in kept.items()]
    return [*jobs, _job(STRANGER, what, "drop", "|".join(kept.values()))]


def targets(endpoints: Mapping[str, str]) -> str:
    """Return the file of targets, JSON for `file_sd_configs`: principal -> `https://<address>:<port>/metrics`."""
    groups = [
        {
            "targets": [urlsplit(url).netloc],
            "labels": {"instance": name, "role": BROKER if _BROKER.fullmatch(name) else role(name)},
        }
        for name, url in sorted(endpoints.items())
    ]
    return json.dumps(groups, indent=1) + "\n"


def _job(name: str, what: Scraping, action: str, pattern: str) -> Job:
    job: Job = {
        "job_name": name,
        "scheme": "https",
        "scrape_interval": f"{what.interval_seconds}s",
        "scrape_timeout": f"{min(10, what.interval_seconds)}s",
        "sample_limit": _SAMPLES,
        "label_limit": 20,
        "label_value_length_limit": 200,
        "follow_redirects": False,
        "tls_config": {
            "ca_file": str(what.ca),
            "cert_file": str(what.certificate),
            "key_file": str(what.private_key),
            "server_name": endpoint_host(name),
            "min_version": "TLS13",
        },
        "file_sd_configs": [{"files": [str(what.targets)], "refresh_interval": "10s"}],
        "relabel_configs": [
            {"source_labels": ["instance"], "regex": pattern, "action": action},
            {"source_labels": [WORKER], "regex": "(.+)", "target_label": "instance"},
            {"regex": WORKER, "action": "labeldrop"},
            {"target_label": "job", "replacement": BROKER if name == BROKER else "hub"},
        ],
    }
    if name == BROKER:
        job["basic_auth"] = {"username": SCRAPER, "password_file": str(what.broker_password)}
    return job
