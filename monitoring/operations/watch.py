"""Puts the reading side together: collector, published tree, retention, brokers' logs; one task each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from consumers.audit.log_directory import LogDirectory
from consumers.audit.publication import Publication, publish_while_running
from consumers.audit.publishing import NOBODY, Cosigners, LogIdentity, Publisher
from consumers.audit.signatures import SignatureRules
from consumers.audit.tree import TreeHead, sign_head
from consumers.patience import Patience, sleep
from consumers.store.errors import StoreError
from hub.crypto.notes import NoteSigner, SignatureType, VerifierKey
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.facts import Alarm, Fact, LogPublished, Observer, Paused, WitnessAnswered
from hub.loop import TaskGroup
from hub.operations import Note
from hub.settings import LogSettings
from monitoring.operations.broker_logs import BrokerWatch
from monitoring.operations.collector import CONDITION, CollectingRole, Collector
from monitoring.operations.facts import OperationsPublished
from monitoring.operations.settings import OperationsSettings
from monitoring.operations.store import OperationsStore, SignHead

FILE: Final = "collected.db"
DIRECTORY: Final = "operations-tlog"
LOG: Final = "operations"
"""the last part of the log's name, and what its tree heads name in place of a tenant"""
_SWEEP_SECONDS: Final = 3_600.0
_SWEEP_AGAIN_SECONDS: Final = 60.0


def log_name(namespace: str, settings: LogSettings) -> str:
    """The log's origin and key name: `<address>/<namespace>/operations`."""
    return f"{settings.tlog_address}/{namespace}/{LOG}"


def log_keys(trust: Trust, principal: str, name: str, *, revoked: bool = False) -> tuple[VerifierKey, ...]:
    """The public keys of the log: the collector's that are not revoked, or all it ever had."""
    known = trust.principals[principal].identities
    return tuple(
        VerifierKey(name, SignatureType.ED25519, each.public) for each in known if revoked or each.revoked_at is None
    )


def signer_of(role: CollectingRole) -> SignHead:
    """Return what signs the head of the tree."""

    def sign(size: int, root: bytes, at_ms: int) -> bytes:
        return sign_head(TreeHead(LOG, size, root, at_ms), role.identity)

    return sign


def open_store(role: CollectingRole, settings: OperationsSettings, now: datetime) -> OperationsStore:
    """Open or make the collector's store in the role's state directory. Raises StoreError."""
    owner = f"{role.namespace}/{role.principal}"
    path = role.state_directory / FILE
    return OperationsStore(path, owner, role.principal, signer_of(role), settings.retention_days, to_ms(now))


def publisher_of(
    role: CollectingRole, store: OperationsStore, settings: LogSettings, cosigners: Cosigners = NOBODY
) -> Publisher:
    """Return what publishes the tree to `state/operations-tlog`: the audit log's publisher, over our entries."""
    name = log_name(role.namespace, settings)
    identity = LogIdentity(NoteSigner(name, role.identity), log_keys(role.trust, role.principal, name, revoked=True))
    holds = SignatureRules(role.trust, role.principal).head_holds
    return Publisher(store, LogDirectory(directory_of(role)), identity, holds, cosigners)


def directory_of(role: CollectingRole) -> Path:
    """Where the tree is published; any web server may serve it."""
    return role.state_directory / DIRECTORY


class OperationsWatch:
    """`await OperationsWatch(role, observer, now, note).run(stop)`."""

    def __init__(
        self,
        role: CollectingRole,
        observer: Observer,
        now: Callable[[], datetime],
        note: Note,
        *,
        settings: OperationsSettings | None = None,
        log_settings: LogSettings | None = None,
        cosigners: Cosigners = NOBODY,
    ) -> None:
        """`note` writes lines of the monitor's own, which come back over the topic like those of any role."""
        self._role, self._observe, self._now, self._note = role, observer, now, note
        self._settings = settings or OperationsSettings()
        self._log_settings = log_settings or LogSettings()
        self._cosigners = cosigners

    async def run(self, stop: asyncio.Event) -> None:
        """Collect, publish, delete what is due, read the brokers' logs, until `stop`.

        A store that is damaged, or moved by another process, ends all this and rings, and the monitor is not ready; its
        other parts go on. Raises what else cannot heal.
        """
        try:
            await self._run(stop)
        except* StoreError as problems:
            for code in sorted({each.code for each in leaves_of(problems) if isinstance(each, StoreError)}):
                self._observe(Alarm(f"operations.{code}", self._role.principal))
                self._observe(Paused(LOG, code, True))
            await stop.wait()

    async def _run(self, stop: asyncio.Event) -> None:
        store = await self._opened(stop)
        if store is None:
            return
        with store:
            collector = Collector(self._role, store, self._observe, self._now)
            async with TaskGroup() as group:
                group.create_task(collector.run(stop))
                group.create_task(self._publish(store, stop))
                group.create_task(self._sweep(store, stop))
                if self._settings.log_directories:
                    watch = BrokerWatch(
                        self._role,
                        store,
                        self._note,
                        self._observe,
                        self._now,
                        self._settings.log_directories,
                        seconds=self._settings.broker_logs_seconds,
                        networks=self._settings.networks,
                    )
                    group.create_task(watch.run(stop))

    async def _opened(self, stop: asyncio.Event) -> OperationsStore | None:
        async def opened() -> OperationsStore:
            return await asyncio.to_thread(open_store, self._role, self._settings, self._now())

        return await Patience(LOG, self._observe).until_done(CONDITION, opened, stop)

    async def _publish(self, store: OperationsStore, stop: asyncio.Event) -> None:
        publisher = publisher_of(self._role, store, self._log_settings, self._cosigners)
        publication = Publication(publisher, self._settings.operations_publish_seconds)
        await publish_while_running(publication, self._role.principal, self._published, stop)

    def _published(self, fact: Fact) -> None:
        if isinstance(fact, LogPublished):
            fact = OperationsPublished(fact.size, fact.cosignatures)
        elif isinstance(fact, WitnessAnswered):
            fact = WitnessAnswered("shared", fact.code)
        self._observe(fact)

    async def _sweep(self, store: OperationsStore, stop: asyncio.Event) -> None:
        """Note what may be deleted; it is deleted when the collector keeps that line."""
        patience = Patience("operations-retention", self._observe)

        async def sweep() -> bool:
            found = await asyncio.to_thread(store.due, self._now())
            for each in found:
                await asyncio.to_thread(self._note, each.operation(self._now()))
            return bool(found)

        while not stop.is_set():
            again = await patience.until_done("operations-retention", sweep, stop)
            await sleep(stop, _SWEEP_AGAIN_SECONDS if again else _SWEEP_SECONDS)


def leaves_of(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions in a group, however deep."""
    found: list[BaseException] = []
    for each in group.exceptions:
        found += leaves_of(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found
