"""What surrounds the work of every process that has a role: metrics, health, log lines, endpoint, operations log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from hub.crypto.following_files import take_renewed
from hub.facts import Observer
from hub.role import Role
from monitoring.adapter import combine, log_observer, metrics_observer
from monitoring.endpoint import Endpoint
from monitoring.health import Health
from monitoring.metrics import Metrics
from monitoring.operations.of_process import ProcessLog
from monitoring.role_endpoint import tls_of
from monitoring.role_source import RoleSource

_RENEWED_SECONDS = 10.0
"""how often a process looks whether its certificate files were replaced"""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the work is given: whom to tell, and where people may ask."""

    health: Health
    operations: ProcessLog
    observer: Observer
    url: str
    """of the endpoint for /metrics and /health"""


@contextmanager
def framed(
    role: Role,
    conditions: frozenset[str],
    configuration: Mapping[str, object],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Frame]:
    """Put the frame up, and take it down in the end; the process's log is configured already.

    `conditions` must hold before the process is ready; `configuration` is what it was told, without secrets; port 0
    is any free one. Raises HubError if the operations log or the endpoint cannot be opened.
    """
    metrics = Metrics(
        tenants=tuple(tenant.code for tenant in role.topology.tenants), places={"state": role.state_directory}
    )
    metrics.sample_with(RoleSource(role))
    health = Health(conditions)
    operations = ProcessLog(role, configuration)
    observer = combine(metrics_observer(metrics), log_observer(), health.observe, operations.observe)
    endpoint = Endpoint(metrics.registry, health, tls=tls_of(role), host=host, port=port, observer=observer)
    with closing(operations), endpoint:
        yield Frame(health, operations, observer, endpoint.url)


async def renewing() -> None:
    """Take up renewed certificates, for as long as the process lives."""
    while True:
        await asyncio.sleep(_RENEWED_SECONDS)
        await asyncio.to_thread(take_renewed)
