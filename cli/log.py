"""Puts the published log of an audit role together: its name, its keys, its directory, its witnesses."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from consumers.assembly import DeskRole
from consumers.audit.log_directory import LogDirectory
from consumers.audit.publication import Publication
from consumers.audit.publishing import NOBODY, Cosigners, LogIdentity, Publisher
from consumers.audit.signatures import SignatureRules
from consumers.audit.witnesses import Witnesses, WitnessesMalformed, read_witnesses
from consumers.store.port import Store
from hub.crypto.notes import NoteSigner, SignatureType, VerifierKey
from hub.facts import Observer, ignore
from hub.settings import LogSettings

DIRECTORY: Final = "tlog"


def log_name(role: DeskRole, settings: LogSettings) -> str:
    """The log's origin and key name: `<address>/<namespace>/<tenant>`."""
    return f"{settings.tlog_address}/{role.namespace}/{role.principal.rpartition('-')[2]}"


def log_keys(role: DeskRole, settings: LogSettings, *, revoked: bool = False) -> tuple[VerifierKey, ...]:
    """The public keys of a log: those of its desk that the trust file has not revoked, or all it ever had."""
    name = log_name(role, settings)
    return tuple(
        VerifierKey(name, SignatureType.ED25519, each.public)
        for each in role.trust.principals[role.principal].identities
        if revoked or each.revoked_at is None
    )


def log_identity(role: DeskRole, settings: LogSettings) -> LogIdentity:
    """Who signs for a log, and whatever may have signed what is published."""
    return LogIdentity(NoteSigner(log_name(role, settings), role.identity), log_keys(role, settings, revoked=True))


def log_directory(role: DeskRole, settings: LogSettings, chosen: Path | None = None) -> LogDirectory:
    """Where a log is published: as chosen, as set (a directory per tenant), or with the role's state."""
    if chosen is not None:
        return LogDirectory(chosen)
    if settings.tlog_directory is not None:
        return LogDirectory(settings.tlog_directory / role.principal.rpartition("-")[2])
    return LogDirectory(role.state_directory / DIRECTORY)


def log_witnesses(role: DeskRole, settings: LogSettings, observer: Observer) -> Cosigners:
    """The witnesses of a desk's log. Raises WitnessesMalformed."""
    return witnesses_of(settings.tlog_witnesses, role.principal.rpartition("-")[2], observer)


def witnesses_of(file: Path | None, label: str, observer: Observer) -> Cosigners:
    """The witnesses that a file names, if there is one; facts name `label`. Raises WitnessesMalformed."""
    if file is None:
        return NOBODY
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise WitnessesMalformed("(it cannot be read)") from problem
    return Witnesses(read_witnesses(text), label, observer)


def publisher_of(
    role: DeskRole, store: Store, settings: LogSettings, chosen: Path | None = None, observer: Observer = ignore
) -> Publisher:
    """Return the publisher of a role's log."""
    return Publisher(
        store,
        log_directory(role, settings, chosen),
        log_identity(role, settings),
        SignatureRules(role.trust, role.principal).head_holds,
        log_witnesses(role, settings, observer),
    )


def publication_of(role: DeskRole, store: Store, settings: LogSettings, observer: Observer) -> Publication | None:
    """Return what a running desk publishes with; None if it is not to."""
    if not settings.tlog_seconds:
        return None
    return Publication(publisher_of(role, store, settings, None, observer), settings.tlog_seconds)
