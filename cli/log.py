"""Puts the published log of an audit role together: its name, its keys, its directory, its witnesses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumers.audit.log_directory import LogDirectory
from consumers.audit.publishing import NOBODY, LogIdentity, Publisher
from consumers.audit.signatures import SignatureRules
from consumers.store.port import Store
from hub.crypto.notes import NoteSigner, SignatureType, VerifierKey
from hub.facts import Observer, ignore
from hub.role import Role
from hub.settings import LogSettings

DIRECTORY: Final = "tlog"


def log_name(role: Role, settings: LogSettings) -> str:
    """The log's origin and key name: `<address>/<namespace>/<tenant>`."""
    return f"{settings.log_address}/{role.namespace}/{role.principal.rpartition('-')[2]}"


def log_identity(role: Role, settings: LogSettings) -> LogIdentity:
    """Who signs for a log, and every key of its desk that the trust file has not revoked."""
    name = log_name(role, settings)
    keys = tuple(
        VerifierKey(name, SignatureType.ED25519, each.public)
        for each in role.trust.principals[role.principal].identities
        if each.revoked_at is None
    )
    return LogIdentity(NoteSigner(name, role.identity), keys)


def log_directory(role: Role, settings: LogSettings, chosen: Path | None = None) -> LogDirectory:
    """Where a log is published: as chosen, as set (a directory per tenant), or with the role's state."""
    if chosen is not None:
        return LogDirectory(chosen)
    if settings.log_directory is not None:
        return LogDirectory(settings.log_directory / role.principal.rpartition("-")[2])
    return LogDirectory(role.state_directory / DIRECTORY)


@dataclass(frozen=True, slots=True)
class Publication:
    """A log's publisher with what its desk needs to run it."""

    publisher: Publisher
    seconds: float


def publisher_of(
    role: Role, store: Store, settings: LogSettings, chosen: Path | None = None, observer: Observer = ignore
) -> Publisher:
    """Return the publisher of a role's log."""
    rules = SignatureRules(role.trust, role.principal)
    return Publisher(
        store, log_directory(role, settings, chosen), log_identity(role, settings), rules.head_holds, NOBODY
    )
