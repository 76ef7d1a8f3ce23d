"""Puts a desk together from its role directory: for its own process, and for people who ask its store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from consumers.assembly import Surroundings
from consumers.audit.consumer import AuditConsumer
from consumers.engine import system_clocks
from consumers.helpdesk.consumer import HelpdeskConsumer
from consumers.review.consumer import ReviewConsumer
from consumers.store.sql import open_sqlite
from hub.facts import Alarm, Observer, ignore
from hub.reading.audiences import QuarantineKeys
from hub.reading.sessions import SessionRegistry
from hub.role import Role
from schemas.errors import HubError
from topics import names

STORE: Final = "store.db"
_CONSUMERS: Final[dict[str, type[ReviewConsumer | HelpdeskConsumer | AuditConsumer]]] = {
    "review": ReviewConsumer,
    "helpdesk": HelpdeskConsumer,
    "audit": AuditConsumer,
}
_REFRESH_SECONDS: Final = 30.0


def _now() -> datetime:
    return datetime.now(UTC)


def store_path(role: Role) -> Path:
    """Where a desk's database is."""
    return role.state_directory / STORE


@contextmanager
def opened(role: Role, observer: Observer = ignore) -> Iterator[tuple[Surroundings, QuarantineKeys, SessionRegistry]]:
    """A desk's parts with its store open; nothing is connected to Kafka yet."""
    tenant = role.principal.rpartition("-")[2]
    registry = SessionRegistry(
        role.endpoint,
        (names.sessions(role.namespace), names.desk_sessions(role.namespace, tenant)),
        lambda: role.trust,
        _now,
        observer,
    )
    quarantine = QuarantineKeys(role.endpoint, names.audiences(role.namespace), lambda: role.trust, _now)
    store = open_sqlite(store_path(role), f"{role.namespace}/{role.principal}")
    try:
        yield (
            Surroundings(
                role=role,
                store=store,
                observer=observer,
                clocks=system_clocks(),
                registry=registry,
                quarantine_key=quarantine.current,
            ),
            quarantine,
            registry,
        )
    finally:
        store.close()


async def run_desk(kind: str, role: Role, observer: Observer, stop: asyncio.Event) -> None:
    """Run a desk's consumer until `stop`. Raises what cannot heal."""
    with opened(role, observer) as (around, quarantine, registry):
        refresh = asyncio.create_task(_refresh(quarantine, observer), name="audiences")
        try:
            await _CONSUMERS[kind](around).run(stop)
        finally:
            refresh.cancel()
            await asyncio.gather(refresh, return_exceptions=True)
            await registry.close()
            await quarantine.close()


async def _refresh(quarantine: QuarantineKeys, observer: Observer) -> None:
    """Know the operator's current key; a desk without it waits before it writes a letter."""
    while True:
        try:
            await quarantine.refresh()
        except HubError as error:
            observer(Alarm(error.code, "quarantine"))
            await asyncio.sleep(1.0)
        else:
            await asyncio.sleep(_REFRESH_SECONDS)
