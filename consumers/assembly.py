"""How a desk's parts come together from one role directory; the same for every desk.

Each desk states its topics and what they may hold. The session registry and the quarantine key come from
`hub.reading`; the caller owns them, and the store, and closes both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from consumers.engine import Clocks, Engine, Limits
from consumers.judgement import Judge
from consumers.letters import Letters
from consumers.own_keys import OwnKeys, Used
from consumers.patience import Patience
from consumers.sending import InPresentGeneration
from consumers.store.port import Store
from consumers.store.vault import Vault
from hub.crypto.identity import IdentityKey
from hub.crypto.keystore import KeyStore
from hub.crypto.random import system_random
from hub.crypto.secret import Secret
from hub.envelope.inspection import PRODUCED, STRIPPED, routed_to
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey, LetterResolved, Session
from hub.envelope.times import epoch_of, from_ms
from hub.envelope.trust import Trust
from hub.facts import Observer, Ready
from hub.reading.at_hand import Registry, SessionsAtHand
from hub.reading.errors import KeyNotLoaded
from hub.reading.intake import Expectation, Intake, Secrets
from hub.reading.secrets import OwnSecrets
from hub.reading.stream import earlier_places
from hub.transport import BatchWriter, Endpoint, PartitionReader
from topics import names
from topics.layout import Topology


class DeskRole(Protocol):
    """What a desk needs of its role directory (`hub.role.Role`)."""

    @property
    def principal(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def state_directory(self) -> Path: ...
    @property
    def namespace(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def topology(self) -> Topology: ...
    @property
    def identity(self) -> IdentityKey: ...
    @property
    def keystore(self) -> KeyStore: ...
    @property
    def trust(self) -> Trust: ...
    def holds_back(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every desk is given, besides its own judgement."""

    role: DeskRole
    store: Store
    observer: Observer
    clocks: Clocks
    registry: Registry
    quarantine_key: Callable[[], AudienceKey | None]
    """the operator's current key, for records that may be plaintext"""
    announced: Callable[[int], bool] = lambda epoch: True
    """whether a valid own key of an epoch (YYYYMM) is published"""
    destroyed: Callable[[int], bool] = lambda epoch: False
    """whether the own key of an epoch (YYYYMM) is known to be destroyed"""
    limits: Limits | None = None

    @property
    def tenant(self) -> str:
        """The desk's one tenant: its principal is `<desk>-<tenant>`."""
        return self.role.principal.rpartition("-")[2]

    @property
    def owner(self) -> str:
        """Whose store it is: `<namespace>/<principal>`."""
        return f"{self.role.namespace}/{self.role.principal}"

    def patience(self, stage: str) -> Patience:
        """Return something that waits for what can heal."""
        return Patience(f"{self.role.principal}-{stage}", self.observer)

    def letters(self) -> Letters:
        """Return the writer of this desk's dead letters."""
        topic = names.dead_letters(self.role.namespace, self.role.principal, self.role.topology.generation)
        return Letters(self.role.principal, topic, self.quarantine_key)

    def keys(self, used: Used | None = None) -> OwnKeys:
        """Return this desk's audience keys; the audience has the principal's name. `used` is told when one is read."""
        return OwnKeys(self.role.principal, self.role.keystore, used)

    def vault(self, keys: OwnKeys) -> Vault:
        """Return the encryption at rest of this desk's store."""
        return Vault(self.owner, keys, self.store.store_key, system_random)

    def sessions(self) -> SessionsAtHand:
        """Return the sessions that each poll is judged with."""
        return SessionsAtHand(self.registry)

    def intake(self, sessions: SessionsAtHand, audience: str | None, expected: Mapping[str, Expectation]) -> Intake:
        """Return the judge of single records; `audience` None opens nothing."""
        secrets: Secrets = _NoSecrets()
        if audience is not None:
            secrets = OwnSecrets(audience, self.role.keystore, announced=self.announced, destroyed=self.destroyed)
        return Intake(
            audience,
            expected.__getitem__,
            self.role.topology.partitions_of.__getitem__,
            sessions,
            secrets,
            lambda: self.role.trust,
        )

    def expected(self, dataset: str, expectation: Callable[[int], Expectation]) -> dict[str, Expectation]:
        """What the topics of a dataset may hold, of all generations; `expectation` says it of one."""
        role, tenant = self.role, self.tenant
        return {
            names.of_tenant(role.namespace, tenant, dataset, each.number): expectation(each.number)
            for each in role.topology.generations
        }

    def routed(self, dataset: str, audience: str | None) -> dict[str, Expectation]:
        """What this desk's routed topics may hold; see `routed`."""
        return self.expected(dataset, lambda number: routed(self.role.namespace, self.tenant, audience, number))

    def produced(self, kind: Kind) -> dict[str, Expectation]:
        """What the topics that the review desk produces to may hold; see `produced`."""
        return self.expected(kind.value, lambda number: produced(self.role.namespace, self.tenant, kind, number))

    def sessions_topics(self) -> list[str]:
        """The topics of the sessions of this desk's events, of all generations."""
        return sessions_topics(self.role.topology, self.tenant)

    async def run(self, judge: Judge, topics: Collection[str], stop: asyncio.Event, keys: OwnKeys | None) -> None:
        """Run a desk over whole topics until `stop`, from the places that its store knows, generation by generation."""
        patience = Patience(self.role.principal, self.observer)
        if await patience.until_done("sessions", self._caught_up, stop) is None:
            return
        if keys is not None and await patience.until_done("audiences", lambda: self._own_key(keys), stop) is None:
            return
        self.observer(Ready("sessions", True))
        self.observer(Ready("audiences", True))
        engine = Engine(self.role.principal, judge, self.store, self.observer, self.clocks, self.limits)
        places = await engine.places()
        starts = {place: places.get(place) for place in self._partitions(topics)}
        reader = PartitionReader(self.role.endpoint, starts, first=earlier_places(starts))
        writer = InPresentGeneration(BatchWriter(self.role.endpoint), self.role.topology.generation)
        try:
            if await patience.until_done("broker", lambda: _started(reader), stop) is None:
                return
            await engine.run(reader, writer, stop)
        finally:
            await reader.close()
            await writer.close()

    def _partitions(self, topics: Collection[str]) -> list[tuple[str, int]]:
        partitions = self.role.topology.partitions_of
        return [(topic, partition) for topic in topics for partition in range(partitions[topic])]

    async def _caught_up(self) -> bool:
        await self.registry.ensure(())
        return True

    async def _own_key(self, keys: OwnKeys) -> bool:
        """The key of the running month must be there before anything is read."""
        epoch = epoch_of(from_ms(self.clocks.now_ms()))
        if not await asyncio.to_thread(keys.of, epoch):
            raise KeyNotLoaded(f"{self.role.principal} {epoch}")
        return True


async def _started(reader: PartitionReader) -> bool:
    await reader.start()
    return True


class _NoSecrets:
    """For a desk that opens nothing."""

    def unlock(self, session: Session) -> Secret | Reason:
        return Reason.NOT_ADDRESSED


def sessions_topics(topology: Topology, tenant: str | None) -> list[str]:
    """The topics of the sessions of a tenant's events, of all generations; of None those of everybody."""
    namespace = topology.namespace
    found = [*topology.every(partial(names.sessions, namespace))]
    return found if tenant is None else [*found, *topology.every(partial(names.desk_sessions, namespace, tenant))]


def routed(namespace: str, tenant: str, audience: str | None, generation: int = 1) -> Expectation:
    """What a routed topic may hold: submissions with the own ciphertext alone (audit: none), words on letters."""
    return Expectation(
        tenant,
        Kind.SUBMISSION,
        names.submissions(namespace, generation),
        STRIPPED if audience is None else routed_to(audience),
        notices=True,
        resolutions=LetterResolved.RECORD if audience is None else LetterResolved.TOLD,
    )


def produced(namespace: str, tenant: str, kind: Kind, generation: int = 1) -> Expectation:
    """What `status` and `accepted` may hold: events as the review desk sealed them, and its receipts."""
    topic = names.of_tenant(namespace, tenant, kind.value, generation)
    status = kind is Kind.STATUS
    return Expectation(tenant, kind, topic, PRODUCED, receipts=status, noticing=f"review-{tenant}" if status else None)
