"""What a role process is told from outside: settings `HUB_…`, and nothing else.

A production role gets its directory, the brokers and the namespace. It is never told where another
role's directory is.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_NAMESPACE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _namespace(value: str) -> str:
    if not _NAMESPACE.fullmatch(value) or len(value) > 40:
        raise ValueError("a namespace is lower-case letters, digits and single hyphens, 40 characters at most")
    return value


def is_rehearsal(namespace: str) -> bool:
    """Tell whether a namespace is for the trial run (仮稼働テスト) with artificial people only."""
    return namespace == "rehearsal" or namespace.startswith("rehearsal-")


def _ip(value: str) -> str:
    return str(ipaddress.ip_address(value))


_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)*")


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value) or len(value) > 200:
        raise ValueError("an address without its scheme, as audit.city.example.jp/logs, 200 characters at most")
    return value


class LogSettings(BaseSettings):
    """How the audit log is published; the desk and the commands for people must be told the same."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore", frozen=True)

    tlog_address: Annotated[str, AfterValidator(_origin)] = Field(
        default="eltax-hub.invalid", description="where the logs are served; with namespace and tenant a log's name"
    )
    tlog_directory: Path | None = Field(default=None, description="default: tlog in the role's state directory")
    tlog_witnesses: Path | None = Field(default=None, description="a file: one `URL vkey` a line")
    tlog_seconds: float = Field(default=10.0, ge=0, le=86_400, description="how often the desk publishes; 0: never")


class WatchSettings(BaseSettings):
    """How the network is watched (docs/network-watch.md). `watch_seconds` concerns every role, the rest the monitor."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore", frozen=True)

    watch_seconds: float = Field(default=60.0, ge=0, le=86_400, description="how often paths are probed; 0: never")
    watch_brokers: str = Field(default="", description="all brokers' listeners for clients; default: HUB_BOOTSTRAP")
    watch_also: str = Field(default="", description="further declared listeners, as the controllers'")
    watch_ports: str = Field(
        default="9090-9099,19090-19099,29090-29099", description="looked at on every broker's host; empty: none"
    )
    watch_here: bool = Field(default=False, description="look at the ports of a broker on this machine too")
    watch_expected: str = Field(default="", description="principals that must always run, beside those of the routes")
    watch_targets: Path | None = Field(
        default=None, description="where processes tell their metrics: the file of targets that Prometheus reads too"
    )


class RegistrySettings(BaseSettings):
    """Where the schema registry is, and who we are to it (docs/schema-registry.md). No role reads these."""

    model_config = SettingsConfigDict(env_prefix="HUB_REGISTRY_", extra="ignore", frozen=True)

    url: str = Field(default="", description="https://HOST:PORT/apis/ccompat/v7; http only to a loopback address")
    ca: Path | None = Field(default=None, description="its authority; default: ca.crt of HUB_HOME's certificates")
    certificate: Path | None = Field(default=None, description="default: admin.crt there")
    key: Path | None = Field(default=None, description="default: admin.key there")


class SpoolSettings(BaseSettings):
    """How much of an operations log may wait on disk while Kafka is away; beyond it views and exports stop."""

    model_config = SettingsConfigDict(env_prefix="HUB_OPERATIONS_", extra="ignore", frozen=True)

    lines: int = Field(default=50_000, ge=8, le=10_000_000, description="so many lines wait at most")
    mib: float = Field(default=64.0, gt=0, le=65_536, description="and so many MiB of them")
    keep_seconds: int = Field(default=3_600, ge=0, le=31_622_400, description="how long a sent line stays on the disk")


class RoleSettings(BaseSettings):
    """Settings of one role process; the environment names them HUB_ROLE_DIR, HUB_BOOTSTRAP and so on."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore", frozen=True)

    role_dir: Path
    bootstrap: str = Field(min_length=3, description="host:port[,host:port...] of the brokers' mTLS listener")
    namespace: Annotated[str, AfterValidator(_namespace)] = "rehearsal"
    instance: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    topics_file: Path | None = Field(default=None, description="another declaration than the packaged one")
    partitions: int | None = Field(default=None, ge=1, le=1_000)
    key_passphrase_file: Path | None = None
    metrics_port: int = Field(default=0, ge=0, le=65_535, description="0: any free port")
    metrics_address: Annotated[str, AfterValidator(_ip)] = Field(
        default="127.0.0.1", description="where the endpoint listens; in a container 0.0.0.0 or ::"
    )
    log_file: Path | None = None
    service_days: int = Field(default=30, ge=1, le=3_650, description="calendar days in which a review desk decides")

    @classmethod
    def from_environment(cls) -> RoleSettings:
        """Read HUB_…; raises pydantic's ValidationError, which names what is missing."""
        return cls()  # type: ignore[call-arg]


class HomeSettings(BaseSettings):
    """Where the commands for people find a hub that runs on this machine."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore", frozen=True)

    home: Path = Path(".hub")
    namespace: Annotated[str, AfterValidator(_namespace)] = "rehearsal"
    topics_file: Path | None = None
    partitions: int | None = Field(default=None, ge=1, le=1_000)
    brokers: int | None = Field(default=None, ge=1, le=9, description="Kafka nodes of a hub that starts here")
