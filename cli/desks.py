"""Puts a desk together from its role directory: for its own process, and for people who ask its store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.log import publication_of
from consumers.assembly import Surroundings, sessions_topics
from consumers.audit.consumer import AuditConsumer
from consumers.engine import system_clocks
from consumers.helpdesk.consumer import HelpdeskConsumer
from consumers.review.consumer import ReviewConsumer
from consumers.review.deadlines import SERVICE_DAYS
from consumers.store.sql import open_sqlite
from hub.facts import Alarm, Observer, ignore
from hub.reading.audiences import AudienceDirectory
from hub.reading.sessions import SessionRegistry
from hub.role import Role
from hub.settings import LogSettings
from schemas.errors import HubError
from topics import names

STORE: Final = "store.db"
_REFRESH_SECONDS: Final = 30.0


def _now() -> datetime:
    return datetime.now(UTC)


def store_path(role: Role) -> Path:
    """Where a desk's database is."""
    return role.state_directory / STORE


@contextmanager
def opened(
    role: Role, observer: Observer = ignore
) -> Iterator[tuple[Surroundings, AudienceDirectory, SessionRegistry]]:
    """A desk's parts with its store open; nothing is connected to Kafka yet."""
    tenant = role.principal.rpartition("-")[2]
    directory = AudienceDirectory(role.endpoint, names.audiences(role.namespace), lambda: role.trust, _now)
    registry = SessionRegistry(
        role.endpoint,
        sessions_topics(role.topology, tenant),
        lambda: role.trust,
        _now,
        observer,
        audience_keys=directory.key,
        catch_up=role.catch_up,
    )
    store = open_sqlite(store_path(role), f"{role.namespace}/{role.principal}")
    try:
        yield (
            Surroundings(
                role=role,
                store=store,
                observer=observer,
                clocks=system_clocks(),
                registry=registry,
                quarantine_key=directory.current,
                announced=lambda epoch: bool(directory.announced(role.principal, epoch)),
                destroyed=lambda epoch: directory.destroyed(role.principal, epoch),
            ),
            directory,
            registry,
        )
    finally:
        store.close()


async def run_desk(
    kind: str, role: Role, observer: Observer, stop: asyncio.Event, *, service_days: int | None = None
) -> None:
    """Run a desk's consumer until `stop`. Raises what cannot heal."""
    with opened(role, observer) as (around, directory, registry):
        # Sessions are judged by when the keys end that they are sealed to: read the keys first.
        if await around.patience("audiences").until_done("audiences", lambda: _first(directory), stop) is None:
            return
        refresh = asyncio.create_task(_refresh(directory, observer), name="audiences")
        try:
            await _consumer(kind, around, service_days).run(stop)
        finally:
            refresh.cancel()
            await asyncio.gather(refresh, return_exceptions=True)
            await registry.close()
            await directory.close()


def _consumer(
    kind: str, around: Surroundings, service_days: int | None
) -> ReviewConsumer | HelpdeskConsumer | AuditConsumer:
    match kind:
        case "review":
            return ReviewConsumer(around, service_days=service_days or SERVICE_DAYS)
        case "helpdesk":
            return HelpdeskConsumer(around)
        case _:
            publication = publication_of(around.role, around.store, LogSettings(), around.observer)
            return AuditConsumer(around, publication)


async def _first(directory: AudienceDirectory) -> bool:
    await directory.refresh()
    return True


async def _refresh(directory: AudienceDirectory, observer: Observer) -> None:
    """Know the published keys: the operator's for letters, and until when the keys of sessions last."""
    while True:
        try:
            await directory.refresh()
        except HubError as error:
            observer(Alarm(error.code, "audiences"))
            await asyncio.sleep(1.0)
        else:
            await asyncio.sleep(_REFRESH_SECONDS)
