"""Settings of the operations log's reading side: HUB_OPERATIONS_…, HUB_BROKER_LOGS, HUB_PEERS."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.envelope.operations import Class
from monitoring.operations.retention import DEFAULT_DAYS, LEAST_DAYS, MOST_DAYS

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Peers = Mapping[str, tuple[Network, ...]]
MAX_PEERS: Final = 1_000
_PRINCIPAL: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")


def read_peers(text: str) -> dict[str, tuple[Network, ...]]:
    """Read `portal=10.1.0.0/16,10.2.0.5;admin=10.9.0.1`: who may come from where. Raises ValueError."""
    found: dict[str, tuple[Network, ...]] = {}
    for part in filter(None, (each.strip() for each in text.split(";"))):
        name, equals, networks = part.partition("=")
        if not equals or not _PRINCIPAL.fullmatch(name.strip()) or name.strip() in found:
            raise ValueError("HUB_PEERS is principal=network,network;principal=network, each principal once")
        found[name.strip()] = tuple(ipaddress.ip_network(each.strip()) for each in networks.split(","))
    if len(found) > MAX_PEERS:
        raise ValueError(f"at most {MAX_PEERS} principals")
    return found


def _peers(text: str) -> str:
    read_peers(text)
    return text


_Days = Annotated[int, Field(ge=LEAST_DAYS, le=MOST_DAYS)]


class OperationsSettings(BaseSettings):
    """Read from the environment; `retention` by class."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore", frozen=True)

    operations_retention_system: _Days = DEFAULT_DAYS[Class.SYSTEM]
    operations_retention_network: _Days = DEFAULT_DAYS[Class.NETWORK]
    operations_retention_access: _Days = DEFAULT_DAYS[Class.ACCESS]
    operations_retention_administration: _Days = DEFAULT_DAYS[Class.ADMINISTRATION]
    operations_publish_seconds: float = Field(default=10.0, gt=0, le=86_400)
    operations_witnesses: Path | None = Field(default=None, description="a file: one `URL vkey` a line")
    broker_logs: str = Field(
        default="", description="directories with authorizer.log and network.log, one of each broker, as in PATH"
    )
    broker_logs_seconds: float = Field(default=10.0, ge=0.1, le=3_600, description="one interval")
    peers: Annotated[str, AfterValidator(_peers)] = Field(default="", description="principal=network,…;…")

    @property
    def retention_days(self) -> dict[Class, int]:
        """Days by class."""
        return {
            Class.SYSTEM: self.operations_retention_system,
            Class.NETWORK: self.operations_retention_network,
            Class.ACCESS: self.operations_retention_access,
            Class.ADMINISTRATION: self.operations_retention_administration,
        }

    @property
    def log_directories(self) -> tuple[Path, ...]:
        """Where the brokers' logs are read."""
        return tuple(Path(each) for each in self.broker_logs.split(os.pathsep) if each)

    @property
    def networks(self) -> dict[str, tuple[Network, ...]]:
        """Where each principal may come from, as far as HUB_PEERS says."""
        return read_peers(self.peers)
